"""Obstacles: distances agree with samples of the arm's shapes; a path through a box or the table is always refused."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tabletop_interaction.errors import ObstacleCollision, UnreachableTarget
from tabletop_interaction.sawyer.distances import block_distances, capsule_around, stacked
from tabletop_interaction.sawyer.envelope import ADDED
from tabletop_interaction.sawyer.kinematics import HIGHEST, HOME, LOWEST, Solid, forward, joint_frames, solids
from tabletop_interaction.sawyer.obstacles import (
    ABOVE_TABLE,
    check_obstacles,
    check_table,
    obstacle_at,
    table_heights,
)

BASE_FROM_ARENA = np.array([[0, 1, 0, 0.575], [-1, 0, 0, 0], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])
CLEARANCE = 0.01
joints = st.lists(st.floats(0, 1), min_size=7, max_size=7).map(lambda at: LOWEST + np.array(at) * (HIGHEST - LOWEST))
places = st.tuples(st.floats(-1, 1), st.floats(-1, 1), st.floats(-0.5, 1.2))
sides = st.tuples(*[st.floats(0.002, 0.6)] * 3)
yaws = st.floats(-3.2, 3.2)


def _box(place=(0.0, 0.0, 0.0), sides=(0.1, 0.1, 0.1), yaw=0.0, clearance=CLEARANCE):
    pose = np.eye(4)
    pose[:3, :3] = Rotation.from_euler("z", yaw).as_matrix()
    pose[:3, 3] = place
    return obstacle_at("post", sides, pose, clearance)


def _surface(solid, count=40):
    """(N, 3) points on a solid's surface, in its frame."""
    rng = np.random.default_rng(0)
    around = rng.normal(size=(count, 3))
    around /= np.linalg.norm(around, axis=1)[:, None]
    if solid.kind == "sphere":
        return solid.size[0] * around
    if solid.kind == "box":
        return np.array(solid.size) / 2 * np.stack(np.meshgrid(*[[-1, 0, 1]] * 3), axis=-1).reshape(-1, 3)
    radius, length = solid.size
    rim = np.linspace(0, 2 * np.pi, count)
    return np.concatenate(
        [
            np.stack([radius * np.cos(rim), radius * np.sin(rim), np.full(count, z)], 1)
            for z in (-length / 2, length / 2)
        ]
    )


def _ends(capsule):
    """The balls at both ends of a capsule."""
    for end in (capsule.start, capsule.end):
        pose = np.eye(4)
        pose[:3, 3] = end
        yield Solid(capsule.link, capsule.joints, "sphere", (capsule.radius,), pose)


def _moved(q, solid):
    pose = joint_frames(q[None])[solid.joints, 0] @ solid.pose
    return _surface(solid) @ pose[:3, :3].T + pose[:3, 3]


@given(joints, places, sides, yaws)
@settings(max_examples=30, deadline=None)
def test_no_distance_to_a_box_exceeds_that_of_samples_of_the_parts(q, place, sides, yaw):
    box, _ = _box(place, sides, yaw)
    moving = [solid for solid in solids() if solid.joints > 0 and solid.link != "head"]
    capsules, frames = stacked(map(capsule_around, moving)), joint_frames(q[None])
    found = block_distances(box, frames, *capsules.placed(frames), capsules.radii)[0]
    for distance, solid in zip(found, moving, strict=True):
        inside = (_moved(q, solid) - box.pose[:3, 3]) @ box.pose[:3, :3]
        gaps = np.maximum(np.abs(inside) - np.array(box.size) / 2, 0)
        assert distance < np.linalg.norm(gaps, axis=1).min() + 1e-4


@given(joints)
@settings(max_examples=20, deadline=None)
def test_heights_above_the_table_are_those_of_the_lowest_samples(q):
    arena_from_base = np.linalg.inv(BASE_FROM_ARENA)
    balls = [ball for each in ADDED for ball in _ends(each)]
    above = [solid for solid in (*solids(), *balls) if solid.joints >= 2]
    lowest: dict[str, float] = {}
    for solid in above:
        sampled = (_moved(q, solid) @ arena_from_base[2, :3] + arena_from_base[2, 3]).min()
        lowest[solid.link] = min(lowest.get(solid.link, np.inf), sampled)
    found = dict.fromkeys(lowest, np.inf)
    for height, link in zip(table_heights(q[None], BASE_FROM_ARENA)[0], ABOVE_TABLE, strict=True):
        found[link] = min(found[link], height)
    for link, sampled in lowest.items():
        assert sampled - 0.02 < found[link] < sampled + 1e-9


@given(joints, joints, st.floats(0, 1), st.integers(0, 30), sides, yaws, st.floats(0.01, 0.1))
@settings(max_examples=60, deadline=None)
def test_a_path_through_a_box_is_always_refused(start, end, when, part, sides, yaw, step):
    moving = [solid for solid in solids() if solid.joints > 0 and solid.link != "head"]
    solid = moving[part % len(moving)]
    q = start + when * (end - start)
    centre = (joint_frames(q[None])[solid.joints, 0] @ solid.pose)[:3, 3]
    commands = np.linspace(start, end, 2 + int(np.abs(end - start).max() / step))
    with pytest.raises(ObstacleCollision):
        check_obstacles(commands, [_box(centre, sides, yaw)])


