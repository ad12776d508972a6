"""Agents play the same episodes, are scored by truth, and what is on disk is not played again."""

import csv
import json
from contextlib import closing
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from tabletop_interaction.agents.features import Colours
from tabletop_interaction.agents.rearranging.matching import AppearanceMatcher
from tabletop_interaction.benchmarks.rearrangement.agents import AGENTS, LearnedParts, agent_maker, check_agents
from tabletop_interaction.benchmarks.rearrangement.episode import open_table, play
from tabletop_interaction.benchmarks.rearrangement.folder import check_setting, keep_setting, read_episodes
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation, TrueMatcher, TrueSegmenter
from tabletop_interaction.benchmarks.rearrangement.run import run_benchmark, write_results
from tabletop_interaction.benchmarks.rearrangement.setting import Scenes, Setting, episode_keys, scenes_of
from tabletop_interaction.benchmarks.rearrangement.table import AgentScore, Scores, Share, percent
from tabletop_interaction.envs import PickPlace
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.sim_assets import background_names, object_names

MORTAL = """
import os
from pathlib import Path
from tabletop_interaction.agents.agent import RandomAgent


class Agent(RandomAgent):
    def __init__(self, views, arena, rng):
        super().__init__(rng)
        mark = Path(os.environ["MARK"])
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), 9)
"""
"""An agent whose first process is killed, as by a machine that runs out of memory."""

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


class Curious(Idle):
    """Somebody's agent that keeps whatever it was told."""

    told = []  # noqa: RUF012 (each episode has an agent of its own)

    def act(self, observation, info):
        self.told.append(set(info))
        return super().act(observation, info)


def _parts():
    return LearnedParts(Blind, lambda: AppearanceMatcher(Colours()))


def _keys(*names, seeds=SEEDS):
    return episode_keys(names, (Scenes(),), seeds)


def _played(out, keys, setting=SETTING, make_parts=_parts, **options):
    return list(run_benchmark(out, keys, setting, make_parts, **options))


def _timeless(episodes):
    rows = [replace(one, seconds=0, processor_seconds=0) for one in episodes]
    return sorted(rows, key=lambda one: str(one.key))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("rearrangement")
    _played(out, _keys("oracle", "full", "random"))
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


def test_two_processes_give_the_same_rows_and_one_that_dies_is_told_and_replaced(folder, tmp_path, monkeypatch):
    (tmp_path / "mortal.py").write_text(MORTAL)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("MARK", str(tmp_path / "died"))
    out, deaths = tmp_path / "out", []
    out.mkdir()
    keys = [*_keys("oracle"), *_keys("mortal:Agent", seeds=(200,))]
    _played(out, keys, make_parts=partial(LearnedParts, Blind, Blind), workers=2, on_death=deaths.append)
    assert [death.job.agent for death in deaths] == ["mortal:Agent"]
    assert (out / "pictures" / "mortal.Agent" / "test-on-test" / "000200.jpg").is_file()
    expected = [one for one in read_episodes(folder) if one.agent == "oracle"]
    expected += [replace(one, agent="mortal:Agent") for one in read_episodes(folder) if one.key == _keys("random")[0]]
    assert _timeless(read_episodes(out)) == _timeless(expected)


def test_a_row_does_not_depend_on_what_was_played_before(folder, tmp_path):
    (again,) = _played(tmp_path, _keys("oracle", seeds=(201,)))
    assert _timeless([again]) == _timeless(one for one in read_episodes(folder) if one.key == again.key)


def test_what_is_on_disk_is_not_played_again_and_a_torn_line_is(folder, tmp_path):
    lines = (folder / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "episodes.jsonl").write_bytes(b"".join(lines[:1]) + lines[1][:20])
    assert [(one.agent, one.seed) for one in _played(tmp_path, _keys("oracle"))] == [("oracle", 201)]
    assert [one.seed for one in read_episodes(tmp_path)] == [200, 201]


