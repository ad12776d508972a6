"""Tables of result files in Markdown pages, between markers.

```
<!-- results: shipped-test -->
(the table of docs/results/shipped-test.json and its origin; written by `python -m ...benchmarks.results`)
<!-- end -->
```
Several names give one table with the rows of all. The name of a YAML file, such as docs/results/headline.yaml, gives a
table of chosen figures: a list of `what`, `result`, `row` and `columns`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tabletop_interaction.benchmarks.results.result import Figure, Result, read_result
from tabletop_interaction.documents import convert, read_yaml
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import shown
from tabletop_interaction.reports.page import day

FOLDER = Path("docs/results")
"""The folder of result files below the root of the repository."""
NOT_RECORDED = "not recorded"

_MARKER = re.compile(r"^<!-- results:(?P<names>[^>\n]*)-->\n(?P<table>.*?)^<!-- end -->$", re.MULTILINE | re.DOTALL)
_OPENING = re.compile(r"<!-- *results:")
_LISTED_SEEDS = 5
_SHORT_COMMIT = 7


@dataclass(frozen=True)
class Chosen:
    """A row of a table of chosen figures: its label, and where its figures stand."""

    what: str
    result: str
    row: str
    columns: tuple[str, ...]


def pages(root: Path) -> list[Path]:
    """README.md and every page below docs."""
    return [root / "README.md", *sorted((root / "docs").rglob("*.md"))]


def names_in(page: str) -> list[str]:
    """The names in the markers of a page.

    Raises:
        InvalidConfiguration: a marker has no name or no end.
    """
    markers = list(_MARKER.finditer(page))
    if len(markers) != len(_OPENING.findall(page)) or any(_OPENING.search(one["table"]) for one in markers):
        raise InvalidConfiguration("a line `<!-- results: NAME -->` has no line `<!-- end -->` after its table")
    names = [one["names"].split() for one in markers]
    if not all(names):
        raise InvalidConfiguration("a line `<!-- results: -->` names no file of docs/results")
    return [name for each in names for name in each]


def result_names(names: Iterable[str], folder: Path) -> set[str]:
    """The result files that names in markers lead to, directly or through a YAML file."""
    chosen = {name: _chosen_path(name, folder) for name in names}
    direct = {name for name, path in chosen.items() if not path.exists()}
    return direct | {row.result for path in chosen.values() if path.exists() for row in _read_chosen(path)}


def rendered(page: str, folder: Path) -> str:
    """The page with every table made again from the files in `folder`.

    Raises:
        InvalidConfiguration: a marker is not closed, or names a file, row or column that is not there.
        UnreadableRecords: a result file is damaged.
    """
    names_in(page)
    return _MARKER.sub(lambda one: _block(one["names"], folder), page)


def _block(names: str, folder: Path) -> str:
    listed = names.split()
    if len(listed) == 1 and (path := _chosen_path(listed[0], folder)).exists():
        table = chosen_table(_read_chosen(path), folder)
    else:
        table = results_table({name: read_named(name, folder) for name in listed})
    return f"<!-- results: {' '.join(listed)} -->\n{table}\n<!-- end -->"


def read_named(name: str, folder: Path) -> Result:
    """The result file of a name.

    Raises:
        InvalidConfiguration: there is none.
    """
    path = folder / f"{name}.json"
    if not path.is_file():
        there = ", ".join(sorted(one.stem for one in folder.glob("*.json")))
        raise InvalidConfiguration(
            f"a table names the result {shown(name)}, which is not in {folder}; there are {there}"
        )
    return read_result(path)


def results_table(results: Mapping[str, Result]) -> str:
    """One table with the rows of all results, and below it the origin of each; of several, each has a number."""
    several = len(results) > 1
    rows = [
        (f"{row} ({number})" if several else row, figures)
        for number, one in enumerate(results.values(), start=1)
        for row, figures in one.figures.items()
    ]
    columns = list(dict.fromkeys(column for _, figures in rows for column in figures))
    units = {column: _common_unit(figures[column] for _, figures in rows if column in figures) for column in columns}
    headings = [f"{column}, {units[column]}" if units[column] else column for column in columns]
    cells = [
        [row, *(figure_text(figures[column], units[column]) if column in figures else "" for column in columns)]
        for row, figures in rows
    ]
    marks = (f"{number}." if several else "-" for number in range(1, len(results) + 1))
    origins = [f"{mark} {origin(one)}" for mark, one in zip(marks, results.values(), strict=False)]
    return "\n".join([_table(["", *headings], ["---", *["---:"] * len(columns)], cells), "", *origins])


def chosen_table(rows: Iterable[Chosen], folder: Path) -> str:
    """A table of chosen figures: figure with interval or deviation, seeds, and the command that prints it.

    Means over seeds stand without their worst and best seed.
    """
    cells, heading = [], "figure (95 % interval)"
    for row in rows:
        result = read_named(row.result, folder)
        figures = [_figure_at(result, row.result, row.row, column) for column in row.columns]
        unit = _common_unit(figures) if len(figures) > 1 else ""
        if any(one.deviation is not None for one in figures):
            heading = "figure (95 % interval, or ± standard deviation over seeds)"
            figures = [msgspec.structs.replace(one, low=None, high=None) for one in figures]
        text = f"{' / '.join(figure_text(one, unit) for one in figures)} {unit}".strip()
        if result.transcribed is not None and all(one.low is None for one in figures):
            text += " (interval not recorded)"
        command = "external" if result.external is not None else f"`{result.commands[-1]}`"
        cells.append([row.what, text, seeds_text(result), command])
    headings = ["what", heading, "seeds", "command"]
    return _table(headings, ["---"] * len(headings), cells)


def figure_text(figure: Figure, unit: str = "") -> str:
    """Value with deviation, unit if it differs from that of the column or row, interval, and number of trials."""
    text = _number(figure.value, figure)
    if figure.deviation is not None:
        text += f" ± {_number(figure.deviation, figure)}"
    if figure.unit != unit:
        text += f" {figure.unit}"
    if figure.low is not None and figure.high is not None:
        text += f" ({_number(figure.low, figure)} to {_number(figure.high, figure)})"
    return text if figure.trials is None else f"{text}, n = {figure.trials:,}"


def origin(result: Result) -> str:
    """Command, date, commit, machine, seeds and limits of a result, in a line."""
    if result.external is not None:
        return f"External: {result.external}"
    commit = f"`{_short(result.commit)}`" if result.commit else NOT_RECORDED
    parts = [
        ", then ".join(f"`{command}`" for command in result.commands) or f"command: {NOT_RECORDED}",
        f"date: {day(result.date) if result.date else NOT_RECORDED}",
        f"commit: {commit}",
        f"machine: {result.machine or NOT_RECORDED}",
        f"seeds: {seeds_text(result)}",
    ]
    if result.interval:
        parts.append(f"interval: {result.interval}")
    sentences = ["; ".join(parts), *result.notes]
    if one := result.transcribed:
        sentences.append(
            f"Copied by hand from the command's output: {one.file} has stated it since commit "
            f"`{_short(one.commit)}` of {day(one.date)}"
        )
    return " ".join(sentence if sentence.endswith(".") else f"{sentence}." for sentence in sentences)


def seeds_text(result: Result) -> str:
    """The seeds of a result; a single one is called so."""
    text = NOT_RECORDED if result.seeds is None else _listed(result.seeds)
    return f"{text}; networks: {_listed(result.network_seeds)}" if result.network_seeds else text


def _listed(seeds: Sequence[int]) -> str:
    if not seeds:
        return "none: nothing is random"
    if len(seeds) == 1:
        return f"one seed ({seeds[0]})"
    if len(seeds) > _LISTED_SEEDS and list(seeds) == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _figure_at(result: Result, name: str, row: str, column: str) -> Figure:
    try:
        return result.figures[row][column]
    except KeyError as error:
        there = "; ".join(f"{row}: {', '.join(columns)}" for row, columns in result.figures.items())
        raise InvalidConfiguration(
            f"a table names row {shown(row)}, column {shown(column)} of {name}; there are {there}"
        ) from error


def _chosen_path(name: str, folder: Path) -> Path:
    return folder / f"{name}.yaml"


def _read_chosen(path: Path) -> tuple[Chosen, ...]:
    content = read_yaml(path, error=InvalidConfiguration)
    return convert(content, tuple[Chosen, ...], path, error=InvalidConfiguration, remedy="correct it there")


def _common_unit(figures: Iterable[Figure]) -> str:
    units = {one.unit for one in figures}
    return units.pop() if len(units) == 1 else ""


def _number(value: float, figure: Figure) -> str:
    return f"{value:,.{figure.decimals}f}"


def _short(commit: str) -> str:
    digits, plus, changes = commit.partition("+")
    return f"{digits[:_SHORT_COMMIT]}{plus}{changes}"


def _table(headings: Sequence[str], alignment: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [headings, alignment, *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)
