"""Pictures of what happened: contact sheets and a film of interactions with the masks that the agent reads off them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import imageio.v2 as imageio
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.records.reading import InteractionTable
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.segmentation.frame_difference import frame_difference

Picture = NDArray[np.uint8]

_GAP_PX = 4
_PICK_COLOUR = (255, 221, 51)
_MASK_COLOUR = (51, 221, 119)
_FRAMES_PER_SECOND = 3
_MOST_FILM_INTERACTIONS = 60


def write_contact_sheets(
    table: InteractionTable, numbers: Sequence[int], view: str, out: Path, *, rows: int, sheets: int
) -> list[Path]:
    """JPEG sheets with one interaction a row: before, held, after, and the two masks that the differences give.

    Args:
        table: interactions with the view's three pictures.
        numbers: those that may be shown, one or more.
        view: name of the camera.
        out: an existing folder.
        rows: interactions a sheet.
        sheets: most sheets; they are spread over `numbers`.

    Returns:
        the files that were written.
    """
    chosen = _spread(numbers, rows * sheets)
    paths = []
    for number, start in enumerate(range(0, len(chosen), rows)):
        strips = [interaction_strip(table[index], view) for index in chosen[start : start + rows]]
        path = out / f"sheet_{number:02d}.jpg"
        imageio.imwrite(path, np.vstack(strips), quality=88)
        paths.append(path)
    return paths


def interaction_strip(interaction: Interaction, view: str) -> Picture:
    """uint8 (H, 4 W, 3): before with the pick, held, after with the place, and after with both masks."""
    number = [v.name for v in interaction.views].index(view)
    before, held, after = (getattr(interaction, m)[view] for m in ("before", "held", "after"))
    pick, place = interaction.pick_xy[number], interaction.place_xy[number]
    picked = frame_difference(before, held, pick)
    masked = _outlined(before, picked.mask, _PICK_COLOUR)
    if interaction.grasped:
        placed = frame_difference(held, after, place)
        masked = _outlined(_outlined(after, placed.mask, _MASK_COLOUR), picked.mask, _PICK_COLOUR)
    panels = [_cross(before, pick), held, _cross(after, place) if interaction.grasped else after, masked]
    return cv2.copyMakeBorder(
        np.hstack([_framed(panel) for panel in panels]),
        0,
        _GAP_PX,
        0,
        0,
        cv2.BORDER_CONSTANT,
        value=(255,) * 3,
    ).astype(np.uint8)


def write_film(table: InteractionTable, numbers: Sequence[int], view: str, path: Path) -> Path:
    """MP4 that shows before, held, after and masks of interactions, at most 60 spread over `numbers`."""
    writer: Any = imageio.get_writer(path, fps=_FRAMES_PER_SECOND, macro_block_size=2)
    with writer:
        for number in _spread(numbers, _MOST_FILM_INTERACTIONS):
            for frame in _film_frames(table[number], view):
                writer.append_data(frame)
    return path


def _spread(numbers: Sequence[int], most: int) -> list[int]:
    at = np.linspace(0, len(numbers) - 1, min(len(numbers), most)).astype(int)
    return [numbers[i] for i in at]


def _film_frames(interaction: Interaction, view: str) -> list[Picture]:
    strip = interaction_strip(interaction, view)[:-_GAP_PX]
    width = strip.shape[1] // 4
    panels = [strip[:, i * width : (i + 1) * width - _GAP_PX] for i in range(4)]
    return [np.ascontiguousarray(panel) for panel in panels]


def _framed(picture: Picture) -> Picture:
    bordered = cv2.copyMakeBorder(picture, 0, 0, 0, _GAP_PX, cv2.BORDER_CONSTANT, value=(255,) * 3)
    return np.asarray(bordered, np.uint8)


def _cross(picture: Picture, xy: NDArray[np.float32]) -> Picture:
    marked = picture.copy()
    centre = (round(float(xy[0])), round(float(xy[1])))
    cv2.drawMarker(marked, centre, (0, 0, 0), cv2.MARKER_CROSS, 22, 4, cv2.LINE_AA)
    cv2.drawMarker(marked, centre, _PICK_COLOUR, cv2.MARKER_CROSS, 20, 2, cv2.LINE_AA)
    return marked


def _outlined(picture: Picture, mask: NDArray[np.bool_], colour: tuple[int, int, int]) -> Picture:
    drawn = picture.copy()
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    cv2.drawContours(drawn, contours, -1, colour, 2, cv2.LINE_AA)
    return drawn
