"""A picture of what the passive bootstrap learned from: clips with the masks that motion gave."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import imageio.v3 as iio
import numpy as np

from tabletop_interaction.segmentation.overlays import distinct_colours, outlined
from tabletop_interaction.segmentation.rle import mask_from_rle
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.pictures import Picture

_GAP_PX = 4
_COLUMNS = 6
_CLICK = (255, 255, 255)


def write_passive_sheet(examples: ExampleSet, path: Path, rows: int = 10) -> Path:
    """JPEG with a clip in a view a row: its labelled frames, at most six, masks outlined, background clicks as crosses.

    Args:
        examples: of `passive_examples`, with one object or more.
        path: of the picture; it is whole or absent.
        rows: most clips, spread over all that have an object.
    """
    clips: dict[str, dict[str, list[Example]]] = {}
    for example in examples.examples:
        clip = example.picture.rsplit("/", 1)[0]
        clips.setdefault(clip, {}).setdefault(example.picture, []).append(example)
    with_object = [frames for frames in clips.values() if any(one.mask for said in frames.values() for one in said)]
    at = np.linspace(0, len(with_object) - 1, min(len(with_object), rows)).astype(int)
    strips = [_strip(examples, with_object[index]) for index in at]
    height = max(strip.shape[0] for strip in strips)
    width = max(strip.shape[1] for strip in strips)
    sheet = np.vstack([_padded(strip, height, width) for strip in strips])
    temporary = path.with_name(f".tmp-{path.name}")
    iio.imwrite(temporary, sheet, quality=88)
    os.replace(temporary, path)
    return path


def _strip(examples: ExampleSet, frames: dict[str, list[Example]]) -> Picture:
    """The frames of a clip side by side, in the order of time."""
    ordered = sorted(frames, key=lambda key: int(key.rsplit("/", 1)[1].split("-")[0]))[:_COLUMNS]
    return np.hstack([_drawn(examples.pictures[key], frames[key]) for key in ordered])


def _drawn(picture: Picture, said: list[Example]) -> Picture:
    drawn = np.array(picture)
    colours = distinct_colours(len(said))
    for example, colour in zip(said, colours, strict=True):
        if example.mask is not None:
            drawn = outlined(drawn, mask_from_rle(example.mask), colour, 2)
        else:
            centre = (round(example.click_xy[0]), round(example.click_xy[1]))
            cv2.drawMarker(drawn, centre, (0, 0, 0), cv2.MARKER_TILTED_CROSS, 14, 4, cv2.LINE_AA)
            cv2.drawMarker(drawn, centre, _CLICK, cv2.MARKER_TILTED_CROSS, 12, 2, cv2.LINE_AA)
    return np.asarray(
        cv2.copyMakeBorder(drawn, 0, _GAP_PX, 0, _GAP_PX, cv2.BORDER_CONSTANT, value=(255,) * 3), np.uint8
    )


def _padded(strip: Picture, height: int, width: int) -> Picture:
    below, beside = height - strip.shape[0], width - strip.shape[1]
    return np.asarray(cv2.copyMakeBorder(strip, 0, below, 0, beside, cv2.BORDER_CONSTANT, value=(255,) * 3), np.uint8)
