"""A camera's noise and exposure."""

from collections.abc import Sequence

import cv2
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.simulation.renderer import CleanPicture


class Sensor:
    """A camera's noise and exposure jitter, from a separate seed.

    The noise is cropped from one large tile at random offsets: new noise for each picture would cost as much time as
    rendering.

    Args:
        noise_sigma: standard deviation, grey levels.
        exposure_jitter: standard deviation of the gain.
        height: rows of the largest picture.
        width: columns of the largest picture.
    """

    _SLACK_PX = 96

    def __init__(self, seed: int, noise_sigma: float, exposure_jitter: float, height: int, width: int) -> None:
        self._rng = np.random.default_rng(seed)
        self._jitter = exposure_jitter
        shape = (height + self._SLACK_PX, width + self._SLACK_PX, 3)
        noise = self._rng.standard_normal(shape, np.float32) * noise_sigma
        self._tile = np.round(noise).astype(np.int16)

    def expose(self, views: Sequence[View], pictures: Sequence[CleanPicture]) -> Pictures:
        """A new exposure of each picture, uint8 (H, W, 3), by view name."""
        return {view.name: self._expose(clean.rgb) for view, clean in zip(views, pictures, strict=True)}

    def _expose(self, rgb: Picture) -> Picture:
        height, width = rgb.shape[:2]
        row, column = self._rng.integers(0, self._SLACK_PX, 2)
        gain = 1 + self._jitter * float(np.clip(self._rng.standard_normal(), -2.5, 2.5))
        noise = self._tile[row : row + height, column : column + width]
        return np.asarray(cv2.add(cv2.convertScaleAbs(rgb, alpha=gain), noise, dtype=cv2.CV_8U), np.uint8)
