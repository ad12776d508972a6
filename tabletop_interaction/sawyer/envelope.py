"""Shapes around everything of the arm that moves, for its distances to what stands around it.

The manufacturer's collision shapes leave out parts of the arm: its published meshes stand out of them by up to 39 mm at
the elbow, 30 mm at the shoulder, 20 mm at the wrist and 8 mm elsewhere. The capsules added here reduce this to 5 mm,
the smallest accepted clearance. The fingers are taken both open and closed, which covers every opening in between:
what fits between open fingers is met.

Metres; the frames are those of `joint_frames`.
"""

import numpy as np

from tabletop_interaction.sawyer.distances import Capsule, capsule_around
from tabletop_interaction.sawyer.kinematics import solids
from tabletop_interaction.sawyer.self_collision import BLOCKS, CAPSULES

ADDED = tuple(
    Capsule(link, joints, np.array(start), np.array(end), radius)
    for link, joints, start, end, radius in (
        ("right_l0", 1, (0.01, 0.0, 0.04), (0.03, -0.01, 0.24), 0.085),
        ("head", 1, (0.0, 0.0, 0.50), (0.0, 0.0, 0.50), 0.05),
        ("right_l2", 3, (0.0, -0.005, 0.26), (0.0, -0.005, 0.28), 0.064),
        ("right_l3", 4, (0.0, 0.0, -0.02), (0.0, -0.015, -0.13), 0.068),
        ("right_l4", 5, (0.0, 0.0, 0.04), (0.0, 0.0, 0.29), 0.055),
        ("right_l5", 6, (0.0, 0.0, 0.03), (0.0, -0.08, 0.12), 0.055),
    )
)
"""What the manufacturer's shapes leave out."""

_CLOSED = tuple(capsule_around(solid) for solid in solids(opened=False) if "finger" in solid.link)

ENVELOPE = (
    *(each for each in (*CAPSULES, *map(capsule_around, BLOCKS)) if each.joints > 0),
    *ADDED,
    *_CLOSED,
)
"""Capsules around arm, fingers and head."""
