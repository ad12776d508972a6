"""Examples become crops whose positions, masks and pixels agree, the same ones for the same seed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.segmentation.coco import load_label_set, write_label_set
from tabletop_interaction.segmentation.config import STRIDE
from tabletop_interaction.segmentation.network import MaskGrid
from tabletop_interaction.segmentation.photos import InvalidPicture
from tabletop_interaction.segmentation.rle import mask_from_rle, rle_from_mask
from tabletop_interaction.segmentation.training.augmentation import affine, position_grid, warped_picture, warped_point
from tabletop_interaction.segmentation.training.batches import IGNORED, NEGATIVE, POSITIVE
from tabletop_interaction.segmentation.training.config import CropConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet, NoExamples, examples_from_label_set
from tabletop_interaction.segmentation.training.pictures import InvalidPictureStore, add_pictures, open_pictures
from tabletop_interaction.segmentation.training.run import examples_fingerprint

GRID = MaskGrid(41, 4.0)
AS_IT_IS = CropConfig(paste_share=0.0, print_share=0.0, colour_share=0.0)
PLAIN = replace(AS_IT_IS, off_scale_share=0.0, background_share=0.0)


def a_picture(box: tuple[int, int, int, int] = (180, 140, 70, 40)) -> tuple[np.ndarray, np.ndarray]:
    """A dark table with one bright box (x, y, width, height), and the box's mask."""
    x, y, width, height = box
    picture = np.full((350, 430, 3), 40, np.uint8)
    picture[y : y + height, x : x + width] = 220
    mask = np.zeros((350, 430), bool)
    mask[y : y + height, x : x + width] = True
    return picture, mask


def one_object(complete: bool = False) -> ExampleSet:
    picture, mask = a_picture()
    return ExampleSet((Example("p", (215.0, 160.0), rle_from_mask(mask)),), {"p": picture}, complete)


def test_pictures_read_back_and_a_key_is_kept_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = {f"{n}": rng.integers(0, 256, (5 + n, 7, 3), dtype=np.uint8) for n in range(4)}
    add_pictures(tmp_path / "store", list(pictures.items())[:2])
    add_pictures(tmp_path / "store", [*list(pictures.items())[2:], ("0", pictures["1"])])
    store = open_pictures(tmp_path / "store")
    assert list(store) == list(pictures)
    assert all((store[key] == pictures[key]).all() for key in pictures)
    assert not store["0"].flags.writeable


def test_what_a_kill_left_behind_the_index_is_overwritten(tmp_path: Path) -> None:
    first, second = np.full((2, 2, 3), 1, np.uint8), np.full((2, 2, 3), 2, np.uint8)
    add_pictures(tmp_path, [("first", first)])
    with open(tmp_path / "pictures.u8", "ab") as file:
        file.write(b"torn")
    store = add_pictures(tmp_path, [("second", second)])
    assert (store["first"] == first).all()
    assert (store["second"] == second).all()


def test_a_store_that_fails_half_way_keeps_what_came_before(tmp_path: Path) -> None:
    with pytest.raises(InvalidPictureStore, match="float64"):
        add_pictures(tmp_path / "s", [("good", np.zeros((2, 2, 3), np.uint8)), ("bad", np.zeros((2, 2, 3)))])
    assert list(open_pictures(tmp_path / "s")) == ["good"]


def test_a_foreign_or_damaged_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidPictureStore, match=r"thesis\.txt"):
        add_pictures(tmp_path, [])
    store = tmp_path / "store"
    add_pictures(store, [("a", np.zeros((2, 2, 3), np.uint8))])
    (store / "pictures.u8").write_bytes(b"")
    with pytest.raises(InvalidPictureStore, match="0 bytes of 12"):
        open_pictures(store)
    (store / "pictures.json").write_text(json.dumps({"schema_version": 99, "places": {}}))
    with pytest.raises(InvalidPictureStore, match="version 99"):
        open_pictures(store)


def test_a_label_set_gives_every_object_that_counts(tmp_path: Path) -> None:
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


def test_other_files_of_the_same_names_are_other_pictures(tmp_path: Path) -> None:
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


