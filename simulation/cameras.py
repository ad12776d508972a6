"""Where the four cameras stand: one on each side of the arena, near enough that it fills the picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View, look_at

HEIGHT_PX = 350
WIDTH_PX = 430
FOCAL_PX = 520.0
_MARGIN_PX = 4.0

# Azimuth (from the arena's x axis, counter-clockwise) and elevation of each camera, degrees. view_0 stands on the
# robot's side, so that its pictures have the arena's x to the right and y upwards.
_DIRECTIONS_DEG = ((-90.0, 72.0), (180.0, 66.0), (90.0, 62.0), (0.0, 66.0))


def arena_views(arena: Arena) -> tuple[View, ...]:
    """Four views that see all of the arena, 350 x 430 px each."""
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


def _view_at(name: str, arena: Arena, direction: NDArray[np.float64], distance: float) -> View:
    """A camera at that distance, its principal point moved so that the arena lies in the picture's middle."""
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


def _corners(arena: Arena) -> NDArray[np.float64]:
    return np.array([(x, y, 0.0) for x in (arena.x_min, arena.x_max) for y in (arena.y_min, arena.y_max)])
