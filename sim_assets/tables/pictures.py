"""A picture file as a table top."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.picture_files import read_picture
from tabletop_interaction.ranges import Range, check_fields
from tabletop_interaction.sim_assets.meshes.mesh_object import Split
from tabletop_interaction.sim_assets.tables.surfaces import PX_PER_MM, SHAPE


@dataclass(frozen=True)
class PictureTable:
    """A table top from a picture that was taken from straight above.

    Attributes:
        path: JPEG, PNG, TIFF, BMP, GIF, WebP or PNM file.
        name: Unique name; by default the file's, without its suffix.
        width_m: Metres of the table that the picture's width covers. A picture that covers more than the table's 0.8 x
            0.7 m is cropped, one that covers less is continued by its mirror images.
        split: Split that draws the table top; None for all.
    """

    path: str | os.PathLike[str]
    name: str = ""
    width_m: Annotated[float, Range(0.02, 10, unit="m")] = 0.8
    split: Split | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "path", os.fspath(self.path))
        object.__setattr__(self, "name", self.name or Path(self.path).stem)


def load_picture_table(table: PictureTable) -> Picture:
    """The table top, uint8 (840, 960, 3) RGB, its middle the picture's; read-only.

    Raises:
        InvalidPicture: the picture cannot be read.
    """
    picture = read_picture(Path(table.path), upright=True)
    scale = table.width_m * 1000 * PX_PER_MM / picture.shape[1]
    picture = _middle(picture, scale)
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = np.asarray(cv2.resize(picture, (width, height), interpolation=method), np.uint8)
    rows, columns = (_mirrored(wanted, there) for wanted, there in zip(SHAPE, scaled.shape[:2], strict=True))
    finished = np.ascontiguousarray(scaled[np.ix_(rows, columns)])
    finished.setflags(write=False)
    return finished


def _middle(picture: Picture, scale: float) -> Picture:
    """The part of a picture that the table shows, with a pixel to spare: nothing else is scaled."""
    kept = []
    for wanted, there in zip(SHAPE, picture.shape[:2], strict=True):
        beyond = max(0, int((there - wanted / scale) / 2) - 1)
        kept.append(slice(beyond, there - beyond))
    return picture[kept[0], kept[1]]


def _mirrored(wanted: int, there: int) -> np.ndarray:
    """Indices (wanted,) into `there` pixels, their middle in the middle, mirrored beyond the ends."""
    position = np.arange(wanted) - (wanted - there) // 2
    position %= 2 * there
    return np.where(position < there, position, 2 * there - 1 - position)
