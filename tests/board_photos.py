"""Pictures of a ChArUco board as a calibrated camera takes them: warped exactly, softened, with noise."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.views import View
from tabletop_interaction.real.calibration.charuco import Board

_BOARD_PX_PER_MM = 4.0
_MARGIN_PX = 48
_TABLE_GREY = 120
_OVERSAMPLING = 2


def photograph(
    board: Board, view: View, camera_from_board: Floats, *, noise: float = 2.0, seed: int = 0
) -> NDArray[np.uint8]:
    """uint8 (H, W, 3): the board's white sheet on a grey table, through the view's lens."""
    rays = _rays(view.width, view.height, tuple(view.intrinsics.ravel()), tuple(view.distortion))
    to_pixels = 1000 * _BOARD_PX_PER_MM
    pixels_from_board = np.array([[to_pixels, 0, _MARGIN_PX], [0, to_pixels, _MARGIN_PX], [0, 0, 1]])
    pixels_from_rays = pixels_from_board @ np.linalg.inv(camera_from_board[:3, [0, 1, 3]])
    maps = cv2.perspectiveTransform(rays, pixels_from_rays) - np.float32(0.5)
    seen = cv2.remap(
        _sheet(board), maps, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=_TABLE_GREY
    )
    small = cv2.resize(seen, (view.width, view.height), interpolation=cv2.INTER_AREA)
    soft = cv2.GaussianBlur(small, (0, 0), 0.7).astype(np.float32)[:, :, None] * 0.85 + 15
    rough = np.random.default_rng(seed).standard_normal((view.height, view.width, 3), np.float32) * noise
    return np.clip(soft + rough, 0, 255).round().astype(np.uint8)


@lru_cache(maxsize=8)
def _rays(width: int, height: int, intrinsics: tuple[float, ...], distortion: tuple[float, ...]) -> NDArray[np.float32]:
    """(H * 2, W * 2, 2): x / z and y / z of what the quarters of each pixel see."""
    rows, columns = np.mgrid[0 : height * _OVERSAMPLING, 0 : width * _OVERSAMPLING]
    pixels = (np.column_stack([columns.ravel(), rows.ravel()]) + 0.5) / _OVERSAMPLING - 0.5
    rays = cv2.undistortPoints(pixels[:, None], np.reshape(intrinsics, (3, 3)), np.array(distortion))
    return np.asarray(rays, np.float32).reshape(*rows.shape, 2)


@lru_cache(maxsize=4)
def _sheet(board: Board) -> NDArray[np.uint8]:
    """The pattern with a white margin, softened to what the oversampled picture resolves."""
    sheet = cv2.copyMakeBorder(board.picture(_BOARD_PX_PER_MM), *[_MARGIN_PX] * 4, cv2.BORDER_CONSTANT, value=255)
    return np.asarray(cv2.GaussianBlur(sheet, (0, 0), 1.0), np.uint8)
