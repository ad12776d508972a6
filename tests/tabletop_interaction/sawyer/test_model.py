"""The Sawyer's URDF as PyBullet understands it."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pybullet
import pytest

from tabletop_interaction.sawyer.model import (
    ARM_JOINT_NAMES,
    COLOURS,
    FINGER_JOINT_NAMES,
    FINGER_TRAVEL,
    JOINTS,
    LINKS,
    NEUTRAL,
    sawyer_urdf,
)


@dataclass(frozen=True)
class LoadedArm:
    client: int
    body: int
    joints: dict[str, int]
    links: dict[str, int]


@pytest.fixture
def arm(tmp_path: Path) -> Iterator[LoadedArm]:
    client = pybullet.connect(pybullet.DIRECT)
    urdf = tmp_path / "sawyer.urdf"
    urdf.write_text(sawyer_urdf(), encoding="utf-8")
    body = pybullet.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
    infos = [
        pybullet.getJointInfo(body, index, physicsClientId=client)
        for index in range(pybullet.getNumJoints(body, physicsClientId=client))
    ]
    joints = {info[1].decode(): info[0] for info in infos}
    links = {info[12].decode(): info[0] for info in infos}
    yield LoadedArm(client, body, joints, links)
    pybullet.disconnect(client)


def test_the_file_needs_no_other_file_and_names_only_known_colours() -> None:
    robot = ElementTree.fromstring(sawyer_urdf().encode())
    assert not list(robot.iter("mesh"))
    assert {material.get("name") for material in robot.iter("material")} == set(COLOURS)


def test_each_link_except_the_base_has_one_joint() -> None:
    children = [joint.child for joint in JOINTS]
    assert len(set(children)) == len(children)
    assert {*children, "base"} == {link.name for link in LINKS}
    assert {joint.parent for joint in JOINTS} <= {link.name for link in LINKS}


def test_pybullet_reads_the_limits_of_the_table(arm: LoadedArm) -> None:
    for joint in JOINTS:
        if joint.limits is None:
            continue
        info = pybullet.getJointInfo(arm.body, arm.joints[joint.name], physicsClientId=arm.client)
        table = (joint.limits.lower, joint.limits.upper, joint.limits.effort, joint.limits.velocity)
        assert info[8:12] == pytest.approx(table)


def test_the_moving_joints_are_seven_of_the_arm_and_two_fingers() -> None:
    moving = [joint.name for joint in JOINTS if joint.limits is not None]
    assert moving == [*ARM_JOINT_NAMES, *FINGER_JOINT_NAMES]


def test_the_moving_links_weigh_as_much_as_the_published_arm_with_gripper() -> None:
    moving = sum(link.mass for link in LINKS if link.name not in ("base", "right_arm_base_link"))
    links_0_to_6 = 5.3213 + 4.505 + 1.745 + 2.5097 + 1.1136 + 1.5625 + 0.3292
    assert moving == pytest.approx(links_0_to_6 + 1.5795 + 0.47, abs=0.005)


def test_every_inertia_is_physically_possible() -> None:
    for link in LINKS:
        xx, xy, xz, yy, yz, zz = link.inertia
        moments = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
        assert moments[0] > 0, link.name
        assert moments[2] <= moments[0] + moments[1], link.name


@pytest.mark.parametrize(("travel", "opening"), [(0.0, 0.0155), (FINGER_TRAVEL, 0.0572)])
def test_the_pads_open_as_far_as_the_real_ones(arm: LoadedArm, travel: float, opening: float) -> None:
    for name, sign in zip(FINGER_JOINT_NAMES, (1, -1), strict=True):
        pybullet.resetJointState(arm.body, arm.joints[name], sign * travel, physicsClientId=arm.client)
    pads = [arm.links[f"right_gripper_{side}_finger_tip"] for side in "lr"]
    points = pybullet.getClosestPoints(arm.body, arm.body, 0.1, *pads, physicsClientId=arm.client)
    assert min(point[8] for point in points) == pytest.approx(opening, abs=5e-4)


def test_motors_with_the_joints_rated_effort_hold_arm_and_fingers_still(arm: LoadedArm) -> None:
    client = arm.client
    pybullet.setGravity(0, 0, -9.81, physicsClientId=client)
    efforts = {joint.name: joint.limits.effort for joint in JOINTS if joint.limits is not None}
    targets = dict(zip([*ARM_JOINT_NAMES, *FINGER_JOINT_NAMES], [*NEUTRAL, 0.01, -0.01], strict=True))
    for name, target in targets.items():
        joint = arm.joints[name]
        pybullet.resetJointState(arm.body, joint, target, physicsClientId=client)
        pybullet.setJointMotorControl2(
            arm.body, joint, pybullet.POSITION_CONTROL, target, force=efforts[name], physicsClientId=client
        )
    before = _tip(arm)
    for _ in range(240):
        pybullet.stepSimulation(physicsClientId=client)
    assert np.linalg.norm(_tip(arm) - before) < 2e-3


def _tip(arm: LoadedArm) -> np.ndarray:
    state = pybullet.getLinkState(
        arm.body, arm.links["right_gripper_tip"], computeForwardKinematics=True, physicsClientId=arm.client
    )
    return np.array(state[4])
