"""Self-collision: distances obey laws and agree with Bullet; the arm's working motions are allowed."""

import time
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.errors import SelfCollision
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.safety import check_commands
from tabletop_interaction.real.arm.settings import MotionSettings, SafetySettings
from tabletop_interaction.sawyer.distances import segment_distances
from tabletop_interaction.sawyer.kinematics import HIGHEST, HOME, LOWEST, forward, joint_frames, solids
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES, FINGER_JOINT_NAMES, FINGER_TRAVEL, LINKS, NEUTRAL
from tabletop_interaction.sawyer.self_collision import (
    BLOCKS,
    CAPSULES,
    PAIRS,
    check_self_collision,
    self_distances,
)
from tabletop_interaction.simulation.arm import load_arm
from tabletop_interaction.simulation.client import BulletClient

MOTION = MotionSettings()
CLEARANCE = SafetySettings().self_clearance_m
BASE_FROM_ARENA = np.array([[0, 1, 0, 0.575], [-1, 0, 0, 0], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])
MOVES = Moves(BASE_FROM_ARENA, MOTION, SafetySettings())
SHIPPING = (0.0, -1.57, 0.0, 2.79, 0.0, -2.79, 3.3161)

joints = st.lists(st.floats(0, 1), min_size=7, max_size=7).map(lambda at: LOWEST + np.array(at) * (HIGHEST - LOWEST))


@given(joints)
@settings(max_examples=20, deadline=None)
def test_joint_frames_equal_forward_kinematics(q):
    frames = joint_frames(np.array([HOME, q]))
    for number in range(7):
        np.testing.assert_allclose(frames[number + 1, 1], forward(q, f"right_l{number}"), atol=1e-12)


@given(joints, st.floats(float(LOWEST[0]), float(HIGHEST[0])))
@settings(max_examples=20, deadline=None)
def test_turning_the_first_joint_leaves_all_distances_beyond_it(q, turn):
    turned = np.array([turn, *q[1:]])
    found = self_distances(np.array([q, turned]))
    on_the_arm = [not {"base", "right_arm_base_link"} & set(pair) for pair in PAIRS]
    np.testing.assert_allclose(*found[:, on_the_arm], atol=1e-5)


@given(joints)
@settings(max_examples=20, deadline=None)
def test_reversed_commands_have_the_same_distances(q):
    way = np.linspace(HOME, q, 9)
    np.testing.assert_allclose(self_distances(way), self_distances(way[::-1])[::-1], atol=1e-12)


@given(joints)
@settings(max_examples=20, deadline=None)
def test_distances_below_reach_are_exact_and_lower_bounds_above_it(q):
    all_, near = self_distances(q[None]), self_distances(q[None], 0.1)
    below = all_ < 0.1
    np.testing.assert_allclose(near[below], all_[below], atol=1e-12)
    assert (near <= all_ + 1e-9).all()


@pytest.fixture(scope="module")
def bullet_distances():
    """Distances between two links as Bullet finds them for the URDF's own shapes, with the fingers open."""
    client = BulletClient()
    arm = load_arm(client)
    infos = [client.getJointInfo(arm, number) for number in range(client.getNumJoints(arm))]
    joint_of, link_of = {info[1].decode(): info[0] for info in infos}, {info[12].decode(): info[0] for info in infos}

    def distances(q, pairs, within):
        angles = [*q, FINGER_TRAVEL, -FINGER_TRAVEL]
        for name, angle in zip((*ARM_JOINT_NAMES, *FINGER_JOINT_NAMES), angles, strict=True):
            client.resetJointState(arm, joint_of[name], angle)
        for one, other in pairs:
            links = link_of.get(one, -1), link_of.get(other, -1)
            found = client.getClosestPoints(arm, arm, within, *links)
            if found:
                yield (one, other), min(each[8] for each in found)

    yield distances
    client.close()


def test_no_distance_exceeds_bullets(bullet_distances):
    found = self_distances(np.random.default_rng(0).uniform(LOWEST, HIGHEST, (25, 7)))
    pairs = {pair for pair in PAIRS if "head" not in pair}
    compared = 0
    for q, row in zip(np.random.default_rng(0).uniform(LOWEST, HIGHEST, (25, 7)), found, strict=True):
        ours = dict.fromkeys(pairs, np.inf)
        for pair, metres in zip(PAIRS, row, strict=True):
            if pair in ours:
                ours[pair] = min(ours[pair], metres)
        for pair, true in bullet_distances(q, pairs, 0.1):
            # Bullet rounds the edges of its shapes by about a millimetre; depths of overlaps are defined differently.
            assert ours[pair] < max(true, 0) + 0.003, pair
            compared += 1
    assert compared > 100


def test_capsules_are_ordered_from_the_base():
    assert [each.joints for each in CAPSULES] == sorted(each.joints for each in CAPSULES)
    assert {each.link for each in CAPSULES} | {"head", "base"} == {each.link for each in solids()}


