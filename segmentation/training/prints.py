"""Prints: flat patterns that replace the table of a crop, so that two dozen table tops become very many.

A network that knows a few tables takes whatever is printed on another one, a comic, a flower, a road, for an object. A
print covers the table under the light that is there; known objects stay on top, and objects that nobody has labelled
disappear. An object then differs from a print by its shading and its shape, not by its colours. Ours, after the random
textures of domain randomisation (Tobin et al. 2017); `docs/decisions/0004-prints.md` and `0011-early-learning.md` have
figures.

A print is a ground with shapes on it. Grounds are

- a patch of a picture, mirrored and repeated: parquet, tiles and cloths repeat in this way;
- fractal noise between a few colours: stone, wood, wear;
- one colour, always with shapes.

Shapes, ellipses, rectangles and polygons, have flat colours, or are cut out of another repeated patch: leaves, cards,
photographs. The patches are cut from the robot's own pictures and may show parts of objects, as printed pictures do. Of
the labels only the masks of known objects are read.
"""

import math

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats, Ints, Mask, Picture
from tabletop_interaction.segmentation.training.augmentation import affine, cut_out_opacity, with_other_colours

_PATCH_SHARE, _NOISE_SHARE = 0.5, 0.25
# A plain colour always gets shapes.
_SHAPES_SHARE = 0.5
_CUT_OUT_SHARE = 0.5

_GROUND_PATCH_PX = (10.0, 40.0)
_CUT_OUT_PATCH_PX = (20.0, 120.0)
_PATCH_SCALE = (0.7, 2.0)
_OTHER_COLOURS_SHARE = 0.7

_NOISE_OCTAVES = 4
_NOISE_CELL_PX = (2.0, 60.0)
_MOST_STRETCH = 8.0
_SHARP_SHARE = 0.3

_FEWEST_SHAPES, _MOST_SHAPES = 6, 60
_SMALLEST_PX, _LARGEST_PX = 4.0, 60.0
_FEWEST_CORNERS, _MOST_CORNERS = 3, 8
_ELLIPSE_CORNERS = 24
_FILLED_SHARE = 0.75

_LIGHT_BLUR_PX = 6.0
_EDGE_BLUR_PX = 0.6
_GRAIN = 2.0


def printed(image: Picture, kept: Mask, patches: tuple[Picture, Picture], rng: np.random.Generator) -> Picture:
    """Copy a crop with a print on the table, which is all but the pixels `kept`.

    Args:
        image: uint8 (S, S, 3) RGB.
        kept: bool (S, S).
        patches: two pictures uint8 (H, W, 3), of any size, from which patches are cut.
    """
    sheet = _drawn(len(image), patches, rng).astype(np.float32)
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    light = cv2.GaussianBlur(grey, (0, 0), _LIGHT_BLUR_PX)
    # The table's light stays, weakened: dark places may also be its pattern.
    shade = np.clip(0.5 + 0.5 * light / max(float(light.mean()), 1.0), 0.4, 1.3)
    sheet = cv2.GaussianBlur(sheet * shade[..., None], (0, 0), _EDGE_BLUR_PX)
    sheet += rng.normal(0, _GRAIN, sheet.shape[:2]).astype(np.float32)[..., None]
    alpha = cut_out_opacity(kept.astype(np.float32))[..., None]
    mixed = sheet + alpha * (image - sheet)
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8)


def _drawn(side: int, patches: tuple[Picture, Picture], rng: np.random.Generator) -> Picture:
    """Draw a print uint8 (side, side, 3)."""
    kind = rng.random()
    if kind < _PATCH_SHARE + _NOISE_SHARE:
        is_patch = kind < _PATCH_SHARE
        ground = repeated(patches[0], side, _GROUND_PATCH_PX, rng) if is_patch else noise(side, rng)
        if rng.random() >= _SHAPES_SHARE:
            return ground
    else:
        ground = np.full((side, side, 3), rng.integers(0, 256, 3), np.uint8)
    if rng.random() < _CUT_OUT_SHARE:
        return _with_cut_outs(ground, repeated(patches[1], side, _CUT_OUT_PATCH_PX, rng), rng)
    return _with_shapes(ground, rng.integers(0, 256, (int(rng.integers(2, 7)), 3)), rng)


