"""What all charts share: colours, style, and matplotlib's figures as SVG text.

Fonts come from the page; colours are CSS variables, so that a chart follows the reader's light or dark mode. Sizes are
in the SVG's user units. The same chart gives the same text.
"""

import io
import re
import warnings
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

PALETTE = {
    "ink": ("#1d2329", "#e6e9ec"),
    "muted": ("#5d6873", "#9aa5b0"),
    "grid": ("#e4e7ea", "#2e353c"),
    "paper": ("#ffffff", "#14181c"),
    "c0": ("#0072b2", "#56b4e9"),
    "c1": ("#d55e00", "#ff8f4d"),
    "c2": ("#009e73", "#3fce9f"),
    "c3": ("#b4568f", "#e39ac9"),
    "c4": ("#b88700", "#ecc14a"),
    "c5": ("#7d8791", "#8b97a3"),
}
"""By CSS variable the colour in light and in dark mode; colour-blind readers can distinguish c0 to c5."""


def _variables(mode: int) -> str:
    return " ".join(f"--{name}: {colours[mode]};" for name, colours in PALETTE.items())


LIGHT = _variables(0)
"""CSS of the palette's light mode, which paper has too."""

STYLE = f"""
:root {{ {LIGHT} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_variables(1)} }} }}
.chart {{ font: 13px system-ui, -apple-system, "Segoe UI", sans-serif; display: block; overflow: visible; }}
.chart * {{ stroke-linejoin: round; }}
"""
"""CSS of the palette and of the charts, for a page's head."""

COLOURS = 6
"""Number of colours for data: c0 to c5."""

INK, MUTED, _GRID = (PALETTE[name][0] for name in ("ink", "muted", "grid"))
SETTINGS: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "charts",
    "font.size": 13,
    "text.color": MUTED,
    "text.parse_math": False,
    "axes.facecolor": "none",
    "axes.edgecolor": MUTED,
    "axes.linewidth": 1,
    "axes.spines.left": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": _GRID,
    "grid.linewidth": 1,
    "xtick.color": MUTED,
    "xtick.major.size": 4,
    "xtick.major.pad": 5,
    "ytick.color": MUTED,
    "ytick.major.size": 0,
    "ytick.major.pad": 8,
    "lines.markersize": 6.4,
    "lines.markeredgewidth": 0,
    "lines.solid_capstyle": "round",
}
LEFT = 52
"""Space to the left of the axes, for the numbers of the y axis."""
CAP_PX = 8.0
"""Length of the caps of an interval."""


@dataclass(frozen=True)
class LegendEntry:
    """What a legend explains: a sample of a style in a colour, a CSS variable, then a label and a value."""

    label: str
    style: Literal["solid", "pale", "thin", "dashed", "band", "mark", "block"]
    colour: str
    value: str = ""


class Chart:
    """A chart of a size (width, height) that draws itself into a figure."""

    title: str

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw; the page then says why instead."""
        raise NotImplementedError

    @property
    def legend(self) -> tuple[LegendEntry, ...]:
        """What the page writes above the chart."""
        raise NotImplementedError

    @matplotlib.rc_context(SETTINGS)
    def svg(self) -> str:
        """An SVG element for a page, as wide as its place."""
        width, height = self.extent
        figure = new_figure(width, height)
        self.draw(figure)
        box = f"0 0 {width} {height}"
        start = f'<svg class="chart" viewBox="{box}" role="img" aria-label="{escape(self.title)}">'
        return f"{start}{svg_content(figure)}</svg>"

    @property
    def extent(self) -> tuple[int, int]:
        """Width and height."""
        raise NotImplementedError

    def draw(self, figure: Figure, left: float = 0, top: float = 0) -> None:
        """Draw the chart into a figure, its top left corner at a point."""
        raise NotImplementedError


def new_figure(width: float, height: float) -> Figure:
    """An empty figure whose points are the SVG's user units."""
    return Figure((width / 72, height / 72), frameon=False)


def framed_axes(figure: Figure, box: tuple[float, float, float, float], y_label: str) -> Axes:
    """Axes inside a box (left, top, right, bottom); the y axis' name stands above, to be read without turning."""
    left, top, right, bottom = box
    width, height = figure.get_size_inches() * 72
    axes = figure.add_axes((left / width, 1 - bottom / height, (right - left) / width, (bottom - top) / height))
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.yaxis.set_major_formatter(FuncFormatter(plain_number))
    write_at(figure, left - LEFT + 4, top - 20, y_label)
    return axes


def write_at(figure: Figure, x: float, y: float, words: str, **style: Any) -> None:
    """Write words, their baseline's start at a point from the figure's top left corner."""
    width, height = figure.get_size_inches() * 72
    figure.text(x / width, 1 - y / height, words, verticalalignment="baseline", **style)


def svg_content(figure: Figure) -> str:
    """What stands between the SVG's tags: colours as variables, text in the page's font, tenths of a unit."""
    stream = io.StringIO()
    with warnings.catch_warnings():
        # The words are drawn by the reader's browser, whose fonts have letters that matplotlib's lacks.
        warnings.filterwarnings("ignore", r"Glyph \d+ .* missing from font", UserWarning)
        figure.savefig(stream, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    content = re.sub(r"(?s)^.*?<svg [^>]*>|<defs>\s*<style.*?</defs>|</svg>\s*$", "", stream.getvalue())
    content = re.sub(r' id="[^"]*_\d+"| transform="rotate\(-0 [^"]*"|font(-size|-family)?: [^;"]*;? ?', "", content)
    content = re.sub(r' (d|x|y)="[^"]*"', _shortened, content).replace("xlink:href", "href")
    for name, (light, _) in PALETTE.items():
        content = content.replace(light, f"var(--{name})")
    return re.sub(r">\s+<", "><", content).strip()


def _shortened(attribute: re.Match[str]) -> str:
    """A path or coordinate with one decimal, on one line."""
    return re.sub(r"\s*\n", "", re.sub(r"\d+\.\d+", lambda number: f"{float(number[0]):.1f}", attribute[0]))


def colour_of(number: int) -> str:
    return PALETTE[f"c{number}"][0]


def plain_number(value: float, _: int) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:g}"
