"""Augmentation of crops: affine warps, other light and colours, shadows; `prints` has other tables.

Maps are (2, 3) float64 and take pixels x, y of a picture to pixels of a square crop of `crop_px`; integers are pixel
centres.
"""

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Floats, Mask, Picture
from tabletop_interaction.segmentation.config import STRIDE
from tabletop_interaction.segmentation.network import PIXEL_MEAN

_RIM_BLUR_PX = 0.7
_BEYOND_PICTURE = tuple(round(255 * mean) for mean in PIXEL_MEAN)


def affine(scale: float, turn: float, mirror: bool, centre_xy: Floats, target_xy: Floats) -> Floats:
    """Return the map (2, 3) that mirrors along x, rotates by `turn` radians, scales, and takes centre to target."""
    cosine, sine = scale * np.cos(turn), scale * np.sin(turn)
    linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([-1.0 if mirror else 1.0, 1.0])
    return np.column_stack([linear, target_xy - linear @ centre_xy])


def filled(
    crop_from_picture: Floats, shape: tuple[int, ...], target_xy: Floats, crop_px: int, margin_px: float
) -> Floats:
    """Shift the map so that the picture fills as much of the crop as the margins around the target allow."""
    last = np.array([shape[1] - 1, shape[0] - 1])
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * last
    seen = corners @ crop_from_picture[:, :2].T + crop_from_picture[:, 2]
    # A rotated picture does not reach the corners of its box: take a mean of its sides.
    low, high = np.sort(seen, axis=0)[:2].mean(0), np.sort(seen, axis=0)[2:].mean(0)
    shift = np.where(low > 0, -low, np.maximum(crop_px - high, 0))
    shift = np.where(high - low < crop_px, 0, shift)
    allowed = np.clip(target_xy + shift, margin_px, crop_px - margin_px) - target_xy
    return np.column_stack([crop_from_picture[:, :2], crop_from_picture[:, 2] + allowed])


def warped_point(matrix: Floats, xy: Floats | tuple[float, float]) -> Floats:
    """Apply an affine map (2, 3) to a point (2,)."""
    return np.asarray(matrix[:, :2] @ np.asarray(xy, np.float64) + matrix[:, 2])


def position_grid(crop_px: int) -> Floats:
    """Return x, y of every score position of a crop, (P, P, 2) by row and column."""
    at = np.arange(0, crop_px, STRIDE, dtype=np.float64)
    return np.stack(np.meshgrid(at, at), axis=-1)


def warped_picture(picture: Picture, crop_from_picture: Floats, crop_px: int) -> Picture:
    """Warp a picture to a crop uint8 (S, S, 3), grey beyond its border as the network's padding is.

    A picture that shrinks is blurred first, as by the resizing at inference.
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
    piece: Picture, crop_from_picture: Floats, corner_xy: Floats, crop_px: int, beyond: tuple[int, ...] = (0, 0, 0)
) -> Picture:
    """Warp a rectangle of a picture, with its first pixel at `corner_xy`, to the crop."""
    moved = np.column_stack([crop_from_picture[:, :2], warped_point(crop_from_picture, corner_xy)])
    return np.asarray(
        cv2.warpAffine(
            piece, moved, (crop_px, crop_px), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=beyond
        ),
        np.uint8,
    )


def recoloured(image: Picture, rng: np.random.Generator, brightness: float, tint: float) -> Picture:
    """Change gain, contrast and white balance at random."""
    gain = 2 ** rng.uniform(-brightness * 1.5, brightness * 1.5)
    contrast = 1 + rng.uniform(-brightness, brightness)
    balance = 1 + rng.uniform(-tint, tint, 3)
    levels = np.arange(256)[:, None]
    table = ((levels - 128) * contrast + 128) * gain * balance
    return np.asarray(cv2.LUT(image, np.clip(table + 0.5, 0, 255).astype(np.uint8)[None]), np.uint8)


def shadowed(canvas: FloatPicture, mask: Mask, rng: np.random.Generator) -> FloatPicture:
    """Darken a picture, float32 (H, W, 3), beside a mask, as the soft shadow of a pasted object does."""
    shift = rng.normal(0, 5, 2)
    moved = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    size = mask.shape[::-1]
    soft = cv2.GaussianBlur(mask.astype(np.float32), (0, 0), rng.uniform(1.5, 6))
    soft = cv2.warpAffine(soft, moved, (int(size[0]), int(size[1])))
    return np.asarray(canvas * (1 - rng.uniform(0.1, 0.6) * soft)[..., None], np.float32)


def cut_out_opacity(soft: FloatPicture) -> FloatPicture:
    """Opacity 0..1 of the pixels of a mask, float32 (H, W) 0..1, on another ground; it ends a little inside the mask.

    The rim of a mask shows the table that the object stood on: a network would learn the rim.
    """
    return np.clip(cv2.GaussianBlur(soft, (0, 0), _RIM_BLUR_PX) * 2 - 0.9, 0, 1)


def with_other_colours(image: Picture, rng: np.random.Generator) -> Picture:
    """Exchange the channels and change the saturation; greys stay."""
    channels = np.eye(3)[rng.permutation(3)]
    saturation = rng.uniform(0.3, 1.5)
    matrix = saturation * channels + (1 - saturation) / 3
    return np.asarray(cv2.transform(image, matrix), np.uint8)
