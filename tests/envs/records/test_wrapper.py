"""RecordInteractions writes a row for each step of any agent, also through other wrappers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.picture_format import PictureFormat
from tabletop_interaction.envs.records.reading import read_interactions
from tabletop_interaction.envs.records.wrapper import RecordInteractions
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration

Pictures = dict[str, Any]


class TinyTable(gym.Env[Pictures, Any]):
    """Grasps at every other step; pictures are 4 x 5 and all different."""

    views = tuple(View(f"view_{i}", 4, 5, np.eye(3), np.eye(4)) for i in range(2))
    split, background = "val", "oak"
    metadata_for_records = {"backend": "tiny", "renderer": "none"}  # noqa: RUF012
    action_space = gym.spaces.Box(-1, 1, (5,), np.float32)
    observation_space = gym.spaces.Dict({view.name: gym.spaces.Box(0, 255, (4, 5, 3), np.uint8) for view in views})

    def __init__(self) -> None:
        self.noise = np.random.default_rng(0)
        self.steps = 0

    @property
    def interactions(self) -> int:
        return self.steps

    def look(self) -> Pictures:
        return {view.name: self.noise.integers(0, 256, (4, 5, 3), dtype=np.uint8) for view in self.views}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Pictures, Any]:
        super().reset(seed=seed)
        pictures = self.look()
        return pictures, self.info(pictures, PickOutcome.NO_PICK, np.zeros(5))

    def step(self, action: Any) -> tuple[Pictures, float, bool, bool, Any]:
        self.steps += 1
        held = self.look()
        grasped = self.steps % 2 == 1
        after = self.look() if grasped else held
        outcome = PickOutcome.HELD if grasped else PickOutcome.NOTHING_THERE
        return after, float(grasped), False, False, self.info(held, outcome, 0.5 * action)

    def info(self, held: Pictures, outcome: PickOutcome, pick_place: Any) -> dict[str, Any]:
        points = np.arange(4, dtype=np.float32).reshape(2, 2)
        return {
            "held": held, "grasped": outcome is PickOutcome.HELD, "pick_outcome": int(outcome), "scene": 3,
            "pick_xy": points, "place_xy": points + 1, "pick_place": np.asarray(pick_place, np.float64),
        }  # fmt: skip


def assert_same(read: Any, seen: Pictures) -> None:
    assert list(read) == ["view_0", "view_1"]
    assert all(np.array_equal(read[name], seen[name]) for name in read)


def test_each_step_becomes_a_row_with_its_pictures(tmp_path: Path) -> None:
    env = RecordInteractions(TinyTable(), tmp_path)
    observation, _ = env.reset(seed=5)
    seen = []
    for _ in range(4):
        action = env.action_space.sample()
        after, _, _, _, info = env.step(action)
        seen.append((observation, info["held"], after, action))
        observation = after
    env.close()
    rows = list(read_interactions(tmp_path))
    assert [row.step for row in rows] == [0, 1, 2, 3]
    for row, (before, held, after, action) in zip(rows, seen, strict=True):
        assert_same(row.before, before)
        assert_same(row.held, held)
        assert_same(row.after, after)
        assert np.allclose(row.pick_place.to_array(), 0.5 * action)
    assert [row.grasped for row in rows] == [True, False, True, False]
    assert rows[1].pick_outcome is PickOutcome.NOTHING_THERE
    assert rows[0].place_xy.tolist() == [[1, 2], [3, 4]]
    assert (rows[0].split, rows[0].background, rows[0].scene) == ("val", "oak", 3)


def test_rows_say_which_seed_episode_and_step_they_are(tmp_path: Path) -> None:
    env = RecordInteractions(TinyTable(), tmp_path)
    for seed in (None, 5, None, 6):
        env.reset(seed=seed)
        env.step(np.zeros(5))
    env.close()
    rows = list(read_interactions(tmp_path, columns=()))
    assert [(row.seed, row.episode, row.step) for row in rows] == [
        (-1, 0, 0),
        (5, 0, 0),
        (5, 1, 0),
        (6, 0, 0),
    ]
    assert rows[0].time.endswith("+00:00")


def test_a_row_is_on_disk_when_its_step_returns(tmp_path: Path) -> None:
    env = RecordInteractions(TinyTable(), tmp_path)
    env.reset()
    for number in range(3):
        env.step(np.zeros(5))
        rows = list(read_interactions(tmp_path))
        assert len(rows) == number + 1
        assert env.last_interaction is not None
        assert rows[-1].after == env.last_interaction.after
    env.close()


def test_a_picture_is_encoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded: list[int] = []
    real = PictureFormat.encode
    monkeypatch.setattr(PictureFormat, "encode", lambda self, picture: (encoded.append(1), real(self, picture))[1])
    env = RecordInteractions(TinyTable(), tmp_path)
    env.reset()
    counts = []
    for _ in range(2):
        encoded.clear()
        env.step(np.zeros(5))
        counts.append(len(encoded))
    env.close()
    assert counts == [4, 2]  # two views: held and after; nothing grasped, so held is after


def test_pictures_of_an_environment_that_reuses_its_buffers_are_recorded(tmp_path: Path) -> None:
    class OneBuffer(TinyTable):
        def look(self) -> Pictures:
            for name, fresh in super().look().items():
                self.__dict__.setdefault("buffer", {}).setdefault(name, fresh)[...] = fresh
            return self.buffer

    env = RecordInteractions(OneBuffer(), tmp_path)
    first, _ = env.reset()
    first = {name: picture.copy() for name, picture in first.items()}
    env.step(np.zeros(5))
    env.close()
    (row,) = read_interactions(tmp_path)
    assert_same(row.before, first)


def test_it_records_through_other_wrappers(tmp_path: Path) -> None:
    env = RecordInteractions(gym.wrappers.TimeLimit(TinyTable(), 2), tmp_path, writer="robot", rows_per_shard=1)
    env.reset()
    assert [env.step(np.zeros(5))[3] for _ in range(2)] == [False, True]
    env.close()
    env.close()
    assert [row.interaction_id for row in read_interactions(tmp_path)] == [
        "robot-00000-000",
        "robot-00001-000",
    ]


def test_vector_environments_record_into_one_folder(tmp_path: Path) -> None:
    envs = gym.vector.SyncVectorEnv([lambda: RecordInteractions(TinyTable(), tmp_path)] * 2)
    envs.reset(seed=1)
    envs.step(np.zeros((2, 5), np.float32))
    envs.close()
    assert [(row.writer, row.seed) for row in read_interactions(tmp_path)] == [("w0", 1), ("w1", 2)]


def test_recorders_of_a_vector_environment_that_was_dropped_give_up_their_names(tmp_path: Path) -> None:
    envs = gym.vector.SyncVectorEnv([lambda: RecordInteractions(TinyTable(), tmp_path, writer="w0")])
    envs.reset(seed=1)
    envs.step(np.zeros((1, 5), np.float32))
    # A cycle keeps it until the garbage collector runs, which closes it.
    envs.itself = envs  # type: ignore[attr-defined]
    del envs
    RecordInteractions(TinyTable(), tmp_path, writer="w0").close()
    assert len(list(read_interactions(tmp_path))) == 1


def test_a_step_before_reset_is_refused_and_moves_nothing(tmp_path: Path) -> None:
    env = RecordInteractions(TinyTable(), tmp_path)
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(5))
    assert env.unwrapped.steps == 0  # type: ignore[attr-defined]
    env.close()


def test_an_environment_that_cannot_be_recorded_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match="views"):
        RecordInteractions(gym.make("CartPole-v1"), tmp_path / "rows")
    assert not (tmp_path / "rows").exists()

    class NoHeld(TinyTable):
        def info(self, *args: Any) -> dict[str, Any]:
            return {key: value for key, value in super().info(*args).items() if key != "held"}

    env = RecordInteractions(NoHeld(), tmp_path)
    with pytest.raises(InvalidConfiguration, match="'held'"):
        env.reset()
    env.close()


class Untouched(TinyTable):
    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Pictures, Any]:
        raise AssertionError("moved")


@pytest.mark.parametrize("seed", [2**63, pytest.param(10**5000, id="long"), -1, 1.0, True, "3", np.array([1])])
def test_a_seed_that_a_row_cannot_hold_is_refused_before_anything_moves(tmp_path: Path, seed: Any) -> None:
    env = RecordInteractions(Untouched(), tmp_path)
    with pytest.raises(InvalidConfiguration, match=r"seed is .*; accepted is .*2\*\*63 - 1") as refused:
        env.reset(seed=seed)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200
    env.close()


def test_the_largest_seed_and_seeds_of_numpy_are_recorded(tmp_path: Path) -> None:
    env = RecordInteractions(TinyTable(), tmp_path)
    for seed in (2**63 - 1, np.int64(7), np.uint8(8)):
        env.reset(seed=seed)
        env.step(np.zeros(5))
    env.close()
    assert [row.seed for row in read_interactions(tmp_path, columns=())] == [2**63 - 1, 7, 8]


CHANGES_OF_THE_SPACE = {
    "resized": lambda env: gym.wrappers.TransformObservation(
        env,
        lambda seen: {name: picture[::2] for name, picture in seen.items()},
        gym.spaces.Dict({name: gym.spaces.Box(0, 255, (2, 5, 3), np.uint8) for name in env.observation_space}),
    ),
    "dropped": lambda env: gym.wrappers.FilterObservation(env, ["view_0"]),
    "stacked": lambda env: gym.wrappers.FrameStackObservation(env, 2),
    "flattened": gym.wrappers.FlattenObservation,
}


@pytest.mark.parametrize("change", CHANGES_OF_THE_SPACE.values(), ids=CHANGES_OF_THE_SPACE.keys())
def test_a_wrapper_below_that_changes_the_observation_space_is_refused_before_a_folder_is_made(
    tmp_path: Path, change: Any
) -> None:
    with pytest.raises(InvalidConfiguration, match=r"for view_.*; accepted is uint8 .*first"):
        RecordInteractions(change(TinyTable()), tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


CHANGES_OF_PICTURES = {
    "resized": (lambda seen: {name: picture[::2] for name, picture in seen.items()}, "uint8 .2, 5, 3"),
    "dropped": (lambda seen: {"view_0": seen["view_0"]}, "NoneType for view_1"),
    "renamed": (lambda seen: {f"left_{name}": picture for name, picture in seen.items()}, "NoneType for view_0"),
    "transposed": (lambda seen: {n: p.transpose(1, 0, 2) for n, p in seen.items()}, "uint8 .5, 4, 3"),
    "scaled": (lambda seen: {n: p.astype(np.float32) / 255 for n, p in seen.items()}, "float32"),
    "mirrored": (lambda seen: {name: picture[:, ::-1] for name, picture in seen.items()}, "changes the picture view_0"),
    "as a list": (lambda seen: list(seen.values()), "a list, no dict"),
}


@pytest.mark.parametrize(("change", "message"), CHANGES_OF_PICTURES.values(), ids=CHANGES_OF_PICTURES.keys())
def test_a_wrapper_below_that_changes_pictures_is_refused_at_reset(tmp_path: Path, change: Any, message: str) -> None:
    below = gym.wrappers.TransformObservation(TinyTable(), change, TinyTable.observation_space)
    env = RecordInteractions(below, tmp_path)
    with pytest.raises(InvalidConfiguration, match=f"{message}.*first"):
        env.reset()
    with pytest.raises(gym.error.ResetNeeded):
        env.step(np.zeros(5))
    env.close()
    assert list(read_interactions(tmp_path)) == []


def test_what_a_step_lacks_is_named_and_the_next_episode_is_recorded(tmp_path: Path) -> None:
    class Forgetful(TinyTable):
        def step(self, action: Any) -> Any:
            *result, info = super().step(action)
            if self.steps == 1:
                del info["held"]
            return *result, info

    env = RecordInteractions(Forgetful(), tmp_path)
    env.reset()
    with pytest.raises(InvalidConfiguration, match="info has no 'held'"):
        env.step(np.zeros(5))
    env.reset()
    env.step(np.zeros(5))
    env.close()
    assert len(list(read_interactions(tmp_path))) == 1


class Twice(gym.Wrapper[Any, Any, Any, Any]):
    def step(self, action: Any) -> Any:
        self.env.step(action)
        return self.env.step(action)


@pytest.mark.parametrize(
    ("wrap", "made"),
    [(lambda env: gym.wrappers.Autoreset(gym.wrappers.TimeLimit(env, 1)), 0), (Twice, 2)],
)
def test_a_step_that_is_not_one_interaction_becomes_no_row(tmp_path: Path, wrap: Any, made: int) -> None:
    env = RecordInteractions(wrap(TinyTable()), tmp_path)
    env.reset(seed=0)
    if made == 0:
        # The first step ends the episode, the second is the reset.
        env.step(env.action_space.sample())
    with pytest.raises(InvalidConfiguration, match=f"a wrapper below made {made} interactions in one step"):
        env.step(env.action_space.sample())
    env.close()
    assert len(list(read_interactions(tmp_path))) == (made == 0)


def test_a_wrapper_below_may_change_actions_for_a_row_holds_the_executed_one(tmp_path: Path) -> None:
    low, high = np.zeros(5, np.float32), np.full(5, 10, np.float32)
    env = RecordInteractions(gym.wrappers.RescaleAction(TinyTable(), low, high), tmp_path)
    env.reset()
    env.step(np.full(5, 7.5, np.float32))  # 0.5 in [-1, 1]; TinyTable executes half of it
    env.close()
    (row,) = read_interactions(tmp_path)
    assert row.pick_place.to_array().tolist() == [0.25] * 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"env": "TinyTable"}, "env is a str"),
        ({"folder": 5}, "folder is 5; accepted is text or a path"),
        ({"metadata": 5}, "metadata is 5"),
        ({"metadata": {"camera": object()}}, "cannot be written as JSON"),
    ],
)
def test_wrong_arguments_are_refused_before_a_folder_is_made(
    tmp_path: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidConfiguration, match=message):
        RecordInteractions(**{"env": TinyTable(), "folder": tmp_path / "rows", **arguments})
    assert not (tmp_path / "rows").exists()


def test_a_recorder_that_is_dropped_lets_its_name_go_and_keeps_its_row(tmp_path: Path) -> None:
    for _ in range(2):
        env = RecordInteractions(TinyTable(), tmp_path, writer="robot")
        env.reset()
        env.step(np.zeros(5))
        del env
    assert [row.writer for row in read_interactions(tmp_path)] == ["robot", "robot"]


def test_a_relative_folder_stays_where_it_was_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    env = RecordInteractions(TinyTable(), "rows", rows_per_shard=1)
    for folder in (tmp_path, tmp_path / "elsewhere"):
        monkeypatch.chdir(folder)
        env.reset()
        env.step(np.zeros(5))
    env.close()
    assert len(list(read_interactions(tmp_path / "rows"))) == 2
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_another_renderer_is_refused(tmp_path: Path) -> None:
    RecordInteractions(TinyTable(), tmp_path).close()
    other = TinyTable()
    other.metadata_for_records = {"backend": "tiny", "renderer": "egl"}  # type: ignore[misc]
    with pytest.raises(ForeignFolder, match="renderer 'none', not 'egl'"):
        RecordInteractions(other, tmp_path)
