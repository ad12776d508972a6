"""Waiting as Rethink's SDK does, in the robot's time."""

import errno
from collections.abc import Callable

import rospy


def wait_for(
    test: Callable[[], bool],
    timeout: float,
    failure: str = "",
    rate: float = 100,
    body: Callable[[], object] = lambda: None,
) -> bool:
    """Call `body` at `rate` until `test` is true; otherwise raise OSError with `failure`, or return False without."""
    end, ticks = rospy.get_time() + timeout, rospy.Rate(rate)
    while not test():
        late = rospy.get_time() >= end
        if late or rospy.is_shutdown():
            if failure:
                raise OSError(errno.ETIMEDOUT if late else errno.ESHUTDOWN, failure if late else "ROS Shutdown")
            return False
        body()
        ticks.sleep()
    return True
