"""Labels lie on the picture as stored or upright: their size decides, or the user."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as PilImage

from tabletop_interaction.errors import InvalidLabelSet
from tabletop_interaction.picture_files import PictureHeader
from tabletop_interaction.segmentation.coco import LabelSet, load_label_set, write_label_set
from tabletop_interaction.segmentation.orientation import Orientation, choose_orientations, fitting_orientations
from tests.picture_zoo import drawn, exif, upright


def load(
    folder: Path, pictures: dict[str, tuple[int, bool]], size: tuple[int, int] = (24, 40), **options: Orientation
) -> LabelSet:
    """A label set of pictures by name: EXIF orientation, and whether the labels have the upright picture's size."""
    masks = []
    for name, (orientation, is_upright) in pictures.items():
        PilImage.fromarray(drawn(*size)).save(folder / name, exif=exif(orientation), lossless=True)
        shape = upright(np.zeros(size), orientation if is_upright else 1).shape
        masks.append(np.pad(np.ones((1, 12, 12), np.bool_), [(0, 0), (0, shape[0] - 12), (0, shape[1] - 12)]))
    (folder / "labels.json").unlink(missing_ok=True)
    write_label_set(folder / "labels.json", list(pictures), masks)
    return load_label_set(folder / "labels.json", folder, **options)


@pytest.mark.parametrize("is_upright", [False, True])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_the_size_of_the_labels_decides(tmp_path: Path, orientation: int, is_upright: bool) -> None:
    label_set = load(tmp_path, {"a.png": (orientation, is_upright)}, orientation="stored" if is_upright else "upright")
    right = upright(drawn(), orientation if is_upright else 1)
    np.testing.assert_array_equal(label_set.read(label_set.images[0]), right)
    assert label_set.orientations.note() is None


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_pictures_that_fit_both_ways_are_upright_unless_the_user_chooses(tmp_path: Path, orientation: int) -> None:
    label_set = load(tmp_path, {"a.png": (orientation, True), "b.png": (orientation, True), "c.png": (1, True)})
    np.testing.assert_array_equal(label_set.read(label_set.images[0]), upright(drawn(), orientation))
    note = label_set.orientations.note()
    assert note is not None
    assert "both as stored and upright: 2; read upright;" in note
    assert "--orientation stored" in note
    chosen = load(tmp_path, {"a.png": (orientation, True)}, orientation="stored")
    np.testing.assert_array_equal(chosen.read(chosen.images[0]), drawn())


def test_square_pictures_fit_both_ways(tmp_path: Path) -> None:
    label_set = load(tmp_path, {"a.png": (6, True)}, size=(24, 24))
    np.testing.assert_array_equal(label_set.read(label_set.images[0]), upright(drawn(24, 24), 6))
    assert label_set.orientations.undecided == 1


def test_pictures_that_fit_both_ways_follow_the_others(tmp_path: Path) -> None:
    label_set = load(tmp_path, {"a.png": (3, True), "b.png": (6, False)})
    np.testing.assert_array_equal(label_set.read(label_set.images[0]), drawn())
    assert "read as stored" in str(label_set.orientations.note())
    assert load(tmp_path, {"a.png": (3, True), "b.png": (6, True)}).orientations.upright == {1, 2}
    # One of each kind says nothing.
    mixed = load(tmp_path, {"a.png": (3, True), "b.png": (6, True), "c.png": (6, False)})
    assert mixed.orientations.upright == {1, 2}


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    load(tmp_path, {"a.png": (6, True)})
    document = json.loads((tmp_path / "labels.json").read_text())
    document["images"][0]["width"] = 25
    (tmp_path / "labels.json").write_text(json.dumps(document))
    with pytest.raises(InvalidLabelSet, match="has 24 x 40, not 40 x 25 px"):
        load_label_set(tmp_path / "labels.json", tmp_path)


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 8), st.tuples(st.integers(1, 9), st.integers(1, 9)))
def test_orientations_that_fit_have_the_size(height: int, width: int, orientation: int, size: tuple[int, int]) -> None:
    fits = fitting_orientations(PictureHeader(height, width, orientation), size)
    assert ("stored" in fits) == (size == (height, width))
    assert ("upright" in fits) == (size == upright(np.zeros((height, width)), orientation).shape)


ORIENTATIONS = st.sampled_from([frozenset({"stored"}), frozenset({"upright"}), frozenset({"stored", "upright"})])


@given(st.dictionaries(st.integers(), ORIENTATIONS), st.sampled_from(["stored", "upright", None]))
def test_every_picture_is_read_in_an_orientation_that_fits(
    fitting: dict[int, frozenset[Orientation]], wanted: Orientation | None
) -> None:
    chosen = choose_orientations(fitting, wanted)
    read: dict[int, Orientation] = {key: "upright" if key in chosen.upright else "stored" for key in fitting}
    assert all(read[key] in fits for key, fits in fitting.items())
    both = {key for key, fits in fitting.items() if len(fits) == 2}
    assert chosen.undecided == len(both)
    assert {read[key] for key in both} <= {wanted or chosen.chosen}
