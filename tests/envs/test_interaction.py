"""The environment on the example backend: Gymnasium's rules, episodes, seeds, info."""

import gymnasium as gym
import numpy as np
import pytest

from tabletop_interaction.envs import PickOutcome, PickPlace, TabletopInteraction
from tabletop_interaction.envs.interaction import border_points
from tabletop_interaction.errors import (
    BlankPicture,
    InvalidAction,
    InvalidConfiguration,
    RobotFault,
    UnreachableTarget,
)

ID = "tabletop_interaction:TabletopInteraction-v0"


@pytest.fixture
def env(painted_table):
    with gym.make(ID, backend=painted_table()) as env:
        yield env


def _aim_at_square(env, place=(0.1, 0.1)):
    square = env.unwrapped.backend._square
    return PickPlace(*square, 0.0, *place).to_action(env.unwrapped.arena)


def test_a_pick_on_the_square_earns_one_and_moves_it(env):
    env.reset(seed=0)
    observation, reward, terminated, truncated, info = env.step(_aim_at_square(env))
    assert (reward, terminated, truncated) == (1.0, False, False)
    assert info["grasped"] is True
    assert info["pick_outcome"] == PickOutcome.HELD
    np.testing.assert_allclose(env.unwrapped.backend._square, [0.1, 0.1], atol=1e-6)
    assert not np.array_equal(info["held"]["view_0"], observation["view_0"])


def test_a_miss_earns_nothing_and_leaves_all_pictures_equal(env):
    env.reset(seed=0)
    action = np.array([0.99, 0.99, 0, 0, 0], np.float32)
    observation, reward, _, _, info = env.step(action)
    assert reward == 0.0
    assert info["pick_outcome"] == PickOutcome.NOTHING_THERE
    assert info["held"]["view_0"] is observation["view_0"]


def test_the_acted_pixels_show_the_object(env):
    observation, _ = env.reset(seed=3)
    _, _, _, _, info = env.step(_aim_at_square(env))
    x, y = np.round(info["pick_xy"][0]).astype(int)
    np.testing.assert_array_equal(observation["view_0"][y, x], [200, 40, 40])


def test_an_episode_is_truncated_after_25_steps(env):
    env.reset(seed=0)
    ends = [env.step(env.action_space.sample())[2:4] for _ in range(25)]
    assert ends == [(False, False)] * 24 + [(False, True)]


def test_info_has_the_same_keys_and_shapes_after_reset_and_step(env):
    _, first = env.reset(seed=0)
    _, _, _, _, then = env.step(env.action_space.sample())
    assert first.keys() == then.keys()
    for key in ("pick_xy", "place_xy", "pick_place"):
        assert first[key].shape == then[key].shape
        assert first[key].dtype == then[key].dtype


def test_every_second_episode_has_a_new_scene_and_the_others_are_swept(painted_table):
    calls = []

    class Logging(painted_table):
        def reset(self, rng, *, new_scene):
            calls.append("new" if new_scene else "same")
            return super().reset(rng, new_scene=new_scene)

        def sweep(self, start_xy, end_xy):
            calls.append("sweep")

    with gym.make(ID, backend=Logging()) as env:
        scenes = [env.reset(seed=1)[1]["scene"]] + [env.reset()[1]["scene"] for _ in range(3)]
        assert calls == ["new", *["sweep"] * 8, "same", "new", *["sweep"] * 8, "same"]
        assert scenes == [0, 0, 1, 1]
        assert env.reset(seed=1)[1]["scene"] == 0
        assert env.reset(options={"new_scene": True})[1]["scene"] == 1


def test_a_scene_that_failed_is_requested_again_and_not_counted(painted_table):
    asked = []

    class StopsOnce(painted_table):
        def reset(self, rng, *, new_scene):
            asked.append(new_scene)
            if len(asked) == 3:
                raise RobotFault("blocked", recoverable=True)
            return super().reset(rng, new_scene=new_scene)

    with gym.make(ID, backend=StopsOnce()) as env:
        env.reset(seed=1)
        env.reset()
        with pytest.raises(RobotFault):
            env.reset()
        assert env.reset()[1]["scene"] == 1
    assert asked == [True, False, True, True]


