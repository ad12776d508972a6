"""Pictures of distorting lenses, from pictures of pinhole cameras that see a little more.

The pinhole camera stands where the distorting one does. Each pixel of the distorted picture looks along one ray, and
takes what the pinhole picture shows along it: colours by linear interpolation, ids and depths from the nearest pixel.
"""

from dataclasses import dataclass
from typing import TypeVar

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Floats32, Ints, Picture
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration

_BORDER_PX = 2
_MOST_TIMES = 4
_TOLERANCE_PX = 0.01
_CHECKED = 41

ArrayT = TypeVar("ArrayT", bound=np.ndarray)


@dataclass(frozen=True, eq=False)
class Lens:
    """How the picture of a pinhole camera becomes that of a view.

    Attributes:
        pinhole: the camera without distortion, with square or other pixels but no skew.
        map_xy: float32 (H, W, 2), the pixel of the pinhole picture that each pixel of the view takes.
        nearest: int64 row and column (H, W) of the nearest pixel of the pinhole picture.
    """

    pinhole: View
    map_xy: Floats32
    nearest: tuple[Ints, Ints]

    def picture(self, pinhole: Picture) -> Picture:
        """The view's picture, uint8 (H, W, 3), from the pinhole camera's."""
        # The stubs lack that one map is enough.
        taken = cv2.remap(pinhole, self.map_xy, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        return np.asarray(taken, np.uint8)

    def values(self, pinhole: ArrayT) -> ArrayT:
        """The view's ids or depths (H, W), from the pinhole camera's."""
        return pinhole[self.nearest]  # type: ignore[return-value]


def is_pinhole(view: View) -> bool:
    """Whether a view needs no lens: it has neither distortion nor skew."""
    return not view.distortion.any() and view.intrinsics[0, 1] == 0


def lens_of(view: View) -> Lens:
    """The lens of a view that `check_lens` accepts."""
    rows, columns = np.indices((view.height, view.width))
    pinhole, pixels = _pinhole(view, np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64))
    map_xy = pixels.reshape(view.height, view.width, 2)
    column, row = np.round(map_xy).astype(np.int64).transpose(2, 0, 1)
    return Lens(pinhole, map_xy.astype(np.float32), (row, column))


def check_lens(view: View) -> None:
    """Refuse a distortion that is no lens: one that bends rays of several directions into one pixel.

    Raises:
        InvalidConfiguration: says which pixel, or how large the undistorted picture would be.
    """
    if is_pinhole(view):
        return
    x, y = np.meshgrid(np.linspace(0, view.width - 1, _CHECKED), np.linspace(0, view.height - 1, _CHECKED))
    pixels = np.column_stack([x.ravel(), y.ravel()])
    with np.errstate(all="ignore"):
        rays = view.rays(pixels)
        again, _ = cv2.projectPoints(rays, np.zeros(3), np.zeros(3), view.intrinsics, view.distortion)
        off = np.abs(again.reshape(-1, 2) - pixels).max(axis=1)
    if not (off < _TOLERANCE_PX).all():
        x, y = pixels[np.argmin(off < _TOLERANCE_PX)].round()
        raise InvalidConfiguration(
            f"{view.name} has the distortion {view.distortion.tolist()}, which leads no ray to the pixel x {x:.0f}, "
            f"y {y:.0f} of its {view.width} x {view.height} px; accepted is a distortion that can be inverted in all "
            "of the picture: crop the view, or calibrate it with pictures that reach its corners"
        )
    pinhole, _ = _pinhole(view, pixels)
    if pinhole.width > _MOST_TIMES * view.width or pinhole.height > _MOST_TIMES * view.height:
        raise InvalidConfiguration(
            f"{view.name} sees {pinhole.width} x {pinhole.height} px without its distortion of "
            f"{view.distortion.tolist()}; accepted is {_MOST_TIMES} times its {view.width} x {view.height} px: crop "
            "the view to the arena"
        )


def _pinhole(view: View, pixels: Floats) -> tuple[View, Floats]:
    """The pinhole camera that sees along the rays of pixels (N, 2), and its pixels (N, 2) of these rays."""
    focal = np.diag(view.intrinsics)[:2]
    seen = view.rays(pixels)[:, :2] * focal
    low = np.floor(seen.min(axis=0)) - _BORDER_PX
    width, height = (np.ceil(seen.max(axis=0)) + _BORDER_PX + 1 - low).astype(int).tolist()
    intrinsics = np.array([[focal[0], 0, -low[0]], [0, focal[1], -low[1]], [0, 0, 1]])
    return View(view.name, height, width, intrinsics, view.camera_from_arena), seen - low
