"""The simple baseline: what differs from the table's colour is an object. It learns nothing.

With c(p) the RGB colour of pixel p, 0 to 255, the difference is

    d(p) = | c(p) - median of c over the picture |

An object is a connected part of d(p) > t, after thin parts are removed; t is Otsu's threshold, which separates the
values of d in the picture best into two groups. The score is the mean of d over the object, divided by its largest
possible value. Any method that learns should be better than this one.
"""

import cv2
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.segmentation.segments import Segments

NAME = "table-colour"
"""The name by which commands open it."""

_LARGEST_DIFFERENCE = 255 * 3**0.5
_THIN = np.ones((5, 5), np.uint8)
_MIN_AREA, _MAX_AREA_SHARE = 200, 0.1


class TableColour:
    """A `PictureSegmenter` for plain tables that fill most of the picture."""

    def segment(self, picture: Picture, /) -> Segments:
        """Parts of 200 px to a tenth of a picture (H, W, 3) uint8 RGB that differ from its median colour."""
        difference = np.linalg.norm(picture - np.median(picture.reshape(-1, 3), axis=0), axis=2)
        grey = difference.clip(0, 255).astype(np.uint8)
        _, differing = cv2.threshold(grey, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        count, parts, stats, _ = cv2.connectedComponentsWithStats(cv2.morphologyEx(differing, cv2.MORPH_OPEN, _THIN))
        areas = stats[:, cv2.CC_STAT_AREA]
        fits = (areas >= _MIN_AREA) & (areas <= _MAX_AREA_SHARE * grey.size)
        masks = [parts == number for number in range(1, count) if fits[number]]
        scores = [difference[mask].mean() / _LARGEST_DIFFERENCE for mask in masks]
        return Segments.of(np.array(masks, np.bool_).reshape(-1, *grey.shape), scores)
