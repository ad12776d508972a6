"""Positions, masks and pixels of crops agree, and are the same for the same seed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.segmentation.config import STRIDE, MaskGrid
from tabletop_interaction.segmentation.rle import rle_from_mask
from tabletop_interaction.segmentation.training.augmentation import position_grid
from tabletop_interaction.segmentation.training.batches import CERTAIN_NEGATIVE, IGNORED, NEGATIVE, POSITIVE
from tabletop_interaction.segmentation.training.config import CropConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet, NoExamples

GRID = MaskGrid(41, 4.0)
AS_IT_IS = CropConfig(paste_share=0.0, print_share=0.0, colour_share=0.0)
PLAIN = replace(AS_IT_IS, off_scale_share=0.0, background_share=0.0)


def test_no_position_near_an_ignored_region_is_negative(
    a_picture: Callable[..., Any], one_object: Callable[..., Any]
) -> None:
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
        assert (plain.scores[changed] == CERTAIN_NEGATIVE).all()
        assert (cautious.scores[changed] == IGNORED).all()
        assert (cautious.scores == CERTAIN_NEGATIVE).any()


@pytest.mark.parametrize(
    ("complete", "print_share", "negative"),
    [(False, 0.0, NEGATIVE), (True, 0.0, CERTAIN_NEGATIVE), (False, 1.0, CERTAIN_NEGATIVE)],
    ids=["other objects may be there", "all are labelled", "a print hides them"],
)
def test_a_negative_is_certain_where_no_unlabelled_object_can_be(
    one_object: Callable[..., Any], complete: bool, print_share: float, negative: int
) -> None:
    config = replace(PLAIN, print_share=print_share)
    crops = [CropSampler(one_object(complete), config, GRID).crop(np.random.default_rng(seed)) for seed in range(6)]
    found = {int(kind) for crop in crops for kind in np.unique(crop.scores)}
    assert found - {POSITIVE, IGNORED} == {negative}


def test_right_at_a_click_on_nothing_a_negative_is_certain_and_farther_away_it_is_not(
    a_picture: Callable[..., Any],
) -> None:
    picture, mask = a_picture()
    pool = (Example("p", (215.0, 160.0), rle_from_mask(mask)), Example("q", (200.0, 170.0), None))
    examples = ExampleSet(pool, {"p": picture, "q": np.full_like(picture, 40)})
    config = replace(AS_IT_IS, background_share=1.0, print_share=1.0)
    crop = CropSampler(examples, config, GRID).crop(np.random.default_rng(0))
    kinds = [position_grid(config.crop_px)[crop.scores == kind] for kind in (CERTAIN_NEGATIVE, NEGATIVE)]
    assert len(kinds[0]) >= 1
    assert len(kinds[1]) >= 1
    centre = kinds[0].mean(0)
    distances = [np.abs(places - centre).sum(-1) for places in kinds]
    assert distances[0].max() < distances[1].min()
    # A print would hide what the network took for an object.
    plain = CropSampler(examples, replace(config, print_share=0.0), GRID).crop(np.random.default_rng(0))
    assert (crop.image == plain.image).all()


def test_the_centre_of_an_object_of_another_scale_is_no_certain_negative(one_object: Callable[..., Any]) -> None:
    config = replace(PLAIN, off_scale_share=1.0)
    crops = [CropSampler(one_object(True), config, GRID).crop(np.random.default_rng(seed)) for seed in range(12)]
    assert all(len(crop.masks) == 0 for crop in crops)
    assert any((crop.scores == NEGATIVE).any() for crop in crops)
    assert all((crop.scores == CERTAIN_NEGATIVE).any() for crop in crops)


def test_without_an_object_no_crops_are_drawn(a_picture: Callable[..., Any]) -> None:
    examples = ExampleSet((Example("p", (10.0, 10.0), None),), {"p": a_picture()[0]})
    with pytest.raises(NoExamples, match="collect"):
        CropSampler(examples, PLAIN, GRID)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_positions_masks_and_pixels_agree(one_object: Callable[..., Any], seed: int) -> None:
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


def test_mask_targets_lie_on_the_object_around_their_position(one_object: Callable[..., Any]) -> None:
    batch = CropSampler(one_object(), PLAIN, GRID).batch(0, 0, 8)
    for (number, row, column), mask in zip(batch.positions.tolist(), batch.masks.numpy(), strict=True):
        ys, xs = np.nonzero(mask)
        offsets = GRID.offsets()
        points_xy = np.column_stack([STRIDE * column + offsets[xs], STRIDE * row + offsets[ys]]).round().astype(int)
        inside = ((points_xy >= 0) & (points_xy < PLAIN.crop_px)).all(1)
        x, y = points_xy[inside].T
        image = batch.images[number].float().mean(0).numpy()
        assert image[y, x].mean() > image.mean() + 40


def test_batches_depend_on_seed_and_number_only(one_object: Callable[..., Any]) -> None:
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


def test_an_object_far_off_in_scale_is_negative(one_object: Callable[..., Any]) -> None:
    sampler = CropSampler(one_object(), replace(PLAIN, off_scale_share=1.0), GRID)
    batch = sampler.batch(0, 0, 12)
    assert len(batch.positions) == 0
    assert (batch.scores == NEGATIVE).any()


def test_pasted_objects_are_positive_and_seen(one_object: Callable[..., Any]) -> None:
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


def test_a_background_click_labels_its_neighbourhood_only(a_picture: Callable[..., Any]) -> None:
    picture, mask = a_picture()
    pool = (Example("p", (215.0, 160.0), rle_from_mask(mask)), Example("q", (200.0, 170.0), None))
    examples = ExampleSet(pool, {"p": picture, "q": np.full_like(picture, 40)})
    config = replace(AS_IT_IS, background_share=1.0)
    crop = CropSampler(examples, config, GRID).crop(np.random.default_rng(0))
    negatives = position_grid(config.crop_px)[np.isin(crop.scores, (NEGATIVE, CERTAIN_NEGATIVE))]
    assert len(crop.masks) == 0
    assert 1 <= len(negatives) <= 25
    assert np.ptp(negatives, axis=0).max() <= 2 * config.negative_px


def test_positions_beyond_the_picture_are_ignored(a_picture: Callable[..., Any]) -> None:
    picture, mask = a_picture((0, 0, 60, 40))
    examples = ExampleSet((Example("p", (30.0, 20.0), rle_from_mask(mask)),), {"p": picture}, complete=True)
    sampler = CropSampler(examples, PLAIN, GRID)
    crops = [sampler.crop(np.random.default_rng(seed)) for seed in range(10)]
    grey = np.array([[124, 116, 104]])
    corners = [crop for crop in crops if (np.abs(crop.image[40, 40] / 1.0 - grey) < 60).all()]
    assert corners
    assert any((crop.scores[2:-2, 2:-2] == IGNORED).sum() > 15 for crop in crops)
