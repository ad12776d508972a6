"""A stand-in for a Sawyer on a real ROS 1 master: the robot's topics and message types, and its faults on demand.

`python -m sawyer_stand_in.node` is the robot, `sdk/` a thin stand-in for Rethink's SDK on the same topics, `client` our
backend in a process of its own, and `recording` judges what the robot received. Nothing here is Rethink's code, and
nothing was compared with a real arm.
"""
