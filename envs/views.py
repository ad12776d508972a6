"""A calibrated camera, which converts between pixels of its picture and points of the arena.

Frames: the arena's origin is the table's centre, x to the right, y away from the robot, z up, in metres. A camera
looks along its z axis, x to the right and y down (the OpenCV convention). Pixels are (x, y) with integer coordinates
at pixel centres: the picture spans -0.5 to width - 0.5.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats


@dataclass(frozen=True, eq=False)
class View:
    """A camera fixed above the arena.

    Attributes:
        name: key of its pictures, "view_0" and so on.
        height: rows of a picture, pixels.
        width: columns of a picture, pixels.
        intrinsics: (3, 3) float64, pixels.
        camera_from_arena: (4, 4) float64 rigid transform, applied to points of the arena, metres.
        distortion: (5,) float64, k1 k2 p1 p2 k3 as in OpenCV.
    """

    name: str
    height: int
    width: int
    intrinsics: Floats
    camera_from_arena: Floats
    distortion: Floats = field(default_factory=lambda: np.zeros(5))

    def project(self, points: Floats) -> Floats:
        """Pixels (N, 2) x, y of arena points (N, 3), metres."""
        rotation, _ = cv2.Rodrigues(self.camera_from_arena[:3, :3])
        pixels, _ = cv2.projectPoints(
            np.asarray(points, np.float64).reshape(-1, 1, 3),
            rotation,
            self.camera_from_arena[:3, 3],
            self.intrinsics,
            self.distortion,
        )
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def unproject(self, pixels: Floats, z: float = 0.0) -> Floats:
        """Arena points (N, 3), metres, of pixels (N, 2) x, y on the horizontal plane at height `z` metres."""
        normalised = cv2.undistortPoints(
            np.asarray(pixels, np.float64).reshape(-1, 1, 2), self.intrinsics, self.distortion
        ).reshape(-1, 2)
        arena_from_camera = np.linalg.inv(self.camera_from_arena)
        rays = np.column_stack([normalised, np.ones(len(normalised))]) @ arena_from_camera[:3, :3].T
        eye = arena_from_camera[:3, 3]
        return np.asarray(eye + rays * ((z - eye[2]) / rays[:, 2])[:, None], np.float64)

    def cropped(self, left: int, top: int, width: int, height: int) -> View:
        """The camera of a rectangle of this picture, pixels."""
        intrinsics = self.intrinsics.copy()
        intrinsics[:2, 2] -= (left, top)
        return View(self.name, height, width, intrinsics, self.camera_from_arena, self.distortion)

    def homography_from_table(self) -> Floats:
        """(3, 3) map from table points (x, y, 1), metres, to pixels, without lens distortion."""
        return np.asarray(self.intrinsics @ self.camera_from_arena[:3, [0, 1, 3]], np.float64)

    def to_dict(self) -> dict[str, Any]:
        """Plain lists and numbers, for JSON."""
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> View:
        """Inverse of `to_dict`."""
        arrays = {name: np.asarray(value, np.float64) for name, value in data.items() if isinstance(value, list)}
        return cls(**{**data, **arrays})


def look_at(eye: Floats, target: Floats, up: Floats) -> Floats:
    """`camera_from_arena` (4, 4) of a camera at `eye` that looks at `target`; `up` points upwards in the picture."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    camera_from_arena = np.eye(4)
    camera_from_arena[:3, :3] = rotation
    camera_from_arena[:3, 3] = -rotation @ eye
    return camera_from_arena
