"""Label sets become examples; masks and regions that do not fit their picture are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL import Image as PilImage

from tabletop_interaction.errors import DiskFull
from tabletop_interaction.segmentation.coco import load_label_set, write_label_set
from tabletop_interaction.segmentation.photos import InvalidPicture
from tabletop_interaction.segmentation.rle import mask_from_rle, rle_from_mask
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet, NoExamples, examples_from_label_set
from tabletop_interaction.segmentation.training.pictures import open_pictures
from tabletop_interaction.segmentation.training.run import examples_fingerprint
from tests.picture_zoo import exif, upright


def test_a_label_set_gives_every_object_that_counts(a_picture: Callable[..., Any], tmp_path: Path) -> None:
    picture, mask = a_picture()
    small = np.zeros_like(mask)
    small[:5, :5] = True
    iio.imwrite(tmp_path / "a.png", picture)
    write_label_set(tmp_path / "labels.json", ["a.png"], [np.stack([mask, small])])
    label_set = load_label_set(tmp_path / "labels.json", tmp_path)
    examples = examples_from_label_set(label_set, tmp_path / "store")
    assert examples.complete
    assert [example.click_xy for example in examples.objects] == [(214.5, 159.5)]
    key = examples.objects[0].picture
    assert (examples.pictures[key] == picture).all()
    assert list(examples.ignored) == [key]
    assert [mask_from_rle(crowd).tolist() for crowd in examples.ignored[key]] == [small.tolist()]
    with pytest.raises(NoExamples, match="pictures"):
        examples_from_label_set(load_label_set(tmp_path / "labels.json"), tmp_path / "store")


def test_the_disk_is_compared_before_pictures_are_decoded(
    a_picture: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture, mask = a_picture()
    iio.imwrite(tmp_path / "a.png", picture)
    write_label_set(tmp_path / "labels.json", ["a.png"], [mask[None]])
    label_set = load_label_set(tmp_path / "labels.json", tmp_path)
    free = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=picture.size - 1))
    with pytest.raises(DiskFull, match=r"1 decoded pictures take 0\.00 GB"):
        examples_from_label_set(label_set, tmp_path / "store")
    assert not (tmp_path / "store").exists()
    monkeypatch.setattr(shutil, "disk_usage", lambda _: free._replace(free=picture.size))
    lines: list[str] = []
    for _ in range(2):
        examples_from_label_set(label_set, tmp_path / "store", lines.append)
    assert len(lines) == 1


def test_other_files_of_the_same_names_are_other_pictures(a_picture: Callable[..., Any], tmp_path: Path) -> None:
    # The same size and the same labels: only the pixels tell the two folders apart.
    picture, mask = a_picture()
    write_label_set(tmp_path / "labels.json", ["a.png"], [mask[None]])
    read = []
    for folder, pixels in (("first", picture), ("second", 255 - picture), ("copy", picture)):
        (tmp_path / folder).mkdir()
        iio.imwrite(tmp_path / folder / "a.png", pixels)
        label_set = load_label_set(tmp_path / "labels.json", tmp_path / folder)
        read.append(examples_from_label_set(label_set, tmp_path / "store"))
    first, second, copy = read
    assert (second.pictures[second.objects[0].picture] == 255 - picture).all()
    assert examples_fingerprint(first) == examples_fingerprint(copy) != examples_fingerprint(second)
    assert len(open_pictures(tmp_path / "store")) == 2


def test_a_picture_is_learned_in_the_orientation_of_its_labels(a_picture: Callable[..., Any], tmp_path: Path) -> None:
    picture, mask = a_picture()
    PilImage.fromarray(picture).save(tmp_path / "a.png", exif=exif(3))
    for orientation, right in (("stored", picture), ("upright", upright(picture, 3))):
        (tmp_path / "labels.json").unlink(missing_ok=True)
        write_label_set(tmp_path / "labels.json", ["a.png"], [mask[None]])
        label_set = load_label_set(tmp_path / "labels.json", tmp_path, orientation)
        examples = examples_from_label_set(label_set, tmp_path / "store")
        np.testing.assert_array_equal(examples.pictures[examples.objects[0].picture], right)
    assert len(open_pictures(tmp_path / "store")) == 2


def test_a_truncated_picture_of_a_label_set_is_named(a_picture: Callable[..., Any], tmp_path: Path) -> None:
    picture, mask = a_picture()
    write_label_set(tmp_path / "labels.json", ["a.jpg"], [mask[None]])
    iio.imwrite(tmp_path / "a.jpg", np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8))
    whole = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidPicture, match=r"a\.jpg"):
        examples_from_label_set(load_label_set(tmp_path / "labels.json", tmp_path), tmp_path / "store")


def test_a_region_to_ignore_fits_its_picture(one_object: Callable[..., Any]) -> None:
    with pytest.raises(NoExamples, match="size"):
        replace(one_object(), ignored={"p": (rle_from_mask(np.ones((2, 2), bool)),)})


def test_masks_that_do_not_fit_their_picture_are_refused(a_picture: Callable[..., Any]) -> None:
    picture, mask = a_picture()
    with pytest.raises(NoExamples, match="no picture"):
        ExampleSet((Example("q", (0, 0), rle_from_mask(mask)),), {"p": picture})
    with pytest.raises(NoExamples, match="size"):
        ExampleSet((Example("p", (0, 0), rle_from_mask(mask[:100])),), {"p": picture})
    with pytest.raises(NoExamples, match="0 px"):
        ExampleSet((Example("p", (0, 0), rle_from_mask(mask & False)),), {"p": picture})
