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
from tabletop_interaction.segmentation.rle import box_from_rle

Colour = tuple[int, int, int]

_GOLDEN_RATIO = 0.618033988749895
_TINT = 0.45
_DESIGNED_FOR_PX = 430


def distinct_colours(count: int) -> list[Colour]:
    """Return RGB colours; neighbours in the list differ much in hue."""
    colours = []
    for index in range(count):
        rgb = colorsys.hsv_to_rgb((0.02 + index * _GOLDEN_RATIO) % 1, (0.9, 0.65)[index % 2], 1.0)
        colours.append((round(255 * rgb[0]), round(255 * rgb[1]), round(255 * rgb[2])))
    return colours


def outlined(picture: Picture, mask: Mask, colour: Colour, thickness: int = 1) -> Picture:
    """Copy a picture (H, W, 3) and draw the outline of a mask (H, W), holes included."""
    drawn = picture.copy()
    _draw_outline(drawn, mask, (0, 0), colour, thickness)
    return drawn


def overlay(picture: Picture, detections: Detections) -> Picture:
    """Copy a picture (H, W, 3) and tint, outline and mark each detection with its score.

    Only the boxes of the masks are read and drawn, so that a large photo costs no more than its objects.
    """
    drawn = picture.copy()
    scale = max(1.0, max(picture.shape[:2]) / _DESIGNED_FOR_PX)
    colours = distinct_colours(len(detections.rles))
    # The best is drawn last, on top.
    order = np.argsort(detections.scores, kind="stable")
    for index in order:
        mask, corner_xy = box_from_rle(detections.rles[index])
        _tint(drawn, mask, corner_xy, colours[index])
        _draw_outline(drawn, mask, corner_xy, colours[index], round(1.5 * scale))
    for index in order:
        x, y = detections.rles[index].centre_xy
        _write_score(drawn, f"{detections.scores[index]:.2f}", (x + 0.5, y + 0.5), 0.36 * scale)
    return drawn


def write_words(picture: Picture, words: str, start_xy: tuple[int, int], size: float, stroke: int = 1) -> None:
    """Write white on black into the picture itself; the words' baseline starts at pixel x, y."""
    for colour, thickness in (((0, 0, 0), 3 * stroke), ((255, 255, 255), stroke)):
        cv2.putText(picture, words, start_xy, cv2.FONT_HERSHEY_SIMPLEX, size, colour, thickness, cv2.LINE_AA)


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


def _tint(picture: Picture, mask: Mask, corner_xy: tuple[int, int], colour: Colour) -> None:
    """Blend a colour into the pixels of a mask that begins at pixel x, y."""
    x, y = corner_xy
    part = picture[y : y + mask.shape[0], x : x + mask.shape[1]]
    values = np.arange(256)[:, None] * (1 - _TINT) + _TINT * np.array(colour)
    np.copyto(part, cv2.LUT(part, values.astype(np.uint8)[None]), where=mask[..., None])


def _draw_outline(picture: Picture, mask: Mask, corner_xy: tuple[int, int], colour: Colour, thickness: int) -> None:
    """Draw the outline of a mask that begins at pixel x, y."""
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE, offset=corner_xy)
    cv2.drawContours(picture, contours, -1, colour, thickness, cv2.LINE_AA)


def _write_score(picture: Picture, text: str, centre_xy: tuple[float, float], size: float) -> None:
    """Write centred on a pixel, inside the picture's borders."""
    stroke = max(1, round(2.4 * size))
    (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, size, stroke)
    x = int(np.clip(centre_xy[0] - width / 2, 2, max(2, picture.shape[1] - width - 2)))
    y = int(np.clip(centre_xy[1] + height / 2, height + 2, max(height + 2, picture.shape[0] - 2)))
    write_words(picture, text, (x, y), size, stroke)
