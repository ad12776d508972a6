"""Consensus voting: superpixels that look alike vote on each other, within a frame and across the frames of a clip.

Non-local consensus voting of Faktor and Irani 2014, "Video segmentation by non-local consensus voting": each superpixel
repeatedly takes the weighted mean of the votes of its nearest neighbours in appearance and place, a random walk on a
k-nearest-neighbour graph whose rows sum to one. It starts from motion saliency (`saliency`). Their appearance is
histograms of colour and gradients; ours is mean and spread of Lab colour, which suffices at a size of 8 px.

Ours, because few frames of a still table hold less motion than a video:

- A superpixel ignores its own place in other frames: the same surface seen twice adds no evidence.
- Certain motion stays: each step mixes in the first vote by its trust.
- A changing pixel belongs to an object at one time and to the table at another. After the first walk, the votes of each
  such pixel are shifted so that the middle of their range over time comes closer to one half, and the walk is repeated.
  The shift is a quarter at most, so that the inside of an object that never leaves it, with high votes, remains.
"""

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.arrays import Bools, Bytes, Floats, Floats32, Ints
from tabletop_interaction.ranges import Pixels, Range, Share, check_fields

_SLIC_ROUNDS = 5
_BLUR_PX = 0.8
# Votes are spread around one half before the second walk.
_CONTRAST = 1.5


@dataclass(frozen=True)
class VotingConfig:
    """Settings of the voting.

    Attributes:
        superpixel_px: side of a superpixel, pixels.
        compactness: of superpixels, as in scikit-image; larger is squarer.
        neighbours: number k of neighbours.
        place_px: distance in the picture that weighs like `place_weight` units of Lab colour.
        place_weight: see `place_px`.
        lightness_weight: weight of lightness against the two colours; shading changes it.
        spread_weight: weight of the colours' spread against their mean.
        own_place_px: superpixels of other frames closer than this do not vote.
        steps: steps of a random walk.
        still_trust: trust in a pixel that never moves.
        moved_trust: trust of the second walk in the result of the first.
        most_shift: largest shift of a pixel's votes between the walks.
    """

    superpixel_px: Annotated[int, Range(1, 10**4)] = 8
    compactness: Annotated[float, Range(0, 10**6, above=True)] = 0.1
    neighbours: Annotated[int, Range(1, 10**6)] = 40
    place_px: Annotated[float, Range(0, 10**5, above=True)] = 30.0
    place_weight: Annotated[float, Range(0, 10**6)] = 10.0
    lightness_weight: Annotated[float, Range(0, 10**6)] = 0.7
    spread_weight: Annotated[float, Range(0, 10**6)] = 0.7
    own_place_px: Pixels = 10.0
    steps: Annotated[int, Range(0, 10**6)] = 20
    still_trust: Share = 0.9
    moved_trust: Share = 0.4
    most_shift: Share = 0.25

    def __post_init__(self) -> None:
        check_fields(self)


def consensus(frames: Bytes, votes: Floats32, trust: Floats32, config: VotingConfig) -> Floats32:
    """Vote on how likely each pixel of (T, H, W, 3) RGB frames belongs to an object: (T, H, W) float32 in 0 to 1.

    The first votes and their trust (T, H, W) are those of `Saliency`.
    """
    labels = superpixels(frames, config)
    graph = _graph(frames, labels, config)

    def walk(votes: Floats, trust: Floats) -> Floats:
        """Mix the first votes in by their trust at each step."""
        weights, voters = graph
        now = votes
        for _ in range(config.steps):
            now = trust * votes + (1 - trust) * (weights * now[voters]).sum(1)
        return now

    weight = _means(trust, labels)
    mean_votes = _means(votes * trust, labels) / np.maximum(weight, 1e-6)
    first = walk(mean_votes, np.minimum(weight, config.still_trust))
    ever_moves = trust.min(0) < 1
    again = _means(_rebalanced(first[labels], ever_moves, config.most_shift), labels)
    still = _means(np.broadcast_to(~ever_moves, labels.shape), labels) > 0.5
    return walk(again, np.where(still, config.still_trust, config.moved_trust))[labels].astype(np.float32)


