"""Clips of random pushes: their pictures, their strokes, and reproducibility by seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.envs import open_backend
from tabletop_interaction.envs.watched_pushes import PushingConfig, random_line, watch_pushes
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget


def test_a_clip_has_a_picture_before_and_after_each_stroke(painted_table: Callable[..., Any]) -> None:
    (clip,) = watch_pushes(painted_table(), np.random.default_rng(0), 1, PushingConfig(strokes=3))
    assert clip.path_xy.shape == (4, 2)
    assert {name: (frames.dtype, frames.shape) for name, frames in clip.frames.items()} == {
        "view_0": (np.uint8, (4, 350, 430, 3))
    }


def test_lines_are_straight_and_evenly_spaced_and_stay_inside_the_arena(painted_table: Callable[..., Any]) -> None:
    arena, rng, config = painted_table().arena, np.random.default_rng(1), PushingConfig()
    lines = np.stack([random_line(arena, rng, config) for _ in range(200)])
    steps = np.diff(lines, axis=1)
    np.testing.assert_allclose(np.linalg.norm(steps, axis=2), config.stroke_m)
    np.testing.assert_allclose(np.diff(steps, axis=1), 0, atol=1e-12)
    assert all(arena.contains(x, y) for x, y in lines.reshape(-1, 2))
    # Uniform lines reach every quarter of the table.
    assert len({(x > 0, y > 0) for x, y in lines[:, 0]}) == 4


def test_a_new_scene_comes_every_few_pushes(painted_table: Callable[..., Any]) -> None:
    class Counting(painted_table):  # type: ignore[misc, valid-type]
        new: list[bool] = []  # noqa: RUF012

        def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
            self.new.append(new_scene)
            return int(super().reset(rng, new_scene=new_scene))

    list(watch_pushes(Counting(), np.random.default_rng(0), 5, PushingConfig(strokes=1, pushes_per_scene=2)))
    assert Counting.new == [True, False, True, False, True]


def test_a_line_that_the_arm_cannot_follow_is_replaced(painted_table: Callable[..., Any]) -> None:
    class ShortArm(painted_table):  # type: ignore[misc, valid-type]
        def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
            if end_xy[0] > 0:
                raise UnreachableTarget("too far")

    clips = list(watch_pushes(ShortArm(), np.random.default_rng(0), 5))
    assert len(clips) == 5
    assert all((clip.path_xy[1:, 0] <= 0).all() and len(clip.frames["view_0"]) == 6 for clip in clips)


def test_a_push_longer_than_the_arena_is_refused_before_anything_moves(painted_table: Callable[..., Any]) -> None:
    with pytest.raises(InvalidConfiguration, match=r"1\.00 m long"):
        next(watch_pushes(painted_table(), np.random.default_rng(0), 1, PushingConfig(strokes=10, stroke_m=0.1)))


def test_the_same_seed_pushes_the_same_things() -> None:
    shown = []
    for _ in range(2):
        with open_backend("simulation") as backend:
            shown.append(list(watch_pushes(backend, np.random.default_rng(3), 2)))
    for one, other in zip(*shown, strict=True):
        np.testing.assert_array_equal(one.path_xy, other.path_xy)
        np.testing.assert_array_equal(one.frames["view_2"], other.frames["view_2"])
