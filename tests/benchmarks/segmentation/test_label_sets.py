"""The benchmark sets: the paper's sizes, and the same pictures however they are made."""

import os
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tabletop_interaction.benchmarks.segmentation.checksums import (
    Checksum,
    checksum_of,
    checksum_of_first,
    published,
    published_checksum,
    record_checksums,
    verdict,
)
from tabletop_interaction.benchmarks.segmentation.label_sets import (
    SETS,
    SetFolder,
    SetRenderer,
    SetSpec,
    make_set,
    masks_of,
    open_renderer,
)
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.picture_files import read_picture
from tabletop_interaction.segmentation.rle import mask_from_rle
from tabletop_interaction.sim_assets import background_names

TINY = SetSpec("tiny", 7, 3, "test", "train")


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> SetFolder:
    return make_set(TINY, tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="module")
def rendered() -> dict[int, Any]:
    """The pictures and instance maps of the set, rendered in another order."""
    with open_renderer(TINY) as renderer:
        return {index: renderer.render(index) for index in (2, 0, 1)}


def copy_of(folder: SetFolder, sets_dir: Path) -> SetFolder:
    for path in folder.path.rglob("*"):
        if path.is_file():
            target = sets_dir / folder.spec.name / path.relative_to(folder.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    return SetFolder(folder.spec, sets_dir / folder.spec.name)


@pytest.mark.parametrize(("name", "each"), [("test", 20), ("val", 5), ("dev", 6)])
def test_each_background_comes_equally_often(name: str, each: int) -> None:
    spec = SETS[name]
    counts = Counter(spec.background(index) for index in range(spec.pictures))
    assert counts == dict.fromkeys(background_names(name), each)


def test_training_pictures_are_spread_evenly() -> None:
    spec = SETS["train"]
    counts = Counter(spec.background(index) for index in range(spec.pictures))
    assert spec.pictures == 1470
    assert set(counts.values()) == {61, 62}


def test_each_test_background_is_seen_equally_often_by_each_view() -> None:
    spec = SETS["test"]
    counts = Counter((spec.background(index), spec.view_number(index)) for index in range(spec.pictures))
    assert len(counts) == 40
    assert set(counts.values()) == {5}


def test_generalisation_sets_cross_objects_and_backgrounds() -> None:
    crossed = {name[-1]: (spec.objects, spec.backgrounds) for name, spec in SETS.items() if "general" in name}
    assert crossed == {"A": ("train", "train"), "B": ("train", "test"), "C": ("test", "train"), "D": ("test", "test")}
    assert all(spec.pictures == 100 for name, spec in SETS.items() if "general" in name)


def test_no_two_sets_share_a_seed() -> None:
    assert len({spec.seed for spec in SETS.values()}) == len(SETS)


def test_objects_and_backgrounds_come_from_their_own_splits(tiny: SetFolder) -> None:
    assert all(TINY.background(index).startswith("train") for index in range(3))
    assert tiny.description["objects"] == "test"
    assert tiny.description["renderer"]


def test_masks_are_the_instance_maps(tiny: SetFolder, rendered: dict[int, Any]) -> None:
    label_set = tiny.load()
    for index, image in enumerate(label_set.images):
        _, instances = rendered[index]
        truth = [mask for mask in masks_of(instances) if mask.any()]
        written = [mask_from_rle(labelled.rle) for labelled in label_set.objects_in(image.image_id)]
        assert np.array_equal(np.array(written), np.array(truth))
        assert 1 <= len(written) <= 8


def test_a_picture_does_not_depend_on_those_before_it(tiny: SetFolder, rendered: dict[int, Any]) -> None:
    pictures = [read_picture(tiny.picture(index), upright=False) for index in range(3)]
    assert all(np.array_equal(picture, rendered[index][0]) for index, picture in enumerate(pictures))
    assert not np.array_equal(pictures[1], pictures[2])


def test_two_workers_make_the_same_set(tiny: SetFolder, tmp_path: Path) -> None:
    assert checksum_of(make_set(TINY, tmp_path, workers=2)) == checksum_of(tiny)


def test_only_the_first_pictures_are_made_where_no_more_are_used(tiny: SetFolder, tmp_path: Path) -> None:
    folder = make_set(TINY, tmp_path, first=2)
    assert sorted(path.name for path in folder.images.iterdir()) == ["000000.png", "000001.png"]
    assert not folder.labels.exists()
    first = folder.load_first(2)
    assert first.images == tiny.load().images[:2]
    assert first.objects == tuple(each for each in tiny.load().objects if each.image_id <= 2)
    assert [np.array_equal(first.read(image), tiny.load().read(image)) for image in first.images] == [True, True]
    assert tiny.load_first(2) == replace(first, images_dir=tiny.images)
    assert checksum_of(make_set(TINY, tmp_path)) == checksum_of(tiny)


def test_an_interrupted_run_goes_on_and_keeps_what_is_whole(tiny: SetFolder, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    folder.labels.unlink()
    folder.picture(0).unlink()
    folder.instances(1).write_bytes(b"torn")
    kept = folder.picture(2).stat().st_mtime_ns
    assert checksum_of(make_set(TINY, tmp_path)) == checksum_of(tiny)
    assert folder.picture(2).stat().st_mtime_ns == kept
    assert not list(folder.path.rglob(".tmp*"))


def test_a_run_that_was_killed_before_its_first_picture_is_resumed(tiny: SetFolder, tmp_path: Path) -> None:
    """Earlier versions made the folders of the pictures first, and refused them without set.json."""
    folder = SetFolder(replace(TINY, pictures=1), tmp_path / "tiny")
    for path in (folder.images, folder.instances(0).parent):
        path.mkdir(parents=True)
    (folder.path / ".tmp-set.json").write_text("{")
    make_set(folder.spec, tmp_path)
    assert np.array_equal(read_picture(folder.picture(0), upright=False), read_picture(tiny.picture(0), upright=False))
    assert not list(folder.path.rglob(".tmp*"))


def test_a_set_is_claimed_before_its_first_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(renderer: SetRenderer, index: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(SetRenderer, "render", killed)
    with pytest.raises(KeyboardInterrupt):
        make_set(TINY, tmp_path)
    assert [path.name for path in (tmp_path / "tiny").rglob("[!.]*")] == ["set.json"]


def test_another_set_in_the_folder_is_refused(tiny: SetFolder, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    with pytest.raises(ForeignFolder, match="seed is 7 there and 8 now"):
        make_set(SetSpec("tiny", 8, 3, "test", "train"), tmp_path)
    assert checksum_of(folder) == checksum_of(tiny)


@pytest.mark.parametrize(("call", "count"), [("pathlib.Path.mkdir", 1), ("pathlib.Path.mkdir", 2), ("os.fsync", 1)])
def test_a_set_whose_begin_was_killed_is_made_by_the_same_call(
    tmp_path: Path, killed_at: Callable[..., bool], call: str, count: int
) -> None:
    spec = replace(TINY, pictures=1)
    assert killed_at(call, count, lambda: make_set(spec, tmp_path))
    assert make_set(spec, tmp_path).labels.exists()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "thesis.tex").write_text("")
    with pytest.raises(ForeignFolder, match="holds something else"):
        make_set(TINY, tmp_path)
    with pytest.raises(InvalidConfiguration, match="workers"):
        make_set(TINY, tmp_path, workers=0)


def test_the_checksum_is_of_pixels_not_of_png_bytes(tiny: SetFolder, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    pixels = cv2.imread(str(folder.picture(1)))
    cv2.imwrite(str(folder.picture(1)), pixels, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    assert checksum_of(folder) == checksum_of(tiny)
    pixels[0, 0, 0] ^= 1
    cv2.imwrite(str(folder.picture(1)), pixels)
    assert checksum_of(folder).labels == checksum_of(tiny).labels
    assert checksum_of(folder).pictures != checksum_of(tiny).pictures


def test_a_picture_of_other_rounding_agrees_and_a_darker_one_does_not(tiny: SetFolder, tmp_path: Path) -> None:
    folder = copy_of(tiny, tmp_path)
    pixels = cv2.imread(str(folder.picture(1)))
    pixels[::100, ::100, 0] ^= 1
    cv2.imwrite(str(folder.picture(1)), pixels)
    assert checksum_of(folder) != checksum_of(tiny)
    assert checksum_of(folder).agrees_up_to_rounding(checksum_of(tiny))
    cv2.imwrite(str(folder.picture(1)), pixels // 2)
    assert not checksum_of(folder).agrees_up_to_rounding(checksum_of(tiny))


def test_the_verdict_says_what_differs() -> None:
    wanted = Checksum("a", "b", (1.0, 2.0, 3.0))
    assert verdict("val", wanted, wanted) == "val: matches the published set"
    assert "up to the rounding of another processor; the labels are the same" in verdict(
        "val", replace(wanted, pictures="c"), wanted
    )
    assert "differs from the published set in its pictures;" in verdict("val", Checksum("a", "c", (1, 2, 4)), wanted)
    assert "differs from the published set in its labels;" in verdict("val", replace(wanted, labels="c"), wanted)
    assert "no checksum is published" in verdict("val", wanted, None)


def test_recorded_checksums_are_found_again(tiny: SetFolder, tmp_path: Path) -> None:
    record_checksums([tiny], tmp_path / "checksums.json")
    assert published_checksum("tiny", tmp_path / "checksums.json") == checksum_of(tiny)
    assert published_checksum("huge", tmp_path / "checksums.json") is None


@pytest.mark.parametrize("name", SETS)
def test_the_simulation_still_renders_the_published_sets(name: str, tmp_path: Path) -> None:
    """Whoever changes what is rendered records new checksums: tabletop benchmark make-sets --record ..."""
    entry = published()[name]
    assert (entry["pictures"], entry["seed"]) == (SETS[name].pictures, SETS[name].seed)
    first = checksum_of_first(SetFolder(SETS[name], tmp_path))
    assert first.agrees_up_to_rounding(published_checksum(name, of="first_picture"))


def test_a_finished_set_may_be_read_only_and_a_missing_one_is_refused(
    tiny: SetFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As os.access answers a user without rights here; root has them all.
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert make_set(TINY, tiny.path.parent) == tiny
    with pytest.raises(ForeignFolder, match=f"the set tiny is not whole in .*, and {tmp_path} cannot be written"):
        make_set(TINY, tmp_path)
    assert list(tmp_path.iterdir()) == []