def superpixels(frames: Bytes, config: VotingConfig) -> Ints:
    """Number the superpixel of each pixel (SLIC, Achanta et al. 2012) through all frames: (T, H, W) int64."""
    from skimage.segmentation import slic

    numbered: list[Ints] = []
    count = 0
    for frame in frames:
        segments = slic(
            _lab(frame),
            n_segments=max(1, frame.shape[0] * frame.shape[1] // config.superpixel_px**2),
            compactness=config.compactness,
            max_num_iter=_SLIC_ROUNDS,
            convert2lab=False,
            enforce_connectivity=False,
            channel_axis=-1,
        )
        names, flat = np.unique(segments, return_inverse=True)
        numbered.append(flat.reshape(segments.shape) + count)
        count += len(names)
    return np.stack(numbered)


def _graph(frames: Bytes, labels: Ints, config: VotingConfig) -> tuple[Floats, Ints]:
    """Return Gaussian weights (N, k), whose rows sum to 1, and numbers (N, k) of the nearest of N superpixels."""
    from scipy.spatial import cKDTree

    y, x = np.mgrid[: labels.shape[1], : labels.shape[2]]
    xy = np.stack([_means(np.broadcast_to(axis, labels.shape), labels) for axis in (x, y)], 1)
    appearance = _appearance(frames, labels, config)
    features = np.hstack([appearance, xy * (config.place_weight / config.place_px)])
    count = min(config.neighbours, len(features) - 1)
    distance, voters = cKDTree(features).query(features, count + 1)
    distance, voters = distance[:, 1:], voters[:, 1:]
    width = (distance.mean() + distance.mean(1, keepdims=True)) / 2
    weights = np.exp(-0.5 * (distance / np.maximum(width, 1e-6)) ** 2)
    frame_of = np.repeat(np.arange(len(labels)), [len(np.unique(one)) for one in labels])
    same_place = np.linalg.norm(xy[voters] - xy[:, None], axis=2) < config.own_place_px
    # A superpixel without other neighbours needs a weight.
    weights *= np.where(same_place & (frame_of[voters] != frame_of[:, None]), 1e-6, 1)
    return weights / weights.sum(1, keepdims=True), voters


def _appearance(frames: Bytes, labels: Ints, config: VotingConfig) -> Floats:
    """Return mean and spread of each superpixel's Lab colour, (N, 6)."""
    lab = np.stack([_lab(np.asarray(cv2.GaussianBlur(frame, (3, 3), _BLUR_PX), np.uint8)) for frame in frames])
    mean = np.stack([_means(lab[..., channel], labels) for channel in range(3)], 1)
    square = np.stack([_means(lab[..., channel] ** 2, labels) for channel in range(3)], 1)
    spread = np.sqrt(np.maximum(square - mean**2, 0))
    return np.hstack([mean * [config.lightness_weight, 1, 1], config.spread_weight * spread])


def _rebalanced(votes: Floats, ever_moves: Bools, most_shift: float) -> Floats:
    """Shift votes (T, H, W) so that the middle of each moving pixel's range over time comes closer to one half."""
    middle = (votes.max(0) + votes.min(0)) / 2
    shift = np.where(ever_moves, np.clip(0.5 - middle, -most_shift, most_shift), 0)
    return np.asarray(np.clip(0.5 + _CONTRAST * (np.clip(votes + shift, 0, 1) - 0.5), 0, 1))


def _means(values: np.ndarray, labels: Ints) -> Floats:
    """Average values (T, H, W) over each superpixel: (N,)."""
    flat = labels.ravel()
    return np.asarray(np.bincount(flat, values.ravel()) / np.bincount(flat))


def _lab(picture: Bytes) -> Floats32:
    return np.asarray(cv2.cvtColor(picture.astype(np.float32) / 255, cv2.COLOR_RGB2LAB), np.float32)
