"""The envelope contains the arm as its maker draws it, and the fingers at every opening, to within 5 mm."""

from itertools import product

import numpy as np
import pytest

from tabletop_interaction.sawyer.envelope import ENVELOPE
from tabletop_interaction.sawyer.kinematics import HOME, joint_frames, solids

SMALLEST_CLEARANCE_M = 0.005

OUTERMOST = [
    (1, (-0.067, 0.006, 0.0)),
    (1, (-0.043, 0.0, 0.261)),
    (1, (-0.035, 0.002, 0.535)),
    (3, (0.052, -0.041, 0.262)),
    (3, (-0.034, -0.041, 0.299)),
    (4, (0.018, 0.048, -0.042)),
    (4, (-0.041, 0.031, -0.04)),
    (4, (-0.036, -0.037, -0.038)),
    (5, (0.053, -0.003, 0.162)),
    (5, (-0.051, 0.015, 0.073)),
    (6, (0.045, -0.039, 0.048)),
    (6, (-0.034, -0.026, 0.034)),
]
"""Points of the manufacturer's meshes that lie farthest outside its collision shapes: joints that move them, metres."""


def _outside(points):
    """(N,) distances of points (N, 3), base frame, from the envelope at `HOME`; not positive inside."""
    frames, found = joint_frames(HOME[None])[:, 0], np.full(len(points), np.inf)
    for each in ENVELOPE:
        start, end = (frames[each.joints] @ (*point, 1) for point in (each.start, each.end))
        start, vector = start[:3], (end - start)[:3]
        at = np.clip((points - start) @ vector / max(vector @ vector, 1e-12), 0, 1)
        found = np.minimum(found, np.linalg.norm(points - start - at[:, None] * vector, axis=1) - each.radius)
    return found


@pytest.mark.parametrize(("number", "point"), OUTERMOST)
def test_what_stands_out_of_the_makers_shapes_lies_in_the_envelope(number, point):
    placed = joint_frames(HOME[None])[number, 0] @ (*point, 1)
    assert _outside(placed[None, :3])[0] < SMALLEST_CLEARANCE_M


@pytest.mark.parametrize("opening", np.linspace(0, 1, 9).tolist())
def test_the_fingers_lie_in_the_envelope_at_every_opening(opening):
    corners = np.array([*product((-0.5, 0.5), repeat=3)])
    for closed, opened in zip(solids(opened=False), solids(), strict=True):
        if "finger" in closed.link:
            pose = joint_frames(HOME[None])[7, 0] @ (closed.pose + opening * (opened.pose - closed.pose))
            points = corners * closed.size @ pose[:3, :3].T + pose[:3, 3]
            assert _outside(points).max() < SMALLEST_CLEARANCE_M
