"""The figures of README and docs are those of the result files."""

import re
import subprocess
from pathlib import Path

import msgspec
import pytest

from tabletop_interaction.benchmarks.results.result import read_result, write_result
from tabletop_interaction.benchmarks.results.tables import FOLDER, names_in, pages, rendered, result_names

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / FOLDER
PAGES = pages(ROOT)
FILES = sorted(RESULTS.glob("*.json"))

BETWEEN_MARKERS = re.compile(r"^<!-- results:.*?^<!-- end -->$|^```text$.*?^```$", re.MULTILINE | re.DOTALL)
"""Tables of results; and examples of what a command prints, which state no result."""
PROSE = [page for page in PAGES if page.name != "hardware.md" and page.parent.name != "decisions"]
"""Decisions hold what was measured when they were made, and the page about hardware settings of a robot."""
A_FIGURE = re.compile(
    r"(?<!than )\b\d[\d.]* *(?:%(?! interval)|per cent\b|ms\b|(?:interactions|steps) (?:a|per) second)"
    r"|\bAP\b[^.|\n]{0,30}? (?!0\.[357])\d"
    r"|\d\.\d / \d"
)
"""A share, a time, a rate or an average precision; IoU thresholds are none."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_tables_of_a_page_are_those_of_the_result_files(page):
    text = page.read_text(encoding="utf-8")
    assert rendered(text, RESULTS) == text, "run `make tables`"


def test_every_result_file_stands_in_a_table_of_the_docs():
    shown = {name for page in PAGES if page.name != "README.md" for name in names_in(page.read_text(encoding="utf-8"))}
    assert result_names(shown, RESULTS) == {path.stem for path in FILES}


def test_every_list_of_chosen_figures_is_used():
    shown = {name for page in PAGES for name in names_in(page.read_text(encoding="utf-8"))}
    assert {path.stem for path in RESULTS.glob("*.yaml")} <= shown


@pytest.mark.parametrize("page", PROSE, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_states_no_figure_outside_its_tables(page):
    prose = BETWEEN_MARKERS.sub("", page.read_text(encoding="utf-8"))
    assert [line for line in prose.splitlines() if A_FIGURE.search(line)] == []


@pytest.mark.parametrize("line", ["it holds 96 % of them", "AP 90.5 / 88.5", "AP of 90", "12.66 interactions a second"])
def test_a_figure_is_recognised(line):
    assert A_FIGURE.search(line)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_result_file_is_as_a_command_writes_it(path, tmp_path):
    write_result(tmp_path / path.name, read_result(path))
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_measured_result_has_all_of_its_origin_and_another_one_says_what_it_is(path):
    result = read_result(path)
    origin = (result.commands, result.commit, result.date, result.machine, result.seeds is not None)
    assert [all(origin), result.transcribed is not None, result.external is not None].count(True) == 1
    assert result.commit is None or re.fullmatch("[0-9a-f]{40}", result.commit), "of a checkout without changes"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_result_says_what_its_intervals_are_and_has_none_that_it_does_not_name(path):
    result = read_result(path)
    figures = [figure for row in result.figures.values() for figure in row.values()]
    assert any(one.low is not None for one in figures) == (result.interval is not None)


def test_the_commits_of_the_results_exist():
    git = ["git", "-C", str(ROOT)]
    history = subprocess.run([*git, "rev-list", "HEAD"], capture_output=True, text=True)
    shallow = subprocess.run([*git, "rev-parse", "--is-shallow-repository"], capture_output=True, text=True)
    if history.returncode or shallow.stdout.strip() == "true":
        pytest.skip("no checkout with its history")
    results = [read_result(path) for path in FILES]
    named = {one.commit for one in results} | {one.transcribed.commit for one in results if one.transcribed}
    assert named - {None} - set(history.stdout.split()) == set()


def test_a_transcribed_figure_stands_in_the_file_that_it_was_copied_from():
    """The numbers of its table, at the commit that it names."""
    for path in FILES:
        result = read_result(path)
        if result.transcribed is None:
            continue
        shown = ["git", "-C", str(ROOT), "show", f"{result.transcribed.commit}:{result.transcribed.file}"]
        done = subprocess.run(shown, capture_output=True, text=True)
        if done.returncode:
            pytest.skip("no checkout with its history")
        figures = [figure for row in result.figures.values() for figure in row.values()]
        assert [one for one in figures if not _stated(one, done.stdout)] == [], path.stem


def _stated(figure: msgspec.Struct, page: str) -> bool:
    value = figure.value
    texts = {f"{value:.{figure.decimals}f}", f"{value:g}", f"{value / 100:.3f}"}
    if figure.trials is not None:
        texts.add(str(round(value * figure.trials / 100)))
    return any(re.search(rf"(?<![\d.]){re.escape(text)}(?![\d])", page) for text in texts)