def test_a_thin_pole_that_is_passed_between_two_commands_is_met():
    swing = np.array([0.15, 0, 0, 0, 0, 0, 0])
    pole = _box(forward(HOME + swing / 2, "right_gripper_l_finger_tip")[:3, 3], (0.002, 0.002, 0.002), clearance=0.005)
    for q in (HOME, HOME + swing):
        check_obstacles(q[None], [pole])
    with pytest.raises(ObstacleCollision, match="from post"):
        check_obstacles(np.array([HOME, HOME + swing]), [pole])


@pytest.mark.parametrize("along", [0.0, 0.3, 0.7, 1.0], ids=lambda share: f"{share:.0%} open")
def test_a_thin_post_between_open_fingers_is_met(along):
    # The pads' inner faces are 57 mm apart; closing fingers, or those of a sweep, would hit it.
    tip, left = forward(HOME)[:3, 3], forward(HOME, "right_gripper_l_finger_tip")[:3, 3]
    opened = left + 0.0208 * (left - tip) / np.linalg.norm(left - tip)
    post = _box(tip + along * (opened - tip), (0.001, 0.001, 0.02), clearance=0.005)
    with pytest.raises(ObstacleCollision, match="finger"):
        check_obstacles(HOME[None], [post])


def test_a_refusal_names_box_part_command_and_distance():
    tip = forward(HOME)[:3, 3]
    way = np.array([HOME - 0.3, HOME - 0.15, HOME])
    far, near = _box(tip + 3.0)._replace(clearance=0.02), _box(tip - np.array([0, 0, 0.065]))
    check_obstacles(HOME[None], [far])
    with pytest.raises(
        ObstacleCollision,
        match=r"right_gripper_.* m from post in command 2 of 3; at least 0\.01 m is accepted; nothing",
    ) as refused:
        check_obstacles(way, [far, near])
    error = refused.value
    assert isinstance(error, UnreachableTarget)
    assert (error.obstacle, error.index) == ("post", 2)
    assert error.link.startswith("right_gripper")
    assert error.distance < CLEARANCE
    assert vars(pickle.loads(pickle.dumps(error))) == vars(error)


@pytest.mark.parametrize(("below", "allowed"), [(0.02, False), (0.04, True)])
def test_a_box_is_kept_at_its_own_clearance(below, allowed):
    # The pads end 2.8 mm below the tip; their capsules end another 8.7 mm below.
    top = forward(HOME)[:3, 3] - np.array([0, 0, 0.0115 + below])
    box = _box(top - np.array([0, 0, 0.05]), clearance=0.03)
    if allowed:
        check_obstacles(HOME[None], [box])
    else:
        with pytest.raises(ObstacleCollision, match=r"at least 0\.03 m"):
            check_obstacles(HOME[None], [box])


def test_a_held_object_keeps_clear_of_boxes_too():
    box = _box(forward(HOME)[:3, 3] - np.array([0, 0, 0.13]))
    check_obstacles(HOME[None], [box])
    check_obstacles(HOME[None], [box], held_reach=0.06)
    with pytest.raises(ObstacleCollision, match=r"the held object would come to -?0\.0"):
        check_obstacles(HOME[None], [box], held_reach=0.08)


def test_the_head_keeps_clear_of_boxes():
    head = forward(HOME, "head")[:3, 3]
    with pytest.raises(ObstacleCollision, match="head"):
        check_obstacles(HOME[None], [_box(head + np.array([0, 0, 0.1]), (0.05, 0.05, 0.05))])


def test_the_fingers_may_come_to_the_table_and_the_arm_may_not():
    height = (np.linalg.inv(BASE_FROM_ARENA) @ forward(HOME))[2, 3]
    raised = BASE_FROM_ARENA.copy()
    raised[2, 3] += height - 0.004
    check_table(HOME[None], raised, 0.02)
    raised[2, 3] += 0.003
    with pytest.raises(ObstacleCollision, match=r"right_gripper_._finger_tip would come to -0\.002 m from table"):
        check_table(HOME[None], raised, 0.02)


def test_the_arm_keeps_its_clearance_from_the_table():
    gripper_up = HOME + np.array([0, 0, 0, 0, 0, -2.0, 0])
    heights = table_heights(gripper_up[None], BASE_FROM_ARENA)[0]
    lowest = ABOVE_TABLE[heights.argmin()]
    assert not lowest.startswith("right_gripper")
    raised = BASE_FROM_ARENA.copy()
    raised[2, 3] += heights.min() - 0.021
    check_table(gripper_up[None], raised, 0.02)
    raised[2, 3] += 0.002
    with pytest.raises(
        ObstacleCollision, match=rf"{lowest} would come to 0\.019 m from table in command 0 of 1"
    ) as refused:
        check_table(gripper_up[None], raised, 0.02)
    assert (refused.value.obstacle, refused.value.link) == ("table", lowest)
