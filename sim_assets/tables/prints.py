"""Printed and tiled table tops: newspapers, maps, comics, wrapping paper, tiles, cards, photographs, scattered shapes.

Lengths are millimetres; pictures are float32 (H, W, 3), 0 to 255. Several are difficult on purpose: their shapes have
the size and the colours of objects.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Floats, Picture
from tabletop_interaction.sim_assets.noise import Rng, fractal_noise
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
    irregular_cells,
    noise,
    plain,
    ramp,
    relief,
    rgb,
    rotated,
    shade,
    shifted,
    smooth_step,
    wobbly_grid_mm,
)

_SYLLABLES = ["ta", "ble", "re", "mo", "sun", "ver", "li", "and", "the", "ing", "co", "pen", "dra", "is", "of", "wor"]


def newspaper(rng: Rng, paper: str, ink: str) -> FloatPicture:
    """Overlapping pages of a newspaper."""
    picture = plain(paper)
    pages = [_page(rng, paper, ink) for _ in range(4)]
    places = [(x, y) for y in (60, 380, 660) for x in (110, 400, 690)]
    for index, place in enumerate(rng.permutation(np.array(places, float))):
        page = np.asarray(pages[index % len(pages)] * np.float32(rng.uniform(0.93, 1.0)), np.float32)
        picture = _lay_sheet(picture, page, place + rng.normal(0, 18, 2), rng.normal(0, 0.16))
    return shade(picture, relief(noise(rng, 200, 3), 0.025))


def city_map(rng: Rng, land: str, street: str, park: str, water: str) -> FloatPicture:
    """A street map: blocks, parks, main roads, a river."""
    x, y = wobbly_grid_mm(rng, 60, 300, 0.35)
    blocks = irregular_cells(rng, 34)
    lot = blocks.random(rng)
    picture = blend(plain(land), shade(plain(land), np.full(SHAPE, 0.93, np.float32)), smooth_step(lot, 0.6, 0.61))
    picture = blend(picture, park, smooth_step(lot, 0.12, 0.11))
    picture = blend(picture, street, smooth_step(blocks.border_mm, 1.5, 0.7))
    districts = irregular_cells(rng, 150)
    for width, code in ((4.2, "#b88a3a"), (3.2, "#f4d06f")):
        picture = blend(picture, code, smooth_step(districts.border_mm, width, width - 0.8))
    course = np.abs(y - HEIGHT_MM * 0.42 - 70 * (noise(rng, 220, 2) - 0.5) * 2)
    picture = blend(picture, water, smooth_step(course, 22, 21))
    for bridge in (0.18, 0.47, 0.8):
        span = np.abs(x - np.float32(WIDTH_MM * bridge))
        picture = blend(picture, street, smooth_step(span, 3.0, 2.2) * smooth_step(course, 30, 29))
    labels = picture.clip(0, 255).astype(np.uint8)
    for _ in range(60):
        _write(labels, _words(rng, 1).title(), rng.uniform((0, 0), (WIDTH_MM, HEIGHT_MM)), 3.4, "#4a4a55")
    return blend(labels.astype(np.float32), "#fffdf5", _fold_lines(130, 175))


def comics(rng: Rng, codes: Sequence[str]) -> FloatPicture:
    """Panels with figures, speed lines and speech balloons."""
    drawing = drawing_of("#f3eedf")
    top = -rng.uniform(10, 60)
    while top < HEIGHT_MM:
        height, left = rng.uniform(85, 150), -rng.uniform(10, 80)
        while left < WIDTH_MM:
            width = rng.uniform(80, 190)
            _draw_panel(rng, drawing, (left, top, left + width, top + height), codes)
            left += width + 6
        top += height + 6
    return blur(drawing.astype(np.float32), 0.5)


def motifs(rng: Rng, paper: str, codes: Sequence[str], pitch_mm: float, size_mm: float) -> FloatPicture:
    """Wrapping paper: stars and discs of about `size_mm` radius in staggered rows."""
    drawing = drawing_of(paper)
    for row in range(-1, int(HEIGHT_MM / pitch_mm) + 2):
        for column in range(-1, int(WIDTH_MM / pitch_mm) + 2):
            centre = (np.array([column + 0.5 * (row % 2), row]) + rng.normal(0, 0.05, 2)) * pitch_mm
            radius = size_mm * rng.uniform(0.75, 1.1)
            outline = _star(int(rng.choice([5, 6, 0])), radius, rng.uniform(0, 2 * np.pi)) + centre
            colour = str(codes[int(rng.integers(len(codes)))])
            _fill(drawing, outline, colour)
            _fill(drawing, centre + 0.55 * (outline - centre), colour, 1.18)
    return shade(drawing.astype(np.float32), relief(noise(rng, 260, 3), 0.02))


def mosaic(rng: Rng, codes: Sequence[str], tile_mm: float, grout: str) -> FloatPicture:
    """Small square glazed tiles, whose colours follow broad waves and chance."""
    x, y = wobbly_grid_mm(rng, 3, 60)
    row, column = np.floor(y / tile_mm), np.floor(x / tile_mm)
    waves = noise(rng, 190, 2)
    centre_rows = np.clip((row + 0.5) * tile_mm * PX_PER_MM, 0, SHAPE[0] - 1).astype(int)
    centre_columns = np.clip((column + 0.5) * tile_mm * PX_PER_MM, 0, SHAPE[1] - 1).astype(int)
    chance = rng.random((160, 160)).astype(np.float32)[row.astype(int), column.astype(int)]
    tone = 0.6 * waves[centre_rows, centre_columns] + (1 - 0.6) * chance
    to_edge = np.minimum(
        0.5 - np.abs(np.mod(x / tile_mm, 1) - 0.5), 0.5 - np.abs(np.mod(y / tile_mm, 1) - 0.5)
    ) * np.float32(tile_mm)
    return _glazed(rng, ramp(tone, codes), to_edge, grout)


def hexagons(rng: Rng, codes: Sequence[str], pitch_mm: float, grout: str) -> FloatPicture:
    """Hexagonal tiles, each of a random colour of `codes`."""
    x, y = grid_mm()
    size = np.array([1, np.sqrt(3)], np.float32) * pitch_mm
    candidates = []
    for shift in (0.0, 0.5):
        column, row = np.floor(x / size[0] + shift), np.floor(y / size[1] + shift)
        dx, dy = x - (column + 0.5 - shift) * size[0], y - (row + 0.5 - shift) * size[1]
        candidates.append((np.abs(dx), np.abs(dy), column, 2 * row - 2 * shift + 1))
    first, second = candidates
    nearer = np.hypot(first[0], first[1]) < np.hypot(second[0], second[1])
    dx, dy, column, row = (np.where(nearer, a, b) for a, b in zip(first, second, strict=True))
    to_edge = np.minimum(pitch_mm / 2 - dx, pitch_mm / 2 - (0.5 * dx + np.sqrt(0.75) * dy)).astype(np.float32)
    table = rng.random((200, 200)).astype(np.float32)
    picked = np.floor(table[row.astype(int), column.astype(int)] * len(codes)).astype(int)
    tint = rng.normal(1, 0.05, (200, 200, 1)).astype(np.float32)[row.astype(int), column.astype(int)]
    return _glazed(rng, colours(codes)[picked] * tint, to_edge, grout)


def scattered_shapes(rng: Rng, ground: FloatPicture, codes: Sequence[str], count: int, shaded: float) -> FloatPicture:
    """Rounded shapes with the size and colours of objects over a picture `ground`.

    Args:
        shaded: 0 for a flat print, 1 for a print with the shading and shadow of a solid object.
    """
    picture = ground
    x, y = grid_mm()
    for centre in rng.uniform((0, 0), (WIDTH_MM, HEIGHT_MM), (count, 2)):
        radii, turn, power = rng.uniform(16, 58, 2), rng.uniform(0, np.pi), float(rng.choice([2.0, 2.6, 5.0]))
        window = _window(centre, 1.3 * float(np.hypot(*radii)))
        dx, dy = x[window] - np.float32(centre[0]), y[window] - np.float32(centre[1])
        u, v = (np.abs(along) / float(radius) for along, radius in zip(rotated(dx, dy, turn), radii, strict=True))
        level = ((u**power + v**power) ** (1 / power)).astype(np.float32)
        edge = 0.9 / float(radii.min())
        colour = rgb(str(codes[int(rng.integers(len(codes)))])) * np.float32(rng.uniform(0.85, 1.1))
        light = 1 + np.float32(0.16 * shaded) * (-(dx + dy) / np.float32(radii.mean()))
        inner = colour * (light - np.float32(0.2 * shaded) * smooth_step(level, 0.75, 1.05))[..., None]
        shadow = 1 - np.float32(0.4 * shaded) * smooth_step(shifted(level, 5), 1.25, 0.8)
        patch = blend(shade(picture[window], shadow), inner, smooth_step(level, 1 + edge, 1 - edge))
        picture = picture.copy() if picture is ground else picture
        picture[window] = patch
    return picture


def ornament_tiles(rng: Rng, codes: Sequence[str], tile_mm: float, grout: str) -> FloatPicture:
    """Square tiles with one ornament, symmetric about both axes and both diagonals."""
    x, y = grid_mm()
    u, v = (np.abs(np.mod(along / tile_mm, 1) - 0.5) for along in (x, y))
    inner, outer = np.minimum(u, v), np.maximum(u, v)
    drawn = noise(rng, 95, 3, 0.6)
    scale = 2 * 250 * PX_PER_MM
    folded = drawn[(inner * scale).astype(int), (outer * scale).astype(int)]
    level = folded + 0.25 * np.cos(2 * np.pi * 3 * np.hypot(u, v))
    shades = np.floor(smooth_step(level, float(level.min()), float(level.max())) * (len(codes) - 0.01)).astype(int)
    to_edge = (0.5 - outer) * np.float32(tile_mm)
    return _glazed(rng, blur(colours(codes)[shades], 0.6), to_edge, grout)


def playing_cards(rng: Rng, felt: str, count: int) -> FloatPicture:
    """Playing cards of 58 x 88 mm, scattered over felt."""
    picture = shade(plain(felt), 0.85 + 0.3 * noise(rng, 3, 3))
    for _ in range(count):
        centre = rng.uniform((0, 0), (WIDTH_MM, HEIGHT_MM))
        picture = _lay_sheet(picture, _card(rng), centre, rng.uniform(0, 2 * np.pi), 70)
    return picture


def photographs(rng: Rng, ground: FloatPicture, palettes: Sequence[Sequence[str]], count: int) -> FloatPicture:
    """Photographs of landscapes with white borders, scattered over a picture `ground`."""
    picture = ground
    for _ in range(count):
        centre = rng.uniform((0, 0), (WIDTH_MM, HEIGHT_MM))
        palette = palettes[int(rng.integers(len(palettes)))]
        picture = _lay_sheet(picture, _landscape(rng, palette), centre, rng.normal(0, 0.6), 70)
    return picture


def _card(rng: Rng) -> FloatPicture:
    """One card, float32: its back, or pips in columns."""
    width, height = 58, 88
    card = np.full((round(height * PX_PER_MM), round(width * PX_PER_MM), 3), rgb("#f4f1e6"), np.uint8)
    ink = str(rng.choice(["#b3262c", "#20242a"]))
    if rng.random() < 0.3:
        back = str(rng.choice(["#2c4f8f", "#8f2c34"]))
        _fill(card, np.array([(4, 4), (54, 4), (54, 84), (4, 84)], float), back)
        for place in [(x, y) for x in range(9, 54, 10) for y in range(9, 84, 10)]:
            _fill(card, np.array(place) + _star(4, 4.5, 0), "#f4f1e6")
        return card.astype(np.float32)
    points = int(rng.choice([0, 4, 5]))
    rows = np.linspace(18, 70, int(rng.integers(1, 5)))
    for place in [(x, y) for y in rows for x in ((17, 41) if rng.random() < 0.7 else (29,))]:
        _fill(card, np.array(place) + _star(points, 8, np.pi / 2), ink)
    return card.astype(np.float32)


def _landscape(rng: Rng, palette: Sequence[str]) -> FloatPicture:
    """One photograph of 90 x 62 mm, float32: bands of sky, hills and ground, and a sun or a stone."""
    rows, columns = round(62 * PX_PER_MM), round(90 * PX_PER_MM)
    heights = np.linspace(0, 1, rows, dtype=np.float32)[:, None]
    hills = fractal_noise(rng, rows, columns, 60 * PX_PER_MM, 3)
    scene = ramp(np.asarray(heights + 0.5 * (hills - 0.5), np.float32), palette)
    photograph = scene.clip(0, 255).astype(np.uint8)
    _fill(photograph, rng.uniform((20, 15), (70, 45)) + _star(0, rng.uniform(5, 14), 0), str(rng.choice(list(palette))))
    cv2.rectangle(photograph, (0, 0), (columns - 1, rows - 1), [245.0, 243.0, 236.0], 5)
    return photograph.astype(np.float32)


def _window(centre: Floats, reach_mm: float) -> tuple[slice, slice]:
    """The part of the picture within `reach_mm` of a place (x, y)."""
    low = np.maximum((centre - reach_mm) * PX_PER_MM, 0).astype(int)
    high = np.maximum((centre + reach_mm) * PX_PER_MM, 0).astype(int)
    return slice(low[1], high[1]), slice(low[0], high[0])


def _glazed(rng: Rng, tiles: FloatPicture, to_edge_mm: FloatPicture, grout: str) -> FloatPicture:
    """Tiles with a rounded rim, a mottled glaze, and grout between them."""
    rim = relief(blur(np.minimum(to_edge_mm, 2.5), 0.6), 0.05)
    glaze = 0.94 + 0.12 * noise(rng, 16, 3)
    joints = shade(plain(grout), 0.88 + 0.24 * noise(rng, 3, 2))
    return blend(joints, shade(tiles, glaze * rim), smooth_step(to_edge_mm, 0.6, 1.6))


def _words(rng: Rng, count: int) -> str:
    """`count` words without meaning."""
    words = ("".join(rng.choice(_SYLLABLES, int(rng.integers(1, 4)))) for _ in range(count))
    return " ".join(words)


def _write(drawing: Picture, text: str, place_mm: Floats, size_mm: float, ink: str) -> None:
    """Draw `text` with its baseline's left end at `place_mm`, letters `size_mm` high."""
    origin = (round(place_mm[0] * PX_PER_MM), round(place_mm[1] * PX_PER_MM))
    scale = size_mm * PX_PER_MM / 21
    colour = [float(c) for c in rgb(ink)]
    cv2.putText(drawing, text, origin, cv2.FONT_HERSHEY_DUPLEX, scale, colour, 1 + int(size_mm > 6), cv2.LINE_AA)