def test_the_sweep_starts_from_eight_points_evenly_spaced_on_the_border(painted_table):
    arena = painted_table().arena
    width, depth = arena.x_max - arena.x_min, arena.y_max - arena.y_min
    along_border = []
    for x, y in border_points(arena, 8):
        sides = {
            x - arena.x_min: y == arena.y_min,
            width + y - arena.y_min: x == arena.x_max,
            width + depth + arena.x_max - x: y == arena.y_max,
            2 * width + depth + arena.y_max - y: x == arena.x_min,
        }
        along_border.append(min(at for at, on_side in sides.items() if on_side))
    np.testing.assert_allclose(np.diff(along_border), 2 * (width + depth) / 8)


def test_every_sweep_ends_at_the_centre_with_an_empty_gripper(painted_table):
    ends = []

    class Logging(painted_table):
        def sweep(self, start_xy, end_xy):
            assert not self._held
            ends.append(end_xy)

    with gym.make(ID, backend=Logging()) as env:
        env.reset(seed=1)
        env.unwrapped.backend.pick(*env.unwrapped.backend._square, 0.0)
        env.reset()
    assert ends == [(0.0, 0.0)] * 8


def test_the_environment_takes_the_split_of_its_backend(painted_table):
    class OnTestObjects(painted_table):
        metadata = {"backend": "painted-table", "renderer": "numpy", "split": "test"}  # noqa: RUF012

    with gym.make(ID, backend=OnTestObjects()) as env:
        assert env.unwrapped.split == env.unwrapped.metadata_for_records["split"] == "test"


def test_after_an_error_during_a_step_a_reset_is_needed(painted_table):
    class Faulty(painted_table):
        def place(self, x, y):
            if self._held:
                raise RobotFault("blocked", recoverable=True)

    with gym.make(ID, backend=Faulty()) as env:
        env.reset(seed=0)
        with pytest.raises(RobotFault):
            env.step(_aim_at_square(env))
        with pytest.raises(gym.error.ResetNeeded):
            env.step(env.action_space.sample())


def test_a_blank_picture_is_an_error(painted_table):
    class LensCap(painted_table):
        def observe(self):
            return {name: np.zeros_like(picture) for name, picture in super().observe().items()}

    with gym.make(ID, backend=LensCap()) as env, pytest.raises(BlankPicture, match="view_0"):
        env.reset(seed=0)


def test_an_unreachable_pick_is_reported_and_nothing_is_placed(painted_table):
    class ShortArm(painted_table):
        def pick(self, x, y, angle):
            raise UnreachableTarget("too far")

    with gym.make(ID, backend=ShortArm()) as env:
        env.reset(seed=0)
        _, reward, _, _, info = env.step(env.action_space.sample())
    assert (reward, info["pick_outcome"]) == (0.0, PickOutcome.UNREACHABLE)


def test_an_unreachable_place_puts_the_object_back_where_it_was(painted_table):
    class CannotPlaceRight(painted_table):
        def place(self, x, y):
            if x > 0.25:
                raise UnreachableTarget("too far")
            super().place(x, y)

    with gym.make(ID, backend=CannotPlaceRight()) as env:
        env.reset(seed=0)
        start = env.unwrapped.backend._square.copy()
        _, _, _, _, info = env.step(_aim_at_square(env, place=(0.29, 0.0)))
        np.testing.assert_allclose(env.unwrapped.backend._square, start, atol=1e-6)
    np.testing.assert_allclose(info["pick_place"][3:], start, atol=1e-6)


def test_step_before_reset_and_bad_actions_are_refused(painted_table):
    env = TabletopInteraction(painted_table())
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(5))
    env.reset(seed=0)
    with pytest.raises(InvalidAction, match="nothing was moved"):
        env.step(np.full(5, np.nan))


@pytest.mark.parametrize("arguments", [{"episodes_per_scene": 0}, {"render_mode": "human"}])
def test_bad_arguments_are_refused(painted_table, arguments):
    with pytest.raises(InvalidConfiguration):
        TabletopInteraction(painted_table(), **arguments)
