"""Masks of moving objects on drawn clips with known truth."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tabletop_interaction.errors import InvalidClip
from tabletop_interaction.segmentation.motion.consensus_voting import VotingConfig, superpixels
from tabletop_interaction.segmentation.motion.masks import MotionConfig, segment_motion

HEIGHT, WIDTH = 160, 220
BLOTCHES = cv2.GaussianBlur(np.random.default_rng(9).normal(0, 90, (26, 44)), (0, 0), 2)[..., None]
Box = tuple[int, int]


def table(seed: int = 0) -> NDArray[np.uint8]:
    """A wooden-looking surface."""
    noise = np.random.default_rng(seed).normal(0, 12, (HEIGHT, WIDTH, 1)).astype(np.float32)
    grain = cv2.GaussianBlur(noise, (0, 0), sigmaX=6, sigmaY=1)[..., None] * 3
    return np.clip(np.array([150, 110, 70]) + grain, 0, 255).astype(np.uint8)


def drawn(
    places: list[Box], stays: Box | None = None, colour: tuple[int, int, int] = (40, 60, 170)
) -> NDArray[np.uint8]:
    """A clip (T, H, W, 3): a blotched box of 44 x 26 px with a stripe at each of the places; another one that stays."""
    frames = []
    for number, moved in enumerate(places):
        picture = table()
        for place, paint in ((moved, colour), (stays, (200, 40, 40))):
            if place is not None:
                x, y = place
                picture[y : y + 26, x : x + 44] = np.clip(np.array(paint) + BLOTCHES, 0, 255)
                picture[y + 10 : y + 15, x : x + 44] = 230
        noise = np.random.default_rng(number).normal(0, 1, picture.shape)
        frames.append(np.clip(picture + noise, 0, 255).astype(np.uint8))
    return np.stack(frames)


def truth(place: Box) -> NDArray[np.bool_]:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[place[1] : place[1] + 26, place[0] : place[0] + 44] = True
    return mask


def iou(one: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.mark.parametrize("step", [6, 25, 60])
def test_an_object_is_found_after_short_and_long_moves(step: int) -> None:
    places = [(30, 60), (30, 60), (30 + step, 60), (30 + 2 * step, 60)]
    masks = segment_motion(drawn(places, stays=(20, 10))).masks
    assert [len(found) for found in masks] == [0, 1, 1, 1]
    assert all(iou(masks[t][0], truth(places[t])) > 0.75 for t in (1, 2, 3))


def test_nothing_moves_in_a_still_clip_of_another_exposure() -> None:
    frames = drawn([(60, 60)] * 3)
    frames[1] = np.clip(frames[1] * 1.03, 0, 255).astype(np.uint8)
    motion = segment_motion(frames)
    assert motion.masks == [[], [], []]
    assert not motion.moving.any()


def test_a_moving_shadow_is_no_object() -> None:
    frames = drawn([(140, 100)] * 2)
    for frame, x in zip(frames, (20, 60), strict=True):
        frame[30:80, x : x + 50] = (frame[30:80, x : x + 50] * 0.7).astype(np.uint8)
    assert segment_motion(frames).masks == [[], []]


def test_a_clip_backwards_has_the_same_masks() -> None:
    frames = drawn([(30, 60), (60, 70), (90, 80)])
    forwards, backwards = (segment_motion(np.ascontiguousarray(one)).masks for one in (frames, frames[::-1]))
    backwards = backwards[::-1]
    assert [len(found) for found in backwards] == [len(found) for found in forwards]
    assert all(iou(one[0], other[0]) > 0.8 for one, other in zip(forwards, backwards, strict=True))


def test_two_objects_that_move_apart_give_two_masks() -> None:
    frames = drawn([(20, 20), (40, 30)])
    for frame, x in zip(frames, (150, 125), strict=True):
        frame[110:136, x : x + 44] = (30, 120, 40)
    masks = segment_motion(frames).masks
    assert [len(found) for found in masks] == [2, 2]
    assert not (masks[0][0] & masks[0][1]).any()


def test_masks_of_unlikely_size_are_dropped() -> None:
    frames = drawn([(30, 60), (60, 60)])
    assert segment_motion(frames, MotionConfig(least_area_px=2000)).masks == [[], []]
    assert segment_motion(frames, MotionConfig(most_area=0.01)).masks == [[], []]


def test_superpixels_are_numbered_through_all_frames_without_gaps() -> None:
    labels = superpixels(drawn([(30, 60), (60, 60)]), VotingConfig())
    assert set(np.unique(labels)) == set(range(labels.max() + 1))
    assert labels[0].max() + 1 == labels[1].min()


@pytest.mark.parametrize(
    ("frames", "said"),
    [
        (np.zeros((2, 64, 64, 3)), "float64"),
        (np.zeros((64, 64, 3), np.uint8), r"\(64, 64, 3\)"),
        (np.zeros((1, 64, 64, 3), np.uint8), "a clip of 1 frame"),
        ([1, 2], "list"),
    ],
)
def test_invalid_clips_are_refused(frames: NDArray[np.uint8], said: str) -> None:
    with pytest.raises(InvalidClip, match=said):
        segment_motion(frames)
