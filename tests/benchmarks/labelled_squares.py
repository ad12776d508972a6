"""A label set without a simulation: bright squares on a dark ground, and stand-ins that segment them."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.segmentation.coco import write_label_set
from tabletop_interaction.segmentation.proposals import Segments

SHAPE = (120, 160)


def write_squares(folder: Path, pictures: int = 4) -> tuple[Path, Path]:
    """Write labels.json and images/; returns both paths. Picture n holds n + 1 squares of different brightness."""
    images = folder / "images"
    images.mkdir(parents=True)
    names, stacks = [], []
    for number in range(pictures):
        picture = np.full((*SHAPE, 3), 20, np.uint8)
        masks = np.zeros((number + 1, *SHAPE), np.bool_)
        for square in range(number + 1):
            left = 5 + 30 * square
            masks[square, 40 : 60 + 2 * number, left : left + 22] = True
            picture[masks[square]] = 100 + 30 * square
        names.append(f"{number}.png")
        stacks.append(masks)
        cv2.imwrite(str(images / names[-1]), picture)
    write_label_set(folder / "labels.json", names, stacks)
    return folder / "labels.json", images


class BrightSquares:
    """Finds each square exactly; leaves out those at least as bright as `blind_from`."""

    def __init__(self, blind_from: int = 256) -> None:
        self._blind_from = blind_from

    def segment(self, image: NDArray[np.uint8]) -> Segments:
        """The squares, dark ones first."""
        levels = [level for level in np.unique(image[:, :, 0]).tolist() if 50 < level < self._blind_from]
        masks = np.array([image[:, :, 0] == level for level in levels], np.bool_).reshape(-1, *image.shape[:2])
        scores = np.linspace(0.9, 0.5, len(levels), dtype=np.float32)
        return Segments(masks, np.zeros((len(levels), 4), np.float32), scores)