def test_a_folder_that_knew_one_kind_of_scene_only_goes_on_as_of_that_kind(folder, tmp_path):
    old = {"split": "test", **asdict(SETTING)}
    del old["inverse_model"]
    (tmp_path / "settings.json").write_text(json.dumps(old))
    lines = [asdict(one) for one in read_episodes(folder) if one.agent == "oracle"]
    for line in lines:
        del line["objects"], line["tables"]
    (tmp_path / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert _played(tmp_path, _keys("oracle")) == []
    assert write_results(tmp_path, _keys("oracle"), SETTING).agents["oracle"].success.hits == 2


def test_a_folder_of_other_settings_is_refused(folder):
    with pytest.raises(ForeignFolder, match="features 'efficientnet-lite0', not 'trunk'"):
        _played(folder, _keys("random"), replace(SETTING, features="trunk"))


def test_an_inverse_model_may_come_later_but_not_be_exchanged(tmp_path):
    keep_setting(tmp_path, SETTING)
    later = replace(SETTING, inverse_model="a.safetensors")
    check_setting(tmp_path, later)
    keep_setting(tmp_path, later)
    check_setting(tmp_path, SETTING)
    with pytest.raises(ForeignFolder, match=r"'a.safetensors', not 'b.safetensors'"):
        check_setting(tmp_path, replace(SETTING, inverse_model="b.safetensors"))


@pytest.mark.parametrize("name", ["model", "inverse_model"])
def test_a_model_that_was_trained_anew_under_the_same_name_is_refused(tmp_path, name):
    weights, out = tmp_path / "model.safetensors", tmp_path / "out"
    out.mkdir()
    weights.write_bytes(b"first")
    setting = replace(SETTING, **{name: str(weights)})
    keep_setting(out, SETTING if name == "inverse_model" else setting)
    keep_setting(out, setting)
    check_setting(out, setting)
    weights.write_bytes(b"second")
    with pytest.raises(ForeignFolder, match=f"other weights of {name} .*name a new folder"):
        check_setting(out, setting)


def test_a_folder_that_kept_no_checksums_goes_on(tmp_path):
    (tmp_path / "settings.json").write_text(json.dumps(asdict(SETTING)))
    check_setting(tmp_path, SETTING)


@pytest.mark.parametrize(("make", "told"), [
    (lambda: Scenes(tables="tset"), "unknown split 'tset'"),
    (lambda: Setting(displaced=4), "displaced is 4"),
])  # fmt: skip
def test_what_cannot_be_played_is_named(make, told):
    with pytest.raises(InvalidConfiguration, match=told):
        make()


def test_a_network_that_cannot_be_loaded_leaves_nothing_behind(tmp_path):
    def broken():
        raise InvalidConfiguration("no such network")

    with pytest.raises(InvalidConfiguration, match="no such network"):
        _played(tmp_path, _keys("full"), make_parts=partial(LearnedParts, broken, broken))
    assert list(tmp_path.iterdir()) == []


def test_objects_stand_on_table_tops_of_their_own_split_or_of_every_one_that_is_named():
    assert scenes_of(["val", "test"]) == (Scenes("val", "val"), Scenes("test", "test"))
    kinds = scenes_of(["train", "test"], ["train", "test"])
    assert [one.name for one in kinds] == [
        "train objects on train tables (A)", "train objects on test tables (B)",
        "test objects on train tables (C)", "test objects on test tables (D)",
    ]  # fmt: skip


def test_table_tops_come_from_one_split_and_objects_from_another():
    env, world = open_table(Scenes("test", "train"))
    with closing(env):
        env.reset(seed=0)
        assert world.background in background_names("train")
        assert {state.name for state in world.object_states()} <= set(object_names("test"))


def test_files_hold_a_row_an_episode_and_the_figures(folder):
    scores = write_results(folder, _keys("oracle", "full"), SETTING)
    with open(folder / "episodes.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["agent"], row["seed"]) for row in rows] == [
        ("oracle", "200"), ("oracle", "201"), ("full", "200"), ("full", "201"),
    ]  # fmt: skip
    document = json.loads((folder / "results.json").read_text())
    assert document["setting"] == asdict(SETTING)
    assert document["made_by"]["renderer"] == "composed-tinyrenderer-1"
    assert document["agents"]["full"]["causes"] == {"segmentation": 2}
    assert document["agents"]["oracle"]["success"]["hits"] == scores.agents["oracle"].success.hits == 2
    assert (folder / "results.html").read_text().count("data:image/jpeg;base64,") == 4


def test_somebodys_own_agent_plays_the_same_episodes(tmp_path):
    (episode,) = _played(tmp_path, _keys(f"{__name__}:Idle", seeds=(200,)))
    assert (episode.success, episode.interactions, episode.others_px < 1, episode.cause) == (False, 2, True, "unknown")


def test_no_agent_is_told_what_only_the_judge_knows(monkeypatch):
    env, _ = open_table(Scenes(), displaced=1)
    monkeypatch.setattr(Curious, "told", [])
    with closing(env):
        steps = list(play(env, Curious, seed=200, most_interactions=2))
    assert {"goal_distance_px", "is_success", "displaced"} <= set(steps[-1].info)
    assert Curious.told == 2 * [{"held", "grasped", "pick_outcome", "pick_xy", "place_xy", "pick_place"}]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (("ful",), f"accepted are {', '.join(AGENTS)}"),
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


def test_of_pieces_of_one_object_the_best_is_matched_and_what_lies_on_the_table_is_not(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    image = world.observe()["view_0"]
    whole = TrueSegmenter(world).segment(image).masks
    half = whole[0] & (np.cumsum(whole[0]).reshape(whole[0].shape) <= whole[0].sum() / 2)
    table = ~whole.any(0)
    now = SimpleNamespace(image=image, masks=np.array([table, half, whole[0], whole[1] | whole[0] & half]))
    goal = SimpleNamespace(image=image, masks=np.array([half, table, whole[1]]))
    assert [(one.now, one.goal) for one in TrueMatcher(world).match(now, goal)] == [(2, 0), (3, 2)]


def test_what_stands_is_told_by_where_it_is_and_not_by_its_masks(world):
    world.reset(np.random.default_rng(0), new_scene=True)
    goal, states = world.observe()["view_0"], world.object_states()
    masks = TrueSegmenter(world).segment(goal).masks
    aside = replace(states[0], position=states[0].position + np.array([0.01, 0, 0]))
    world.arrange([aside, *states[1:]])
    now = world.observe()["view_0"]
    shaved = np.array([cv2.erode(mask.astype(np.uint8), np.ones((9, 9))) > 0 for mask in masks])
    matches = TrueMatcher(world).match(
        SimpleNamespace(image=now, masks=masks), SimpleNamespace(image=goal, masks=shaved)
    )
    assert len(matches) == len(masks)
    assert [one.stands for one in matches] == [False] + [True] * (len(masks) - 1)


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


@pytest.mark.parametrize("name", ["true-masks", "true-matches", "oracle"])
def test_who_has_to_know_the_truth_is_refused_where_nobody_does(name):
    parts = LearnedParts(lambda: Blind(), lambda: None)
    with pytest.raises(InvalidConfiguration, match="which only the simulation knows"):
        agent_maker(name, None, parts)
    agent_maker("random", None, parts)


def test_learned_masks_with_true_matching_need_the_network_and_no_features(world):
    def load():
        raise AssertionError("nobody needs it")

    agent_maker("true-matches", world, LearnedParts(Blind, load))
    with pytest.raises(InvalidConfiguration, match="--inverse-model"):
        LearnedParts(load, load).inverse()


def test_an_interval_is_wilsons():
    share = Share.of([True] * 8 + [False] * 2)
    assert (share.hits, share.trials) == (8, 10)
    assert (share.low, share.high) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert str(Share.of([])) == "-"


def test_one_failure_in_two_hundred_is_not_rounded_to_none(episode_of):
    assert str(Share.of([True] * 199 + [False])) == "99.5 (97-100)"
    assert [percent(share) for share in (0, 0.0001, 0.95, 0.9999, 1)] == ["0", "<0.1", "95", ">99.9", "100"]
    almost = [episode_of(fixed_strict=0.0), *(episode_of() for _ in range(199))]
    assert dict(Scores.of(almost).rows())["Fixed Strict, %"] == ["99.5"]


def test_figures_count_distances_numbers_and_causes(episode_of):
    one = episode_of(displaced=1, max_m=0.009, mean_px=4.0)
    two = episode_of(displaced=2, max_m=0.015, mean_px=20.0, fixed_strict=0.5, cause="grasp", tables="train")
    score = AgentScore.of([one, two])
    assert (score.within["2 cm"].hits, score.within["1 cm"].hits) == (2, 1)
    assert [score.by_displaced[n].trials for n in (1, 2, 3)] == [1, 1, 0]
    hits = {name: share.hits for name, share in score.by_scenes.items()}
    assert hits == {"test on test (D)": 1, "test on train (C)": 0}
    assert (score.fixed_strict, score.mean_px, score.causes) == (0.75, 12.0, {"grasp": 1})


def test_success_by_kind_of_scene_is_told_where_there_are_several(episode_of):
    rows = dict(Scores.of([episode_of(), episode_of(tables="train", cause="grasp")]).rows())
    assert rows["  test on train (C), %"] == ["0 (0-79)"]
    assert not any("on train" in name or "on test" in name for name, _ in Scores.of([episode_of()]).rows())
