"""Building blocks of painted table tops: colour ramps, blending, cells, relief and wear.

A picture spans the whole table top at `PX_PER_MM` pixels per millimetre, x to the right and y down. Values are float32,
0 to 255 for colours and 0 to 1 for masks; lengths are millimetres. No function changes its arguments.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Ids, Picture
from tabletop_interaction.sim_assets.noise import Rng, fractal_noise

WIDTH_MM, HEIGHT_MM = 800, 700
PX_PER_MM = 1.2
SHAPE = (round(HEIGHT_MM * PX_PER_MM), round(WIDTH_MM * PX_PER_MM))

_UNEVENNESS = 0.08  # relative change of brightness over decimetres
_GRAIN = 3.0  # deviation of the finest speckle, of 255


def rgb(code: str) -> FloatPicture:
    """float32 (3,) red, green, blue, 0 to 255, of a colour such as "#c89f6b"."""
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], np.float32)


def colours(codes: Sequence[str]) -> FloatPicture:
    """float32 (N, 3) of N colours."""
    return np.stack([rgb(code) for code in codes])


def plain(code: str) -> FloatPicture:
    """float32 (H, W, 3) of one colour."""
    return np.full((*SHAPE, 3), rgb(code), np.float32)


def drawing_of(code: str) -> Picture:
    """uint8 (H, W, 3) of one colour, to draw on with OpenCV."""
    return np.full((*SHAPE, 3), plain(code), np.uint8)


def grid_mm() -> tuple[FloatPicture, FloatPicture]:
    """x and y of each pixel, float32 (H, W), millimetres from the top left corner."""
    y, x = np.indices(SHAPE, dtype=np.float32)
    return x / np.float32(PX_PER_MM), y / np.float32(PX_PER_MM)


def wobbly_grid_mm(rng: Rng, amount_mm: float, cell_mm: float, angle: float = 0.0) -> tuple[FloatPicture, FloatPicture]:
    """`grid_mm`, rotated by `angle` radians and distorted by up to half of `amount_mm`, like a cloth."""
    x, y = rotated(*grid_mm(), angle)
    shift_x, shift_y = (np.float32(amount_mm) * (noise(rng, cell_mm, 2) - 0.5) for _ in range(2))
    return x + shift_x, y + shift_y


def rotated(x: FloatPicture, y: FloatPicture, angle: float) -> tuple[FloatPicture, FloatPicture]:
    """Coordinates along axes that are turned by `angle` radians."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return cosine * x + sine * y, cosine * y - sine * x


def noise(rng: Rng, cell_mm: float | tuple[float, float], octaves: int = 4, persistence: float = 0.5) -> FloatPicture:
    """`fractal_noise` over the table top, float32 (H, W) from 0 to 1; a pair of cells is (down, across)."""
    cells = np.array(cell_mm if isinstance(cell_mm, tuple) else (cell_mm, cell_mm)) * PX_PER_MM
    # Drawn at the resolution of the finest octave, then enlarged: fast, and broad slopes stay smooth.
    step = np.maximum(1.0, cells / 2 ** (octaves - 1) / 4)
    height, width = np.ceil(SHAPE / step).astype(int)
    down, across = cells / step
    drawn = fractal_noise(rng, int(height), int(width), (float(down), float(across)), octaves, persistence)
    return np.asarray(cv2.resize(drawn, SHAPE[::-1], interpolation=cv2.INTER_CUBIC).clip(0, 1), np.float32)


