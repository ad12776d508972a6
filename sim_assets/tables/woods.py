"""Wooden table tops: boards, blocks, herringbone, basket parquet, pressed strands, veneer, paint.

A layout assigns every pixel to a piece of wood and a place on it; each piece is cut from another place of one large
board. Lengths are millimetres; pictures are float32 (H, W, 3), 0 to 255.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Ids
from tabletop_interaction.sim_assets.noise import Rng
from tabletop_interaction.sim_assets.tables.surfaces import (
    HEIGHT_MM,
    PX_PER_MM,
    SHAPE,
    WIDTH_MM,
    blend,
    border_distance_mm,
    grid_mm,
    noise,
    plain,
    ramp,
    rotated,
    shade,
    smooth_step,
)

_LONGEST_SIDE_MM = max(WIDTH_MM, HEIGHT_MM)


@dataclass(frozen=True, eq=False)
class Layout:
    """A tiling of the table with pieces of wood.

    Attributes:
        piece: int32 (H, W), the piece of each pixel.
        along, across: float32 (H, W), the pixel's position on its piece, along and across the grain.
        border_mm: float32 (H, W), distance to the piece's border.
    """

    piece: Ids
    along: FloatPicture
    across: FloatPicture
    border_mm: FloatPicture


def board(rng: Rng, palette: Sequence[str], rings: float, knots: int = 0) -> FloatPicture:
    """A board of the table's size, with the grain along x.

    Args:
        palette: colours from late wood to early wood.
        rings: growth rings between the lowest and highest place of the cut.
    """
    rise = np.float32(rings) * noise(rng, (90, 700), 3, 0.35)
    cores = np.zeros(SHAPE, np.float32)
    for _ in range(knots):
        distance = _squeezed_distance(rng)
        rise += np.float32(rng.uniform(1.5, 3.5)) * np.exp(-distance / 22)
        cores = np.maximum(cores, smooth_step(distance, rng.uniform(7, 12), 3))
    tone = 0.5 * _year_rings(rise) + 0.3 * noise(rng, (30, 350), 3) + 0.2 * noise(rng, (3.2, 110), 3, 0.8)
    return blend(ramp(tone, palette), ramp(0.3 * tone - 0.1, palette), 0.85 * cores)


def strips(rng: Rng, width_mm: tuple[float, float], length_mm: tuple[float, float], upright: bool = False) -> Layout:
    """Rows of boards with staggered ends, along x, or along y if `upright`."""
    x, y = grid_mm()
    along, across = (y, x) if upright else (x, y)
    row, row_border, row_place = _cut(across, rng, width_mm)
    piece = np.zeros(SHAPE, np.int32)
    border, place = row_border, along
    for index in range(int(row.max()) + 1):
        inside = row == index
        cut, cut_border, place_in_row = _cut(along[inside], rng, length_mm)
        piece[inside] = 100 * index + cut
        border[inside] = np.minimum(border[inside], cut_border)
        place[inside] = place_in_row
    return Layout(piece, place, row_place, border)


def herringbone(length_mm: float, width_mm: float, angle: float) -> Layout:
    """Bricks in a zigzag; `length_mm` must be a multiple of `width_mm`."""
    u, v = rotated(*grid_mm(), angle)
    column, row = np.floor(u / width_mm), np.floor(v / width_mm)
    ratio = round(length_mm / width_mm)
    step = np.mod(column - row, 2 * ratio)
    lying = step < ratio
    along = np.where(lying, u - (column - step) * width_mm, v - (row - (2 * ratio - 1 - step)) * width_mm)
    across = np.where(lying, v - row * width_mm, u - column * width_mm)
    first = np.where(lying, column - step, column)
    second = np.where(lying, row, row - (2 * ratio - 1 - step))
    border = np.minimum(np.minimum(along, length_mm - along), np.minimum(across, width_mm - across))
    keys = (first - first.min()) * 1000 + (second - second.min()) * 2 + lying
    _, piece = np.unique(keys.astype(np.int32), return_inverse=True)
    along, across, border = (values.astype(np.float32) for values in (along, across, border))
    return Layout(piece.reshape(SHAPE).astype(np.int32), along, across, border)


def basket(block_mm: float, slats: int, angle: float) -> Layout:
    """Square blocks of parallel slats, each block across its neighbours."""
    u, v = rotated(*grid_mm(), angle)
    column, row = np.floor(u / block_mm), np.floor(v / block_mm)
    upright = np.mod(column + row, 2) > 0
    in_block_u, in_block_v = u - column * block_mm, v - row * block_mm
    along = np.where(upright, in_block_v, in_block_u)
    width_mm = block_mm / slats
    slat, across = np.divmod(np.where(upright, in_block_u, in_block_v), width_mm)
    border = np.minimum(np.minimum(along, block_mm - along), np.minimum(across, width_mm - across))
    keys = ((column - column.min()) * 1000 + (row - row.min())) * slats + slat
    _, piece = np.unique(keys.astype(np.int32), return_inverse=True)
    along, across, border = (values.astype(np.float32) for values in (along, across, border))
    return Layout(piece.reshape(SHAPE).astype(np.int32), along, across, border)


def strands(rng: Rng, count: int, length_mm: tuple[float, float], width_mm: tuple[float, float]) -> Layout:
    """Overlapping flat chips at random angles, as in strand board."""
    piece = np.zeros(SHAPE, np.int32)
    centres = rng.uniform((0, 0), (WIDTH_MM, HEIGHT_MM), (count, 2))
    angles = rng.normal(0, 0.7, count)
    sizes = np.column_stack([rng.uniform(*length_mm, count), rng.uniform(*width_mm, count)])
    for index, (centre, angle, size) in enumerate(zip(centres, angles, sizes, strict=True)):
        box = cv2.boxPoints((tuple(centre * PX_PER_MM), tuple(size * PX_PER_MM), float(np.degrees(angle))))
        cv2.fillConvexPoly(piece, (box + rng.normal(0, 2.5, (4, 2))).astype(np.int32), index)
    x, y = grid_mm()
    cosine, sine = np.cos(angles).astype(np.float32)[piece], np.sin(angles).astype(np.float32)[piece]
    return Layout(piece, cosine * x + sine * y, cosine * y - sine * x, border_distance_mm(piece))


def laid(
    rng: Rng, layout: Layout, wood: FloatPicture, spread: float = 0.12, gap: float = 0.5, gap_mm: float = 1.2
) -> FloatPicture:
    """The pieces of `layout`, each cut from another place of `wood`.

    Args:
        spread: deviation of the brightness between pieces; the colour temperature varies by a fifth of it.
        gap: darkness of the joints, 0 to 1.
    """
    pieces = int(layout.piece.max()) + 1
    shift = rng.uniform(0, _LONGEST_SIDE_MM, (2, pieces)).astype(np.float32)
    along = (layout.along + shift[0][layout.piece]) * np.float32(PX_PER_MM)
    across = (layout.across + shift[1][layout.piece]) * np.float32(PX_PER_MM)
    picture = cv2.remap(wood, along, across, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)
    brightness = np.clip(rng.normal(1, spread, pieces), 1 - 2 * spread, 1 + 2 * spread)
    warmth = rng.normal(0, spread / 5, pieces)[:, None] * (1, 0, -1)
    tint = (brightness[:, None] * (1 + warmth)).astype(np.float32)
    joint = 1 - np.float32(gap) * np.exp(-np.square(layout.border_mm / np.float32(gap_mm)))
    return shade(picture * tint[layout.piece], joint)


def end_grain(rng: Rng, palette: Sequence[str], block_mm: float) -> FloatPicture:
    """A butcher's block: sawn ends of beams with their growth rings."""
    layout = strips(rng, (block_mm, block_mm * 1.15), (block_mm, block_mm * 1.4))
    pieces = int(layout.piece.max()) + 1
    reach, turn = rng.uniform(25, 130, pieces), rng.uniform(0, 2 * np.pi, pieces)
    pith_x, pith_y = reach * np.cos(turn), reach * np.sin(turn)
    pitch = rng.uniform(3.5, 7.0, pieces).astype(np.float32)
    distance = np.hypot(
        layout.along - pith_x.astype(np.float32)[layout.piece], layout.across - pith_y.astype(np.float32)[layout.piece]
    )
    rings = _year_rings((distance + 5 * noise(rng, 25, 3)) / pitch[layout.piece])
    pores = noise(rng, 2.0, 2)
    wood = ramp(0.2 + 0.5 * rings + 0.3 * pores, palette)
    tint = rng.normal(1, 0.11, pieces).clip(0.75, 1.25).astype(np.float32)
    return shade(wood, tint[layout.piece] * (1 - 0.5 * np.exp(-np.square(layout.border_mm / 0.9))))


