"""The Sawyer arm: driver, checked moves, streamed motion, gripper and faults."""
