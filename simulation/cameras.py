"""The four cameras: their poses, one on each side of the arena, and their sensor."""

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import Arena, Pictures
from tabletop_interaction.envs.views import View, look_at
from tabletop_interaction.simulation.renderer import CleanPicture

HEIGHT_PX = 350
WIDTH_PX = 430
FOCAL_PX = 520.0
_MARGIN_PX = 4.0
# Azimuth (from the arena's x axis, counter-clockwise) and elevation of each camera, degrees. view_0 stands on the
# robot's side: its pictures show the arena's x to the right and y upwards.
_DIRECTIONS_DEG = ((-90.0, 72.0), (180.0, 66.0), (90.0, 62.0), (0.0, 66.0))


def arena_views(arena: Arena) -> tuple[View, ...]:
    """Four views of the whole arena, 350 x 430 px each."""
    return tuple(
        _view(f"view_{i}", arena, np.deg2rad(azimuth), np.deg2rad(elevation))
        for i, (azimuth, elevation) in enumerate(_DIRECTIONS_DEG)
    )


def _view(name: str, arena: Arena, azimuth: float, elevation: float) -> View:
    """The nearest camera on a ray from the arena's centre that sees its four corners inside the margin."""
    direction = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    near, far = 0.3, 3.0
    while far - near > 1e-4:
        middle = (near + far) / 2
        if _sees_arena(_view_at(name, arena, direction, middle), arena):
            far = middle
        else:
            near = middle
    return _view_at(name, arena, direction, far)


def _view_at(name: str, arena: Arena, direction: Floats, distance: float) -> View:
    """A camera at that distance, with the principal point that centres the arena in the picture."""
    intrinsics = np.array([[FOCAL_PX, 0, (WIDTH_PX - 1) / 2], [0, FOCAL_PX, (HEIGHT_PX - 1) / 2], [0, 0, 1.0]])
    centre = np.array([*arena.centre, 0.0])
    pose = look_at(centre + direction * distance, centre, np.array([0.0, 0.0, 1.0]))
    corners = View(name, HEIGHT_PX, WIDTH_PX, intrinsics, pose).project(_corners(arena))
    middle = (corners.min(0) + corners.max(0)) / 2
    intrinsics[:2, 2] += np.array([(WIDTH_PX - 1) / 2, (HEIGHT_PX - 1) / 2]) - middle
    return View(name, HEIGHT_PX, WIDTH_PX, intrinsics, pose)


def _sees_arena(view: View, arena: Arena) -> bool:
    pixels = view.project(_corners(arena))
    low, high = pixels.min(0), pixels.max(0)
    limit = np.array([WIDTH_PX - 1, HEIGHT_PX - 1]) - _MARGIN_PX
    return bool((low >= _MARGIN_PX).all() and (high <= limit).all())


def _corners(arena: Arena) -> Floats:
    return np.array([(x, y, 0.0) for x in (arena.x_min, arena.x_max) for y in (arena.y_min, arena.y_max)])


class Sensor:
    """A camera's noise and exposure jitter, from a separate seed.

    The noise is cropped from one large tile at random offsets: new noise for each picture would cost as much time as
    rendering.

    Args:
        noise_sigma: standard deviation, grey levels.
        exposure_jitter: standard deviation of the gain.
        height: rows of the largest picture.
        width: columns of the largest picture.
    """

    _SLACK_PX = 96

    def __init__(self, seed: int, noise_sigma: float, exposure_jitter: float, height: int, width: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._jitter = exposure_jitter
        shape = (height + self._SLACK_PX, width + self._SLACK_PX, 3)
        noise = self._rng.standard_normal(shape, np.float32) * noise_sigma
        self._tile = np.round(noise).astype(np.int16)

    def expose(self, views: tuple[View, ...], pictures: tuple[CleanPicture, ...]) -> Pictures:
        """A new exposure of each picture, uint8 (H, W, 3), by view name."""
        return {view.name: self._expose(clean.rgb) for view, clean in zip(views, pictures, strict=True)}

    def _expose(self, rgb: Picture) -> Picture:
        height, width = rgb.shape[:2]
        row, column = self._rng.integers(0, self._SLACK_PX, 2)
        gain = 1 + self._jitter * float(np.clip(self._rng.standard_normal(), -2.5, 2.5))
        noise = self._tile[row : row + height, column : column + width]
        return np.asarray(cv2.add(cv2.convertScaleAbs(rgb, alpha=gain), noise, dtype=cv2.CV_8U), np.uint8)
