"""Every page opens in a real browser: pictures load, nothing fails, it fits a telephone. Skipped without chromium."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.benchmarks.rearrangement.folder import keep_episode
from tabletop_interaction.benchmarks.rearrangement.page import write_page
from tabletop_interaction.benchmarks.rearrangement.table import Scores
from tabletop_interaction.benchmarks.segmentation.active_passive import compare_runs, comparison_page, comparison_svg
from tabletop_interaction.reports.learning_page import write_report
from tabletop_interaction.reports.page import encode_jpeg
from tests.benchmarks.rearrangement.conftest import played_episode
from tests.browser import opened, problems_of


@pytest.fixture(scope="module")
def run(
    tmp_path_factory: pytest.TempPathFactory, learning_run: Any, history_of: Any, evaluation_of: Any, update_of: Any
) -> Path:
    """A learning run of sixty interactions with a long name, with many columns of pictures."""
    folder = tmp_path_factory.mktemp("runs") / ("a_run_with_a_name_that_is_long_enough_for_two_lines" * 2)
    evaluations = [evaluation_of(at, 20.0 + at) for at in range(10, 61, 10)]
    return learning_run(folder, [history_of(n) for n in range(1, 61)], evaluations, [update_of(30), update_of(60)])


@pytest.fixture(scope="module")
def report(run: Path) -> Path:
    return write_report(run)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a benchmark with six agents, one of a long name, on two kinds of scenes."""
    out = tmp_path_factory.mktemp("benchmark")
    agents = ("full", "oracle", "true-masks", "inverse", "random", "my_package.my_agents:AnAgentWithALongName")
    episodes = [
        played_episode(agent=agent, tables=tables, seed=seed, cause="" if seed % 2 else "grasp")
        for agent in agents
        for tables in ("test", "train")
        for seed in (200, 201)
    ]
    jpeg = encode_jpeg(np.random.default_rng(0).integers(0, 255, (350, 1298, 3), np.uint8), 50)
    for episode in episodes:
        keep_episode(out, episode, jpeg)
    scores = Scores.of(episodes)
    document = {"setting": {"model": "m" * 200}, "made_by": None, "seeds": [200, 201], "scenes": scores.scenes}
    write_page(out, episodes, scores, document)
    return out / "results.html"


def test_the_learning_report_opens_and_fits(browser: Any, report: Path) -> None:
    assert problems_of(browser, report) == []


def test_the_page_of_rearrangement_opens_and_fits(browser: Any, results: Path) -> None:
    assert problems_of(browser, results) == []


def test_a_comparison_of_runs_opens_and_fits(browser: Any, run: Path, tmp_path: Path) -> None:
    page = comparison_page(compare_runs({"active": run, "a_passive_run_with_a_long_name": run}))
    assert problems_of(browser, page.write(tmp_path / "results.html")) == []


def test_files_of_curves_fit_a_telephone(browser: Any, run: Path, tmp_path: Path) -> None:
    path = tmp_path / "curves.svg"
    path.write_text(comparison_svg(compare_runs({"a": run, "b": run})))
    assert problems_of(browser, path) == []


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<img src='nothing.png' alt='a'>", "picture without pixels: a"),
        ("<script>nothing()</script>", "nothing is not defined"),
        ("<p style='width: 500px'>a</p>", "px wide"),
        ("<img src='data:image/gif;base64,R0lGODlhAQABAAAAACwAAAAAAQABAAA='>", "without a text"),
    ],
)
def test_the_browser_finds_what_is_wrong(browser: Any, tmp_path: Path, body: str, found: str) -> None:
    path = tmp_path / "page.html"
    path.write_text(f"<!doctype html><meta name=viewport content='width=device-width'><body>{body}")
    assert any(found in problem for problem in problems_of(browser, path))


def test_a_click_enlarges_a_picture_and_another_click_closes_it(browser: Any, report: Path) -> None:
    with opened(browser, report, 1100) as (page, errors):
        picture = page.locator(".picture img").first
        small = picture.bounding_box()
        picture.click()
        large = picture.bounding_box()
        assert large["width"] > 1000
        assert small["width"] < 300
        page.mouse.click(5, 5)
        assert picture.bounding_box()["width"] == small["width"]
        picture.locator("..").press("Enter")
        assert picture.bounding_box()["width"] == large["width"]
        assert not errors


def test_a_wide_picture_is_turned_on_a_telephone_and_the_page_stays_in_place(browser: Any, results: Path) -> None:
    with opened(browser, results, 390) as (page, _):
        height = page.evaluate("() => document.documentElement.scrollHeight")
        picture = page.locator(".picture img").nth(1)
        picture.click()
        large = picture.bounding_box()
        assert large["height"] > 2 * large["width"] > 600
        assert abs(large["x"] + large["width"] / 2 - 195) < 2
        assert page.evaluate("() => document.documentElement.scrollHeight") == height
        assert page.evaluate("() => document.documentElement.scrollWidth") == 390


def test_words_are_readable_in_light_and_in_dark_mode(browser: Any, report: Path) -> None:
    """WCAG's contrast of 4.5 for each paragraph, heading and entry of a legend."""
    contrasts = {}
    for scheme in ("light", "dark"):
        with opened(browser, report, 1100, color_scheme=scheme) as (page, _):
            colours = page.evaluate(
                "() => [...document.querySelectorAll('body, p, h1, h2, dd, dt, .legend li, text')]"
                ".map(each => each.tagName == 'text' ? getComputedStyle(each).fill : getComputedStyle(each).color)"
            )
            paper = page.evaluate("() => getComputedStyle(document.body).backgroundColor")
        contrasts[scheme] = (_luminance(paper), min(_contrast(colour, paper) for colour in set(colours)))
    assert contrasts["light"][0] > 0.9 > 0.1 > contrasts["dark"][0]
    assert all(lowest >= 4.5 for _, lowest in contrasts.values())


def test_a_page_prints_in_light_colours(browser: Any, report: Path, tmp_path: Path) -> None:
    with opened(browser, report, 1100, color_scheme="dark") as (page, _):
        page.emulate_media(media="print")
        assert _luminance(page.evaluate("() => getComputedStyle(document.body).backgroundColor")) > 0.9
        assert page.pdf(path=tmp_path / "page.pdf").startswith(b"%PDF")


def _contrast(one: str, other: str) -> float:
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    values = np.array([float(value) for value in colour[colour.index("(") + 1 : -1].split(",")[:3]]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