def _page(rng: Rng, paper: str, ink: str) -> FloatPicture:
    """One page of 270 x 370 mm, float32: headline, photograph, columns of text."""
    width, height, column_mm = 270, 370, 49
    page = np.full((round(height * PX_PER_MM), round(width * PX_PER_MM), 3), rgb(paper), np.uint8)
    _write(page, _words(rng, 3).upper(), np.array([14.0, 30.0]), 11, ink)
    lines = [_words(rng, 9)[:30] for _ in range(40)]
    for column in range(5):
        left, y = 13 + column * (column_mm + 1), 44.0
        while y < height - 12:
            if rng.random() < 0.035:
                _write(page, _words(rng, 2).title(), np.array([left, y + 5.0]), 4.6, ink)
                y += 12
            _write(page, lines[int(rng.integers(len(lines)))], np.array([left, y]), 2.0, "#77746e")
            y += 4.2
    printed = blur(page.astype(np.float32), 0.5)
    return _print_photograph(rng, printed, ink, (int(rng.integers(0, 3)), rng.uniform(60, 240)), column_mm)


def _print_photograph(
    rng: Rng, page: FloatPicture, ink: str, corner: tuple[int, float], column_mm: float
) -> FloatPicture:
    """`page` with a grey, clouded photograph, two columns wide, over its text."""
    left, top = 13 + corner[0] * (column_mm + 1), corner[1]
    rows = slice(round(top * PX_PER_MM), round((top + 72) * PX_PER_MM))
    columns = slice(round(left * PX_PER_MM), round((left + 2 * column_mm) * PX_PER_MM))
    clouds = noise(rng, 45, 4)[: rows.stop - rows.start, : columns.stop - columns.start]
    photograph = ramp(smooth_step(clouds, 0.15, 0.85), (ink, "#8d8b86", "#d9d5cb"))
    printed = page.copy()
    printed[rows, columns] = photograph
    return printed


