"""The rearrangement on the example backend, whose goals come from picture files: episodes, rewards, refusals."""

import pickle

import cv2
import gymnasium as gym
import numpy as np
import pytest

from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopRearrangement, read_interactions
from tabletop_interaction.errors import InvalidConfiguration

ID = "tabletop_interaction:TabletopRearrangement-v0"
GOAL_XY = (0.15, -0.12)


@pytest.fixture
def goal_file(painted_table, tmp_path):
    table = painted_table()
    table._square = np.array(GOAL_XY)
    path = tmp_path / "goal.png"
    cv2.imwrite(str(path), table.observe()["view_0"][:, :, ::-1])
    return path


@pytest.fixture
def env(painted_table, goal_file):
    with gym.make(ID, backend=painted_table(), goal=goal_file, render_mode="rgb_array") as env:
        yield env


def _move_square(env, place):
    return PickPlace(*env.unwrapped.backend._square, 0.0, *place).to_action(env.unwrapped.arena)


def test_bringing_the_square_to_its_goal_ends_the_episode_and_earns_one(env):
    observation, info = env.reset(seed=0)
    assert info["is_success"] is False
    observation, reward, terminated, truncated, info = env.step(_move_square(env, GOAL_XY))
    assert (reward, terminated, truncated) == (1.0, True, False)
    assert (info["is_success"], info["fraction_done"]) == (True, 1.0)
    np.testing.assert_array_equal(observation["view_0"], observation["goal_0"])


def test_leaving_the_goal_costs_what_reaching_it_earned(env):
    env.reset(seed=0)
    start = tuple(env.unwrapped.backend._square)
    rewards = [env.step(_move_square(env, place))[1] for place in (GOAL_XY, start)]
    assert rewards == pytest.approx([1.0, -1.0], abs=0.05)


def test_without_a_judge_nothing_is_earned_and_ten_steps_truncate(painted_table, goal_file):
    with gym.make(ID, backend=painted_table(), goal=[goal_file], judge=None) as env:
        env.reset(seed=0)
        ends = [env.step(_move_square(env, GOAL_XY))[1:4] for _ in range(10)]
    assert ends == [(0.0, False, False)] * 9 + [(0.0, False, True)]


def test_info_has_the_same_keys_shapes_and_types_after_reset_and_step(env):
    _, first = env.reset(seed=0)
    _, _, _, _, then = env.step(env.action_space.sample())
    assert list(first) == list(then)
    for key, value in first.items():
        assert type(value) is type(then[key]), key
        assert np.shape(value) == np.shape(then[key]), key


def test_values_unknown_for_a_picture_goal_are_minus_one(env):
    _, info = env.reset(seed=0)
    assert info["displaced"] == 0
    assert (info["goal_distance_px"] == -1).all()
    assert info["others_moved_px"] == info["displaced_undisturbed"] == -1.0


def test_a_goal_can_be_given_to_each_reset(env, painted_table, tmp_path):
    table = painted_table()
    cv2.imwrite(str(tmp_path / "other.png"), table.observe()["view_0"][:, :, ::-1])
    observation, _ = env.reset(seed=0, options={"goal": tmp_path / "other.png"})
    np.testing.assert_array_equal(observation["goal_0"], table.observe()["view_0"])


def test_changing_an_observation_does_not_change_the_goal(env):
    observation, _ = env.reset(seed=0)
    before = observation["goal_0"].copy()
    observation["goal_0"][:] = 0
    np.testing.assert_array_equal(env.step(env.action_space.sample())[0]["goal_0"], before)


def test_the_rendered_picture_shows_now_and_the_goal_side_by_side(env):
    observation, _ = env.reset(seed=0)
    np.testing.assert_array_equal(env.render(), np.hstack([observation["view_0"], observation["goal_0"]]))


def test_a_custom_judge_gets_the_pictures(painted_table, goal_file):
    seen = []

    def make(backend, goal, start):
        verdict = TabletopRearrangement(painted_table(), judge=None)._verdict
        return lambda pictures: seen.append(pictures["view_0"]) or verdict

    env = TabletopRearrangement(painted_table(), goal=goal_file, judge=make)
    first, _ = env.reset(seed=0)
    then, *_ = env.step(_move_square(env, GOAL_XY))
    assert [id(picture) for picture in seen] == [id(first["view_0"]), id(then["view_0"])]


def test_a_backend_that_cannot_arrange_needs_a_picture(painted_table):
    env = TabletopRearrangement(painted_table())
    with pytest.raises(InvalidConfiguration, match=r"PaintedTable cannot arrange objects.*goal="):
        env.reset(seed=0)


def test_the_judge_by_truth_refuses_a_goal_from_a_file(painted_table, goal_file):
    env = TabletopRearrangement(painted_table(), goal=goal_file, judge="truth")
    with pytest.raises(InvalidConfiguration, match="'pictures' or None"):
        env.reset(seed=0)


@pytest.mark.parametrize(
    "arguments", [{"displaced": 0}, {"displaced": 4}, {"judge": "oracle"}, {"render_mode": "human"}]
)
def test_bad_arguments_are_refused(painted_table, arguments):
    with pytest.raises(InvalidConfiguration, match="accepted"):
        TabletopRearrangement(painted_table(), **arguments)


@pytest.mark.parametrize("options", [{"displaced": 5}, {"displces": 2}])
def test_bad_options_are_refused_before_anything_moves(painted_table, goal_file, options):
    class Untouched(painted_table):
        def reset(self, rng, *, new_scene):
            raise AssertionError("moved")

    with pytest.raises(InvalidConfiguration, match="accepted"):
        TabletopRearrangement(Untouched(), goal=goal_file).reset(options=options)


def test_interactions_are_recorded_with_the_views_and_without_the_goal(env, tmp_path):
    recorded = RecordInteractions(env, tmp_path / "records")
    first, _ = recorded.reset(seed=4)
    then, _, _, _, info = recorded.step(_move_square(env, GOAL_XY))
    recorded.close()
    (row,) = read_interactions(tmp_path / "records")
    assert list(row.before) == ["view_0"]
    for seen, pictures in ((first, row.before), (info["held"], row.held), (then, row.after)):
        np.testing.assert_array_equal(pictures["view_0"], seen["view_0"])
    assert row.seed == 4


def test_a_pickled_environment_is_made_again_from_its_arguments():
    env = TabletopRearrangement(displaced=2, split="val")
    again = pickle.loads(pickle.dumps(env))
    assert (again.displaced, again.split) == (2, "val")
    env.close()
    again.close()
