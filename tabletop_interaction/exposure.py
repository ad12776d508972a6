"""How much brighter one picture is than another: the gain of each channel and the noise that remains."""

from typing import NamedTuple

import numpy as np

from tabletop_interaction.arrays import Floats32

# What differs by more has changed: by so many standard deviations of the noise, and so many grey levels.
_OUTLIER_Z, _LEAST_OUTLIER = 3.0, 2.0
# The standard deviation of a normal distribution, from its median absolute deviation.
_DEVIATION_FROM_MEDIAN = 1.4826


class Exposure(NamedTuple):
    """The exposure and white balance of one picture relative to another.

    Attributes:
        gain: (3,) float32, factor of each channel.
        noise: standard deviation of what remains of the difference, grey levels.
    """

    gain: Floats32
    noise: float


def relative_exposure(
    picture: Floats32, reference: Floats32, limits: tuple[float, float] = (20, 235), least_samples: int = 100
) -> Exposure | None:
    """Return the gain that brings `picture` to the exposure of `reference`, or None.

    Gain and noise are medians over all pixels, so that objects may differ as long as they cover less than half. Of dark
    pixels, whose ratios are those of small integers, the median is a few per cent off: the gain is therefore fitted
    again, by least squares, to the pixels that have not changed.

    Args:
        picture: (..., 3) float32 RGB, 0 to 255; every fifth row and column of a picture are enough.
        reference: the same pixels of the other picture.
        limits: grey levels; pixels that reach either one in any channel of either picture are left out.
        least_samples: with fewer pixels between the limits the result is None.
    """
    low, high = limits
    exposed = (np.minimum(reference, picture).min(-1) > low) & (np.maximum(reference, picture).max(-1) < high)
    if exposed.sum() < least_samples:
        return None
    one, other = picture[exposed], reference[exposed]
    gain = np.median(other / one, axis=0)
    differences = np.abs(other - gain * one)
    far = differences.max(1)
    same = far <= max(_LEAST_OUTLIER, _OUTLIER_Z * _noise(differences), float(np.median(far)))
    gain = np.asarray((one[same] * other[same]).sum(0) / np.square(one[same]).sum(0), np.float32)
    return Exposure(gain, _noise(np.abs(other - gain * one)))


def _noise(differences: Floats32) -> float:
    return _DEVIATION_FROM_MEDIAN * float(np.median(differences))
