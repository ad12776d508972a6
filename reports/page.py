"""What the reports have in common: one page each that needs nothing else, made of figures, charts and tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import jinja2
from markupsafe import Markup

from tabletop_interaction.reports.line_charts import STYLE


@dataclass(frozen=True)
class Essential:
    """One figure of the page's head."""

    name: str
    value: str
    note: str


class LegendEntry(Protocol):
    """A line of a chart's legend: what it is, its colour of `STYLE`, how it is drawn, and a value as text."""

    @property
    def label(self) -> str: ...
    @property
    def colour(self) -> int: ...
    @property
    def style(self) -> Literal["solid", "pale", "dashed"]: ...
    @property
    def value(self) -> str: ...


@dataclass(frozen=True)
class Drawn:
    """A chart as the templates' macro `figure` takes it; `svg` is empty where there is nothing to draw."""

    title: str
    legend: tuple[LegendEntry, ...]
    svg: Markup


def drawn(title: str, legend: Sequence[LegendEntry], svg: str) -> Drawn:
    """A chart whose SVG was made by our own code: it is put into the page as it is."""
    return Drawn(title, tuple(legend), Markup(svg))


def render_page(template: Path, **values: Any) -> str:
    """A page as HTML.

    Args:
        template: path of a template that extends base.html.j2.
        values: what it names, `title` and `essentials` among them.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template.name).render(style=Markup(STYLE), **values)
