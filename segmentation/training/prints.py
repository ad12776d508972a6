"""Flat prints drawn on a crop's table, and colours exchanged: what makes two dozen table tops into very many.

A network that has seen a few tables takes whatever is printed on another one, a comic, a flower, a road, for an
object. So shapes in flat colours are laid on the table, under the light that is there: what tells an object from a
print is its shading and not its outline. Ours, after the random textures of domain randomisation (Tobin et al. 2017);
no label is read but the masks of what stays uncovered.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]

_FEWEST_SHAPES, _MOST_SHAPES = 6, 60
_SMALLEST_PX, _LARGEST_PX = 4.0, 60.0
_LIGHT_BLUR_PX = 6.0
_EDGE_BLUR_PX = 0.6


def printed(image: Picture, kept: NDArray[np.bool_], rng: np.random.Generator) -> Picture:
    """The picture with a print on all of its table.

    Args:
        image: uint8 (H, W, 3) RGB.
        kept: bool (H, W), what is no table and stays as it is.
        rng: its random numbers.

    Returns:
        uint8 (H, W, 3); `image` is not changed.
    """
    ground = image.copy() if rng.random() < 0.5 else np.full_like(image, rng.integers(0, 256, 3))
    sheet = _shapes_on(ground, rng).astype(np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    light = cv2.GaussianBlur(grey, (0, 0), _LIGHT_BLUR_PX)
    # The table's light is kept, weakly: its own pattern has dark places too.
    shade = np.clip(0.5 + 0.5 * light / max(float(light.mean()), 1.0), 0.4, 1.3)
    sheet = cv2.GaussianBlur(sheet * shade[..., None], (0, 0), _EDGE_BLUR_PX)
    sheet += rng.normal(0, 2, sheet.shape[:2]).astype(np.float32)[..., None]
    alpha = cv2.GaussianBlur(kept.astype(np.float32), (0, 0), _EDGE_BLUR_PX)[..., None]
    mixed = sheet + alpha * (image - sheet)
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def shadowed(canvas: NDArray[np.float32], mask: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """The picture, float32 (H, W, 3), darkened beside a mask, as by the soft shadow of what is laid there."""
    shift = rng.normal(0, 5, 2)
    moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    size = mask.shape[::-1]
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(1.5, 6))
    soft = cv2.warpAffine(soft, moved, (int(size[0]), int(size[1])))
    return np.asarray(canvas * (1 - rng.uniform(0.1, 0.6) * soft)[..., None], np.float32)


def with_other_colours(image: Picture, rng: np.random.Generator) -> Picture:
    """The picture with its channels exchanged and their difference made more or less; greys stay as they are."""
    channels = np.eye(3)[rng.permutation(3)]
    saturation = rng.uniform(0.3, 1.5)
    matrix = saturation * channels + (1 - saturation) / 3
    return np.asarray(cv2.transform(image, matrix), np.uint8)


def _shapes_on(ground: Picture, rng: np.random.Generator) -> Picture:
    """Shapes of one or several kinds, in a few colours, large ones first."""
    palette = rng.integers(0, 256, (int(rng.integers(2, 7)), 3))
    count = int(rng.integers(_FEWEST_SHAPES, _MOST_SHAPES + 1))
    largest = rng.uniform(2 * _SMALLEST_PX, _LARGEST_PX)
    radii = np.sort(np.exp(rng.uniform(np.log(_SMALLEST_PX), np.log(largest), count)))[::-1]
    kinds = rng.permutation(3)[: int(rng.integers(1, 4))]
    slenderness = rng.uniform(0.2, 1.0)
    for radius in radii:
        centre = rng.uniform(0, [ground.shape[1], ground.shape[0]])
        colour = tuple(int(level) for level in palette[int(rng.integers(len(palette)))])
        outline = _outline(int(rng.choice(kinds)), float(radius), slenderness, rng) + centre
        thickness = cv2.FILLED if rng.random() < 0.75 else int(rng.integers(1, 4))
        if thickness == cv2.FILLED:
            cv2.fillPoly(ground, [np.round(outline).astype(np.int32)], colour, cv2.LINE_AA)
        else:
            cv2.polylines(ground, [np.round(outline).astype(np.int32)], True, colour, thickness, cv2.LINE_AA)
    return ground


def _outline(kind: int, radius: float, slenderness: float, rng: np.random.Generator) -> NDArray[np.float64]:
    """(N, 2) points around the origin: an ellipse, a rectangle, or an irregular polygon."""
    corners = (24, 4, int(rng.integers(3, 9)))[kind]
    angles = np.arange(corners) * 2 * np.pi / corners + np.pi / 4
    radii = np.full(corners, radius) if kind < 2 else radius * rng.uniform(0.4, 1.0, corners)
    points = np.column_stack([np.cos(angles), np.sin(angles)]) * radii[:, None]
    points[:, 1] *= slenderness if rng.random() < 0.7 else rng.uniform(0.2, 1.0)
    turn = rng.uniform(0, np.pi)
    cosine, sine = np.cos(turn), np.sin(turn)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))
