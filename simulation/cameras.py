"""The arena and the cameras that see it: the four of the simulated laboratory, and those that users place.

A camera is a `View`: one with measured intrinsics and pose is made by its class. The functions here place cameras with
square pixels by where they stand. Frame: the arena's, metres; x points to the right and y away from the robot.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.documents import parse_json
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import PictureSize, check_range, check_value, shown
from tabletop_interaction.simulation.lenses import check_lens

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
"""0.60 x 0.49 m, metres."""
PICTURE_SIZE = (350, 430)
"""Height and width of the default cameras' pictures, pixels."""

_FOCAL_PX = 520.0
_MARGIN_PX = 4.0
# Azimuth (from the arena's x axis, counter-clockwise) and elevation of each camera, degrees. view_0 stands on the
# robot's side: its pictures show the arena's x to the right and y upwards.
_DIRECTIONS_DEG = ((-90.0, 72.0), (180.0, 66.0), (90.0, 62.0), (0.0, 66.0))
_UP = (0.0, 0.0, 1.0)
_NEAR_M, _FAR_M, _FARTHEST_M = 0.3, 3.0, 20.0
_CENTRE = np.array([*ARENA.centre, 0.0])
_CORNERS = np.array([(x, y, 0.0) for x in (ARENA.x_min, ARENA.x_max) for y in (ARENA.y_min, ARENA.y_max)])
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_GOAL = "goal_"
_RIGID_TOLERANCE = 1e-6
_SHAPES = {"intrinsics": (3, 3), "camera_from_arena": (4, 4), "distortion": (5,)}


def look_at(
    name: str,
    eye: Sequence[float],
    target: Sequence[float] = (0.0, 0.0, 0.0),
    *,
    up: Sequence[float] = _UP,
    field_of_view_deg: float | None = None,
    picture_size: tuple[int, int] = PICTURE_SIZE,
    distortion: Sequence[float] = (0.0,) * 5,
) -> View:
    """A camera at a point that looks at another one.

    Args:
        name: key of its pictures.
        eye: x, y, z of the camera, metres.
        target: x, y, z of the point in the middle of its picture, metres.
        up: direction that points upwards in the picture; not the one in which the camera looks.
        field_of_view_deg: between the left and the right edge of the picture, 5 to 150; None: 44.9, as the default
            cameras.
        picture_size: height and width, pixels.
        distortion: k1 k2 p1 p2 k3 as in OpenCV.

    Raises:
        InvalidConfiguration: an argument is not accepted, or the camera would not see the arena.
    """
    at, to, upwards = (_numbers(*each, 3) for each in (("eye", eye), ("target", target), ("up", up)))
    if np.linalg.norm(np.cross(to - at, upwards)) < 1e-6 * max(1.0, float(np.linalg.norm(upwards))):
        raise InvalidConfiguration(
            f"{shown(name)} at {shown(eye)} looks at {shown(target)} along up {shown(up)}; accepted is an up that is "
            "not the direction of the camera, such as (0, 1, 0) for a camera that looks down"
        )
    intrinsics = _intrinsics(field_of_view_deg, picture_size)
    view = View(name, *picture_size, intrinsics, camera_pose(at, to, upwards), _numbers("distortion", distortion, 5))
    check_views((view,))
    return view


def orbit(
    name: str,
    azimuth_deg: float,
    elevation_deg: float,
    distance_m: float | None = None,
    *,
    field_of_view_deg: float | None = None,
    picture_size: tuple[int, int] = PICTURE_SIZE,
    distortion: Sequence[float] = (0.0,) * 5,
) -> View:
    """A camera on a sphere around the arena's centre, at which it looks.

    Args:
        azimuth_deg: direction in which it stands, from the arena's x axis, counter-clockwise: -90 is the robot's side.
        elevation_deg: above the table, 1 to 90; at 90 it looks straight down.
        distance_m: from the arena's centre; None: the nearest, from 0.3 m, at which all of the arena is in the
            picture, which is then centred on it.
        name, field_of_view_deg, picture_size, distortion: as in `look_at`.

    Raises:
        InvalidConfiguration: an argument is not accepted.
    """
    check_range("azimuth_deg", azimuth_deg, -360, 360, unit="degrees")
    check_range("elevation_deg", elevation_deg, 1, 90, unit="degrees")
    azimuth, elevation = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    direction = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    up = np.array(_UP) if elevation_deg < 90 else -np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    intrinsics, lens = _intrinsics(field_of_view_deg, picture_size), _numbers("distortion", distortion, 5)

    def standing(distance: float) -> View:
        pose = camera_pose(_CENTRE + direction * distance, _CENTRE, up)
        return View(name, *picture_size, intrinsics, pose, lens)

    _check_numbers(standing(_FAR_M))
    if distance_m is None:
        view = _centred(standing(_nearest(standing)))
    else:
        check_range("distance_m", distance_m, 0, _FARTHEST_M, above=True, unit="m")
        view = standing(distance_m)
    check_views((view,))
    return view


