"""Agents play the same episodes, are scored by truth, and what is on disk is not played again."""

import csv
import json
from dataclasses import asdict, replace
from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.agents.features import Colours
from tabletop_interaction.agents.matching import AppearanceMatcher
from tabletop_interaction.benchmarks.oracle_parts import RememberingSimulation, TrueMatcher, TrueSegmenter
from tabletop_interaction.benchmarks.rearrangement import Setting, read_episodes, run_benchmark, write_results
from tabletop_interaction.benchmarks.rearrangement_agents import LearnedParts, agent_maker, check_agents
from tabletop_interaction.benchmarks.rearrangement_table import AgentScore, Share
from tabletop_interaction.envs import PickPlace
from tabletop_interaction.envs.errors import ForeignFolder, InvalidConfiguration

SETTING = Setting(displaced=1, most_interactions=2)
SEEDS = (200, 201)


class Blind:
    """A segmenter that finds nothing."""

    def segment(self, image):
        return SimpleNamespace(masks=np.zeros((0, *image.shape[:2]), bool), scores=np.zeros(0, np.float32))


class Idle:
    """Somebody's agent: picks in a corner."""

    def __init__(self, views, arena, rng):
        assert views[0].name == "view_0"
        self.action = PickPlace(arena.x_max, arena.y_max, 0.0, 0.0, 0.0).to_action(arena)

    def act(self, observation, info):
        return self.action


PARTS = LearnedParts(Blind, lambda: AppearanceMatcher(Colours()))


def _played(out, *names, seeds=SEEDS, setting=SETTING):
    return list(run_benchmark(out, names, seeds, setting, PARTS))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("rearrangement")
    _played(out, "oracle", "full", "random")
    return out


@pytest.fixture
def world():
    with RememberingSimulation("test") as world:
        yield world


def test_with_true_parts_the_object_comes_to_its_goal_and_without_masks_it_is_lost_to_segmentation(folder):
    played = {(one.agent, one.seed): one for one in read_episodes(folder)}
    for seed in SEEDS:
        assert played["oracle", seed].success
        assert (played["oracle", seed].max_px < 15, played["oracle", seed].cause) == (True, "")
        assert (played["full", seed].success, played["full", seed].cause) == (False, "segmentation")
        assert played["full", seed].interactions == 2
        assert played["random", seed].cause == "unknown"


def test_the_same_seed_gives_the_same_table_but_for_the_times(folder, tmp_path):
    again = _played(tmp_path, "random", "oracle")
    first = {(one.agent, one.seed): one for one in read_episodes(folder)}
    for one in again:
        assert replace(one, seconds=0, processor_seconds=0) == replace(
            first[one.agent, one.seed], seconds=0, processor_seconds=0
        )


def test_what_is_on_disk_is_not_played_again_and_a_torn_line_is(folder, tmp_path):
    lines = (folder / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "episodes.jsonl").write_bytes(b"".join(lines[:1]) + lines[1][:20])
    assert [(one.agent, one.seed) for one in _played(tmp_path, "oracle")] == [("oracle", 201)]
    assert [one.seed for one in read_episodes(tmp_path)] == [200, 201]


def test_a_folder_of_other_settings_is_refused(folder):
    with pytest.raises(ForeignFolder, match="split 'test', not 'train'"):
        _played(folder, "random", setting=replace(SETTING, split="train"))


@pytest.mark.parametrize(
    ("change", "told"), [({"split": "tset"}, "unknown split"), ({"displaced": 4}, "displaced is 4")]
)
def test_a_setting_that_cannot_be_played_leaves_nothing_behind(change, told, tmp_path):
    with pytest.raises(InvalidConfiguration, match=told):
        _played(tmp_path, "random", setting=replace(SETTING, **change))
    assert list(tmp_path.iterdir()) == []


def test_files_hold_a_row_an_episode_and_the_figures(folder):
    scores = write_results(folder, ("oracle", "full"), SEEDS, SETTING)
    with open(folder / "episodes.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["agent"], row["seed"]) for row in rows] == [
        ("oracle", "200"), ("oracle", "201"), ("full", "200"), ("full", "201"),
    ]  # fmt: skip
    document = json.loads((folder / "results.json").read_text())
    assert document["setting"] == asdict(SETTING)
    assert document["agents"]["full"]["causes"] == {"segmentation": 2}
    assert document["agents"]["oracle"]["success"]["hits"] == scores.agents["oracle"].success.hits == 2


def test_somebodys_own_agent_plays_the_same_episodes(tmp_path):
    (episode,) = _played(tmp_path, f"{__name__}:Idle", seeds=(200,))
    assert (episode.success, episode.interactions, episode.others_px < 1, episode.cause) == (False, 2, True, "unknown")


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("ful",), "accepted are full, true-masks, oracle, random"),
        (("nowhere_at_all:Agent",), "cannot be imported"),
        (("json:Agent",), "cannot be imported"),
        (("full", "full"), "each once"),
        ((), "one or more"),
    ],
)
def test_an_agent_that_is_not_there_is_named(names, told):
    with pytest.raises(InvalidConfiguration, match=told):
        check_agents(names)


def test_true_masks_are_the_objects_and_true_matches_the_same_ones(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    image, ids = world.observe()["view_0"], world.instance_maps()["view_0"]
    masks = TrueSegmenter(world).segment(image).masks
    assert 4 <= len(masks) <= 8
    np.testing.assert_array_equal(masks.any(0), ids > 0)
    found = SimpleNamespace(image=image, masks=masks)
    turned = SimpleNamespace(image=image, masks=masks[::-1])
    matches = TrueMatcher(world).match(found, turned)
    assert [(one.now, one.goal, one.stands) for one in matches] == [
        (i, len(masks) - 1 - i, True) for i in range(len(masks))
    ]


def test_an_agent_with_true_parts_sees_pictures_of_this_episode_only(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    image = world.observe()["view_0"]
    world.reset(np.random.default_rng(1), new_scene=True)
    with pytest.raises(LookupError, match="has not shown"):
        TrueSegmenter(world).segment(image)


def test_a_network_is_loaded_only_for_those_who_use_it(world):
    def load():
        raise AssertionError("nobody needs it")

    parts = LearnedParts(load, load)
    for name in ("oracle", "random"):
        agent_maker(name, world, parts)(world.views, world.arena, np.random.default_rng(0))
    with pytest.raises(AssertionError):
        agent_maker("full", world, parts)(world.views, world.arena, np.random.default_rng(0))


def test_an_interval_is_wilsons():
    share = Share.of([True] * 8 + [False] * 2)
    assert (share.hits, share.trials) == (8, 10)
    assert (share.low, share.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert str(Share.of([])) == "-"


def test_figures_count_distances_numbers_and_causes():
    one = SimpleNamespace(
        displaced=1, success=True, fixed_strict=1.0, mean_px=4.0, max_m=0.009, interactions=1, seconds=1.0,
        processor_seconds=1.0, cause="",
    )  # fmt: skip
    two = SimpleNamespace(**{**vars(one), "displaced": 2, "success": False, "fixed_strict": 0.5, "max_m": 0.015,
                             "mean_px": 20.0, "cause": "grasp"})  # fmt: skip
    score = AgentScore.of([one, two])
    assert (score.within["2 cm"].hits, score.within["1 cm"].hits) == (2, 1)
    assert [score.by_displaced[n].trials for n in (1, 2, 3)] == [1, 1, 0]
    assert (score.fixed_strict, score.mean_px, score.causes) == (0.75, 12.0, {"grasp": 1})
