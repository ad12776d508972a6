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

from tabletop_interaction.arrays import Bools, Floats

# Lenses are inverted by iteration; OpenCV's default of five steps is off by millimetres at the rim of a wide lens.
_INVERTED = (cv2.TERM_CRITERIA_COUNT + cv2.TERM_CRITERIA_EPS, 100, 1e-12)
_SAME_RAY = 1e-6


@dataclass(frozen=True, eq=False)
class View:
    """A camera fixed above the arena. Views are equal where all their values are; their arrays cannot be changed.

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

    def __post_init__(self) -> None:
        for name in _ARRAYS:
            values = np.array(getattr(self, name), np.float64)
            values.setflags(write=False)
            object.__setattr__(self, name, values)

    def __eq__(self, other: object) -> bool:
        return self._values() == other._values() if isinstance(other, View) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._values())

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
        """Arena points (N, 3), metres, of pixels (N, 2) x, y on the horizontal plane at height `z` metres.

        NaN for a pixel that does not see the plane, such as one above the horizon.
        """
        arena_from_camera = np.linalg.inv(self.camera_from_arena)
        rays = self.rays(pixels) @ arena_from_camera[:3, :3].T
        eye = arena_from_camera[:3, 3]
        with np.errstate(divide="ignore", invalid="ignore"):
            along = (z - eye[2]) / rays[:, 2]
            return np.asarray(eye + rays * np.where(along > 0, along, np.nan)[:, None], np.float64)

    def rays(self, pixels: Floats) -> Floats:
        """(N, 3) x, y, 1 in the camera's frame: the directions in which pixels (N, 2) x, y look."""
        points = np.asarray(pixels, np.float64).reshape(-1, 1, 2)
        if len(points) == 0:
            return np.zeros((0, 3))
        unchanged = np.eye(3)
        normalised = cv2.undistortPointsIter(points, self.intrinsics, self.distortion, unchanged, unchanged, _INVERTED)
        return np.column_stack([normalised.reshape(-1, 2), np.ones(len(points))])

    def sees(self, points: Floats) -> Bools:
        """Whether arena points (N, 3), metres, lie before the camera and inside its picture, (N,)."""
        in_camera = np.asarray(points) @ self.camera_from_arena[:3, :3].T + self.camera_from_arena[:3, 3]
        pixels = self.project(points)
        inside = ((pixels > -0.5) & (pixels < (self.width - 0.5, self.height - 0.5))).all(axis=1)
        seen = inside & (in_camera[:, 2] > 0)
        # A strong distortion bends rays from far outside back into the picture.
        aimed = in_camera[seen, :2] / in_camera[seen, 2:]
        seen[seen] = np.abs(self.rays(pixels[seen])[:, :2] - aimed).max(axis=1, initial=0.0) < _SAME_RAY
        return np.asarray(seen, np.bool_)

    def cropped(self, left: int, top: int, width: int, height: int) -> View:
        """The camera of a rectangle of this picture, pixels."""
        intrinsics = self.intrinsics.copy()
        intrinsics[:2, 2] -= (left, top)
        return View(self.name, height, width, intrinsics, self.camera_from_arena, self.distortion)

    def resized(self, height: int, width: int) -> View:
        """The camera whose pictures are this one's, resized to that height and width, pixels."""
        scale = np.array([width / self.width, height / self.height])
        intrinsics = self.intrinsics.copy()
        intrinsics[:2] *= scale[:, None]
        intrinsics[:2, 2] += (scale - 1) / 2
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
        return cls(**data)

    def _values(self) -> tuple[Any, ...]:
        arrays = (value for name in _ARRAYS for value in getattr(self, name).ravel().tolist())
        return (self.name, self.height, self.width, *arrays)


_ARRAYS = ("intrinsics", "camera_from_arena", "distortion")


def camera_pose(eye: Floats, target: Floats, up: Floats) -> Floats:
    """`camera_from_arena` (4, 4) of a camera at `eye` that looks at `target`; `up` points upwards in the picture."""
    forward = (target - eye) / np.linalg.norm(target - eye)
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    rotation = np.stack([right, np.cross(forward, right), forward])
    camera_from_arena = np.eye(4)
    camera_from_arena[:3, :3] = rotation
    camera_from_arena[:3, 3] = -rotation @ eye
    return camera_from_arena
