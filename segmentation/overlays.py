"""Masks and words drawn into pictures: outlines, or tints with scores."""

import colorsys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from tabletop_interaction.arrays import Mask, Picture
from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.lettering import Colour, words_width, write_words
from tabletop_interaction.segmentation.rle import Rle, box_from_rle

_GOLDEN_RATIO = 0.618033988749895
_TINT = 0.45
_DESIGNED_FOR_PX = 430
_SCORE_PX = 18
_RIM = 0.65


def distinct_colours(count: int) -> list[Colour]:
    """Return RGB colours; neighbours in the list differ much in hue."""
    colours = []
    for index in range(count):
        rgb = colorsys.hsv_to_rgb((0.02 + index * _GOLDEN_RATIO) % 1, (0.9, 0.65)[index % 2], 1.0)
        colours.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return colours


def outlined(picture: Picture, mask: Mask, colour: Colour, thickness: int = 1) -> Picture:
    """Copy a picture (H, W, 3) and draw the outline of a mask (H, W), holes included.

    A pixel on both sides of the line is darkened, so that it shows on light and on dark tables.
    """
    drawn = picture.copy()
    _draw_outline(drawn, mask, (0, 0), colour, thickness)
    return drawn


def overlay(picture: Picture, detections: Detections, colours: Sequence[Colour] | None = None) -> Picture:
    """Copy a picture (H, W, 3) and tint, outline and mark each detection with its score, per cent.

    `colours` has one for each detection; by default they are all different. Only the boxes of the masks are read and
    drawn, so that a large photo costs no more than its objects.
    """
    colours = distinct_colours(len(detections.rles)) if colours is None else colours
    # The best is drawn last, on top.
    order = np.argsort(detections.scores, kind="stable").tolist()
    drawn = tinted(picture, [detections.rles[index] for index in order], [colours[index] for index in order])
    for index in order:
        x, y = detections.rles[index].centre_xy
        _write_score(
            drawn, f"{100 * detections.scores[index]:.0f}", (x + 0.5, y + 0.5), round(_SCORE_PX * _scale(drawn))
        )
    return drawn


def tinted(picture: Picture, rles: Sequence[Rle], colours: Sequence[Colour]) -> Picture:
    """Copy a picture (H, W, 3) and tint and outline each mask in its colour, the last on top."""
    drawn = picture.copy()
    for rle, colour in zip(rles, colours, strict=True):
        mask, corner_xy = box_from_rle(rle)
        _tint(drawn, mask, corner_xy, colour)
        _draw_outline(drawn, mask, corner_xy, colour, round(1.5 * _scale(picture)))
    return drawn


def overlay_names(pictures: Sequence[Path]) -> list[str]:
    """Return a different file name for each picture: its own with .png, after its number where names are shared.

    Names that differ only in case or in Unicode composition count as equal, as some file systems treat them. If a
    numbered name is that of another picture, all are numbered.
    """
    names = [f"{path.stem}.png" for path in pictures]
    counts = Counter(map(_as_stored, names))
    numbered = [f"{number}-{name}" for number, name in enumerate(names, start=1)]
    mixed = [new if counts[_as_stored(name)] > 1 else name for name, new in zip(names, numbered, strict=True)]
    return mixed if len(set(map(_as_stored, mixed))) == len(mixed) else numbered


def _as_stored(name: str) -> str:
    return unicodedata.normalize("NFC", name.casefold())


def _scale(picture: Picture) -> float:
    """How much thicker lines and larger letters are than in a picture of the benchmark's size."""
    return max(1.0, max(picture.shape[:2]) / _DESIGNED_FOR_PX)


def _tint(picture: Picture, mask: Mask, corner_xy: tuple[int, int], colour: Colour) -> None:
    """Blend a colour into the pixels of a mask that begins at pixel x, y."""
    x, y = corner_xy
    part = picture[y : y + mask.shape[0], x : x + mask.shape[1]]
    values = np.arange(256)[:, None] * (1 - _TINT) + _TINT * np.array(colour)
    np.copyto(part, cv2.LUT(part, values.astype(np.uint8)[None]), where=mask[..., None])


def _draw_outline(picture: Picture, mask: Mask, corner_xy: tuple[int, int], colour: Colour, thickness: int) -> None:
    """Draw the outline of a mask that begins at pixel x, y, above a darkened rim."""
    (x, y), (height, width), margin = corner_xy, mask.shape, thickness + 2
    x_min, y_min = max(0, x - margin), max(0, y - margin)
    part = picture[y_min : y + height + margin, x_min : x + width + margin]
    offset = (x - x_min, y - y_min)
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=offset)
    rim = np.zeros(part.shape[:2], np.uint8)
    cv2.drawContours(rim, contours, -1, 255, thickness + 2, cv2.LINE_AA)
    there = rim > 0
    part[there] = part[there] * (1 - _RIM * rim[there, None] / 255)
    line = np.ascontiguousarray(part)
    # Smoothed, a line of one pixel would not have its full colour anywhere.
    cv2.drawContours(line, contours, -1, colour, thickness, cv2.LINE_8 if thickness == 1 else cv2.LINE_AA)
    part[:] = line


def _write_score(picture: Picture, text: str, centre_xy: tuple[float, float], height_px: int) -> None:
    """Write centred on a pixel, inside the picture's borders."""
    width, height = words_width(text, height_px), round(0.7 * height_px)
    x = int(np.clip(centre_xy[0] - width / 2, 2, max(2, picture.shape[1] - width - 2)))
    y = int(np.clip(centre_xy[1] + height / 2, height + 2, max(height + 2, picture.shape[0] - 2)))
    write_words(picture, text, (x, y), height_px)
