"""Goals of a rearrangement: pictures, and in a simulation the arrangement that they show.

A drawn goal displaces 1 to 3 objects (Pathak et al. 2018, section 5). The distribution of the goals is our choice:
uniform over the places of the arena where the object, in its current orientation, keeps clear of every other object.
Objects keep their orientation because success depends on positions only; a gripper that never rotates held objects can
then reproduce the goal's picture.

Frame: the arena's, metres.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tabletop_interaction.arrays import Bytes, Floats, Picture, Points
from tabletop_interaction.envs.backend import Arena, Arranging, ObjectState, Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.picture_files import read_header, read_picture

MAX_DISPLACED = 3
MIN_DISPLACEMENT_M = 0.08

_OCCUPIED_SHARE = 1 / 3
_OCCUPIED_WITHIN_M = 0.02
_GAP_M = 0.03
_BORDER_M = 0.05
_SETTLED_WITHIN_M = 0.005
_MAX_SCENES = 20
_CELL_M = 0.004
# Objects extend beyond the arena's border, their centres do not.
_MARGIN_M = 0.2

GoalPaths = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


@dataclass(frozen=True, eq=False)
class Arrangement:
    """Poses of all objects at the start and at the goal.

    Attributes:
        start: every object at the start, by id.
        goal: every object at the goal, in the same order.
        displaced: ids of the 1 to 3 displaced objects.
        occupied: whether the goal of one of them is the start of another.
    """

    start: tuple[ObjectState, ...]
    goal: tuple[ObjectState, ...]
    displaced: tuple[int, ...]
    occupied: bool


@dataclass(frozen=True, eq=False)
class Goal:
    """A goal: its pictures, and its arrangement where known.

    Attributes:
        pictures: uint8 (H, W, 3) RGB by view name; black for a view without a picture; empty if none were taken.
        arrangement: the poses that the pictures show, or None.
    """

    pictures: Pictures
    arrangement: Arrangement | None = None


def lay_goal(
    backend: Arranging, rng: np.random.Generator, displaced: int | None = None, *, with_pictures: bool = True
) -> Goal:
    """Draw a scene and a goal, take the goal's pictures, and leave the table at the start.

    A scene without space for the goal is replaced by another.

    Args:
        rng: source of the scene, the goal and, through the scene, the pictures' noise.
        displaced: number of displaced objects, 1 to 3; None draws it uniformly.
        with_pictures: whether to take the goal's pictures.

    Raises:
        InvalidConfiguration: 20 scenes had no space, or too few objects.
    """
    if displaced is None:
        displaced = int(rng.integers(1, MAX_DISPLACED + 1))
    occupied = displaced > 1 and bool(rng.random() < _OCCUPIED_SHARE)
    for _ in range(_MAX_SCENES):
        backend.reset(rng, new_scene=True)
        start, outlines = backend.object_states(), backend.outlines()
        wanted = draw_arrangement(rng, start, outlines, backend.arena, displaced, occupied=occupied)
        goal = _shown(backend, wanted, with_pictures) if wanted is not None else None
        if goal is not None:
            return goal
    raise InvalidConfiguration(
        f"{_MAX_SCENES} scenes had no space to displace {displaced} objects; choose fewer displaced objects, or change "
        "objects_min and objects_max of the backend's configuration"
    )


def draw_arrangement(
    rng: np.random.Generator,
    start: Sequence[ObjectState],
    outlines: Mapping[int, Points],
    arena: Arena,
    displaced: int,
    *,
    occupied: bool,
) -> Arrangement | None:
    """Draw objects to displace and their goals; None where there is no space.

    Each goal lies 0.08 m or more from the start of its object, and clear of the starts and goals of all other objects.
    With `occupied` there is one exception: the goal of the first object is the start of the second, which must be moved
    first. The goal of the second is free, so the two never block each other.

    Args:
        start: every object.
        outlines: as `Arranging.outlines`, of the same objects.
        displaced: number of objects.
        occupied: whether a goal is occupied at the start; needs 2 or more displaced objects.
    """
    states = {state.id: state for state in start}
    order = [int(id_) for id_ in rng.permutation(sorted(states))]
    moved: dict[int, ObjectState] = {}
    for number, id_ in enumerate(order):
        if len(moved) == displaced:
            break
        owner = states[order[1]] if occupied and number == 0 and len(order) > 1 else None
        taken = [outlines[other] for other in order if other != id_ and (owner is None or other != owner.id)]
        taken += [outlines[other] + (goal.position - states[other].position)[:2] for other, goal in moved.items()]
        places = _free_places(outlines[id_] - states[id_].position[:2], taken, arena)
        places = places[_distances(places, states[id_]) >= MIN_DISPLACEMENT_M]
        if owner is not None:
            places = places[_distances(places, owner) <= _OCCUPIED_WITHIN_M]
        if len(places):
            moved[id_] = replace(states[id_], position=np.array([*rng.choice(places), states[id_].position[2]]))
        elif occupied and number < 2:
            return None
    if len(moved) < displaced:
        return None
    goal = tuple(moved.get(state.id, state) for state in start)
    return Arrangement(tuple(start), goal, tuple(sorted(moved)), occupied)


def load_goal(paths: GoalPaths, views: Sequence[View]) -> Goal:
    """Read a goal from picture files.

    Args:
        paths: a picture file for the first view, or one file each for the first views, in order. Views without a file
            get a black picture. A picture is turned upright by its EXIF orientation only where its stored size does
            not fit its view.
        views: the cameras that took the pictures.

    Raises:
        InvalidConfiguration: a picture has another size than its view, or an EXIF orientation with which it fits both
            as stored and upright; or there are too many.
        InvalidPicture: a file is missing or unreadable.
    """
    files = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not 1 <= len(files) <= len(views):
        raise InvalidConfiguration(
            f"the goal has {len(files)} picture files; accepted are 1 to {len(views)}, for {views[0].name} and the "
            "views after it"
        )
    pictures = {view.name: np.zeros((view.height, view.width, 3), np.uint8) for view in views}
    for file, view in zip(files, views, strict=False):
        pictures[view.name] = _read_picture(Path(file), view)
    return Goal(pictures)


def _shown(backend: Arranging, wanted: Arrangement, with_pictures: bool) -> Goal | None:
    """Arrange the goal, take its pictures, and return to the start; None if an object fell, rolled or was pushed."""
    backend.arrange(wanted.goal)
    goal, pictures = backend.object_states(), backend.observe() if with_pictures else {}
    backend.arrange(wanted.start)
    start = backend.object_states()
    if not (_same(goal, wanted.goal) and _same(start, wanted.start)):
        return None
    return Goal(pictures, replace(wanted, start=start, goal=goal))


def _same(found: Sequence[ObjectState], wanted: Sequence[ObjectState]) -> bool:
    """Whether all objects came to rest where they were put."""
    return all(
        float(np.linalg.norm(one.position - other.position)) < _SETTLED_WITHIN_M
        for one, other in zip(found, wanted, strict=True)
    )


def _free_places(shape: Points, taken: Sequence[Points], arena: Arena) -> Floats:
    """(N, 2) points of a 4 mm grid at which an outline, given about its centre, keeps clear of the `taken` ones."""
    columns = np.arange(arena.x_min - _MARGIN_M, arena.x_max + _MARGIN_M, _CELL_M)
    rows = np.arange(arena.y_min - _MARGIN_M, arena.y_max + _MARGIN_M, _CELL_M)
    corner = np.array([columns[0], rows[0]])
    blocked = _filled([outline - corner for outline in taken], (len(rows), len(columns)))
    reach = int(np.ceil((np.abs(shape).max() + _GAP_M) / _CELL_M)) + 1
    # Dilation by the shape: a cell is blocked where the shape, centred there, would touch a taken outline.
    kernel = _filled([shape + reach * _CELL_M], (2 * reach + 1, 2 * reach + 1))
    gap = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * round(_GAP_M / _CELL_M) + 1,) * 2)
    blocked = np.asarray(cv2.dilate(cv2.dilate(blocked, gap), kernel), np.uint8)
    x, y = np.meshgrid(columns, rows)
    inside = (np.abs(x - arena.centre[0]) <= arena.half_size[0] - _BORDER_M) & (
        np.abs(y - arena.centre[1]) <= arena.half_size[1] - _BORDER_M
    )
    free = inside & (blocked == 0)
    return np.column_stack([x[free], y[free]])


def _filled(outlines: Sequence[Points], shape: tuple[int, int]) -> Bytes:
    """1 in the cells covered by the outlines, which are in metres from the first cell's centre."""
    cells = np.zeros(shape, np.uint8)
    for outline in outlines:
        cv2.fillConvexPoly(cells, np.round(outline / _CELL_M).astype(np.int32), 1)
    return cells


def _distances(places: Floats, state: ObjectState) -> Floats:
    return np.asarray(np.linalg.norm(places - state.position[:2], axis=1))


def _read_picture(path: Path, view: View) -> Picture:
    size, header = (view.height, view.width), read_header(path)
    fitting = {upright for upright in (False, True) if header.size(upright=upright) == size}
    if not fitting:
        raise InvalidConfiguration(
            f"the goal's picture {path} has {header.width} x {header.height} px; {view.name} has {view.width} x "
            f"{view.height} px; take the picture with this camera"
        )
    if len(fitting) > 1 and header.orientation != 1:
        raise InvalidConfiguration(
            f"the goal's picture {path} has EXIF orientation {header.orientation} and fits {view.name} both as stored "
            "and turned upright; save it as the camera sees the table, without an orientation"
        )
    return read_picture(path, upright=True in fitting)
