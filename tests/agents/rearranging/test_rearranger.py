"""The rearranger brings painted squares to where a picture shows them; its decisions hold their reasons."""

from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.agents.features import FEATURES, Colours
from tabletop_interaction.agents.rearranging.matching import AppearanceMatcher
from tabletop_interaction.agents.rearranging.planning import Purpose
from tabletop_interaction.agents.rearranging.rearranger import Rearranger
from tabletop_interaction.envs import Arena, PickOutcome, PickPlace, View
from tabletop_interaction.envs.actions import pick_place_from_action
from tabletop_interaction.envs.rearrangement import TabletopRearrangement
from tabletop_interaction.envs.views import camera_pose
from tabletop_interaction.errors import NoGoal
from tabletop_interaction.segmentation import FAST, Segmenter
from tabletop_interaction.simulation import SimulationConfig

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
HALF_M = 0.02
COLOURS = ((220, 30, 30), (30, 180, 40), (40, 60, 220), (220, 200, 30))
CENTRE = (0.0, 0.0)
LEFT, RIGHT, FAR = (-0.15, 0.0), (0.15, 0.0), (0.0, 0.15)


def _view(name, height_m):
    intrinsics = np.array([[700 * height_m, 0, 214.5], [0, 700 * height_m, 174.5], [0, 0, 1]])
    return View(name, 350, 430, intrinsics, camera_pose(np.array([0, 0, height_m]), np.zeros(3), np.array([0, 1.0, 0])))


VIEWS = (_view("view_0", 10.0), _view("view_1", 8.0))
"""Seen from so high that a height of 2 cm matters little."""


class Squares:
    """A table of coloured squares without physics, picked up within 1.5 cm of their centres."""

    def __init__(self, places, views=VIEWS, half_m=(HALF_M, HALF_M)):
        self.places = [np.array(place, float) for place in places]
        self.half_m = np.array(half_m)
        self.views = views
        self.covered = False

    def pictures(self):
        return {view.name: self._picture(view) for view in self.views}

    def goals(self):
        return {f"goal_{number}": picture for number, picture in enumerate(self.pictures().values())}

    def do(self, action):
        """What info says after a step."""
        done = pick_place_from_action(action, ARENA)
        held = [i for i, at in enumerate(self.places) if np.hypot(*(at - (done.pick_x, done.pick_y))) < 0.015]
        if held:
            self.places[held[0]] = np.array([done.place_x, done.place_y])
        self.covered |= self._overlapping()
        outcome = PickOutcome.HELD if held else PickOutcome.NOTHING_THERE
        return {"pick_outcome": int(outcome), "pick_place": done.to_array()}

    def _overlapping(self):
        gaps = [np.abs(a - b).max() for i, a in enumerate(self.places) for b in self.places[:i]]
        return bool(gaps) and min(gaps) < 2 * HALF_M

    def _picture(self, view):
        image = np.full((view.height, view.width, 3), 110, np.uint8)
        image[::6] = 120
        for at, colour in zip(self.places, COLOURS, strict=False):
            corners = view.project(np.array([(*(at + side * self.half_m), 0.02) for side in (-1, 1)]))
            (left, right), (top, bottom) = np.sort(np.round(corners).astype(int).T)
            image[top:bottom, left:right] = colour
        return image


class ByColour:
    """A segmenter that knows the squares' colours."""

    def segment(self, image):
        masks = [(image == colour).all(-1) for colour in COLOURS]
        masks = np.array([mask for mask in masks if mask.sum() > 50], bool).reshape(-1, *image.shape[:2])
        return SimpleNamespace(masks=masks, scores=np.ones(len(masks), np.float32))


RESET = {"pick_outcome": int(PickOutcome.NO_PICK), "pick_place": np.zeros(5)}


def _agent(segmenter=None, views=VIEWS):
    return Rearranger(segmenter or ByColour(), AppearanceMatcher(Colours()), views, ARENA)


def _played(start, goal, steps=10):
    """World, and the purposes of the moves until there is none."""
    world, agent, info, goals = Squares(start), _agent(), RESET, Squares(goal).goals()
    purposes = []
    for _ in range(steps):
        info = world.do(agent.act({**world.pictures(), **goals}, info))
        purposes.append(agent.decision.move.purpose)
        if agent.decision.grasp is None:
            break
    return world, purposes