def repeated(picture: Picture, side: int, patch_px: tuple[float, float], rng: np.random.Generator) -> Picture:
    """Mirror and repeat a random patch of a picture over (side, side, 3), at a random scale and turn.

    `patch_px` are the smallest and the largest side of the patch, at most that of the picture.
    """
    height, width = picture.shape[:2]
    patch = min(int(_log_uniform(*patch_px, rng)), height, width)
    y, x = (int(rng.integers(length - patch + 1)) for length in (height, width))
    cut = np.ascontiguousarray(picture[y : y + patch, x : x + patch])
    if rng.random() < _OTHER_COLOURS_SHARE:
        cut = with_other_colours(cut, rng)
    turn, target = rng.uniform(-np.pi, np.pi), rng.uniform(0, side, 2)
    to_sheet = affine(rng.uniform(*_PATCH_SCALE), turn, False, np.full(2, patch / 2), target)
    sheet = cv2.warpAffine(cut, to_sheet, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(sheet, np.uint8)


def noise(side: int, rng: np.random.Generator) -> Picture:
    """Fractal noise (side, side, 3) between a few random colours, with or without sharp borders between them."""
    cell, falling = _log_uniform(*_NOISE_CELL_PX, rng), rng.uniform(0.3, 0.8)
    stretch = _log_uniform(1.0, _MOST_STRETCH, rng) if rng.random() < 0.5 else 1.0
    field = np.zeros((side, side), np.float32)
    for octave in range(_NOISE_OCTAVES):
        rows = max(1.0, cell / 2**octave)
        cells = tuple(max(2, int(side / along)) + 2 for along in (rows, rows * stretch))
        drawn = rng.random(cells).astype(np.float32) * np.float32(falling**octave)
        field += cv2.resize(drawn, (side, side), interpolation=cv2.INTER_CUBIC)
    along = field if rng.random() < 0.5 else field.T
    levels = cv2.normalize(along, np.empty((side, side), np.uint8), 0, 255, cv2.NORM_MINMAX, cv2.CV_8U)
    return np.asarray(_colour_table(rng)[levels], np.uint8)


def _colour_table(rng: np.random.Generator) -> Picture:
    """(256, 3) uint8: a few random colours in a row, joined by ramps or by steps."""
    colours = rng.integers(0, 256, (int(rng.integers(2, 5)), 3))
    at = np.linspace(0, 1, 256)
    if rng.random() < _SHARP_SHARE:
        steps = np.sort(rng.random(len(colours) - 1))
        return colours[np.searchsorted(steps, at)].astype(np.uint8)
    stops = np.linspace(0, 1, len(colours))
    return np.stack([np.interp(at, stops, channel) for channel in colours.T], axis=-1).astype(np.uint8)


def _with_cut_outs(ground: Picture, other: Picture, rng: np.random.Generator) -> Picture:
    """Lay shapes that are cut out of another sheet on the ground."""
    alpha = _with_shapes(np.zeros(ground.shape[:2], np.uint8), np.array([[255], [255], [255], [0]]), rng)
    share = alpha[..., None].astype(np.float32) / 255
    return np.asarray(ground + share * (other.astype(np.float32) - ground) + 0.5, np.uint8)


def _with_shapes(canvas: Picture, palette: Ints, rng: np.random.Generator) -> Picture:
    """Draw shapes on uint8 (S, S) or (S, S, C), in place, in colours of a palette (N, C), large ones first."""
    count = int(rng.integers(_FEWEST_SHAPES, _MOST_SHAPES + 1))
    largest = rng.uniform(2 * _SMALLEST_PX, _LARGEST_PX)
    radii = np.sort(np.exp(rng.uniform(np.log(_SMALLEST_PX), np.log(largest), count)))[::-1]
    kinds = rng.permutation(3)[: int(rng.integers(1, 4))]
    slenderness = rng.uniform(0.2, 1.0)
    for radius in radii:
        centre = rng.uniform(0, canvas.shape[1::-1])
        colour = palette[int(rng.integers(len(palette)))].tolist()
        kind = int(kinds[rng.integers(len(kinds))])
        outline = np.rint(_outline(kind, float(radius), slenderness, rng) + centre).astype(np.int32)
        if rng.random() < _FILLED_SHARE:
            cv2.fillPoly(canvas, [outline], colour, cv2.LINE_AA)
        else:
            cv2.polylines(canvas, [outline], True, colour, int(rng.integers(1, 4)), cv2.LINE_AA)
    return canvas


def _outline(kind: int, radius: float, slenderness: float, rng: np.random.Generator) -> Floats:
    """Return points (N, 2) around the origin: an ellipse, a rectangle, or an irregular polygon."""
    corners = (_ELLIPSE_CORNERS, 4, int(rng.integers(_FEWEST_CORNERS, _MOST_CORNERS + 1)))[kind]
    points = _UNIT_POLYGONS[corners] * (radius if kind < 2 else radius * rng.uniform(0.4, 1.0, (corners, 1)))
    points[:, 1] *= slenderness if rng.random() < 0.7 else rng.uniform(0.2, 1.0)
    turn = rng.uniform(0, math.pi)
    cosine, sine = math.cos(turn), math.sin(turn)
    return np.asarray(points @ np.array([[cosine, sine], [-sine, cosine]]))


def _unit_polygon(corners: int) -> Floats:
    """(N, 2) corners on the unit circle; the side below is horizontal for four."""
    angles = np.arange(corners) * 2 * np.pi / corners + np.pi / 4
    return np.column_stack([np.cos(angles), np.sin(angles)])


_UNIT_POLYGONS = {
    corners: _unit_polygon(corners) for corners in (*range(_FEWEST_CORNERS, _MOST_CORNERS + 1), _ELLIPSE_CORNERS)
}


def _log_uniform(low: float, high: float, rng: np.random.Generator) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