def top_down(
    name: str,
    distance_m: float | None = None,
    *,
    field_of_view_deg: float | None = None,
    picture_size: tuple[int, int] = PICTURE_SIZE,
    distortion: Sequence[float] = (0.0,) * 5,
) -> View:
    """A camera above the arena's centre that looks straight down, x to the right and y upwards in its picture.

    Arguments and errors are those of `orbit`.
    """
    return orbit(
        name,
        -90.0,
        90.0,
        distance_m,
        field_of_view_deg=field_of_view_deg,
        picture_size=picture_size,
        distortion=distortion,
    )


@lru_cache(maxsize=8)
def arena_views(picture_size: tuple[int, int] = PICTURE_SIZE) -> tuple[View, ...]:
    """The default cameras: view_0 to view_3, one on each side of the arena; each sees all of it."""
    return tuple(
        orbit(f"view_{i}", azimuth, elevation, picture_size=picture_size)
        for i, (azimuth, elevation) in enumerate(_DIRECTIONS_DEG)
    )


def views_of(views: tuple[View, ...] | None, picture_size: tuple[int, int] | None) -> tuple[View, ...]:
    """The cameras of a configuration: its views or the default ones, each resized to its picture size if it has one."""
    if views is None:
        return arena_views(picture_size or PICTURE_SIZE)
    return views if picture_size is None else tuple(view.resized(*picture_size) for view in views)


def read_views(path: Path) -> tuple[View, ...]:
    """The cameras in a JSON file: a list of `View.to_dict`.

    Raises:
        InvalidConfiguration: it holds none.
        OSError: it cannot be read.
    """
    listed = parse_json(path.read_bytes(), path, error=InvalidConfiguration, remedy="correct it there")
    if not isinstance(listed, list):
        raise InvalidConfiguration(f"{path} holds no list; accepted is a list of views as `View.to_dict` gives them")
    return tuple(map(view_from_plain, listed))


def view_from_plain(plain: View | Mapping[str, Any]) -> View:
    """A camera from its fields, as JSON reads them (`View.to_dict`).

    Raises:
        InvalidConfiguration: it describes no camera.
    """
    try:
        return plain if isinstance(plain, View) else View.from_dict(dict(plain))
    except (TypeError, ValueError) as error:
        raise InvalidConfiguration(
            f"a camera is {shown(plain)}; accepted are name, height, width, intrinsics, camera_from_arena and, if "
            f"wanted, distortion ({' '.join(str(error).split())})"
        ) from error


def check_views(views: Sequence[View]) -> None:
    """Refuse cameras that cannot be simulated: no camera, equal names, or one that sees nothing of the arena.

    Raises:
        InvalidConfiguration: names the first problem and what is accepted.
    """
    if not views:
        raise InvalidConfiguration("views is empty; accepted are one camera or more, or None for the default ones")
    for view in views:
        _check_numbers(view)
        _check_place(view)
        check_lens(view)
    names = [view.name for view in views]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidConfiguration(f"views has two cameras named {repeated}; accepted is a name of its own for each")


