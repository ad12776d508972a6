"""A page of figures in one HTML file: the most important ones, charts, tables with notes, and pictures below."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.table import Table

from tabletop_interaction.files import write_file
from tabletop_interaction.reports.drawing import Chart
from tabletop_interaction.reports.page import Embedded, Essential, render_page

TERMS_OF_AP = (
    (
        "IoU",
        "intersection over union, the area that two masks share over the area of both together: 1 for equal masks, 0 "
        "for masks that do not touch",
    ),
    (
        "AP at IoU 0.3",
        "average precision, 0 to 100 %: the mean share of right masks, from the best score to the lowest; a mask is "
        "right if its IoU with an object is 0.3 or more and no better mask has this object",
    ),
    (
        "95 % interval",
        "where AP lies for 95 % of the draws of as many pictures, with repetition, from the held-out ones; it says how "
        "much AP depends on the pictures, not on the training run",
    ),
)
"""Terms of average precision, and their meanings."""
TERMS_OF_DEVIATION = (
    (
        "standard deviation",
        "how far single runs lie from their mean: the root of the sum of (x - mean)², divided by the number of seeds "
        "less one; it says how much another seed would change, not how much other pictures would",
    ),
)
"""The term of means over seeds, and its meaning."""
TERMS_OF_CURVES = (
    ("precision", "the share of right masks among those with a score above a threshold"),
    ("recall", "the share of the objects that these masks find"),
)
"""Terms of precision-recall curves, and their meanings."""


def interval_words(low: float, high: float, reliable: bool) -> str:
    """A 95 % interval, per cent, in the note of a figure."""
    return f"{'' if reliable else 'unreliable '}95 % interval {low:.0f} to {high:.0f} %"


@dataclass(frozen=True)
class CaptionedPicture:
    """A picture, its caption, and the text that stands for it where it is not seen."""

    picture: Embedded
    caption: str
    alt: str


@dataclass(frozen=True)
class PictureGroup:
    """Pictures that belong together: title, meaning, pictures."""

    title: str
    meaning: str
    pictures: Sequence[CaptionedPicture]


@dataclass(frozen=True)
class FiguresPage:
    """The content of a page; `write` writes it.

    Attributes:
        title, introduction: of the page.
        essentials: figures of the page's head.
        charts: of equal standing.
        table: all figures, as at the terminal.
        more: further tables, each below its title.
        notes: what a reader of the table has to know, a sentence each.
        terms: pairs of a term and its meaning.
        groups: pictures.
    """

    title: str
    introduction: str
    essentials: Sequence[Essential]
    charts: Sequence[Chart]
    table: Table
    notes: Sequence[str] = ()
    terms: Sequence[tuple[str, str]] = ()
    groups: Sequence[PictureGroup] = field(default_factory=tuple)
    more: Sequence[Table] = ()

    def write(self, path: Path) -> Path:
        """Write the page and return its path."""
        page = render_page(
            Path(__file__).with_name("figures_page.html.j2"),
            title=self.title,
            essentials=self.essentials,
            page=self,
            tables=[_drawn(table) for table in (self.table, *self.more)],
        )
        write_file(path, page)
        return path


@dataclass(frozen=True)
class _DrawnTable:
    """What the template needs of a table; the first columns of our tables are `names`, which stand to the left."""

    title: str
    headings: Sequence[str]
    names: Sequence[bool]
    rows: Sequence[Sequence[str]]


def _drawn(table: Table) -> _DrawnTable:
    columns = table.columns
    return _DrawnTable(
        title=str(table.title),
        headings=[str(column.header) for column in columns],
        names=[column.justify == "left" for column in columns],
        rows=list(zip(*(map(str, column.cells) for column in columns), strict=True)),
    )