def _failed(action, outcome=PickOutcome.PUSHED_AWAY):
    return {"pick_outcome": int(outcome), "pick_place": pick_place_from_action(action, ARENA).to_array()}


@pytest.mark.parametrize(
    ("start", "goal", "moves"),
    [
        ([LEFT, FAR], [RIGHT, FAR], 1),
        ([LEFT, CENTRE], [CENTRE, RIGHT], 2),
        ([LEFT, RIGHT], [RIGHT, LEFT], 3),
        ([LEFT, CENTRE, RIGHT], [CENTRE, RIGHT, LEFT], 4),
        ([LEFT, RIGHT, FAR], [LEFT, RIGHT, FAR], 0),
    ],
)
def test_every_square_comes_to_its_goal_in_the_fewest_moves_and_none_onto_another(start, goal, moves):
    world, purposes = _played(start, goal)
    assert purposes[-1] is Purpose.DONE
    assert len(purposes) == moves + 1
    assert not world.covered
    for at, wanted in zip(world.places, goal, strict=True):
        assert np.hypot(*(at - wanted)) < 0.005


def test_with_nothing_to_move_it_picks_at_the_emptiest_point():
    world, agent = Squares([LEFT, RIGHT]), _agent()
    action = agent.act({**world.pictures(), **world.goals()}, RESET)
    done = pick_place_from_action(action, ARENA)
    assert agent.decision.grasp is None
    assert min(np.hypot(*(at - (done.pick_x, done.pick_y))) for at in world.places) > 0.1
    assert world.do(action)["pick_outcome"] == PickOutcome.NOTHING_THERE


def test_the_tolerance_is_halved_when_the_episode_continues_with_nothing_to_move():
    world, agent = Squares([LEFT]), _agent()
    observation = {**world.pictures(), **Squares([(LEFT[0] + 0.01, 0)]).goals()}
    agent.act(observation, RESET)
    distance = agent.decision.distances_px[0]
    assert (agent.decision.move.purpose, 4 < distance < 8) == (Purpose.DONE, True)
    world.do(agent.act(observation, _failed(np.zeros(5), PickOutcome.NOTHING_THERE)))
    assert agent.decision.move.purpose is Purpose.AGAIN
    assert abs(world.places[0][0] - LEFT[0] - 0.01) < 0.002


def test_a_decision_holds_what_is_matched_and_moved():
    world, agent = Squares([LEFT, FAR]), _agent()
    agent.act({**world.pictures(), **Squares([RIGHT, FAR]).goals()}, RESET)
    decision = agent.decision
    assert [(match.now, match.goal, match.stands) for match in decision.matches] == [(0, 0, False), (1, 1, True)]
    np.testing.assert_allclose(decision.distances_px, [700 * 0.3, 0], atol=2)
    assert (decision.view, decision.move.purpose, decision.move.object) == ("view_0", Purpose.TO_GOAL, 0)


def test_after_a_failed_grasp_another_axis_is_used_until_none_is_left():
    world, agent, info = Squares([LEFT]), _agent(), RESET
    observation, grasps = {**world.pictures(), **Squares([RIGHT]).goals()}, []
    while True:
        action = agent.act(observation, info)
        if agent.decision.grasp is None:
            break
        grasps.append(agent.decision.grasp)
        info = _failed(action)
    angles = np.array([grasp.angle for grasp in grasps])
    apart = np.abs((angles[:, None] - angles + np.pi / 2) % np.pi - np.pi / 2)
    assert len(grasps) >= 4
    assert apart[~np.eye(len(grasps), dtype=bool)].min() > 0.3
    assert agent.decision.move.purpose is Purpose.NO_GRASP


@pytest.mark.parametrize("goal", [[RIGHT], [FAR]])
def test_a_new_episode_forgets_what_failed(goal):
    world, agent = Squares([LEFT]), _agent()
    observation = {**world.pictures(), **Squares([RIGHT]).goals()}
    action = agent.act(observation, RESET)
    first = agent.decision.grasp
    agent.act(observation, _failed(action))
    assert agent.decision.grasp != first
    other = {**world.pictures(), **Squares(goal).goals()}
    agent.act(other, RESET if goal == [RIGHT] else _failed(action))
    assert agent.decision.grasp == first


