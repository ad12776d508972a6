"""From a mask to a push: through the centre of the object, from just outside it, until its old place is free.

The mask's pixels are projected onto a horizontal plane of the arena, as for a grasp. Where the old and the new place of
an object do not overlap, the pictures before and after the push show its mask at both (`push_difference`).
"""

from collections.abc import Iterator

import numpy as np

from tabletop_interaction.agents.grasp import table_points
from tabletop_interaction.arrays import Floats, Mask, Points
from tabletop_interaction.envs import Arena, Push, View
from tabletop_interaction.envs.actions import LONGEST_PUSH_M, SHORTEST_PUSH_M

START_GAP_M = 0.03
"""Distance of the gripper's centre from the object when it comes down, metres: half its width and some tolerance."""

FREE_GAP_M = 0.03
"""Gap between the old and the new place of the object, metres."""

_DIRECTIONS = 16


def push_from_mask(mask: Mask, view: View, arena: Arena, rng: np.random.Generator) -> Push | None:
    """A push of the object at a mask, in a random direction of those that lead to a free old place.

    Without such a direction, as for a large object in a corner, the one with the longest way.

    Args:
        mask: bool (H, W), not empty.

    Returns:
        the push; None where no push starts inside the arena.
    """
    points, weights = table_points(mask, view)
    centre = np.average(points, axis=0, weights=weights)
    best, longest = None, 0.0
    for wanted in _wanted_pushes(points, centre, rng):
        if not arena.contains(*wanted.start_xy, margin=-SHORTEST_PUSH_M):
            continue
        push = wanted.within(arena)
        share = push.length / wanted.length
        if share > 1 - 1e-9:
            return push
        if share > longest:
            best, longest = push, share
    return best


def _wanted_pushes(points: Points, centre: Floats, rng: np.random.Generator) -> Iterator[Push]:
    """Pushes through the centre in directions all around, in random order."""
    turns = (rng.permutation(_DIRECTIONS) + rng.random()) * 2 * np.pi / _DIRECTIONS - np.pi
    for direction in turns.tolist():
        along = (points - centre) @ [np.cos(direction), np.sin(direction)]
        # Single pixels that a mask has far away from the rest do not count.
        back, front = np.percentile(along, [1, 99]).tolist()
        start = centre + (back - START_GAP_M) * np.array([np.cos(direction), np.sin(direction)])
        length = min(START_GAP_M + front - back + FREE_GAP_M, LONGEST_PUSH_M)
        yield Push(float(start[0]), float(start[1]), direction, length)
