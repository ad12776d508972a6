"""The page of the rearrangement benchmark needs nothing else, and shows successes and every cause of failure."""

import base64

import numpy as np
import pytest

from tabletop_interaction.benchmarks.rearrangement.folder import keep_episode
from tabletop_interaction.benchmarks.rearrangement.page import distance_chart, write_page
from tabletop_interaction.benchmarks.rearrangement.table import Scores

JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest.fixture
def page_of(tmp_path, read_page):
    """Writes pictures of all episodes but the last, and gives the page."""

    def write(episodes, **changes):
        for one in episodes[:-1]:
            keep_episode(tmp_path, one, JPEG)
        scores = Scores.of(episodes)
        document = {"setting": {"model": "default", "displaced": None}, "made_by": None, "seeds": [200, 201]}
        write_page(tmp_path, episodes, scores, {**document, "scenes": scores.scenes, **changes})
        return read_page((tmp_path / "results.html").read_text())

    return write


def test_pictures_are_inside_the_page_and_a_missing_one_is_named(page_of, episode_of):
    page = page_of([episode_of(seed=seed) for seed in (200, 201)])
    assert page.addresses == ["data:image/jpeg;base64," + base64.b64encode(JPEG).decode()]
    assert not {"link", "script", "iframe", "object"} & set(page.elements)
    assert "The picture is missing" in page.text


def test_figures_causes_and_settings_are_shown(page_of, episode_of):
    made_by = {"renderer": "some-renderer", "versions": {"numpy": "2.0"}}
    page = page_of([episode_of(), episode_of(agent="full", cause="grasp")], made_by=made_by)
    assert "oracle 100 % 1 of 1; 21 to 100 %" in page.text
    assert "full 0 % 0 of 1; 0 to 79 %" in page.text
    assert "Half or more of the picks aimed at it held nothing" in page.text
    assert "renderer some-renderer versions numpy 2.0" in page.text


def test_examples_of_a_cause_come_from_as_many_agents_as_possible(page_of, episode_of):
    failed = [episode_of(agent=agent, seed=seed, cause="grasp") for agent in ("a", "b", "c") for seed in range(3)]
    page = page_of(failed)
    assert page.text.count("px left") == 4
    assert all(f"{agent}, seed 0, test objects" in page.text for agent in ("a", "b", "c"))
    assert "Failed by grasp: 9" in page.text


def test_kinds_of_scenes_are_compared_if_there_are_several(page_of, episode_of):
    assert "Success by objects and table tops" not in page_of([episode_of()]).text
    assert "Success by objects and table tops" in page_of([episode_of(), episode_of(tables="train")]).text


def test_names_of_agents_are_escaped(page_of, episode_of):
    page = page_of([episode_of(agent="m:<script>")])
    assert "script" not in page.elements
    assert "m:<script>" in page.text


def test_the_curve_of_distances_rises_at_each_episode_and_ends_below_100_if_one_ended_far_away(episode_of):
    line, limit = distance_chart([episode_of(max_px=px) for px in (40.0, 4.0, 500.0, 15.0)]).series
    share_at = dict(zip(line.x.tolist(), line.y.tolist(), strict=True))
    assert share_at == {0.0: 0.0, 4.0: 25.0, 15.0: 50.0, 40.0: 75.0, 60.0: 75.0}
    assert np.all(np.diff(line.y) >= 0)
    assert limit.x.tolist() == [15.0, 15.0]