def smooth_step(values: FloatPicture, low: float, high: float) -> FloatPicture:
    """0 below `low`, 1 above `high`, and a smooth transition between; falling if `low` is above `high`."""
    t = np.clip((values - np.float32(low)) / np.float32(high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def ramp(values: FloatPicture, codes: Sequence[str]) -> FloatPicture:
    """Map `values` (...) from 0 to 1 to interpolated colours (..., 3) along `codes`."""
    stops = colours(codes)
    positions = np.linspace(0, 1, 1024)
    table = np.stack([np.interp(positions, np.linspace(0, 1, len(stops)), stops[:, c]) for c in range(3)], axis=1)
    return table.astype(np.float32)[(np.clip(values, 0, 1) * 1023).astype(np.int32)]


def blend(below: FloatPicture, above: FloatPicture | str, alpha: FloatPicture) -> FloatPicture:
    """`above`, a picture or a colour's code, over `below` with opacity `alpha` (H, W), 0 to 1."""
    colour = rgb(above) if isinstance(above, str) else above
    return np.asarray(below + (colour - below) * alpha[..., None], np.float32)


def shade(picture: FloatPicture, factor: FloatPicture) -> FloatPicture:
    """`picture` (H, W, 3) times `factor` (H, W)."""
    return np.asarray(picture * factor[..., None], np.float32)


def relief(height: FloatPicture, strength: float) -> FloatPicture:
    """Shading of a height field lit from the top left: a factor (H, W) about 1, of deviation `strength`."""
    slope = cv2.Sobel(height, cv2.CV_32F, 1, 0) + cv2.Sobel(height, cv2.CV_32F, 0, 1)
    return np.asarray(1 + slope * np.float32(strength / max(float(slope.std()), 1e-6)), np.float32)


def blur(image: FloatPicture, radius_mm: float) -> FloatPicture:
    """Gaussian blur of the given deviation."""
    return np.asarray(cv2.GaussianBlur(image, (0, 0), radius_mm * PX_PER_MM), np.float32)


def shifted(mask: FloatPicture, pixels: int) -> FloatPicture:
    """A mask (H, W) moved to the right and down, away from the light; its border is repeated."""
    height, width = mask.shape
    return np.pad(mask, ((pixels, 0), (pixels, 0)), mode="edge")[:height, :width]


def displace(image: FloatPicture, rng: Rng, amount_mm: float, cell_mm: float) -> FloatPicture:
    """`image` distorted by smooth noise of the given amplitude and cell."""
    x, y = wobbly_grid_mm(rng, amount_mm, cell_mm)
    scale = np.float32(PX_PER_MM)
    return np.asarray(cv2.remap(image, x * scale, y * scale, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT), np.float32)


@dataclass(frozen=True, eq=False)
class Cells:
    """A Voronoi diagram of random points.

    Attributes:
        labels: int32 (H, W), the cell of each pixel.
        border_mm: float32 (H, W), distance to the nearest border between cells.
        count: labels run from 0 to count - 1.
    """

    labels: Ids
    border_mm: FloatPicture
    count: int

    def random(self, rng: Rng) -> FloatPicture:
        """float32 (H, W): one uniform random number per cell, 0 to 1."""
        return rng.random(self.count).astype(np.float32)[self.labels]

    def chosen(self, rng: Rng, share: float, inset_mm: float) -> FloatPicture:
        """float32 (H, W): 1 inside a random share of the cells, farther than `inset_mm` from their borders."""
        inside = (rng.random(self.count) < share)[self.labels] & (self.border_mm > inset_mm)
        return inside.astype(np.float32)


def irregular_cells(rng: Rng, spacing_mm: float) -> Cells:
    """Cells of about `spacing_mm` across."""
    rows, columns = (max(1, round(length / spacing_mm)) for length in (HEIGHT_MM, WIDTH_MM))
    centres = (np.moveaxis(np.indices((rows, columns)), 0, -1) + rng.random((rows, columns, 2))).reshape(-1, 2)
    pixels = (centres / (rows, columns) * SHAPE).astype(int)
    holes = np.full(SHAPE, 255, np.uint8)
    holes[pixels[:, 0], pixels[:, 1]] = 0
    _, labels = cv2.distanceTransformWithLabels(holes, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    labels = np.asarray(labels, np.int32) - 1
    return Cells(labels, border_distance_mm(labels), int(labels.max()) + 1)


def border_distance_mm(labels: Ids) -> FloatPicture:
    """Distance (H, W) of each pixel to the nearest change of `labels`."""
    inside = np.full(labels.shape, 255, np.uint8)
    inside[:, 1:][labels[:, 1:] != labels[:, :-1]] = 0
    inside[1:][labels[1:] != labels[:-1]] = 0
    with _without_ipp():
        distance = cv2.distanceTransform(inside, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    return np.asarray(distance, np.float32) / np.float32(PX_PER_MM)


def worn(rng: Rng, picture: FloatPicture) -> FloatPicture:
    """`picture` (H, W, 3) with the broad unevenness, smudges and fine grain of a real table."""
    broad = 1 + np.float32(2 * _UNEVENNESS) * (noise(rng, 350, 3) - 0.5)
    smudges = 1 - np.float32(0.35 * _UNEVENNESS) * smooth_step(noise(rng, 60, 4), 0.55, 0.8)
    # Blurred grain does not flicker between distant views.
    speckle = cv2.GaussianBlur(rng.standard_normal(SHAPE, dtype=np.float32), (0, 0), 0.7) * np.float32(2.5 * _GRAIN)
    return np.asarray(shade(picture, broad * smudges) + speckle[..., None], np.float32)


@contextmanager
def _without_ipp() -> Iterator[None]:
    """Run OpenCV's own code: Intel's distance transform, used on one thread, depends on what ran before it."""
    used = cv2.ipp.useIPP()
    cv2.ipp.setUseIPP(False)
    try:
        yield
    finally:
        cv2.ipp.setUseIPP(used)
