"""Batches for an inverse model: augmented pairs of pictures and their targets.

The batch of step k depends on the examples, the seed and k only. Both pictures of a pair and its action are mirrored,
rotated, zoomed and shifted by one map and recoloured alike, so that they still differ only by what was moved. The
original does not augment.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from torch import Tensor

from tabletop_interaction.agents.inverse.config import Augmentation, InverseModelConfig
from tabletop_interaction.agents.inverse.examples import InverseExample, InverseExamples
from tabletop_interaction.agents.inverse.model import shares_of_angles, shares_of_cells
from tabletop_interaction.agents.inverse.picture_actions import warped_actions
from tabletop_interaction.arrays import Bytes, Floats, Picture
from tabletop_interaction.segmentation.training.augmentation import affine


class InverseBatch(NamedTuple):
    """Pairs and targets; see `InverseModel`.

    Attributes:
        now: uint8 (B, 3, height, width).
        goal: as `now`.
        pick: float32 (B, rows, columns), see `shares_of_cells`.
        pick_cells: int64 (B,), the cell given to the rest of the network, drawn by its share in `pick`.
        angle: float32 (B, angles).
        place: float32 (B, rows, columns).
    """

    now: Tensor
    goal: Tensor
    pick: Tensor
    pick_cells: Tensor
    angle: Tensor
    place: Tensor


@dataclass(frozen=True, eq=False)
class InverseSampler:
    """Makes batches of examples, whose pictures are in `source`; each is used once before any is used again."""

    examples: tuple[InverseExample, ...]
    source: InverseExamples
    model: InverseModelConfig
    augmentation: Augmentation

    def batch(self, seed: int, number: int, size: int) -> InverseBatch:
        """Return batch `number`, of `size` pairs, of the run with this seed."""
        rng = np.random.default_rng([seed, 0, number])
        chosen = [self.examples[index] for index in _in_turn(len(self.examples), seed, number * size, size)]
        pairs = [self._pair(example, rng) for example in chosen]
        actions = np.array([action for *_, action in pairs])
        pick = shares_of_cells(actions[:, 0:2], self.model.cells)
        cells = [rng.choice(shares.size, p=shares.ravel() / shares.sum(dtype=np.float64)) for shares in pick]
        return InverseBatch(
            now=_tensor([now for now, *_ in pairs]),
            goal=_tensor([goal for _, goal, _ in pairs]),
            pick=torch.from_numpy(pick),
            pick_cells=torch.tensor(cells),
            angle=torch.from_numpy(shares_of_angles(actions[:, 2], self.model.angles)),
            place=torch.from_numpy(shares_of_cells(actions[:, 3:5], self.model.cells)),
        )

    def _pair(self, example: InverseExample, rng: np.random.Generator) -> tuple[Picture, Picture, Floats]:
        warp = _drawn_warp(rng, self.augmentation, self.model.size)
        action = warped_actions(example.action, warp)[0]
        if not _inside(action, self.model.size):
            warp, action = np.eye(2, 3), example.action
        tables = _drawn_tables(rng, self.augmentation)
        order = rng.permutation(3) if rng.random() < self.augmentation.exchange else np.arange(3)
        # The reflected border is the same in both pictures.
        warped = (
            cv2.warpAffine(self.source.pictures[key], warp, self.model.size[::-1], borderMode=cv2.BORDER_REFLECT_101)
            for key in (example.now, example.goal)
        )
        now, goal = (cv2.LUT(picture, table)[..., order] for picture, table in zip(warped, tables, strict=True))
        return np.asarray(now, np.uint8), np.asarray(goal, np.uint8), action


def _in_turn(count: int, seed: int, first: int, size: int) -> list[int]:
    """Return entries `first` to `first + size` of an endless sequence of shuffled rounds over `count` indices."""
    rounds = range(first // count, (first + size - 1) // count + 1)
    order = np.concatenate([np.random.default_rng([seed, 1, number]).permutation(count) for number in rounds])
    start = first - rounds.start * count
    return [int(index) for index in order[start : start + size]]


def _drawn_warp(rng: np.random.Generator, wanted: Augmentation, size: tuple[int, int]) -> Floats:
    """Draw a map (2, 3) about the centre of the picture, from its pixels to those of the warped one."""
    middle = (np.array(size[::-1]) - 1) / 2
    turn = np.deg2rad(rng.uniform(-wanted.turn_deg, wanted.turn_deg))
    zoom = np.exp(rng.uniform(-1, 1) * np.log1p(wanted.zoom))
    warp = affine(zoom, turn, rng.random() < wanted.mirror, middle, middle)
    warp[:, 2] += rng.uniform(-wanted.shift_px, wanted.shift_px, 2)
    return warp


def _inside(action: Floats, size: tuple[int, int]) -> bool:
    """Return whether both points of a picture action lie in the picture."""
    points = action[[0, 1, 3, 4]].reshape(2, 2)
    return bool((points >= 0).all() and (points <= np.array(size[::-1]) - 1).all())


def _drawn_tables(rng: np.random.Generator, wanted: Augmentation) -> tuple[Bytes, Bytes]:
    """Draw look-up tables, uint8 (1, 256, 3), for the two pictures; they differ by the exposure only."""
    gains, gamma = np.exp(rng.normal(0, wanted.colour, 3)), np.exp(rng.normal(0, wanted.colour))
    shared = 255 * (np.arange(256)[:, None] / 255) ** gamma * gains
    exposures = np.exp(rng.normal(0, wanted.exposure, 2))
    first, second = (np.clip(np.round(shared * one), 0, 255).astype(np.uint8)[None] for one in exposures)
    return first, second


def _tensor(pictures: list[Picture]) -> Tensor:
    """Stack pictures (height, width, 3) to (B, 3, height, width)."""
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