def _check_numbers(view: View) -> None:
    if not (isinstance(view.name, str) and _NAME.fullmatch(view.name)) or view.name.startswith(_GOAL):
        raise InvalidConfiguration(
            f"a camera is named {shown(view.name)}; accepted are up to 64 letters, digits, - and _ that begin with a "
            f"letter or a digit, but not with {_GOAL}"
        )
    check_value(f"height and width of {view.name}", (view.height, view.width), PictureSize)
    for name, shape in _SHAPES.items():
        values = getattr(view, name)
        if values.shape != shape or not np.isfinite(values).all():
            raise InvalidConfiguration(
                f"{name} of {view.name} is {shown(values.tolist())}; accepted are {' x '.join(map(str, shape))} finite "
                "numbers"
            )
    k = view.intrinsics
    if not (k[0, 0] > 0 and k[1, 1] > 0 and k[1, 0] == 0 and np.array_equal(k[2], (0, 0, 1))):
        raise InvalidConfiguration(
            f"intrinsics of {view.name} is {shown(k.tolist())}; accepted is [[fx, s, cx], [0, fy, cy], [0, 0, 1]], "
            "pixels, with fx and fy above 0"
        )
    rotation = view.camera_from_arena[:3, :3]
    orthogonal = np.allclose(rotation @ rotation.T, np.eye(3), rtol=0, atol=_RIGID_TOLERANCE)
    if not (orthogonal and np.linalg.det(rotation) > 0 and np.array_equal(view.camera_from_arena[3], (0, 0, 0, 1))):
        raise InvalidConfiguration(
            f"camera_from_arena of {view.name} is no rigid transform; accepted is a rotation and a translation in "
            "metres, with the last row 0 0 0 1, as `look_at` makes it"
        )


def _check_place(view: View) -> None:
    eye = np.linalg.inv(view.camera_from_arena)[:3, 3]
    if not eye[2] > 0:
        raise InvalidConfiguration(
            f"{view.name} stands at z {eye[2]:.3f} m, below the table; accepted is a camera above it, z above 0 m"
        )
    if (distance := float(np.linalg.norm(eye - _CENTRE))) > _FARTHEST_M:
        raise InvalidConfiguration(
            f"{view.name} stands {distance:.1f} m from the arena's centre; accepted are {_FARTHEST_M:.0f} m at most"
        )
    if not view.sees(_points_of_arena()).any():
        raise InvalidConfiguration(
            f"{view.name} at {(eye.round(2) + 0.0).tolist()} m sees nothing of the arena, x {ARENA.x_min} to "
            f"{ARENA.x_max} m, y {ARENA.y_min} to {ARENA.y_max} m; turn it towards the arena"
        )


def _numbers(what: str, values: Sequence[float], count: int) -> Floats:
    try:
        numbers = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.shape != (count,) or not np.isfinite(numbers).all():
        raise InvalidConfiguration(f"{what} is {shown(values)}; accepted are {count} finite numbers")
    return numbers


def _intrinsics(field_of_view_deg: float | None, picture_size: tuple[int, int]) -> Floats:
    """Of a camera with square pixels and the principal point in the middle of its picture."""
    check_value("picture_size", picture_size, PictureSize)
    height, width = picture_size
    if field_of_view_deg is None:
        focal = _FOCAL_PX * width / PICTURE_SIZE[1]
    else:
        check_range("field_of_view_deg", field_of_view_deg, 5, 150, unit="degrees")
        focal = width / 2 / np.tan(np.deg2rad(field_of_view_deg) / 2)
    return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1.0]])


def _nearest(standing: Callable[[float], View]) -> float:
    """The smallest distance, metres, from which the arena's corners lie in the picture, inside a margin."""
    near, far = _NEAR_M, _FAR_M
    while far < _FARTHEST_M and not _frames_arena(standing(far)):
        near, far = far, 2 * far
    while far - near > 1e-4:
        middle = (near + far) / 2
        if _frames_arena(standing(middle)):
            far = middle
        else:
            near = middle
    return far


def _frames_arena(view: View) -> bool:
    """Whether the arena's corners lie inside the margin once they are centred in the picture."""
    corners = _centred(view).project(_CORNERS)
    before = _CORNERS @ view.camera_from_arena[2, :3] + view.camera_from_arena[2, 3] > 0
    low, high = corners.min(0), corners.max(0)
    limit = np.array([view.width - 1, view.height - 1]) - _MARGIN_PX
    return bool(before.all() and (low >= _MARGIN_PX).all() and (high <= limit).all())


def _centred(view: View) -> View:
    """The camera with the principal point that centres the arena's corners in the picture."""
    corners = view.project(_CORNERS)
    middle = (corners.min(0) + corners.max(0)) / 2
    intrinsics = view.intrinsics.copy()
    intrinsics[:2, 2] += np.array([(view.width - 1) / 2, (view.height - 1) / 2]) - middle
    return replace(view, intrinsics=intrinsics)


def _points_of_arena() -> Floats:
    x, y = np.linspace(ARENA.x_min, ARENA.x_max, 61), np.linspace(ARENA.y_min, ARENA.y_max, 50)
    return np.stack(np.meshgrid(x, y, 0.0), axis=-1).reshape(-1, 3)
