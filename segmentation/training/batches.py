"""Batches of crops: their tensors, prefetching in a thread, and a drawing of what training sees."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple, Protocol, TypeVar

import cv2
import numpy as np
import torch
from torch import Tensor

from tabletop_interaction.arrays import Bools, Ints, Mask, Masks, Picture
from tabletop_interaction.segmentation.config import STRIDE, MaskGrid
from tabletop_interaction.segmentation.network import mask_targets

POSITIVE = 1
"""Target of a score position on which an object is centred."""
NEGATIVE = 0
"""Target of a position on which no labelled object is centred; an unlabelled one may be."""
CERTAIN_NEGATIVE = -2
"""Target of a position on which no object is centred, labelled or not."""
IGNORED = -1
"""Target of a position about which nothing is known."""

_PREFETCHED = 2
_ZOOM = 2
_COLUMNS = 6
_LABEL, _PREDICTED = (0, 230, 80), (240, 60, 220)
_DOTS = ((NEGATIVE, (255, 50, 50), 1), (CERTAIN_NEGATIVE, (255, 160, 0), 1), (POSITIVE, (0, 255, 0), 3))

BatchT_co = TypeVar("BatchT_co", covariant=True)


class Batch(NamedTuple):
    """Crops of one training step.

    Attributes:
        images: (B, 3, S, S) uint8 RGB.
        scores: (B, S / 16, S / 16) int8: `POSITIVE`, `NEGATIVE`, `CERTAIN_NEGATIVE` or `IGNORED`.
        positions: (N, 3) int64: crop, row and column of each position that has a mask.
        masks: (N, M, M) bool on the network's mask grid.
    """

    images: Tensor
    scores: Tensor
    positions: Tensor
    masks: Tensor


class TrainingCrop(NamedTuple):
    """One crop before it becomes part of a batch.

    Attributes:
        image: uint8 (S, S, 3).
        scores: int8 (S / 16, S / 16), as of `Batch`.
        positions_rc: (n, 2) int64, the positions that have a mask.
        masks: (n, S, S) bool, the mask of each.
    """

    image: Picture
    scores: np.ndarray
    positions_rc: Ints
    masks: Masks


def batch_of(crops: Sequence[TrainingCrop], grid: MaskGrid) -> Batch:
    """Stack crops of one size; their masks are sampled on the network's `mask_grid`."""
    images = torch.from_numpy(np.stack([crop.image for crop in crops])).permute(0, 3, 1, 2).contiguous()
    scores = torch.from_numpy(np.stack([crop.scores for crop in crops]))
    index = [np.insert(crop.positions_rc, 0, number, axis=1) for number, crop in enumerate(crops)]
    targets = [
        mask_targets(torch.from_numpy(crop.masks), torch.from_numpy(crop.positions_rc[:, ::-1] * STRIDE), grid)
        for crop in crops
        if len(crop.masks)
    ]
    masks = torch.cat(targets) if targets else torch.zeros(0, grid.size, grid.size, dtype=torch.bool)
    return Batch(images, scores, torch.from_numpy(np.concatenate(index)), masks)


class MakesBatches(Protocol[BatchT_co]):
    """Makes batches of examples; a batch depends on the seed and its number only, and any thread may ask for it."""

    def batch(self, seed: int, number: int, size: int) -> BatchT_co:
        """Return batch `number`, of `size` examples, of the run with this seed."""
        ...


def batches(sampler: MakesBatches[BatchT_co], seed: int, numbers: range, size: int) -> Iterator[BatchT_co]:
    """Yield the batches with these numbers in order; a thread prepares the next ones meanwhile."""
    waiting: deque[Future[BatchT_co]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="batches")
    try:
        for number in numbers:
            waiting.append(pool.submit(sampler.batch, seed, number, size))
            if len(waiting) > _PREFETCHED:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def drawn_batch(batch: Batch, grid: MaskGrid, predicted: Bools | None = None) -> Picture:
    """Draw a sheet uint8 (H, W, 3), six crops a row: labels green, predicted masks pink, score positions as dots.

    Dots of positives are green, of negatives red, of certain negatives orange.
    `predicted` are the network's masks for `batch.positions`, (N, M, M) bool.
    """
    tiles = []
    for number, image in enumerate(batch.images.permute(0, 2, 3, 1).numpy()):
        tile = cv2.resize(image, None, fx=_ZOOM, fy=_ZOOM, interpolation=cv2.INTER_LINEAR)
        for row in np.flatnonzero(batch.positions[:, 0].numpy() == number):
            centre_xy = batch.positions[row, [2, 1]].numpy() * STRIDE
            _draw_outline(tile, batch.masks[row].numpy(), centre_xy, grid, _LABEL)
            if predicted is not None:
                _draw_outline(tile, predicted[row], centre_xy, grid, _PREDICTED)
        for kind, colour, radius in _DOTS:
            for row, column in np.argwhere(batch.scores[number].numpy() == kind):
                centre = (int((STRIDE * column + 0.5) * _ZOOM), int((STRIDE * row + 0.5) * _ZOOM))
                cv2.circle(tile, centre, radius, colour, -1)
        tiles.append(cv2.copyMakeBorder(tile, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255, 255, 255)))
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % _COLUMNS)
    return np.vstack([np.hstack(tiles[start : start + _COLUMNS]) for start in range(0, len(tiles), _COLUMNS)])


def _draw_outline(tile: Picture, mask: Mask, centre_xy: Ints, grid: MaskGrid, colour: tuple[int, int, int]) -> None:
    corner = centre_xy - (grid.size - 1) / 2 * grid.spacing
    x, y = (corner + 0.5) * _ZOOM - 0.5
    spacing = grid.spacing * _ZOOM
    to_tile = np.array([[spacing, 0, x], [0, spacing, y]])
    drawn = cv2.warpAffine(mask.astype(np.uint8) * 255, to_tile, tile.shape[1::-1], flags=cv2.INTER_LINEAR)
    outlines, _ = cv2.findContours((drawn >= 128).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(tile, outlines, -1, colour, 1)
