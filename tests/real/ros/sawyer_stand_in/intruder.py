"""A second program that commands the arm, `python -m sawyer_stand_in.intruder`: it holds it where it was, at 100 Hz."""

import rospy
from intera_core_msgs.msg import JointCommand
from sensor_msgs.msg import JointState

from sawyer_stand_in.recording import INTRUDER
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES


def main() -> None:
    """Send the first joint angles that arrive until the process is killed."""
    rospy.init_node(INTRUDER, disable_signals=True)
    publisher = rospy.Publisher("/robot/limb/right/joint_command", JointCommand, queue_size=1)
    joints = rospy.wait_for_message("/robot/joint_states", JointState, timeout=10)
    by_name = dict(zip(joints.name, joints.position, strict=True))
    command = JointCommand(mode=JointCommand.POSITION_MODE, names=list(ARM_JOINT_NAMES))
    command.position = [by_name[name] for name in ARM_JOINT_NAMES]
    while not publisher.get_num_connections():
        rospy.sleep(0.01)
    print("ready", flush=True)
    while True:
        command.header.stamp = rospy.Time.now()
        publisher.publish(command)
        rospy.sleep(0.01)


if __name__ == "__main__":
    main()
