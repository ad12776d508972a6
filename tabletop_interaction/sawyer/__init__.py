"""The Sawyer as numbers: links, joints, kinematics and self-collision."""
