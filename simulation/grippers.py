"""The URDF of the simulated arm with one of the grippers.

Every gripper has the Sawyer's fingers, at other distances and with other pads, so that all pads end at the same height.
Fingers press with limited force; what they hold is held by friction.
"""

from dataclasses import replace
from functools import lru_cache

from tabletop_interaction.envs.gripper import GRIPPERS, Gripper
from tabletop_interaction.sawyer.model import FINGER_JOINT_NAMES, JOINTS, LINKS, Joint, Link, Shape, sawyer_urdf

_SAWYER = GRIPPERS["sawyer"]
_FINGER_M = 0.015


# The arm is loaded again for each scene.
@lru_cache(maxsize=8)
def arm_urdf(gripper: Gripper) -> str:
    """URDF of the Sawyer with a gripper."""
    links = tuple(_fitted_link(link, gripper) for link in LINKS)
    joints = tuple(_fitted_joint(joint, gripper) for joint in JOINTS)
    return sawyer_urdf(links, joints)


def _fitted_link(link: Link, gripper: Gripper) -> Link:
    """The link, with the gripper's pad if it is a finger's tip, and with a longer rail if it is the hand."""
    if link.name.endswith("_finger_tip"):
        pad = replace(link.visuals[0], size=(gripper.pad_m, *link.visuals[0].size[1:]))
        return replace(link, collisions=(pad,), visuals=(pad,))
    if link.name == "right_hand" and gripper.opening_m > _SAWYER.opening_m:
        rail = Shape("box", (0.055, gripper.opening_m + 2 * _FINGER_M, 0.036), (0.004, 0, 0.0424))
        return replace(link, collisions=(*link.collisions, rail), visuals=(*link.visuals, rail))
    return link


def _fitted_joint(joint: Joint, gripper: Gripper) -> Joint:
    """The joint, with the gripper's distance and travel if it is a finger's."""
    if joint.name not in FINGER_JOINT_NAMES:
        return joint
    assert joint.limits is not None, "a finger's joint has limits"
    side = 1 if joint.name == FINGER_JOINT_NAMES[0] else -1
    x, y, z = joint.xyz
    apart = (gripper.closed_m - _SAWYER.closed_m) / 2
    lower, upper = sorted((0.0, side * gripper.travel_m))
    limits = replace(joint.limits, lower=lower, upper=upper, effort=gripper.force_n)
    return replace(joint, xyz=(x, y + side * apart, z), limits=limits)
