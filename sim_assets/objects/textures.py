"""Surface paints: plain, patterned, printed and natural.

A paint is a function from a generator, a canvas and a palette to an RGB picture, float32 (H, W, 3), 0 to 255. Sizes on
a canvas are metric, so that a pattern has the same scale on every part. Rows run against v: the last row is at v = 0.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import cv2
import numpy as np

from tabletop_interaction.arrays import FloatPicture, Floats
from tabletop_interaction.sim_assets.colours import Colour, Palette, contrast, shade
from tabletop_interaction.sim_assets.noise import Rng, fractal_noise

Function = TypeVar("Function", bound=Callable[..., Any])


@dataclass(frozen=True)
class Canvas:
    """The size and resolution of a picture to paint.

    Attributes:
        height: rows, pixels.
        width: columns, pixels.
        pixels_per_metre: resolution in both directions.
        folds: borders of printed faces along the width, from 0 to 1.
    """

    height: int
    width: int
    pixels_per_metre: float
    folds: tuple[float, ...] = (0.0, 0.5, 1.0)

    def pixels(self, metres: float) -> float:
        """Convert a length to pixels, at least one."""
        return max(1.0, metres * self.pixels_per_metre)

    def coordinates(self) -> tuple[FloatPicture, FloatPicture]:
        """x (1, W) and y (H, 1), metres from the top left."""
        x = np.arange(self.width, dtype=np.float32)[None] / np.float32(self.pixels_per_metre)
        y = np.arange(self.height, dtype=np.float32)[:, None] / np.float32(self.pixels_per_metre)
        return x, y


Paint = Callable[[Rng, Canvas, Palette], FloatPicture]


@dataclass(frozen=True)
class Skin:
    """How one slot of an object is painted.

    Attributes:
        paint: a key of `PAINTS`.
        palette: its colours.
        folds: borders of printed faces along u, from 0 to 1.
    """

    paint: str
    palette: Palette
    folds: tuple[float, ...] = (0.0, 0.5, 1.0)


def by_name(*functions: Function) -> dict[str, Function]:
    """Functions by their names: `_mug` is "mug"."""
    return {function.__name__.removeprefix("_"): function for function in functions}


def paint(rng: Rng, height: int, width: int, pixels_per_metre: float, skin: Skin) -> FloatPicture:
    """Paint a skin with some wear and dust: float32 (height, width, 3), 0 to 255."""
    canvas = Canvas(height, width, pixels_per_metre, skin.folds)
    picture = PAINTS[skin.paint](rng, canvas, skin.palette)
    wear = 1 + rng.uniform(0.03, 0.12) * (_noise(rng, canvas, 0.03, octaves=3) - 0.5)
    grain = rng.normal(0, rng.uniform(0.5, 3), (height, width, 1)).astype(np.float32)
    return np.asarray(np.clip(picture * wear[..., None] + grain, 0, 255), np.float32)


def _noise(rng: Rng, canvas: Canvas, cell: float, octaves: int = 4, stretch: float = 1.0) -> FloatPicture:
    """Fractal noise with cells of `cell` metres, `stretch` times as tall as wide."""
    size = (canvas.pixels(cell * stretch), canvas.pixels(cell))
    return fractal_noise(rng, canvas.height, canvas.width, size, octaves)


def _fill(canvas: Canvas, colour: Colour) -> FloatPicture:
    return np.full((canvas.height, canvas.width, 3), colour, np.float32)


def _blend(first: FloatPicture | Colour, second: FloatPicture | Colour, share: FloatPicture) -> FloatPicture:
    """`first` where `share` is 0, `second` where it is 1."""
    weight = share[..., None]
    return np.asarray(np.asarray(first, np.float32) * (1 - weight) + np.asarray(second, np.float32) * weight)


def _step(values: FloatPicture, edge: float, softness: float) -> FloatPicture:
    """0 below `edge`, 1 above, with a ramp between to avoid jagged edges."""
    return np.clip((values - edge) / softness + 0.5, 0, 1).astype(np.float32)


def _wave(phase: FloatPicture) -> FloatPicture:
    """Triangle wave of period 1 between 0 and 1."""
    return np.abs(2 * (phase - np.floor(phase)) - 1)


def _plain(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    return _fill(canvas, palette.base)


def _mottled(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    return _blend(palette.base, palette.accent, _noise(rng, canvas, rng.uniform(0.01, 0.03)))


def _speckled(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    soft = 0.25 * _noise(rng, canvas, 0.04)
    spots = _step(_noise(rng, canvas, rng.uniform(0.002, 0.005), octaves=2), rng.uniform(0.6, 0.75), 0.1)
    return _blend(_blend(palette.base, palette.second, soft), palette.accent, spots)


def _camouflage(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    cell = rng.uniform(0.015, 0.03)
    picture = _fill(canvas, palette.base)
    for colour in (palette.accent, palette.second):
        picture = _blend(picture, colour, _step(_noise(rng, canvas, cell, octaves=2), 0.58, 0.04))
    return picture


def _stripes(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Straight stripes around, along or diagonal, some with a thin line of the third colour."""
    x, y = canvas.coordinates()
    angle = float(rng.choice([0.0, np.pi / 2, rng.uniform(0.3, 1.2)]))
    phase = (x * np.cos(angle) + y * np.sin(angle)) / rng.uniform(0.008, 0.028) + rng.random()
    wave = _wave(np.asarray(phase, np.float32))
    picture = _blend(palette.base, palette.accent, _step(wave, rng.uniform(0.35, 0.65), 0.1))
    if rng.random() < 0.5:
        picture = _blend(picture, palette.second, 1 - _step(np.abs(wave - 0.12), 0.07, 0.05))
    return picture


