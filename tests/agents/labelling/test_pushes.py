"""Watched pushes become examples that survive a kill; background is taken only where a stroke moved nothing."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tabletop_interaction.agents.labelling.pushes import PassiveConfig, clip_examples, passive_examples
from tabletop_interaction.envs.watched_pushes import Clip, PushingConfig
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, RobotFault
from tabletop_interaction.segmentation.motion.masks import segment_motion
from tabletop_interaction.segmentation.rle import mask_from_rle

CONFIG = PassiveConfig(pushes=4, seed=2, pushing=PushingConfig(strokes=2, stroke_m=0.1, pushes_per_scene=2))


@pytest.fixture
def pushed_table(painted_table: Callable[..., Any]) -> Callable[..., Any]:
    """The painted table with a square that any stroke shifts by 4 cm, wherever it leads."""

    class PushedTable(painted_table):  # type: ignore[misc, valid-type]
        sweeps = 0
        fault_at = -1

        def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
            PushedTable.sweeps += 1
            if PushedTable.sweeps == self.fault_at:
                raise RobotFault("stopped")
            self._square = np.clip(self._square + np.array([0.04, 0.0]), -0.2, 0.2)

    return PushedTable


def test_a_pushed_square_gives_masks_of_itself(pushed_table: Callable[..., Any], tmp_path: Path) -> None:
    reports: list[tuple[int, int, int]] = []
    examples = passive_examples(pushed_table(), tmp_path, CONFIG, lambda *report: reports.append(report))
    assert [(done, total) for done, total, _ in reports] == [(2, 4), (4, 4)]
    assert reports[-1][2] == len(examples.objects) > 0
    for example in examples.objects:
        assert example.mask is not None
        mask, picture = mask_from_rle(example.mask), examples.pictures[example.picture]
        red = picture[..., 0] > 150
        assert (mask & red).sum() > 0.9 * (mask | red).sum()
    assert len(examples.background) <= len(examples.objects)
    assert not examples.complete


def test_a_fault_loses_no_scene_and_the_next_call_resumes(pushed_table: Callable[..., Any], tmp_path: Path) -> None:
    whole = passive_examples(pushed_table(), tmp_path / "whole", CONFIG)
    pushed_table.sweeps, pushed_table.fault_at = 0, 7  # type: ignore[attr-defined]
    with pytest.raises(RobotFault):
        passive_examples(pushed_table(), tmp_path / "cut", CONFIG)
    assert len(list((tmp_path / "cut" / "scenes").glob("scene-*.json"))) == 1
    assert passive_examples(pushed_table(), tmp_path / "cut", CONFIG).examples == whole.examples
    sweeps = pushed_table.sweeps  # type: ignore[attr-defined]
    assert passive_examples(pushed_table(), tmp_path / "cut", CONFIG).examples == whole.examples
    assert pushed_table.sweeps == sweeps, "nothing was watched again"  # type: ignore[attr-defined]


@pytest.mark.parametrize(("call", "count"), [("pathlib.Path.mkdir", 1), ("os.fsync", 1), ("pathlib.Path.replace", 1)])
def test_a_kill_while_the_folder_is_begun_does_not_stop_the_next_call(
    pushed_table: Callable[..., Any], tmp_path: Path, killed_at: Callable[..., bool], call: str, count: int
) -> None:
    def watch() -> Any:
        return passive_examples(pushed_table(), tmp_path / "out", CONFIG)

    assert killed_at(call, count, watch)
    assert watch().objects


def test_other_folders_and_other_pushes_are_refused(pushed_table: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(ForeignFolder, match="something else"):
        passive_examples(pushed_table(), tmp_path / "mine", CONFIG)
    passive_examples(pushed_table(), tmp_path / "ours", CONFIG)
    with pytest.raises(ForeignFolder, match="pushes is 4 there and 6 now"):
        passive_examples(pushed_table(), tmp_path / "ours", PassiveConfig(6, 2, pushing=CONFIG.pushing))


def test_a_kill_loses_no_scene(pushed_table: Callable[..., Any], tmp_path: Path) -> None:
    """Killed after its second scene; what was on disk stays, and the rest comes out as if nothing had happened."""
    config = replace(CONFIG, pushes=6)
    child = os.fork()
    if child == 0:
        passive_examples(pushed_table(), tmp_path / "cut", config, lambda *said: _die_after(2, said[0] // 2))
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL
    assert len(list((tmp_path / "cut" / "scenes").glob("scene-*.json"))) == 2
    whole = passive_examples(pushed_table(), tmp_path / "whole", config)
    resumed = passive_examples(pushed_table(), tmp_path / "cut", config)
    assert resumed.examples == whole.examples
    assert all(np.array_equal(resumed.pictures[key], whole.pictures[key]) for key in whole.pictures)


def _die_after(scenes: int, done: int) -> None:
    if done == scenes:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize(
    ("backend", "config", "said"),
    [
        ("gazebo", CONFIG, "unknown backend"),
        ("simulation", PassiveConfig(pushing=PushingConfig(strokes=9, stroke_m=0.1)), "0.90 m long"),
    ],
)
def test_pushes_that_cannot_be_watched_are_refused_before_anything_is_written(
    backend: str, config: PassiveConfig, said: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidConfiguration, match=said):
        passive_examples(backend, tmp_path / "out", config)
    assert not (tmp_path / "out").exists()


@pytest.fixture
def clip_and_view(painted_table: Callable[..., Any]) -> tuple[Clip, Any]:
    """The hand goes through the middle; a square to the left moves along before, at the right nothing is touched."""
    backend = painted_table()
    view = backend.views[0]
    frames = np.full((4, view.height, view.width, 3), 90, np.uint8)
    for frame, x in zip(frames, (60, 85, 110, 110), strict=True):
        cv2.rectangle(frame, (x, 60), (x + 60, 100), (200, 40, 40), -1)
    path = np.array([[-0.2, 0.15], [-0.16, 0.15], [-0.12, 0.15], [0.2, -0.15]])
    return Clip({view.name: frames}, path), view


def test_background_is_where_a_stroke_went_through_and_changed_nothing(clip_and_view: tuple[Clip, Any]) -> None:
    clip, view = clip_and_view
    motion = segment_motion(clip.frames[view.name])
    found = [example for example, _ in clip_examples(clip, view, motion, "a")]
    clicks = [example for example in found if example.mask is None]
    assert len(found) - len(clicks) == 3
    middle = view.project(np.array([[0.04, 0.0, 0.0]]))[0]
    assert [example.picture.split("-")[0] for example in clicks] == ["a/2"]
    np.testing.assert_allclose(clicks[0].click_xy, middle, atol=1e-6)


def test_a_scene_whose_pictures_are_lost_is_watched_again(pushed_table: Callable[..., Any], tmp_path: Path) -> None:
    whole = passive_examples(pushed_table(), tmp_path, CONFIG)
    shutil.rmtree(tmp_path / "pictures")
    assert passive_examples(pushed_table(), tmp_path, CONFIG).examples == whole.examples


def test_watched_pushes_of_another_run_or_another_scene_are_refused(
    pushed_table: Callable[..., Any], tmp_path: Path
) -> None:
    passive_examples(pushed_table(), tmp_path, CONFIG, run="abc")
    with pytest.raises(ForeignFolder, match=r"passive\.json belongs to run abc, and its folder to run def;"):
        passive_examples(pushed_table(), tmp_path, CONFIG, run="def")
    first, second = sorted((tmp_path / "scenes").iterdir())
    shutil.copy(first, second)
    with pytest.raises(ForeignFolder, match=r"scene-00001\.json holds scene 0; remove it"):
        passive_examples(pushed_table(), tmp_path, CONFIG, run="abc")
