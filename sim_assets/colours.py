"""Colours of household objects: single tones by kind, and palettes of four matching colours."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np

from tabletop_interaction.sim_assets.noise import Rng

Colour = tuple[float, float, float]
"""Red, green and blue, each 0 to 255."""

WHITE: Colour = (238.0, 236.0, 230.0)
BLACK: Colour = (34.0, 33.0, 36.0)

KINDS = {
    "vivid": ((0.0, 1.0), (0.65, 0.95), (0.6, 0.95)),
    "deep": ((0.0, 1.0), (0.5, 0.9), (0.25, 0.5)),
    "pastel": ((0.0, 1.0), (0.15, 0.4), (0.8, 0.95)),
    "muted": ((0.0, 1.0), (0.2, 0.5), (0.4, 0.7)),
    "white": ((0.08, 0.17), (0.0, 0.08), (0.86, 0.97)),
    "grey": ((0.0, 1.0), (0.0, 0.07), (0.35, 0.7)),
    "black": ((0.0, 1.0), (0.0, 0.15), (0.1, 0.2)),
    "wood": ((0.05, 0.1), (0.35, 0.7), (0.35, 0.8)),
    "stone": ((0.04, 0.14), (0.03, 0.25), (0.35, 0.75)),
    "card": ((0.07, 0.1), (0.3, 0.45), (0.6, 0.75)),
    "steel": ((0.55, 0.65), (0.0, 0.08), (0.55, 0.8)),
    "brass": ((0.09, 0.13), (0.4, 0.65), (0.6, 0.85)),
    "clay": ((0.02, 0.07), (0.4, 0.7), (0.5, 0.75)),
}
"""Ranges of hue (turns), saturation and value by the names that `tone` accepts."""


@dataclass(frozen=True)
class Palette:
    """Four colours of one object.

    Attributes:
        base: most of the surface.
        accent: patterns, bands.
        second: a third tone.
        ink: print; differs from the base in brightness.
    """

    base: Colour
    accent: Colour
    second: Colour
    ink: Colour

    def swapped(self) -> Palette:
        """The palette with base and accent swapped."""
        return Palette(self.accent, self.base, self.second, contrast(self.accent))


def tone(rng: Rng, *kinds: str) -> Colour:
    """A random colour of one of `kinds`, see `KINDS`."""
    hue, saturation, value = (rng.uniform(*span) for span in KINDS[kinds[rng.integers(len(kinds))]])
    red, green, blue = colorsys.hsv_to_rgb(hue, saturation, value)
    return (255 * red, 255 * green, 255 * blue)


def uniform(colour: Colour) -> Palette:
    """The palette of one colour, with readable print."""
    return Palette(colour, colour, colour, contrast(colour))


def contrast(colour: Colour) -> Colour:
    """Black or white, whichever has the higher contrast on `colour`."""
    return BLACK if brightness(colour) > 120 else WHITE


def brightness(colour: Colour) -> float:
    """Luma, 0 to 255."""
    return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]


def shade(colour: Colour, factor: float) -> Colour:
    """The colour times `factor`: darker below 1, lighter above."""
    red, green, blue = (min(255.0, channel * factor) for channel in colour)
    return (red, green, blue)


def natural(rng: Rng, kind: str) -> Palette:
    """Three similar tones of one material (wood, stone, steel, ...)."""
    base = tone(rng, kind)
    darker, darkest = shade(base, rng.uniform(0.6, 0.8)), shade(base, rng.uniform(0.3, 0.5))
    return Palette(base, darker, darkest, contrast(base))


def mixed(rng: Rng, *kinds: str) -> Palette:
    """A base of one of `kinds` (by default of any manufactured kind) and contrasting accents."""
    base = tone(rng, *(kinds or ("vivid", "vivid", "deep", "pastel", "muted", "white", "white", "grey", "black")))
    accents = [base]
    while len(accents) < 3:
        candidate = tone(rng, "vivid", "vivid", "white", "black", "deep", "pastel")
        if min(float(np.linalg.norm(np.subtract(candidate, other))) for other in accents) > 70:
            accents.append(candidate)
    return Palette(base, accents[1], accents[2], contrast(base))
