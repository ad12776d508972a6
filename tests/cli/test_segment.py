"""`tabletop segment` on photos of several sizes."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage

from tabletop_interaction import picture_files
from tabletop_interaction.arrays import Picture
from tabletop_interaction.cli.main import main
from tabletop_interaction.files import claim_folder
from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.overlays import overlay_names
from tabletop_interaction.segmentation.photos import detect
from tabletop_interaction.segmentation.proposals import Segmenter
from tabletop_interaction.segmentation.segments import PictureSegmenter
from tests.picture_zoo import exif


@pytest.fixture
def photos(tmp_path: Path, labelled_picture: tuple[Path, Path]) -> list[Path]:
    source = PilImage.open(labelled_picture[1] / "000000.png")
    paths = [tmp_path / "small.png", tmp_path / "large.jpg"]
    source.save(paths[0])
    source.resize((860, 700)).save(paths[1])
    return paths


def test_each_photo_gets_an_overlay_and_masks_of_its_size(
    untrained: Path, photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    arguments = ["--model", str(untrained), "--out", str(out), "--min-score", "0", "--fast"]
    assert main(["segment", *map(str, photos), *arguments]) == 0
    results = json.loads((out / "segments.json").read_text())
    sizes = {(entry["file_name"], tuple(entry["segmentation"]["size"])) for entry in results}
    assert sizes == {(str(photos[0]), (350, 430)), (str(photos[1]), (700, 860))}
    for photo in photos:
        drawn, plain = PilImage.open(out / f"{photo.stem}.png"), PilImage.open(photo)
        assert drawn.size == plain.size
        assert (np.asarray(drawn) != np.asarray(plain)).any()
    assert f"{photos[1]}: " in capsys.readouterr().out


def test_the_same_command_may_write_again(untrained: Path, photos: list[Path], tmp_path: Path) -> None:
    arguments = ["segment", str(photos[0]), "--model", str(untrained), "--out", str(tmp_path / "out"), "--fast"]
    assert main(arguments) == 0
    assert main(arguments) == 0


def test_an_overlay_that_cannot_be_written_leaves_the_earlier_one_whole(
    untrained: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    arguments = ["segment", str(photos[0]), "--model", str(untrained), "--out", str(out), "--fast"]
    assert main([*arguments, "--min-score", "0"]) == 0
    earlier = (out / "small.png").read_bytes()

    def is_full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", is_full)
    assert main([*arguments, "--min-score", "1"]) == 1
    assert (out / "small.png").read_bytes() == earlier
    assert not list(out.glob(".tmp-*"))


def test_finding_nothing_is_said(
    untrained: Path, photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--model", str(untrained), "--out", str(tmp_path / "out"), "--min-score", "1", "--fast"]
    assert main(["segment", str(photos[0]), *arguments]) == 0
    assert "lower --min-score, another --longer-side or a larger --max-area-share" in capsys.readouterr().out
    assert json.loads((tmp_path / "out" / "segments.json").read_text()) == []


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        ([], 2, "no picture was given"),
        (["gone.jpg"], 1, "gone.jpg does not exist"),
        ([str(Path(__file__))], 1, "cannot be read as a picture"),
        ([str(Path(__file__).parent)], 1, "is a folder"),
        (["x.jpg", "--min-score", "3"], 2, "--min-score is 3.0; accepted is 0 to 1"),
        (["x.jpg", "--max-area-share", "0"], 2, "--max-area-share is 0.0; accepted is above 0 to 1"),
        (["x.jpg", "--longer-side", "3"], 2, "--longer-side is 3; accepted is 64 to 4096 px"),
    ],
)
def test_mistakes_end_in_one_line_before_anything_is_written(
    arguments: list[str], status: int, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["segment", *arguments, "--out", str(tmp_path / "out")]) == status
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_masks_lie_in_the_upright_photo(untrained: Path, photos: list[Path], tmp_path: Path) -> None:
    PilImage.open(photos[0]).rotate(90, expand=True).save(tmp_path / "turned.png", exif=exif(6))
    written = []
    for photo in (photos[0], tmp_path / "turned.png"):
        out = tmp_path / f"{photo.stem} out"
        arguments = ["--model", str(untrained), "--out", str(out), "--min-score", "0", "--fast"]
        assert main(["segment", str(photo), *arguments]) == 0
        results = json.loads((out / "segments.json").read_text())
        written.append((np.asarray(PilImage.open(out / f"{photo.stem}.png")), [one["segmentation"] for one in results]))
    np.testing.assert_array_equal(written[0][0], written[1][0])
    assert written[0][1] == written[1][1] != []


def test_a_photo_with_broken_pixels_is_named_before_anything_is_written(
    untrained: Path, photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its header is whole, so that only decoding finds the damage.
    photos[1].write_bytes(photos[1].read_bytes()[:5000])
    arguments = ["--model", str(untrained), "--out", str(tmp_path / "out"), "--fast"]
    assert main(["segment", *map(str, photos), *arguments]) == 1
    assert "large.jpg cannot be read" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_picture_of_too_many_pixels_is_named(
    photos: list[Path], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "MAX_PIXELS", 1000)
    assert main(["segment", str(photos[0]), "--out", str(tmp_path / "out")]) == 1
    error = capsys.readouterr().err
    assert str(photos[0]) in error
    assert len(error.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_stopping_keeps_the_masks_so_far_and_none_of_an_earlier_run(
    untrained: Path, photos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    claim_folder(out, "segment")
    (out / "segments.json").write_text('[{"file_name": "earlier.jpg"}]')
    arguments = [*map(str, photos), "--model", str(untrained), "--out", str(out), "--min-score", "0", "--fast"]

    def stopped_at_the_large(segmenter: PictureSegmenter, image: Picture, longer_side: int) -> Detections:
        if image.shape[1] == 860:
            raise KeyboardInterrupt
        return detect(segmenter, image, longer_side)

    monkeypatch.setattr("tabletop_interaction.cli.segment.detect", stopped_at_the_large)
    assert main(["segment", *arguments]) == 130
    assert {entry["file_name"] for entry in json.loads((out / "segments.json").read_text())} == {str(photos[0])}


@pytest.mark.parametrize(("options", "limit"), [([], 0.3), (["--max-area-share", "0.05"], 0.05)])
def test_objects_are_found_up_to_the_share_of_the_photo_that_was_asked_for(
    untrained: Path,
    photos: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: list[str],
    limit: float,
) -> None:
    # The benchmark's tenth hid what fills a close-up photo.
    shares: list[float] = []

    def noting(segmenter: Segmenter, image: Picture, longer_side: int) -> Detections:
        shares.append(segmenter.config.max_area_share)
        return detect(segmenter, image, longer_side)

    monkeypatch.setattr("tabletop_interaction.cli.segment.detect", noting)
    arguments = ["--model", str(untrained), "--out", str(tmp_path / "out"), "--fast", *options]
    assert main(["segment", str(photos[0]), *arguments]) == 0
    assert shares == [limit]


@pytest.mark.parametrize(
    ("pictures", "names"),
    [
        (["a/x.jpg", "b/x.png", "y.png"], ["1-x.png", "2-x.png", "y.png"]),
        (["a/x.png", "b/x.png", "1-x.png"], ["1-x.png", "2-x.png", "3-1-x.png"]),
        (["a/X.png", "b/x.png"], ["1-X.png", "2-x.png"]),
        (["caf\u00e9.png", "cafe\u0301.png"], ["1-caf\u00e9.png", "2-cafe\u0301.png"]),
    ],
)
def test_photos_that_share_a_name_get_numbered_overlays(pictures: list[str], names: list[str]) -> None:
    assert overlay_names([Path(picture) for picture in pictures]) == names


@given(st.lists(st.from_regex(r"[12]?-?[12]?-?[xX]", fullmatch=True)))
def test_no_overlay_overwrites_another(stems: list[str]) -> None:
    names = overlay_names([Path(str(number)) / f"{stem}.png" for number, stem in enumerate(stems)])
    assert len({name.lower() for name in names}) == len(stems)
