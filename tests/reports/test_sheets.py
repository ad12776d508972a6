"""Sheets show their pictures in rows, with marks on copies of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction, open_interactions
from tabletop_interaction.reports.sheets import (
    CAPTION_PX,
    PICK_COLOUR,
    evenly_chosen,
    with_caption,
    with_cross,
    write_interaction_sheets,
    write_passive_sheet,
    write_sheet,
)
from tabletop_interaction.segmentation.rle import rle_from_mask
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet


def picture(level: int) -> Picture:
    return np.full((48, 64, 3), level, np.uint8)


@pytest.fixture
def recorded_picks(tmp_path: Path, painted_table: Callable[..., Any]) -> Path:
    """Two picks beside the painted table's square, then two that hold it."""
    env = RecordInteractions(TabletopInteraction(painted_table()), tmp_path / "records")
    env.reset(seed=0)
    backend = env.unwrapped.backend  # type: ignore[attr-defined]
    for number in range(4):
        x, y = backend._square
        aim = (x, y) if number >= 2 else (-np.sign(x) * 0.2, -np.sign(y) * 0.2)
        env.step(np.clip(PickPlace(*aim, 0.0, 0.1, -0.1).to_action(backend.arena), -1, 1).astype(np.float32))
    env.close()
    return tmp_path / "records"


def test_shorter_rows_of_a_sheet_end_in_white(tmp_path: Path) -> None:
    sheet = iio.imread(write_sheet(tmp_path / "sheet.jpg", [[picture(0), picture(0)], [picture(0)]]))
    assert sheet.shape == (96, 128, 3)
    assert sheet[:48].max() < 20
    assert sheet[48:, 80:].min() > 235


def test_a_choice_is_spread_from_the_first_to_the_last() -> None:
    assert evenly_chosen("abc", 6) == ["a", "b", "c"]
    assert evenly_chosen(range(101), 5) == [0, 25, 50, 75, 100]
    assert evenly_chosen([], 3) == []


def test_a_cross_marks_a_copy() -> None:
    plain = picture(128)
    marked = with_cross(plain, (20.0, 30.0), (255, 0, 0))
    assert (plain == 128).all()
    assert marked[30, 20].tolist() == [255, 0, 0]
    assert marked[5, 5].tolist() == [128, 128, 128]


def test_the_passive_sheet_shows_clips_that_have_a_mask(tmp_path: Path) -> None:
    """A row is a clip in a view: its frames in time, each 4 px larger than its picture; the header has 28 px."""
    mask = np.zeros((48, 64), np.bool_)
    mask[10:30, 10:30] = True
    levels = {"a/view_0/10-x": 200, "a/view_0/2-x": 100, "b/view_0/0-x": 150, "c/view_0/0-x": 50}
    examples = [Example(key, (20.0, 20.0), rle_from_mask(mask)) for key in levels if not key.startswith("b")]
    examples.append(Example("b/view_0/0-x", (20.0, 20.0), None))
    data = ExampleSet(tuple(examples), {key: picture(level) for key, level in levels.items()})
    sheet = iio.imread(write_passive_sheet(data, tmp_path / "masks.jpg", rows=2))
    assert sheet.shape == (28 + 2 * 52, 2 * 68, 3)
    assert sheet[:28].min() < 90
    assert [round(float(sheet[28 + row, column].mean()), -1) for row, column in ((40, 50), (40, 118), (92, 50))] == [
        100,
        200,
        50,
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["masks.jpg"]


def test_sheets_have_headers_and_outcomes_and_show_first_what_was_held(tmp_path: Path, recorded_picks: Path) -> None:
    table = open_interactions(recorded_picks)
    grasped = [row.grasped for row in table]
    assert True in grasped[1:]
    assert not grasped[0]
    (path,) = write_interaction_sheets(table, range(len(table)), "view_0", tmp_path, rows=8, sheets=1)
    sheet = iio.imread(path)
    height = table[0].views[0].height
    strip = CAPTION_PX + height + 4
    assert len(sheet) == 28 + len(table) * strip
    # Headers and captions are dark words on white, and the first row is one in which something was held.
    assert sheet[2:26].min() < 90
    assert all(sheet[28 + number * strip + 4 : 28 + number * strip + 20].min() < 90 for number in range(len(table)))
    first = sheet[28 + CAPTION_PX :][:height, : table[0].views[0].width].astype(int)
    shown = with_cross(table[grasped.index(True)].before["view_0"], table[grasped.index(True)].pick_xy[0], PICK_COLOUR)
    assert np.abs(first - shown).mean() < 4


def test_a_caption_stands_above_its_picture_and_fits() -> None:
    captioned = with_caption(picture(200), "a caption that is much too long for it")
    assert captioned.shape == (48 + CAPTION_PX, 64, 3)
    assert (captioned[CAPTION_PX:] == 200).all()
    assert captioned[:CAPTION_PX].min() < 90
    assert (captioned[:CAPTION_PX, -2:] == 255).all()
