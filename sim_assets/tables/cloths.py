"""Textiles: weaves, checks, stripes, dots, flowers, leaves, patchwork, denim, carpets.

Lengths are millimetres; pictures are float32 (H, W, 3), 0 to 255. Threads are about 1.5 mm apart and faint, to avoid
moire in a camera that resolves 1.4 mm.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.tables.surfaces import (
    HEIGHT_MM,
    PX_PER_MM,
    SHAPE,
    WIDTH_MM,
    blend,
    blur,
    colours,
    drawing_of,
    grid_mm,
    noise,
    plain,
    ramp,
    relief,
    rgb,
    shade,
    smooth_step,
    wobbly_grid_mm,
)


def woven(
    rng: Rng, picture: FloatPicture, coarseness_mm: float, contrast: float, creases: bool = False
) -> FloatPicture:
    """`picture` on a cloth of crossing threads of uneven thickness, `draped` with `creases`."""
    weft = noise(rng, (coarseness_mm, 45), 2) + 0.4 * noise(rng, (coarseness_mm * 4, 160), 2)
    warp = noise(rng, (45, coarseness_mm), 2) + 0.4 * noise(rng, (160, coarseness_mm * 4), 2)
    threads = np.asarray(1 + np.float32(contrast) * (weft + warp - 1.4), np.float32)
    return draped(rng, shade(picture, threads), creases=creases)


def draped(rng: Rng, picture: FloatPicture, wrinkles: float = 0.03, creases: bool = False) -> FloatPicture:
    """`picture` with soft wrinkles, and with crossing ironed folds if `creases`."""
    hills = np.abs(noise(rng, 240, 3, 0.4) - 0.5) + 0.3 * noise(rng, 120, 2)
    light = relief(blur(hills, 5), wrinkles)
    if creases:
        x, y = grid_mm()
        for distance in (x - WIDTH_MM * rng.uniform(0.35, 0.65), y - HEIGHT_MM * rng.uniform(0.35, 0.65)):
            ridge = np.float32(1.6) * distance / 6 * np.exp(-np.square(distance / 6))
            light = light + np.float32(2.0 * wrinkles) * ridge.astype(np.float32)
    return shade(picture, light)


def linen(rng: Rng, code: str) -> FloatPicture:
    """Linen of one colour with uneven threads."""
    return woven(rng, plain(code), 1.6, 0.22, creases=True)


def bands(
    rng: Rng, widths_mm: Sequence[float], codes: Sequence[str], crossed: bool, angle: float = 0.0
) -> FloatPicture:
    """Repeated woven bands at `angle` radians: stripes, or gingham and plaid if the same bands also run across."""
    x, y = wobbly_grid_mm(rng, 7, 180, angle)
    picture = _band_colours(x, widths_mm, codes)
    if crossed:
        weft = _band_colours(y, widths_mm, codes)
        # Twill: warp and weft alternate in faint diagonals.
        over = 0.5 + 0.12 * np.sin((x + y) * np.float32(2 * np.pi / 4.5))
        picture = blend(picture, weft, over)
    return woven(rng, picture, 1.6, 0.12)


def dots(rng: Rng, code: str, dot_code: str, pitch_mm: float, radius_mm: float) -> FloatPicture:
    """Polka dots in staggered rows."""
    x, y = wobbly_grid_mm(rng, 6, 180, 0.03)
    row = np.floor(y / pitch_mm)
    column = np.floor(x / pitch_mm + 0.5 * np.mod(row, 2))
    centre_x = (column + 0.5 - 0.5 * np.mod(row, 2)) * pitch_mm
    distance = np.hypot(x - centre_x, y - (row + 0.5) * pitch_mm)
    picture = blend(plain(code), dot_code, smooth_step(distance, radius_mm + 0.6, radius_mm - 0.6))
    return woven(rng, picture, 1.5, 0.1)


def denim(rng: Rng, palette: Sequence[str], thread: str) -> FloatPicture:
    """Washed twill with a double seam."""
    x, y = wobbly_grid_mm(rng, 3, 60)
    twill = noise(rng, (1.4, 16), 2)
    matrix = cv2.getRotationMatrix2D((SHAPE[1] / 2, SHAPE[0] / 2), 62, 1.5)
    diagonal = cv2.warpAffine(twill, matrix, SHAPE[::-1], borderMode=cv2.BORDER_REFLECT)
    washed = 0.6 * noise(rng, 160, 4) + 0.4 * noise(rng, (90, 4), 3)
    picture = ramp(0.55 * washed + 0.45 * diagonal, palette)
    seam = x - np.float32(WIDTH_MM * rng.uniform(0.6, 0.8))
    hem = 1 - 0.35 * np.exp(-np.square((seam + 14) / 2.2)) + 0.12 * np.exp(-np.square(seam / 9)) * noise(rng, 12, 2)
    picture = shade(picture, np.asarray(hem, np.float32))
    for offset in (-5, 5):
        dashes = smooth_step(np.abs(seam - offset), 1.7, 0.7) * smooth_step(np.mod(y, 6), 1.0, 2.2)
        picture = blend(picture, thread, 0.85 * dashes)
    return draped(rng, picture, 0.04)


def floral(rng: Rng, code: str, flower_codes: Sequence[str], leaf: str) -> FloatPicture:
    """A print of scattered leaves and flowers of 3 to 8 cm."""
    drawing = drawing_of(code)
    for _ in range(260):
        _draw_leaf(rng, drawing, leaf)
    for centre in _scattered(rng, 52):
        _draw_flower(rng, drawing, centre, rng.uniform(12, 36), flower_codes)
    picture = drawing.astype(np.float32) * (0.93 + 0.14 * noise(rng, 14, 3)[..., None])
    return woven(rng, picture, 1.5, 0.12)


def houndstooth(rng: Rng, codes: tuple[str, str], thread_mm: float) -> FloatPicture:
    """Broken checks of two colours: warp and weft of four threads each, woven over and under two."""
    x, y = wobbly_grid_mm(rng, 6, 180, 0.5)
    column, row = np.floor(x / thread_mm), np.floor(y / thread_mm)
    warp, weft = np.mod(column, 8) < 4, np.mod(row, 8) < 4
    second = np.where(np.mod(column + row, 4) < 2, warp, weft)
    return woven(rng, blend(plain(codes[0]), codes[1], blur(second.astype(np.float32), 0.6)), 1.6, 0.12)


def patchwork(rng: Rng, codes: Sequence[str], patch_mm: float) -> FloatPicture:
    """A quilt of square patches: plain, dotted, striped or checked, in two of the colours each."""
    x, y = wobbly_grid_mm(rng, 8, 160, 0.12)
    column, row = (np.floor(along / patch_mm).astype(int) % 40 for along in (x, y))
    kind = rng.integers(0, 4, (40, 40))[row, column]
    ground = rng.integers(0, len(codes), (40, 40))
    printed = (ground + rng.integers(1, len(codes), (40, 40))) % len(codes)
    in_x, in_y = np.mod(x, 30) - 15, np.mod(y, 30) - 15
    patterns = (np.zeros(SHAPE, bool), np.hypot(in_x, in_y) < 9, np.abs(in_x) < 6, (in_x > 0) ^ (in_y > 0))
    marked = np.choose(kind, patterns).astype(np.float32)
    table = colours(codes)
    picture = blend(table[ground[row, column]], table[printed[row, column]], blur(marked, 0.6))
    to_seam = [np.abs(np.mod(along / patch_mm + 0.5, 1) - 0.5) * patch_mm for along in (x, y)]
    seam = np.exp(-np.square(np.minimum(*to_seam) / 2.5))
    return woven(rng, shade(picture, np.asarray(1 - 0.35 * seam, np.float32)), 1.6, 0.12)


def foliage(rng: Rng, code: str, leaf_codes: Sequence[str]) -> FloatPicture:
    """A print of overlapping leaves of 6 to 14 cm with veins."""
    drawing = drawing_of(code)
    for centre in _scattered(rng, 62):
        _draw_large_leaf(rng, drawing, centre, leaf_codes)
    picture = drawing.astype(np.float32) * (0.93 + 0.14 * noise(rng, 14, 3)[..., None])
    return woven(rng, picture, 1.5, 0.12)


def carpet(rng: Rng, codes: Sequence[str]) -> FloatPicture:
    """A knotted rug: an ornament, symmetric both ways, in a framed field."""
    x, y = grid_mm()
    ornament = noise(rng, 85, 4, 0.6) + 0.35 * noise(rng, 40, 2)
    ornament = ornament + ornament[::-1]
    ornament = (ornament + ornament[:, ::-1]) / float(2 * ornament.max())
    edge = np.minimum(np.minimum(x, WIDTH_MM - x), np.minimum(y, HEIGHT_MM - y))
    repeat = 0.5 + 0.25 * (np.cos(x * np.float32(2 * np.pi / 50)) + np.cos(y * np.float32(2 * np.pi / 50)))
    field = np.where(edge > 75, ornament, 0.25 * ornament + 0.6 * repeat)
    shades = np.floor(field * 2.5 * len(codes)).astype(int) % len(codes)
    shades[(np.abs(edge - 75) < 5) | (np.abs(edge - 12) < 4)] = 0
    knots = cv2.resize(shades.astype(np.uint8), (WIDTH_MM // 3, HEIGHT_MM // 3), interpolation=cv2.INTER_NEAREST)
    shades = cv2.resize(knots, SHAPE[::-1], interpolation=cv2.INTER_NEAREST)
    pile = 0.78 + 0.44 * noise(rng, 3.2, 2) * (0.7 + 0.6 * noise(rng, (4, 60), 2))
    return shade(blur(colours(codes)[shades], 0.9), pile.astype(np.float32))


def _band_colours(position: FloatPicture, widths_mm: Sequence[float], codes: Sequence[str]) -> FloatPicture:
    """Colours (H, W, 3) of repeated bands at `position` (H, W), their borders softened over a millimetre."""
    period = float(sum(widths_mm))
    steps = np.arange(0, period, 0.25)
    band = np.searchsorted(np.cumsum(widths_mm), steps, side="right")
    table = colours(codes)[band]
    softened = cv2.GaussianBlur(np.concatenate([table] * 3), (1, 17), 1.0, sigmaY=2.0)
    table = np.asarray(softened, np.float32)[len(steps) : 2 * len(steps)]
    index = (np.mod(position, np.float32(period)) * 4).astype(np.int32)
    return table[np.minimum(index, len(steps) - 1)]


def _scattered(rng: Rng, spacing_mm: float) -> FloatPicture:
    """Points (N, 2) as x, y that keep clear of each other: a jittered grid, in random order."""
    columns, rows = int(WIDTH_MM / spacing_mm) + 2, int(HEIGHT_MM / spacing_mm) + 2
    corners = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), -1).reshape(-1, 2)
    points = (corners + rng.uniform(-0.35, 0.35, corners.shape)) * spacing_mm
    return rng.permutation(points).astype(np.float32)


def _draw_ellipse(
    drawing: np.ndarray, centre: np.ndarray, axes_mm: tuple[float, float], angle: float, colour: np.ndarray
) -> None:
    """Draw into `drawing`, with subpixel accuracy; centre and axes in millimetres, angle in radians."""
    fine = 16 * PX_PER_MM
    cv2.ellipse(
        drawing,
        (round(centre[0] * fine), round(centre[1] * fine)),
        (round(axes_mm[0] * fine), round(axes_mm[1] * fine)),
        np.degrees(angle),
        0,
        360,
        [float(c) for c in colour],
        -1,
        cv2.LINE_AA,
        4,
    )


def _draw_leaf(rng: Rng, drawing: np.ndarray, code: str) -> None:
    centre = rng.uniform((0, 0), (WIDTH_MM, HEIGHT_MM))
    angle, length = rng.uniform(0, np.pi), rng.uniform(7, 17)
    colour = rgb(code) * rng.uniform(0.7, 1.25)
    _draw_ellipse(drawing, centre, (length, length * 0.38), angle, colour.clip(0, 255))
    _draw_ellipse(drawing, centre, (length * 0.9, 0.5), angle, colour.clip(0, 255) * 0.75)


def _draw_large_leaf(rng: Rng, drawing: np.ndarray, centre: np.ndarray, codes: Sequence[str]) -> None:
    angle, length = rng.uniform(0, 2 * np.pi), rng.uniform(30, 70)
    colour = rgb(str(rng.choice(list(codes)))) * np.float32(rng.uniform(0.85, 1.15))
    vein = (colour * 1.35).clip(0, 255)
    _draw_ellipse(drawing, centre, (length, length * 0.42), angle, colour.clip(0, 255))
    _draw_ellipse(drawing, centre, (length * 0.95, 1.2), angle, vein)
    for place in np.linspace(-0.65, 0.65, 6):
        for side in (-1, 1):
            turn = angle + side * 0.75
            foot = centre + place * length * np.array([np.cos(angle), np.sin(angle)])
            reach = 0.2 * length * (1 - place**2)
            tip = reach * np.array([np.cos(turn), np.sin(turn)])
            _draw_ellipse(drawing, foot + tip, (reach, 0.6), turn, vein)


def _draw_flower(rng: Rng, drawing: np.ndarray, centre: np.ndarray, radius: float, codes: Sequence[str]) -> None:
    petals, turn = int(rng.integers(5, 9)), rng.uniform(0, np.pi)
    colour = rgb(str(rng.choice(list(codes))))
    for ring, tone in ((1.0, 0.86), (0.66, 1.06)):
        for petal in range(petals):
            angle = turn + (petal + 0.5 * (ring < 1)) * 2 * np.pi / petals
            place = centre + 0.55 * ring * radius * np.array([np.cos(angle), np.sin(angle)])
            axes = (0.48 * ring * radius, 0.3 * ring * radius)
            _draw_ellipse(drawing, place, axes, angle, (colour * tone * rng.uniform(0.95, 1.05)).clip(0, 255))
    _draw_ellipse(drawing, centre, (0.2 * radius, 0.2 * radius), 0, rgb("#e3b23c"))
    _draw_ellipse(drawing, centre, (0.1 * radius, 0.1 * radius), 0, rgb("#8a5a1c"))
