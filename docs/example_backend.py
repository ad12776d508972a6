"""The smallest backend that passes `check_backend`: a painted table with one square and no physics."""

import numpy as np

from tabletop_interaction.envs import Arena, Grasp, PickOutcome, View
from tabletop_interaction.envs.views import camera_pose
from tabletop_interaction.errors import AlreadyHolding, UnreachableTarget


class PaintedTable:
    """A 0.6 x 0.49 m table seen from above; a square of 8 cm is grasped when the pick point lies on it."""

    background = "painted"
    metadata = {"backend": "painted-table", "renderer": "numpy"}  # noqa: RUF012

    def __init__(self, height=350, width=430):
        self.arena = Arena(-0.30, 0.30, -0.245, 0.245)
        focal = width / 0.62
        intrinsics = np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])
        pose = camera_pose(np.array([0, 0, 1.0]), np.zeros(3), np.array([0, 1.0, 0]))
        self.views = (View("view_0", height, width, intrinsics, pose),)
        self._square, self._held = np.zeros(2), False

    def observe(self):
        """Pictures by view: grey, striped, with a square unless it is held."""
        view = self.views[0]
        picture = np.full((view.height, view.width, 3), 90, np.uint8)
        picture[:, ::20] = 80
        if not self._held:
            corners = view.project(np.array([[*(self._square + d), 0.0] for d in (-0.04, 0.04)])).astype(int)
            (left, right), (top, bottom) = np.sort(corners.T)
            picture[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = (200, 40, 40)
        return {view.name: picture}

    def pick(self, x, y, angle):
        self._check(x, y)
        if self._held:
            raise AlreadyHolding("the square is held; place it first")
        self._held = bool(np.abs(self._square - (x, y)).max() < 0.04)
        return Grasp(PickOutcome.HELD if self._held else PickOutcome.NOTHING_THERE)

    def place(self, x, y, angle=None):
        self._check(x, y)
        if angle is not None and not np.isfinite(angle):
            raise UnreachableTarget(f"angle {angle} rad is not finite; give a finite angle in radians")
        if self._held:
            self._square, self._held = np.array([x, y]), False

    def sweep(self, start_xy, end_xy):
        self._check(*start_xy)
        self._check(*end_xy)
        if self._held:
            raise AlreadyHolding("the square is held; place it first")

    def reset(self, rng, *, new_scene):
        if new_scene:
            self._square = rng.uniform([-0.2, -0.15], [0.2, 0.15])
        self._held = False
        return 0

    def close(self):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def _check(self, x, y):
        if not self.arena.contains(x, y):
            raise UnreachableTarget(f"({x:.2f}, {y:.2f}) m lies outside the table; choose a point inside")
