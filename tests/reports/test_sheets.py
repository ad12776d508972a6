"""Sheets show their pictures in rows, with marks on copies of them."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as iio
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.reports.sheets import evenly_chosen, with_cross, write_passive_sheet, write_sheet
from tabletop_interaction.segmentation.rle import rle_from_mask
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet


def picture(level: int) -> Picture:
    return np.full((48, 64, 3), level, np.uint8)


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
    """A row is a clip in a view: its frames in the order of time, each 4 px larger than its picture."""
    mask = np.zeros((48, 64), np.bool_)
    mask[10:30, 10:30] = True
    levels = {"a/view_0/10-x": 200, "a/view_0/2-x": 100, "b/view_0/0-x": 150, "c/view_0/0-x": 50}
    examples = [Example(key, (20.0, 20.0), rle_from_mask(mask)) for key in levels if not key.startswith("b")]
    examples.append(Example("b/view_0/0-x", (20.0, 20.0), None))
    data = ExampleSet(tuple(examples), {key: picture(level) for key, level in levels.items()})
    sheet = iio.imread(write_passive_sheet(data, tmp_path / "masks.jpg", rows=2))
    assert sheet.shape == (2 * 52, 2 * 68, 3)
    assert [round(float(sheet[row, column].mean()), -1) for row, column in ((40, 50), (40, 118), (92, 50))] == [
        100,
        200,
        50,
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["masks.jpg"]