def _lay_sheet(
    picture: FloatPicture, sheet: FloatPicture, centre_mm: Floats, angle: float, reach_mm: float = 250
) -> FloatPicture:
    """`picture` with `sheet` on it, rotated by `angle` radians, and its narrow shadow; both end within `reach_mm`."""
    height, width = sheet.shape[:2]
    window = _window(centre_mm, reach_mm)
    below = picture[window]
    size = (below.shape[1], below.shape[0])
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(np.degrees(angle)), 1.0)
    corner = np.array([window[1].start, window[0].start])
    matrix[:, 2] += centre_mm * PX_PER_MM - corner - np.array([width / 2, height / 2])
    above = np.asarray(cv2.warpAffine(sheet, matrix, size, borderMode=cv2.BORDER_REPLICATE), np.float32)
    alpha = np.asarray(cv2.warpAffine(np.ones((height, width), np.float32), matrix, size), np.float32)
    shadow = shifted(blur(alpha, 2.5), 2)
    covered = picture.copy()
    covered[window] = blend(shade(below, 1 - 0.35 * shadow), above, alpha)
    return covered


def _fold_lines(height_mm: float, width_mm: float) -> FloatPicture:
    """Opacity (H, W) of the white creases of a folded map."""
    x, y = grid_mm()
    nearest = np.minimum(np.abs(np.mod(x, width_mm) - width_mm / 2), np.abs(np.mod(y, height_mm) - height_mm / 2))
    return 0.5 * smooth_step(nearest.astype(np.float32), 1.6, 0.2)


