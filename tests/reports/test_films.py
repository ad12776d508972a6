"""Films hold the frames they were given, and a failure leaves the file that was there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import UnwritableFile
from tabletop_interaction.reports.films import write_film


def frame(level: int) -> Picture:
    return np.full((48, 64, 3), level, np.uint8)


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_film_has_its_frames_in_order(name: str, tmp_path: Path) -> None:
    path = write_film(tmp_path / name, (frame(level) for level in (20, 120, 220)), 4)
    frames = iio.imread(path)
    assert frames.shape[:3] == (3, 48, 64)
    assert frames.mean((1, 2, 3)) == pytest.approx([20, 120, 220], abs=6)


@pytest.mark.parametrize("name", ["film.mp4", "film.gif"])
def test_a_film_whose_frames_fail_leaves_the_old_file(name: str, tmp_path: Path) -> None:
    """ffmpeg went on after an error, and wrote its temporary file again."""

    def failing() -> Iterator[Picture]:
        yield frame(0)
        raise RuntimeError("the camera is gone")

    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(RuntimeError, match="camera"):
        write_film(path, failing(), 4)
    assert path.read_bytes() == b"old"
    assert [each.name for each in tmp_path.iterdir()] == [name]


def test_an_encoder_that_fails_is_an_error_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tabletop_interaction.reports.films.ffmpeg", lambda: "false")
    with pytest.raises(UnwritableFile, match=r"film\.mp4 cannot be written \(ffmpeg: 1\)"):
        write_film(tmp_path / "film.mp4", (frame(level) for level in (20, 120)), 4)
    assert not list(tmp_path.iterdir())
