"""The laboratory as a picture for a check by eye: arm, obstacles, table and arena, from above and from the side.

Arena frame, metres. The arm is drawn by the shapes that are compared with the obstacles.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import product

import cv2
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Polygon

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.sawyer.envelope import ENVELOPE
from tabletop_interaction.sawyer.kinematics import Solid, joint_frames
from tabletop_interaction.sawyer.self_collision import BLOCKS, CAPSULES

_PLANES = {"from above": (0, 1), "from the side": (1, 2)}
_BASE, _ARM, _GRASPING, _BOX, _ARENA, _TABLE = "#dde1e4", "#7d8791", "#0072b2", "#d55e00", "#009e73", "#b88700"
_CIRCLE = 24


def draw_surroundings(moves: Moves, arena: Arena) -> bytes:
    """A PNG picture: the arm away and, if it gets there, grasping in the arena's middle; every box with its name."""
    figure = Figure(figsize=(15, 8), layout="constrained")
    for axes, (title, plane) in zip(figure.subplots(1, 2), _PLANES.items(), strict=True):
        _draw(axes, plane, moves, arena)
        axes.set_title(title)
    handles, labels = figure.axes[1].get_legend_handles_labels()
    # One entry for all parts of the arm.
    entries = dict(zip(labels, handles, strict=True))
    figure.legend(entries.values(), entries.keys(), loc="outside lower center", ncols=len(entries))
    png = io.BytesIO()
    FigureCanvasAgg(figure).print_png(png)
    return png.getvalue()


def _draw(axes: Axes, plane: tuple[int, int], moves: Moves, arena: Arena) -> None:
    arena_from_base = np.asarray(np.linalg.inv(moves.base_from_arena), np.float64)
    for block in BLOCKS:
        if block.joints == 0:
            _add(axes, plane, _moved(_corners(block), arena_from_base @ block.pose), "pedestal", _BASE)
    for points in _arm_parts(moves.away_q, arena_from_base):
        _add(axes, plane, points, "the arm away", _ARM)
    for points in _grasping_parts(moves, arena, arena_from_base):
        _add(axes, plane, points, "the arm grasping in the middle", _GRASPING)
    for box, clearance in moves.obstacles:
        arena_from_box = arena_from_base @ box.pose
        points = _moved(_corners(box), arena_from_box)
        kept = _moved(_corners(box._replace(size=tuple(side + 2 * clearance for side in box.size))), arena_from_box)
        _add(axes, plane, points, "obstacle", _BOX)
        _add(axes, plane, kept, "its clearance", _BOX, filled=False)
        middle = points.mean(axis=0)[list(plane)].tolist()
        axes.annotate(box.link, middle, ha="center", va="center", zorder=5, parse_math=False)
    border = np.array([*product((arena.x_min, arena.x_max), (arena.y_min, arena.y_max), (0.0,))])
    _add(axes, plane, border, "arena", _ARENA, filled=False)
    if plane == _PLANES["from the side"]:
        axes.axhline(0.0, color=_TABLE, label="the table's plane", zorder=0)
    axes.set(xlabel=f"{'xyz'[plane[0]]} (m)", ylabel=f"{'xyz'[plane[1]]} (m)", aspect="equal")
    axes.autoscale_view()
    axes.grid(alpha=0.3)


def _grasping_parts(moves: Moves, arena: Arena, arena_from_base: Floats) -> Iterable[Floats]:
    try:
        q = moves.down(*arena.centre, 0.0, moves.motion.grasp_m)[-1]
    except UnreachableTarget:
        # The check of the reach reports it.
        return ()
    return _arm_parts(q, arena_from_base)


def _arm_parts(q: Floats, arena_from_base: Floats) -> Iterator[Floats]:
    """(N, 3) points around each part of the arm and its head at joint angles `q` (7,)."""
    arena_from_joint = arena_from_base @ joint_frames(q[None])[:, 0]
    around = np.linspace(0, 2 * np.pi, _CIRCLE)
    circle = np.stack([np.cos(around), np.sin(around), np.zeros(_CIRCLE)], axis=1)
    # The outline of a ball in each of the two planes.
    ball = np.concatenate([circle, circle[:, [2, 0, 1]]])
    column = (each for each in CAPSULES if each.joints == 0)
    for capsule in (*column, *ENVELOPE):
        ends = _moved(np.array([capsule.start, capsule.end]), arena_from_joint[capsule.joints])
        yield np.concatenate([end + capsule.radius * ball for end in ends])


def _corners(solid: Solid) -> Floats:
    """(8, 3) corners of a box, or of the box around an upright cylinder, in its frame."""
    sides = solid.size if solid.kind == "box" else (2 * solid.size[0], 2 * solid.size[0], solid.size[1])
    return np.array([*product((-0.5, 0.5), repeat=3)]) * sides


def _moved(points: Floats, transform: Floats) -> Floats:
    return np.asarray(points @ transform[:3, :3].T + transform[:3, 3])


def _add(axes: Axes, plane: tuple[int, int], points: Floats, label: str, colour: str, *, filled: bool = True) -> None:
    """The convex outline of points (N, 3), seen along the axis that is not in the plane."""
    outline = np.asarray(cv2.convexHull(points[:, plane].astype(np.float32)), np.float64)[:, 0]
    face = colour if filled else "none"
    axes.add_patch(
        Polygon(outline, facecolor=face, edgecolor=colour, alpha=0.6, linestyle="-" if filled else "--", label=label)
    )