def test_a_truncated_picture_of_a_label_set_is_named(tmp_path: Path) -> None:
    picture, mask = a_picture()
    write_label_set(tmp_path / "labels.json", ["a.png"], [mask[None]])
    iio.imwrite(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, picture.shape, np.uint8))
    whole = (tmp_path / "a.png").read_bytes()
    (tmp_path / "a.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InvalidPicture, match=r"a\.png"):
        examples_from_label_set(load_label_set(tmp_path / "labels.json", tmp_path), tmp_path / "store")


def test_in_and_near_what_is_ignored_nothing_is_negative_and_objects_stay_positive() -> None:
    _, mask = a_picture()
    crowd = np.zeros_like(mask)
    crowd[140:180, 260:300] = True
    known = one_object(complete=True)
    careful = replace(known, ignored={"p": (rle_from_mask(crowd),)})
    pairs = []
    for seed in range(8):
        pairs.append([CropSampler(e, PLAIN, GRID).crop(np.random.default_rng(seed)) for e in (known, careful)])
    for plain, cautious in pairs:
        changed = plain.scores != cautious.scores
        assert (plain.image == cautious.image).all()
        assert changed.any()
        assert (plain.scores[changed] == NEGATIVE).all()
        assert (cautious.scores[changed] == IGNORED).all()
        assert (cautious.scores == NEGATIVE).any()


def test_a_region_to_ignore_fits_its_picture() -> None:
    with pytest.raises(NoExamples, match="size"):
        replace(one_object(), ignored={"p": (rle_from_mask(np.ones((2, 2), bool)),)})


def test_masks_that_do_not_fit_their_picture_are_refused() -> None:
    picture, mask = a_picture()
    with pytest.raises(NoExamples, match="no picture"):
        ExampleSet((Example("q", (0, 0), rle_from_mask(mask)),), {"p": picture})
    with pytest.raises(NoExamples, match="size"):
        ExampleSet((Example("p", (0, 0), rle_from_mask(mask[:100])),), {"p": picture})
    with pytest.raises(NoExamples, match="0 px"):
        ExampleSet((Example("p", (0, 0), rle_from_mask(mask & False)),), {"p": picture})


def test_without_an_object_no_crops_are_drawn() -> None:
    examples = ExampleSet((Example("p", (10.0, 10.0), None),), {"p": a_picture()[0]})
    with pytest.raises(NoExamples, match="collect"):
        CropSampler(examples, PLAIN, GRID)


@given(st.floats(0.3, 3), st.floats(-3, 3), st.booleans(), st.tuples(*[st.floats(-500, 500)] * 4).map(np.array))
def test_the_map_takes_the_centre_to_the_target_and_areas_by_the_scale(scale, turn, mirror, points) -> None:
    matrix = affine(scale, turn, mirror, points[:2], points[2:])
    assert warped_point(matrix, points[:2]) == pytest.approx(points[2:], abs=1e-6)
    assert np.linalg.det(matrix[:, :2]) == pytest.approx(-(scale**2) if mirror else scale**2)


def test_a_shrunken_picture_keeps_its_mean_and_loses_its_stripes() -> None:
    stripes = np.zeros((200, 200, 3), np.uint8)
    stripes[:, ::2] = 200
    crop = warped_picture(stripes, affine(0.5, 0.0, False, np.array([100.0, 100.0]), np.array([48.0, 48.0])), 96)
    middle = crop[10:80, 10:80].astype(float)
    assert middle.mean() == pytest.approx(100, abs=20)
    assert middle.std() < 25


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_positions_masks_and_pixels_speak_of_the_same_object(seed: int) -> None:
    crop = CropSampler(one_object(), PLAIN, GRID).crop(np.random.default_rng(seed))
    grey = crop.image.astype(float).mean(-1)
    assert len(crop.masks) >= 1
    seen = crop.masks[0]
    table = grey[PLAIN.crop_px // 2 - 1 :: 60, ::60]
    assert grey[seen].mean() > np.median(table) + 40
    ys, xs = np.nonzero(seen)
    side = max(np.ptp(xs), np.ptp(ys))
    # A turn by 15 degrees widens the box of an oblong by a tenth or so.
    assert 2**-0.25 * 0.9 < side / PLAIN.object_px < 2**0.25 * 1.15
    centre = np.array([xs.min() + xs.max(), ys.min() + ys.max()]) / 2
    distance = np.linalg.norm(position_grid(PLAIN.crop_px) - centre, axis=-1)
    positives = crop.scores == POSITIVE
    assert positives[np.unravel_index(distance.argmin(), distance.shape)]
    assert distance[positives].max() <= PLAIN.positive_px + 2
    away = np.abs(position_grid(PLAIN.crop_px) - centre).sum(-1)
    assert away[crop.scores == NEGATIVE].min() > PLAIN.negative_px - 3
    assert (np.argwhere(positives) == crop.positions_rc).all()


def test_mask_targets_lie_on_the_object_around_their_position() -> None:
    batch = CropSampler(one_object(), PLAIN, GRID).batch(0, 0, 8)
    for (number, row, column), mask in zip(batch.positions.tolist(), batch.masks.numpy(), strict=True):
        ys, xs = np.nonzero(mask)
        offsets = GRID.offsets().numpy()
        points_xy = np.column_stack([STRIDE * column + offsets[xs], STRIDE * row + offsets[ys]]).round().astype(int)
        inside = ((points_xy >= 0) & (points_xy < PLAIN.crop_px)).all(1)
        x, y = points_xy[inside].T
        image = batch.images[number].float().mean(0).numpy()
        assert image[y, x].mean() > image.mean() + 40


def test_batches_depend_on_seed_and_number_alone() -> None:
    sampler = CropSampler(one_object(), CropConfig(), GRID)
    again = CropSampler(one_object(), CropConfig(), GRID)
    with ThreadPoolExecutor(3) as pool:
        drawn = list(pool.map(lambda number: sampler.batch(5, number, 3), (3, 1, 2)))
    assert all(
        (one == other).all()
        for number, batch in zip((3, 1, 2), drawn, strict=True)
        for one, other in zip(batch, again.batch(5, number, 3), strict=True)
    )
    assert (sampler.batch(6, 1, 3).images != drawn[1].images).any()


def test_an_object_far_off_in_scale_is_negative() -> None:
    sampler = CropSampler(one_object(), replace(PLAIN, off_scale_share=1.0), GRID)
    batch = sampler.batch(0, 0, 12)
    assert len(batch.positions) == 0
    assert (batch.scores == NEGATIVE).any()


def test_pasted_objects_are_positive_and_seen() -> None:
    config = replace(PLAIN, paste_share=1.0)
    sampler = CropSampler(one_object(), config, GRID)
    crops = [sampler.crop(np.random.default_rng(seed)) for seed in range(12)]
    plain = CropSampler(one_object(), PLAIN, GRID)
    assert sum(len(crop.masks) for crop in crops) > 1.7 * sum(
        len(plain.crop(np.random.default_rng(seed)).masks) for seed in range(12)
    )
    for crop in crops:
        grey = crop.image.astype(float).mean(-1)
        assert all(grey[mask].mean() > np.median(grey) + 25 for mask in crop.masks)


def test_a_click_on_background_speaks_of_its_neighbourhood_only() -> None:
    picture, mask = a_picture()
    pool = (Example("p", (215.0, 160.0), rle_from_mask(mask)), Example("q", (200.0, 170.0), None))
    examples = ExampleSet(pool, {"p": picture, "q": np.full_like(picture, 40)})
    config = replace(AS_IT_IS, background_share=1.0)
    crop = CropSampler(examples, config, GRID).crop(np.random.default_rng(0))
    negatives = position_grid(config.crop_px)[crop.scores == NEGATIVE]
    assert len(crop.masks) == 0
    assert 1 <= len(negatives) <= 25
    assert np.ptp(negatives, axis=0).max() <= 2 * config.negative_px


def test_positions_beyond_the_picture_say_nothing() -> None:
    picture, mask = a_picture((0, 0, 60, 40))
    examples = ExampleSet((Example("p", (30.0, 20.0), rle_from_mask(mask)),), {"p": picture}, complete=True)
    sampler = CropSampler(examples, PLAIN, GRID)
    crops = [sampler.crop(np.random.default_rng(seed)) for seed in range(10)]
    grey = np.array([[124, 116, 104]])
    corners = [crop for crop in crops if (np.abs(crop.image[40, 40] / 1.0 - grey) < 60).all()]
    assert corners
    assert any((crop.scores[2:-2, 2:-2] == IGNORED).sum() > 15 for crop in crops)
