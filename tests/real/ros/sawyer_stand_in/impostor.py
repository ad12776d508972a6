"""A second program that sends joint states, `python -m sawyer_stand_in.impostor`: of an arm that rests where it was."""

import rospy
from sensor_msgs.msg import JointState

TOPIC = "/robot/joint_states"


def main() -> None:
    """Send the first joint states that arrive at 100 Hz, with the present time, until the process is killed."""
    rospy.init_node("joint_state_impostor", disable_signals=True)
    publisher = rospy.Publisher(TOPIC, JointState, queue_size=1, tcp_nodelay=True)
    message = rospy.wait_for_message(TOPIC, JointState, timeout=10)
    print("ready", flush=True)
    while True:
        message.header.stamp = rospy.Time.now()
        publisher.publish(message)
        rospy.sleep(0.01)


if __name__ == "__main__":
    main()
