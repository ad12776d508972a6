"""Pieces of pictures under one affine map: resized, turned, mirrored, recoloured.

Maps are (2, 3) float64 and take pixels x, y of a picture to pixels of a square crop of `crop_px`; integers are pixel
centres.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.segmentation.config import STRIDE
from tabletop_interaction.segmentation.network import PIXEL_MEAN

Floats = NDArray[np.float64]

_BEYOND_PICTURE = tuple(round(255 * mean) for mean in PIXEL_MEAN)


def affine(scale: float, turn: float, mirror: bool, centre_xy: Floats, target_xy: Floats) -> Floats:
    """The map (2, 3) that mirrors along x, turns by `turn` radians, scales, and takes `centre_xy` to `target_xy`."""
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
    return np.column_stack([linear, target_xy - linear @ centre_xy])


def filled(
    crop_from_picture: Floats, shape: tuple[int, ...], target_xy: Floats, crop_px: int, margin_px: float
) -> Floats:
    """The map shifted so that the picture fills the crop as far as it can; the target stays within the margins."""
    last = np.array([shape[1] - 1, shape[0] - 1])
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * last
    seen = corners @ crop_from_picture[:, :2].T + crop_from_picture[:, 2]
    # A turned picture does not reach its box's corners; half of the way is a fair compromise.
    low, high = np.sort(seen, axis=0)[:2].mean(0), np.sort(seen, axis=0)[2:].mean(0)
    shift = np.where(low > 0, -low, np.maximum(crop_px - high, 0))
    shift = np.where(high - low < crop_px, 0, shift)
    allowed = np.clip(target_xy + shift, margin_px, crop_px - margin_px) - target_xy
    return np.column_stack([crop_from_picture[:, :2], crop_from_picture[:, 2] + allowed])


def apply(matrix: Floats, xy: Floats | tuple[float, float]) -> Floats:
    """A point (2,) under an affine map (2, 3)."""
    return np.asarray(matrix[:, :2] @ np.asarray(xy, np.float64) + matrix[:, 2])


def position_grid(crop_px: int) -> Floats:
    """(P, P, 2): x, y of every score position of a crop, by row and column."""
    at = np.arange(0, crop_px, STRIDE, dtype=np.float64)
    return np.stack(np.meshgrid(at, at), axis=-1)


def warped_picture(picture: NDArray[np.uint8], crop_from_picture: Floats, crop_px: int) -> NDArray[np.uint8]:
    """The crop uint8 (S, S, 3); grey beyond the picture's border, which is what the network's padding looks like.

    Where the picture shrinks it is blurred first, as the resizing at inference does.
    """
    scale = float(np.hypot(*crop_from_picture[:, 0]))
    inverse = cv2.invertAffineTransform(crop_from_picture)
    corners = np.array([[0, 0], [crop_px, 0], [0, crop_px], [crop_px, crop_px]]) @ inverse[:, :2].T + inverse[:, 2]
    height, width = picture.shape[:2]
    x0, y0 = np.clip(np.floor(corners.min(0)).astype(int) - 4, 0, [width - 1, height - 1])
    x1, y1 = np.clip(np.ceil(corners.max(0)).astype(int) + 5, [x0 + 1, y0 + 1], [width, height])
    piece = np.ascontiguousarray(picture[y0:y1, x0:x1])
    if scale < 0.95:
        # The variance by which the triangle filter of an antialiased bilinear resize exceeds the plain one's.
        piece = np.asarray(cv2.GaussianBlur(piece, (0, 0), np.sqrt((1 / scale**2 - 1) / 6)), np.uint8)
    return np.asarray(
        warped_piece(piece, crop_from_picture, np.array([x0, y0], np.float64), crop_px, _BEYOND_PICTURE), np.uint8
    )


def warped_piece(
    piece: NDArray[np.uint8],
    crop_from_picture: Floats,
    corner_xy: Floats,
    crop_px: int,
    beyond: tuple[int, ...] = (0, 0, 0),
) -> NDArray[np.uint8]:
    """A rectangle of a picture, its first pixel at `corner_xy`, in the crop."""
    moved = np.column_stack([crop_from_picture[:, :2], apply(crop_from_picture, corner_xy)])
    return np.asarray(
        cv2.warpAffine(
            piece, moved, (crop_px, crop_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=beyond
        ),
        np.uint8,
    )


def recoloured(image: NDArray[np.uint8], rng: np.random.Generator, brightness: float, tint: float) -> NDArray[np.uint8]:
    """The picture under another light: gain, contrast and the channels' balance changed a little."""
    gain = 2 ** rng.uniform(-brightness * 1.5, brightness * 1.5)
    contrast = 1 + rng.uniform(-brightness, brightness)
    balance = 1 + rng.uniform(-tint, tint, 3)
    levels = np.arange(256)[:, None]
    table = ((levels - 128) * contrast + 128) * gain * balance
    return np.asarray(cv2.LUT(image, np.clip(table + 0.5, 0, 255).astype(np.uint8)[None]), np.uint8)