def _star(points: int, radius_mm: float, turn: float) -> Floats:
    """Outline (N, 2) of a star about the origin; 0 points make a circle."""
    steps = 2 * points or 40
    angles = turn + np.arange(steps) * 2 * np.pi / steps
    radii = radius_mm * np.where(np.arange(steps) % 2, 0.5 if points else 1.0, 1.0)
    return np.column_stack([radii * np.cos(angles), radii * np.sin(angles)])


def _fill(drawing: Picture, outline_mm: Floats, code: str, tone: float = 1.0) -> None:
    """Fill an outline (N, 2) with subpixel accuracy."""
    corners = np.round(outline_mm * PX_PER_MM * 16).astype(np.int32)
    colour = [float(c) for c in (rgb(code) * tone).clip(0, 255)]
    cv2.fillPoly(drawing, [corners], colour, cv2.LINE_AA, 4)


def _draw_panel(rng: Rng, drawing: Picture, box_mm: tuple[float, float, float, float], codes: Sequence[str]) -> None:
    """One panel, clipped to its box (left, top, right, bottom)."""
    left, top, right, bottom = (round(edge * PX_PER_MM) for edge in box_mm)
    panel = drawing[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    if panel.size == 0:
        return
    height, width = np.array(panel.shape[:2]) / PX_PER_MM
    ground, figure, accent = rng.permutation(list(codes))[:3]
    panel[:] = rgb(str(ground)).astype(np.uint8)
    focus = np.array([width * rng.uniform(0.3, 0.7), height * rng.uniform(0.5, 0.8)])
    if rng.random() < 0.5:
        for angle in np.arange(0, 2 * np.pi, 0.22):
            ray = np.array([[0, 0], [np.cos(angle), np.sin(angle)], [np.cos(angle + 0.09), np.sin(angle + 0.09)]])
            _fill(panel, focus + 260 * ray, str(ground), 0.82)
    scale = rng.uniform(0.75, 1.5)
    for grow, body, head in ((1.08, "#1d1b1a", "#1d1b1a"), (1.0, str(figure), str(accent))):
        _fill(panel, focus + scale * (grow * _star(0, 26, 0) * (0.8, 1.4) + (0, 30)), body)
        _fill(panel, focus + scale * (grow * _star(0, 16, 0) - (0, 16)), head)
    balloon = np.array([width * rng.uniform(0.25, 0.75), 17.0])
    _fill(panel, balloon + _star(0, 13, 0) * (2.1, 1), "#1d1b1a")
    _fill(panel, balloon + _star(0, 12, 0) * (2.1, 1), "#fbf8f0")
    for line in (-3, 3):
        _write(panel, _words(rng, 2)[:9], balloon + np.array([-16, line + 1.5]), 3.4, "#1d1b1a")
    cv2.rectangle(panel, (0, 0), (panel.shape[1] - 1, panel.shape[0] - 1), [26.0, 24.0, 24.0], 3)
