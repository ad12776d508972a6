"""RecordInteractions writes a row for each step of any agent, also through other wrappers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records import wrapper as recording
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
    real = recording.encode_picture
    monkeypatch.setattr(recording, "encode_picture", lambda picture: (encoded.append(1), real(picture))[1])
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


def test_a_folder_of_another_renderer_is_refused(tmp_path: Path) -> None:
    RecordInteractions(TinyTable(), tmp_path).close()
    other = TinyTable()
    other.metadata_for_records = {"backend": "tiny", "renderer": "egl"}  # type: ignore[misc]
    with pytest.raises(ForeignFolder, match="renderer 'none', not 'egl'"):
        RecordInteractions(other, tmp_path)
