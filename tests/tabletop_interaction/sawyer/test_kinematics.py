"""Forward and inverse kinematics against published values, PyBullet, and laws of geometry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pybullet
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.sawyer import kinematics
from tabletop_interaction.sawyer.kinematics import (
    GRIPPER_TIP,
    HOME,
    LIMIT_MARGIN,
    down_pose,
    facing,
    forward,
    half_turn,
    inverse,
    inverse_down,
    straight_down_path,
)
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES, JOINTS, NEUTRAL, sawyer_urdf

ZEROS = (0.0,) * 7
BENT = (0.3, -1.0, 0.1, 2.0, 0.2, 0.6, 3.3)
PUBLISHED = [
    (ZEROS, "right_hand", (1.015500, 0.160300, 0.317000), (-0.541677, 0.454522, -0.541673, 0.454519)),
    (ZEROS, "right_gripper_tip", (1.151120, 0.160300, 0.316999), (-0.541677, 0.454522, -0.541673, 0.454519)),
    (ZEROS, "right_hand_camera", (0.914000, 0.124500, 0.277448), (-0.707107, 0.707107, 0.0, 0.0)),
    (NEUTRAL, "right_hand", (0.449598, 0.160300, 0.215754), (0.707099, 0.707115, 0.000279, 0.000279)),
    (NEUTRAL, "right_gripper_tip", (0.449705, 0.160300, 0.080134), (0.707099, 0.707115, 0.000279, 0.000279)),
    (
        NEUTRAL,
        "right_hand_camera",
        (0.409965, 0.124500, 0.317223),
        (0.500199, -0.500199, -0.499801, 0.499801),
    ),
    (BENT, "right_hand", (0.445172, 0.365053, 0.198137), (-0.617536, -0.782092, -0.033541, 0.076528)),
    (BENT, "right_gripper_tip", (0.434556, 0.384986, 0.064411), (-0.617536, -0.782092, -0.033541, 0.076528)),
    (BENT, "right_hand_camera", (0.422084, 0.306923, 0.294242), (0.572766, -0.386807, -0.495409, 0.526203)),
]

LIMITS = [joint.limits for joint in JOINTS if joint.name in ARM_JOINT_NAMES and joint.limits is not None]
LOWER = np.array([limits.lower for limits in LIMITS]) + LIMIT_MARGIN
UPPER = np.array([limits.upper for limits in LIMITS]) - LIMIT_MARGIN

# A table of 0.49 x 0.60 m whose plane lies at z = -0.10 m.
ARENA_X = np.linspace(0.33, 0.82, 9)
ARENA_Y = np.linspace(-0.30, 0.30, 11)

joint_angles = st.tuples(*(st.floats(low, high) for low, high in zip(LOWER, UPPER, strict=True))).map(np.array)
table_points = st.tuples(st.floats(0.33, 0.82), st.floats(-0.3, 0.3), st.floats(-0.095, 0.2))


@pytest.mark.parametrize(("q", "tip", "position", "quaternion"), PUBLISHED)
def test_forward_gives_the_published_poses(q: tuple, tip: str, position: tuple, quaternion: tuple) -> None:
    pose = forward(np.array(q), tip)
    assert pose[:3, 3] == pytest.approx(position, abs=1e-4)
    found = Rotation.from_matrix(pose[:3, :3]).as_quat()
    assert found * np.sign(found @ quaternion) == pytest.approx(quaternion, abs=1e-4)


def test_forward_agrees_with_pybullet_on_the_urdf(tmp_path: Path) -> None:
    client = pybullet.connect(pybullet.DIRECT)
    urdf = tmp_path / "sawyer.urdf"
    urdf.write_text(sawyer_urdf(), encoding="utf-8")
    body = pybullet.loadURDF(str(urdf), useFixedBase=True, physicsClientId=client)
    infos = [pybullet.getJointInfo(body, i, client) for i in range(pybullet.getNumJoints(body, client))]
    links = {info[12].decode(): info[0] for info in infos}
    joints = {info[1].decode(): info[0] for info in infos}
    for q in np.random.default_rng(0).uniform(LOWER, UPPER, (20, 7)):
        for name, angle in zip(ARM_JOINT_NAMES, q, strict=True):
            pybullet.resetJointState(body, joints[name], angle, physicsClientId=client)
        for name, index in links.items():
            state = pybullet.getLinkState(body, index, computeForwardKinematics=True, physicsClientId=client)
            pose = forward(q, name)
            assert pose[:3, 3] == pytest.approx(state[4], abs=1e-4), name
            assert pose[:3, :3] == pytest.approx(Rotation.from_quat(state[5]).as_matrix(), abs=1e-4), name
    pybullet.disconnect(client)


def jacobian(q: Floats, tip: str = GRIPPER_TIP) -> Floats:
    chain = kinematics._chain(tip)
    frames = kinematics._joint_frames(chain, q)
    return kinematics._jacobian(frames, (frames[-1] @ chain.tip_mount)[:3, 3])


@given(joint_angles)
@settings(max_examples=30, deadline=None)
def test_the_jacobian_is_the_slope_of_forward(q: Floats) -> None:
    step = 1e-6
    for joint, change in enumerate(np.eye(7) * step):
        before, after = forward(q - change), forward(q + change)
        spin = Rotation.from_matrix(after[:3, :3] @ before[:3, :3].T).as_rotvec()
        slope = np.concatenate([after[:3, 3] - before[:3, 3], spin]) / (2 * step)
        assert jacobian(q)[:, joint] == pytest.approx(slope, abs=1e-6)


def test_the_wrist_does_not_move_the_hand_camera() -> None:
    assert not jacobian(HOME, "right_hand_camera")[:, 6].any()


@given(joint_angles, st.integers(0, 1000))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
def test_inverse_inverts_forward_from_a_near_seed(q: Floats, seed: int) -> None:
    # Near a joint limit or a stretched elbow, the search may fail.
    assume(np.minimum(q - LOWER, UPPER - q).min() > 0.12)
    assume(np.linalg.svd(jacobian(q))[1].min() > 0.02)
    target = forward(q)
    nearby = q + np.random.default_rng(seed).uniform(-0.1, 0.1, 7)
    found = inverse(target, nearby)
    _assert_same_pose(forward(found), target)
    assert (found >= LOWER).all()
    assert (found <= UPPER).all()


@given(joint_angles)
@settings(max_examples=30, deadline=None)
def test_a_seed_that_is_a_solution_is_returned(q: Floats) -> None:
    assert inverse(forward(q), q) == pytest.approx(q)


def test_inverse_changes_neither_the_seed_nor_home() -> None:
    seed = np.array(NEUTRAL)
    inverse(down_pose(0.6, 0.1, 0.0, 0.3), seed)
    assert seed == pytest.approx(NEUTRAL)
    assert not HOME.flags.writeable


def test_a_pose_out_of_reach_is_refused_with_its_position() -> None:
    with pytest.raises(UnreachableTarget, match=r"x 2\.000, y 0\.000, z 0\.100 m.*nothing was moved"):
        inverse_down(2.0, 0.0, 0.1, 0.0, HOME)


def test_inverse_solves_half_a_turn_of_the_hand() -> None:
    target = forward(HOME) @ np.diag([-1.0, -1.0, 1.0, 1.0])
    _assert_same_pose(forward(inverse(target, HOME)), target)


def test_down_pose_points_down_and_closes_along_its_angle() -> None:
    pose = down_pose(0.5, 0.1, 0.2, np.pi / 6)
    assert pose[:3, 2] == pytest.approx([0, 0, -1])
    assert pose[:3, 1] == pytest.approx([np.cos(np.pi / 6), 0.5, 0])
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)


@given(table_points, st.floats(-np.pi, np.pi))
@settings(max_examples=100, deadline=None)
def test_half_a_turn_of_the_angle_changes_nothing(point: tuple, angle: float) -> None:
    q = inverse_down(*point, angle, HOME)
    turned = inverse_down(*point, angle + np.pi, HOME)
    assert forward(q)[:3, 3] == pytest.approx(point, abs=1e-4)
    # Where both turns are equally near, either may be chosen.
    assert abs(q[6] - HOME[6]) <= np.pi / 2 + 1e-3
    assert turned[:6] == pytest.approx(q[:6], abs=5e-3)


def test_home_reaches_the_whole_table_in_one_posture_well_above_it() -> None:
    for x in ARENA_X:
        for y in ARENA_Y:
            for z in (-0.09, 0.1):
                for angle in np.arange(8) * np.pi / 8:
                    q = inverse_down(x, y, z, angle, HOME)
                    _assert_grips(forward(q), x, y, z, angle)
                    assert abs(q[2]) < 0.1
                    assert abs(q[4]) < 0.1
                    assert q[3] > 0.2
                    assert forward(q, "right_l3")[2, 3] > 0.25


def test_a_centimetre_down_changes_every_joint_little() -> None:
    for x in ARENA_X[::2]:
        for y in ARENA_Y[::2]:
            q = inverse_down(x, y, 0.06, 0.4, HOME)
            for z in np.arange(0.05, -0.095, -0.01):
                lower = inverse_down(x, y, z, 0.4, q)
                assert np.abs(lower - q).max() < 0.06
                q = lower


@given(table_points, st.floats(0.02, 0.2), st.floats(-np.pi, np.pi))
@settings(max_examples=40, deadline=None)
def test_a_straight_path_stays_within_a_millimetre_of_its_line(point: tuple, height: float, angle: float) -> None:
    x, y, z = point
    path = straight_down_path(x, y, min(z + height, 0.2), z, angle, HOME)
    assert path.shape[1] == 7
    assert len(path) >= 4
    steps = np.linspace(0, len(path) - 1, 60)
    dense = [[np.interp(step, np.arange(len(path)), column) for column in path.T] for step in steps]
    tips = np.array([forward(np.array(q))[:3, 3] for q in dense])
    assert np.hypot(tips[:, 0] - x, tips[:, 1] - y).max() < 1.1e-3
    assert tips[-1, 2] == pytest.approx(z, abs=1e-4)


def test_a_path_up_is_the_reversed_path_down() -> None:
    down = straight_down_path(0.6, 0.1, 0.05, -0.09, 0.3, HOME)
    up = straight_down_path(0.6, 0.1, -0.09, 0.05, 0.3, down[-1])
    assert up[::-1] == pytest.approx(down, abs=5e-3)


def _assert_same_pose(found: Floats, target: Floats) -> None:
    assert np.linalg.norm(found[:3, 3] - target[:3, 3]) < 1e-4
    assert Rotation.from_matrix(found[:3, :3] @ target[:3, :3].T).magnitude() < 1e-3


def _assert_grips(pose: Floats, x: float, y: float, z: float, angle: float) -> None:
    assert np.linalg.norm(pose[:3, 3] - (x, y, z)) < 1e-4
    assert pose[2, 2] == pytest.approx(-1, abs=1e-6)
    assert abs(pose[:2, 1] @ (np.cos(angle), np.sin(angle))) == pytest.approx(1, abs=1e-6)


@given(st.tuples(st.floats(0.4, 0.8), st.floats(-0.25, 0.25)), st.floats(-7, 7))
@settings(max_examples=15, deadline=None)
def test_a_facing_path_closes_at_its_angle_and_not_half_a_turn_from_it(point: tuple, angle: float) -> None:
    path = straight_down_path(*point, 0.0, -0.1, angle, HOME)
    faced = facing(path, angle)
    np.testing.assert_allclose(forward(faced[-1])[:2, 1], [np.cos(angle), np.sin(angle)], atol=1e-3)
    np.testing.assert_array_equal(faced[:, :6], path[:, :6])
    assert half_turn(faced[-1], angle) == 0.0
    assert np.abs(faced[:, 6]).max() < 3.2
