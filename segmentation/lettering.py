"""Words in pictures, in one font, readable on every background."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tabletop_interaction.arrays import Picture

Colour = tuple[int, int, int]

WHITE, BLACK, INK = (255, 255, 255), (0, 0, 0), (30, 34, 40)
"""RGB."""

_RIM_SHARE = 0.12


def words_width(words: str, height_px: int) -> int:
    """Width of words, pixels."""
    return round(_font(height_px).getlength(words))


def fitting(words: str, height_px: int, width_px: int) -> str:
    """The words, or as many of their letters as fit, with dots for the others."""
    if words_width(words, height_px) <= width_px:
        return words
    while words and words_width(f"{words}...", height_px) > width_px:
        words = words[:-1]
    return f"{words.rstrip()}..."


def write_words(
    picture: Picture,
    words: str,
    start_xy: tuple[int, int],
    height_px: int,
    *,
    colour: Colour = WHITE,
    rim: Colour | None = BLACK,
) -> None:
    """Write into the picture (H, W, 3) itself; the words' baseline starts at pixel x, y.

    Args:
        height_px: size of the font; capital letters have about 0.7 of it.
        rim: colour of the rim around the letters; None writes none.
    """
    font, thickness = _font(height_px), 0 if rim is None else max(1, round(_RIM_SHARE * height_px))
    x, y = start_xy
    left, top, right, bottom = font.getbbox(words, anchor="ls", stroke_width=thickness)
    # Only the words' own pixels are converted, so that a large photo costs no more than its words.
    x_min, y_min = max(0, x + int(left) - 1), max(0, y + int(top) - 1)
    part = picture[y_min : max(y_min, y + int(bottom) + 2), x_min : max(x_min, x + int(right) + 2)]
    if not part.size:
        return
    image = Image.fromarray(np.ascontiguousarray(part))
    ImageDraw.Draw(image).text(
        (x - x_min, y - y_min), words, colour, font, anchor="ls", stroke_width=thickness, stroke_fill=rim
    )
    part[:] = np.asarray(image)


@lru_cache(maxsize=32)
def _font(height_px: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(max(8, height_px))
