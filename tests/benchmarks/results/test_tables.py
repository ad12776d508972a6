"""Tables of result files in Markdown, and what is refused."""

from datetime import date

import pytest

from tabletop_interaction.benchmarks.results.result import Figure, Result, Transcription, write_result
from tabletop_interaction.benchmarks.results.tables import names_in, origin, rendered, result_names, seeds_text
from tabletop_interaction.errors import InvalidConfiguration, UnreadableRecords

FRAME = "# Page\n\n<!-- results: {} -->\nold\n<!-- end -->\n\nmore\n"


def result(value=96.0, **changes):
    figures = {"ours": {"success": Figure(value, "%", 92.3, 98.0, 200)}}
    kept = {"commands": ("tabletop x",), "seeds": (0,), "commit": "a" * 40, "date": date(2026, 11, 29), "machine": "m"}
    return Result(**{"figures": figures, **kept, **changes})


@pytest.fixture
def folder(tmp_path):
    write_result(tmp_path / "one.json", result())
    write_result(tmp_path / "two.json", result(12.5, figures={"theirs": {"time": Figure(12, "ms", decimals=0)}}))
    chosen = "- {what: Success, result: one, row: ours, columns: [success]}\n"
    (tmp_path / "few.yaml").write_text(chosen)
    return tmp_path


def test_a_table_has_figures_with_intervals_and_their_origin(folder):
    page = rendered(FRAME.format("one"), folder)
    assert "|  | success, % |\n| --- | ---: |\n| ours | 96.0 (92.3 to 98.0), n = 200 |\n" in page
    assert "- `tabletop x`; date: 29 November 2026; commit: `aaaaaaa`; machine: m; seeds: one seed (0)." in page
    assert page.startswith("# Page\n\n<!-- results: one -->\n")
    assert page.endswith("\n<!-- end -->\n\nmore\n")
    assert rendered(page, folder) == page


def test_several_results_are_rows_of_one_table_each_with_its_origin(folder):
    page = rendered(FRAME.format("one two"), folder)
    assert "| ours (1) | 96.0 (92.3 to 98.0), n = 200 |  |\n| theirs (2) |  | 12 |\n" in page
    assert "\n1. `tabletop x`" in page
    assert "\n2. `tabletop x`" in page


def test_a_table_of_chosen_figures_names_seeds_and_command(folder):
    page = rendered(FRAME.format("few"), folder)
    assert "| Success | 96.0 % (92.3 to 98.0), n = 200 | one seed (0) | `tabletop x` |\n" in page
    assert result_names(names_in(page), folder) == {"one"}


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (FRAME.format("three"), "'three', which is not in .*; there are one, two"),
        (FRAME.format(""), "names no file"),
        ("<!-- results: one -->\nno end\n", "has no line `<!-- end -->`"),
        ("<!-- results: one -->\n" + FRAME.format("two"), "has no line `<!-- end -->`"),
    ],
)
def test_a_marker_without_an_end_or_a_file_is_refused(page, said, folder):
    with pytest.raises(InvalidConfiguration, match=said):
        rendered(page, folder)


def test_a_chosen_figure_that_is_not_there_is_refused(folder):
    (folder / "few.yaml").write_text("- {what: Success, result: one, row: mine, columns: [success]}\n")
    with pytest.raises(InvalidConfiguration, match="row 'mine', column 'success' of one; there are ours: success"):
        rendered(FRAME.format("few"), folder)


def test_a_result_file_with_a_field_that_nobody_reads_is_damaged(folder):
    path = folder / "one.json"
    path.write_text(path.read_text().replace('"machine"', '"computer": "x", "machine"'))
    with pytest.raises(UnreadableRecords, match="computer"):
        rendered(FRAME.format("one"), folder)


def test_what_was_not_recorded_is_called_so():
    text = origin(result(commit=None, machine=None, seeds=None, date=None))
    assert text.count("not recorded") == 4


def test_a_copied_figure_and_one_from_elsewhere_say_so():
    copied = origin(result(transcribed=Transcription("README.md", "b" * 40, date(2026, 11, 24))))
    assert (
        "Copied by hand from the command's output: README.md has stated it since commit `bbbbbbb` of 24 Nov" in copied
    )
    assert origin(result(commands=(), external="A paper")) == "External: A paper"


@pytest.mark.parametrize(
    ("seeds", "text"),
    [
        (None, "not recorded"),
        ((), "none: nothing is random"),
        ((3,), "one seed (3)"),
        ((0, 1), "0, 1"),
        (range(100, 200), "100 to 199"),
        ((1, 2, 3, 4, 5, 9), "1, 2, 3, 4, 5, 9"),
    ],
)
def test_seeds_are_listed_or_a_range(seeds, text):
    assert seeds_text(result(seeds=seeds)) == text


def test_a_network_with_one_seed_is_told_beside_the_seeds_of_its_episodes():
    assert seeds_text(result(seeds=range(10, 30), network_seeds=(0,))) == "10 to 29; networks: one seed (0)"


def test_a_copied_headline_figure_says_that_its_interval_was_not_recorded(folder):
    copied = Transcription("README.md", "b" * 40, date(2026, 11, 24))
    figures = {"ours": {"success": Figure(50, "%")}}
    write_result(folder / "one.json", result(figures=figures, transcribed=copied))
    assert "| 50.0 % (interval not recorded) |" in rendered(FRAME.format("few"), folder)