def test_an_object_that_was_held_but_put_back_counts_as_failed():
    world, agent = Squares([LEFT]), _agent()
    observation = {**world.pictures(), **Squares([RIGHT]).goals()}
    done = pick_place_from_action(agent.act(observation, RESET), ARENA)
    first = agent.decision.grasp
    back = PickPlace(done.pick_x, done.pick_y, done.angle, done.pick_x, done.pick_y)
    agent.act(observation, {"pick_outcome": int(PickOutcome.HELD), "pick_place": back.to_array()})
    assert agent.decision.grasp != first


def test_an_object_that_rolled_from_where_it_was_put_is_grasped_from_another_side():
    """A cylinder that was thrown as the gripper opened was grasped and thrown the same way until the episode ended."""
    half_m = (0.01, HALF_M)
    world, agent, goals = Squares([LEFT], half_m=half_m), _agent(), Squares([RIGHT], half_m=half_m).goals()
    info = world.do(agent.act({**world.pictures(), **goals}, RESET))
    first = agent.decision.grasp
    world.places[0] = world.places[0] + 0.05 * np.array([np.cos(first.angle), np.sin(first.angle)])
    world.do(agent.act({**world.pictures(), **goals}, info))
    second = agent.decision.grasp
    assert abs((second.angle - first.angle + np.pi / 2) % np.pi - np.pi / 2) > 0.3
    assert np.hypot(*(world.places[0] - RIGHT)) < 0.005


def test_a_segment_without_an_object_blocks_nobody():
    class WithPhantom(ByColour):
        def segment(self, image):
            found = super().segment(image)
            if (image == COLOURS[0]).all(-1)[:, 200:].any():
                return found  # the goal's picture
            phantom = np.zeros((1, *image.shape[:2]), bool)
            phantom[0, 165:185, 305:335] = True
            return SimpleNamespace(masks=np.concatenate([found.masks, phantom]), scores=np.ones(len(found.masks) + 1))

    world, agent, goals = Squares([LEFT]), _agent(WithPhantom()), Squares([RIGHT]).goals()
    info = world.do(agent.act({**world.pictures(), **goals}, RESET))
    assert agent.decision.move.purpose is Purpose.PARK
    assert info["pick_outcome"] == PickOutcome.NOTHING_THERE
    world.do(agent.act({**world.pictures(), **goals}, info))
    assert agent.decision.move.purpose is Purpose.TO_GOAL
    assert np.hypot(*(world.places[0] - RIGHT)) < 0.005


def test_a_view_without_a_goal_is_skipped():
    world, agent = Squares([LEFT]), _agent()
    goals = Squares([RIGHT]).goals()
    world.do(agent.act({**world.pictures(), **goals, "goal_0": np.zeros((350, 430, 3), np.uint8)}, RESET))
    assert agent.decision.view == "view_1"
    assert np.hypot(*(world.places[0] - RIGHT)) < 0.005


def test_another_view_decides_when_the_first_finds_nothing():
    class BlindInFirst(ByColour):
        def segment(self, image):
            found = super().segment(image)
            seen = found.masks[:0] if image[0, 0, 0] == 0 else found.masks
            return SimpleNamespace(masks=seen, scores=np.ones(len(seen), np.float32))

    world, agent = Squares([LEFT]), _agent(BlindInFirst())
    observation = {**world.pictures(), **Squares([RIGHT]).goals()}
    for name in ("view_0", "goal_0"):
        observation[name][0, 0] = 0
    world.do(agent.act(observation, RESET))
    assert agent.decision.view == "view_1"
    assert np.hypot(*(world.places[0] - RIGHT)) < 0.005


def test_an_observation_without_a_goal_is_refused():
    with pytest.raises(NoGoal, match="goal_0"):
        _agent().act(Squares([LEFT]).pictures(), RESET)


def test_with_the_shipped_network_a_simulated_object_comes_to_its_goal():
    env = TabletopRearrangement(split="train", config=SimulationConfig(objects_min=4, objects_max=4), displaced=1)
    agent = Rearranger(
        Segmenter.load("default", FAST), AppearanceMatcher(FEATURES["efficientnet-lite0"]()), env.views, env.arena
    )
    observation, info = env.reset(seed=1)
    for _ in range(4):
        observation, _, done, _, info = env.step(agent.act(observation, info))
        if done:
            break
    env.close()
    assert info["is_success"], agent.decision.move.purpose