def book_matched(wood: FloatPicture) -> FloatPicture:
    """Veneer whose right half mirrors the left."""
    left = wood[:, : SHAPE[1] // 2]
    return np.concatenate([left, left[:, ::-1]], axis=1)


def painted(
    rng: Rng, wood: FloatPicture, layout: Layout, code: str, wear: float, upright: bool = False
) -> FloatPicture:
    """Brushed paint over bare boards; a share `wear` of it is worn off, mainly along the joints."""
    strokes, flakes = ((160, 3), (130, 18)) if upright else ((3, 160), (18, 130))
    tint = rng.normal(1, 0.05, int(layout.piece.max()) + 1).astype(np.float32)[layout.piece]
    joint = 1 - 0.5 * np.exp(-np.square(layout.border_mm / 1.2))
    paint = shade(plain(code), (0.9 + 0.2 * noise(rng, strokes, 3)) * tint * joint)
    rubbed = 0.6 * noise(rng, flakes, 5, 0.7) + 0.4 * noise(rng, 220, 2)
    rubbed = rubbed + 0.12 * np.exp(-layout.border_mm / 3)
    edge = float(np.quantile(rubbed[::8, ::8], 1 - wear))
    return blend(wood, paint, 0.95 * smooth_step(rubbed, edge + 0.02, edge - 0.02))


def _squeezed_distance(rng: Rng) -> FloatPicture:
    """Distance (H, W) from a random place, millimetres, scaled down along the grain."""
    x, y = grid_mm()
    # Away from the ends, where a long piece continues with the mirrored board.
    centre_x, centre_y = rng.uniform(0.2, 0.8) * WIDTH_MM, rng.uniform(0.1, 0.9) * HEIGHT_MM
    return np.asarray(np.hypot((x - np.float32(centre_x)) / 2.2, y - np.float32(centre_y)), np.float32)


def _year_rings(rise: FloatPicture) -> FloatPicture:
    """Brightness (H, W) of growth rings, 0 to 1, at a height in rings; too narrow rings fade out."""
    phase = np.float32(2 * np.pi) * rise
    rings = np.sin(phase + 0.6 * np.sin(phase))
    steepness = np.hypot(cv2.Sobel(rise, cv2.CV_32F, 1, 0, scale=1 / 8), cv2.Sobel(rise, cv2.CV_32F, 0, 1, scale=1 / 8))
    return np.asarray(0.5 + 0.5 * rings * np.exp(-np.square(3.5 * steepness)), np.float32)


def _cut(position: FloatPicture, rng: Rng, length_mm: tuple[float, float]) -> tuple[Ids, FloatPicture, FloatPicture]:
    """Cut a line into random lengths: for each position its piece, distance to the nearest cut, place on the piece."""
    lengths = rng.uniform(*length_mm, int(_LONGEST_SIDE_MM / length_mm[0]) + 3)
    cuts = np.cumsum(lengths) - rng.uniform(0.1, 0.9) * lengths[0]
    cuts = np.concatenate([[cuts[0] - lengths[0]], cuts]).astype(np.float32)
    piece = (np.searchsorted(cuts, position, side="right") - 1).astype(np.int32)
    start, end = cuts[piece], cuts[piece + 1]
    return piece, np.minimum(position - start, end - position), position - start
