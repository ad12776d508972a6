"""ROS 1: master and node, with bounded waits."""