def test_pairs_that_are_not_compared_do_not_collide_except_neighbours_and_the_shoulder():
    frames = joint_frames(np.random.default_rng(1).uniform(LOWEST, HIGHEST, (500, 7)))
    for one, other in combinations(CAPSULES, 2):
        if abs(other.joints - one.joints) == 2 and (one.link, other.link) != ("right_arm_base_link", "right_l1"):
            ends = [
                frames[each.joints, :, :3, :3] @ end + frames[each.joints, :, :3, 3]
                for each in (one, other)
                for end in (each.start, each.end)
            ]
            gaps = segment_distances(ends[0], ends[1] - ends[0], ends[2], ends[3] - ends[2])
            assert gaps.min() > one.radius + other.radius, (one.link, other.link)


def test_the_heads_box_contains_its_visual_shapes():
    (head,) = (block for block in BLOCKS if block.link == "head")
    box_from_head = np.linalg.inv(head.pose) @ np.linalg.inv(joint_frames(HOME[None])[1, 0]) @ forward(HOME, "head")
    for shape in next(link for link in LINKS if link.name == "head").visuals:
        half = np.array(shape.size) / 2 if shape.kind == "box" else np.array([0, *[shape.size[0]] * 2])
        corners = np.array(shape.xyz) + half * np.array([[1, 1, 1], [-1, -1, -1]])
        if shape.kind == "cylinder" and shape.rpy == (0.0, 0.0, 0.0):
            radius, length = shape.size
            corners = np.array(shape.xyz) + np.array([radius, radius, length / 2]) * [[1], [-1]]
        inside = corners @ box_from_head[:3, :3].T + box_from_head[:3, 3]
        assert (np.abs(inside) <= np.array(head.size) / 2 + 1e-9).all()


@pytest.mark.parametrize("q", [HOME, MOTION.away, NEUTRAL], ids=["home", "away", "neutral"])
def test_working_postures_are_allowed(q):
    check_self_collision(np.array([q]), CLEARANCE)
    assert self_distances(np.array([q])).min() >= CLEARANCE


def test_the_shipping_posture_is_allowed():
    assert 0 < self_distances(np.array([SHIPPING])).min() < CLEARANCE


@pytest.mark.parametrize("y", [-0.245, 0.0, 0.245])
@pytest.mark.parametrize("x", [-0.3, 0.0, 0.3])
def test_picks_all_over_the_arena_are_allowed_from_away_and_back(x, y):
    # `Moves` refuses what `check_commands` refuses.
    down = MOVES.down(x, y, 0.4, MOTION.grasp_m)
    MOVES.above(MOVES.away_q, x, y, 0.4)
    back = MOVES.away(MOVES.up(down[-1])[-1])
    np.testing.assert_allclose(back[-1], MOVES.away_q, atol=1e-6)


@pytest.mark.parametrize("start", [(0.0, -0.245), (-0.3, 0.245)], ids=["nearest", "farthest"])
def test_sweeps_from_the_border_are_allowed(start):
    above, down, across = MOVES.sweep(MOVES.away_q, start, (0.0, 0.0))
    assert min(self_distances(path, CLEARANCE).min() for path in (above, down, across)) >= CLEARANCE


@pytest.mark.parametrize(
    ("moved", "links"),
    [
        ({3: 3.0}, {"right_l2", "right_l6", "right_hand", "right_l5", "right_l1", "right_l0", "right_l4"}),
        ({1: 0.9, 3: 2.2}, {"base", "right_arm_base_link", "right_l4", "right_l5", "right_l6", "right_hand"}),
        ({1: -1.9, 3: 2.9, 4: 0.0, 5: 0.0}, {"head", "right_l3", "right_l4", "right_l5", "right_l6", "right_hand"}),
    ],
    ids=["folded", "into the pedestal", "into the head"],
)
def test_a_self_collision_is_refused_with_links_command_and_distance(moved, links):
    bad = np.zeros(7)
    for joint, angle in moved.items():
        bad[joint] = angle
    way = np.array([HOME, HOME, bad])
    with pytest.raises(SelfCollision, match=r"in command 2 of 3; at least 0\.02 m is accepted; nothing") as refused:
        check_self_collision(way, CLEARANCE)
    error = refused.value
    assert error.index == 2
    assert error.distance < CLEARANCE
    assert set(error.links) <= links
    assert error.links[0] in str(error)
    assert error.links[1] in str(error)


def test_check_commands_checks_self_collision():
    # No other check refuses this posture.
    hand_at_the_shoulder = np.array([[0.7, -1.5, -0.1, 2.8, 0.5, 1.9, 0.7]])
    with pytest.raises(SelfCollision, match="right_l1"):
        check_commands(hand_at_the_shoulder, BASE_FROM_ARENA, SafetySettings())


def test_a_path_of_200_configurations_takes_less_than_five_times_one_configuration():
    """They are checked all at once; one after the other they would take two hundred times as long."""
    way = np.linspace(HOME, MOTION.away, 200)

    def seconds(path):
        spent = []
        for _ in range(40):
            start = time.process_time()
            check_self_collision(path, CLEARANCE)
            spent.append(time.process_time() - start)
        return min(spent)

    assert seconds(way) < 5 * seconds(way[:1])