def _bands(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """A few uneven bands around the part."""
    picture = _fill(canvas, palette.base)
    for colour in (palette.accent, palette.second, palette.accent)[: rng.integers(1, 4)]:
        top, bottom = sorted(rng.random(2))
        bottom = max(bottom, top + 0.1)
        picture[int(top * canvas.height) : int(bottom * canvas.height) + 1] = colour
    return picture


def _checks(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    x, y = canvas.coordinates()
    size = rng.uniform(0.006, 0.014)
    if rng.random() < 0.5:
        odd = (np.floor(x / size) + np.floor(y / size)) % 2
        return _blend(palette.base, palette.accent, odd.astype(np.float32))
    across = np.broadcast_to(_step(_wave(x / (2 * size)), 0.5, 0.1), (canvas.height, canvas.width))
    along = np.broadcast_to(_step(_wave(y / (2 * size)), 0.5, 0.1), (canvas.height, canvas.width))
    gingham = np.asarray((across + along) / 2, np.float32)
    return _blend(palette.base, palette.accent, gingham)


def _dots(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    x, y = canvas.coordinates()
    size = rng.uniform(0.009, 0.018)
    row = np.floor(y / size)
    distance = np.hypot((x / size + 0.5 * row) % 1 - 0.5, (y / size) % 1 - 0.5)
    return _blend(palette.base, palette.accent, 1 - _step(distance, rng.uniform(0.22, 0.38), 0.1))


def _zigzag(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    x, y = canvas.coordinates()
    size = rng.uniform(0.01, 0.02)
    wave = _wave(np.asarray((y + 0.5 * size * _wave(x / size)) / size, np.float32))
    picture = _blend(palette.base, palette.accent, _step(wave, 0.5, 0.12))
    return _blend(picture, palette.second, _step(wave, 0.85, 0.1))


def _woven(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    x, y = canvas.coordinates()
    size = rng.uniform(0.003, 0.006)
    over = np.where((np.floor(x / size) + np.floor(y / size)) % 2 > 0, _wave(x / size), _wave(y / size))
    return _blend(palette.accent, palette.base, (0.35 + 0.65 * over).astype(np.float32))


def _confetti(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Scattered stars and polygons."""
    picture = _fill(canvas, palette.base)
    points = int(rng.integers(3, 7))
    size = canvas.pixels(rng.uniform(0.003, 0.007))
    count = int(canvas.height * canvas.width / (size * size * rng.uniform(8, 14))) + 1
    for _ in range(min(count, 150)):
        colour = palette.accent if rng.random() < 0.6 else palette.second
        centre = rng.random(2) * (canvas.width, canvas.height)
        _star(picture, centre, size * rng.uniform(0.7, 1.3), points, rng.random(), colour)
    return picture


def _star(picture: FloatPicture, centre: Floats, size: float, points: int, turn: float, colour: Colour) -> None:
    """Draw a star with `points` rays into the picture."""
    angle = (np.arange(2 * points) / (2 * points) + turn) * 2 * np.pi
    radius = np.where(np.arange(2 * points) % 2, 0.45 * size, size)
    corners = centre + radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    cv2.fillPoly(picture, [np.round(corners).astype(np.int32)], colour, cv2.LINE_AA)


def _wood(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Grain along v, with fibres."""
    rings = _noise(rng, canvas, rng.uniform(0.008, 0.02), octaves=2, stretch=rng.uniform(6, 12))
    grain = _wave(rings * np.float32(rng.uniform(4, 9))) ** 2
    fibres = _noise(rng, canvas, 0.0015, octaves=2, stretch=20)
    return _blend(palette.base, palette.accent, np.clip(0.75 * grain + 0.5 * (fibres - 0.5), 0, 1))


def _marble(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    warp = _noise(rng, canvas, 0.04, octaves=5)
    veins = 1 - _wave(warp * np.float32(rng.uniform(2, 4)))
    clouds = 0.3 * _noise(rng, canvas, 0.02)
    return _blend(_blend(palette.base, palette.second, clouds), palette.accent, veins ** np.float32(6))


def _metal(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Brushed, with a broad reflection along the part."""
    x, _ = canvas.coordinates()
    streaks = _noise(rng, canvas, 0.02, octaves=3, stretch=0.05)
    x_share = x * np.float32(canvas.pixels_per_metre / canvas.width)
    gleam = 0.85 + 0.35 * _wave(2 * x_share + np.float32(rng.random())) ** 2
    return _fill(canvas, palette.base) * (gleam * (0.85 + 0.25 * streaks))[..., None]


def _ribbed(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Grooves of a grip or a screw cap, along v."""
    x, _ = canvas.coordinates()
    wave = np.broadcast_to(_wave(x / np.float32(rng.uniform(0.003, 0.006))), (canvas.height, canvas.width))
    return _fill(canvas, palette.base) * (0.6 + 0.5 * wave)[..., None]


def _rind(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Fruit: a colour gradient along v, with freckles."""
    v = np.linspace(1, 0, canvas.height, dtype=np.float32)[:, None]
    ripe = _step(v + 0.8 * (_noise(rng, canvas, 0.03) - 0.5), rng.uniform(0.35, 0.75), rng.uniform(0.3, 0.9))
    freckles = 0.6 * _step(_noise(rng, canvas, 0.003, octaves=2), 0.72, 0.15)
    return _blend(_blend(palette.base, palette.accent, ripe), palette.second, freckles)


def _pages(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Edges of paper sheets, perpendicular to v."""
    lines = rng.uniform(0.75, 1.0, (canvas.height, 1, 1)).astype(np.float32)
    return _fill(canvas, palette.base) * lines


def _bristles(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    tufts = _noise(rng, canvas, 0.002, octaves=2, stretch=12)
    return _blend(palette.accent, palette.base, _step(tufts, 0.5, 0.5))


def _label(rng: Rng, canvas: Canvas, palette: Palette, turns: int = 0) -> FloatPicture:
    """A printed wrapping with text around the part, or along it with one quarter turn."""
    picture = _print_ground(rng, canvas, palette)
    for number, (start, end) in enumerate(itertools.pairwise(canvas.folds)):
        columns = slice(round(start * canvas.width), round(end * canvas.width))
        face = np.ascontiguousarray(np.rot90(picture[:, columns], turns))
        (_print_front if number % 2 == turns else _print_back)(rng, face, palette)
        picture[:, columns] = np.rot90(face, -turns)
    return picture


def _long_label(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """A label with text along v, for long cartons and bars."""
    return _label(rng, canvas, palette, turns=1)


def _print_ground(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    ground = ("plain", "plain", "bands", "bands", "stripes", "mottled", "dots")[rng.integers(7)]
    if ground in ("stripes", "dots", "mottled"):
        soft = tuple(0.7 * a + 0.3 * b for a, b in zip(palette.base, palette.accent, strict=True))
        palette = Palette(palette.base, (soft[0], soft[1], soft[2]), palette.second, palette.ink)
    return PAINTS[ground](rng, canvas, palette)


def _print_front(rng: Rng, face: FloatPicture, palette: Palette) -> None:
    """Draw a badge, a brand and small print into the face."""
    height, width = face.shape[:2]
    centre = (width // 2, int(height * rng.uniform(0.35, 0.6)))
    half = (int(width * rng.uniform(0.3, 0.46)), int(height * rng.uniform(0.18, 0.34)))
    badge = palette.accent
    if rng.random() < 0.5:
        cv2.ellipse(face, centre, half, 0, 0, 360, badge, -1, cv2.LINE_AA)
    else:
        cv2.rectangle(face, np.subtract(centre, half).tolist(), np.add(centre, half).tolist(), badge, -1)
    _star(face, rng.uniform(0.1, 0.9, 2) * (width, height), 0.14 * min(face.shape[:2]), 5, 0.05, palette.second)
    _word(rng, face, centre, 1.7 * half[0], 1.2 * half[1], contrast(badge))
    _small_print(rng, face, int(height * 0.8), int(height * 0.95), palette.ink)


def _print_back(rng: Rng, face: FloatPicture, palette: Palette) -> None:
    """Draw small print and a bar code into the face."""
    height, width = face.shape[:2]
    _small_print(rng, face, int(height * 0.12), int(height * rng.uniform(0.45, 0.6)), palette.ink)
    top, left = int(height * 0.68), int(width * rng.uniform(0.1, 0.5))
    code = np.repeat(rng.integers(0, 2, 24), 2)[: max(1, width // 3)] * 220.0
    area = face[top : top + height // 5, left : left + len(code)]
    area[:] = code[None, : area.shape[1], None]


def _word(rng: Rng, face: FloatPicture, centre: tuple[int, int], width: float, height: float, colour: Colour) -> None:
    """Draw an invented brand about the centre, as large as fits into `width` x `height` pixels."""
    letters = "".join("BDFGKLMNPRSTVZ"[rng.integers(14)] + "AEIOU"[rng.integers(5)] for _ in range(rng.integers(1, 4)))
    font = (cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_TRIPLEX, cv2.FONT_HERSHEY_SIMPLEX)[rng.integers(3)]
    (text_width, text_height), _ = cv2.getTextSize(letters, font, 1.0, 2)
    scale = min(width / text_width, height / text_height)
    origin = (int(centre[0] - scale * text_width / 2), int(centre[1] + scale * text_height / 2))
    cv2.putText(face, letters, origin, font, scale, colour, max(1, round(2 * scale)), cv2.LINE_AA)


def _small_print(rng: Rng, face: FloatPicture, top: int, bottom: int, colour: Colour) -> None:
    """Draw rows of blocks that look like words into the face."""
    width = face.shape[1]
    for row in range(top, bottom, 4):
        column = int(0.1 * width)
        while column < 0.85 * width:
            length = int(rng.integers(3, 10))
            face[row : row + 2, column : min(column + length, int(0.9 * width))] = colour
            column += length + 2


def _two_tone(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Base below, accent above, with a wavy edge between, like a glaze."""
    x, _ = canvas.coordinates()
    v = np.linspace(1, 0, canvas.height, dtype=np.float32)[:, None]
    edge = 0.05 * np.sin(x * np.float32(canvas.pixels_per_metre / canvas.width * 2 * np.pi * rng.integers(1, 5)))
    picture = _blend(palette.base, palette.accent, _step(v + edge, rng.uniform(0.3, 0.7), 0.04))
    return picture * (0.94 + 0.06 * _noise(rng, canvas, 0.02))[..., None]


def _rough(rng: Rng, canvas: Canvas, palette: Palette) -> FloatPicture:
    """Bark, crust, felt: dark pits in a mottled ground."""
    ground = _blend(palette.base, palette.accent, _noise(rng, canvas, 0.015))
    return _blend(ground, shade(palette.accent, 0.6), _step(_noise(rng, canvas, 0.006), 0.62, 0.2))


PAINTS: Mapping[str, Paint] = by_name(
    _plain, _mottled, _speckled, _camouflage, _stripes, _bands, _checks, _dots, _zigzag, _woven, _confetti, _wood,
    _marble, _metal, _ribbed, _rind, _pages, _bristles, _label, _long_label, _two_tone, _rough,
)  # fmt: skip
"""All paints by name."""
