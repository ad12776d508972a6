"""Agents play the same episodes, are scored by truth, and episodes on disk are not played again."""

import csv
import json
import shutil
from dataclasses import asdict, replace
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.agents.features import Colours
from tabletop_interaction.agents.rearranging.matching import AppearanceMatcher
from tabletop_interaction.benchmarks.rearrangement import run
from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts
from tabletop_interaction.benchmarks.rearrangement.folder import read_episodes
from tabletop_interaction.benchmarks.rearrangement.run import run_benchmark, write_results
from tabletop_interaction.benchmarks.rearrangement.setting import Scenes, Setting, episode_keys
from tabletop_interaction.envs import PickPlace
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords
from tabletop_interaction.seals import read_sealed, write_sealed

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
    """A user's agent that picks in a corner."""

    def __init__(self, views, arena, rng):
        assert views[0].name == "view_0"
        self.action = PickPlace(arena.x_max, arena.y_max, 0.0, 0.0, 0.0).to_action(arena)

    def act(self, observation, info):
        return self.action


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


def test_true_parts_succeed_and_a_segmenter_without_masks_fails_by_segmentation(folder):
    played = {(one.agent, one.seed): one for one in read_episodes(folder)}
    for seed in SEEDS:
        assert played["oracle", seed].success
        assert (played["oracle", seed].max_px < 15, played["oracle", seed].cause) == (True, "")
        assert (played["full", seed].success, played["full", seed].cause) == (False, "segmentation")
        assert played["full", seed].interactions == 2
        assert played["random", seed].cause == "unknown"


def test_two_processes_give_the_same_rows_and_one_that_dies_is_reported_and_replaced(folder, tmp_path, monkeypatch):
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


def test_episodes_on_disk_are_kept_and_one_with_a_torn_line_is_played_again(folder, tmp_path):
    shutil.copy(folder / "settings.json", tmp_path)
    lines = (folder / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "episodes.jsonl").write_bytes(b"".join(lines[:1]) + lines[1][:20])
    assert [(one.agent, one.seed) for one in _played(tmp_path, _keys("oracle"))] == [("oracle", 201)]
    assert [one.seed for one in read_episodes(tmp_path)] == [200, 201]


def test_episodes_of_another_folder_and_changed_ones_are_refused(folder, tmp_path):
    shutil.copy(folder / "episodes.jsonl", tmp_path)
    write_sealed(tmp_path / "settings.json", read_sealed(folder / "settings.json")[0], "abc")
    with pytest.raises(ForeignFolder, match=r"line 1 of .*episodes\.jsonl belongs to run .* to run abc;"):
        _played(tmp_path, _keys("oracle"))
    shutil.copy(folder / "settings.json", tmp_path)
    lines = (folder / "episodes.jsonl").read_text()
    (tmp_path / "episodes.jsonl").write_text(lines.replace('"success": true', '"success": false'))
    with pytest.raises(UnreadableRecords, match=r"line \d of .*episodes\.jsonl is damaged"):
        _played(tmp_path, _keys("oracle"))


def test_an_old_folder_with_one_kind_of_scene_resumes_with_that_kind(folder, tmp_path):
    old = {"split": "test", **asdict(SETTING)}
    del old["inverse_model"]
    (tmp_path / "settings.json").write_text(json.dumps(old))
    lines = [asdict(one) for one in read_episodes(folder) if one.agent == "oracle"]
    for line in lines:
        del line["objects"], line["tables"]
    (tmp_path / "episodes.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert _played(tmp_path, _keys("oracle")) == []
    assert write_results(tmp_path, _keys("oracle"), SETTING)[0].agents["oracle"].success.hits == 2


def test_a_folder_of_other_settings_is_refused(folder):
    with pytest.raises(ForeignFolder, match="features is 'efficientnet-lite0' there and 'trunk' now"):
        _played(folder, _keys("random"), replace(SETTING, features="trunk"))


def test_a_kill_before_the_first_episode_is_written_leaves_a_folder_that_resumes(tmp_path, monkeypatch):
    def killed(out, episode, jpeg):
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "keep_episode", killed)
    with pytest.raises(KeyboardInterrupt):
        _played(tmp_path, _keys("random"))
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["settings.json"]
    assert len(_played(tmp_path, _keys("random", seeds=(200,)))) == 1


def test_a_network_that_cannot_be_loaded_leaves_nothing_behind(tmp_path):
    def broken():
        raise InvalidConfiguration("no such network")

    with pytest.raises(InvalidConfiguration, match="no such network"):
        _played(tmp_path, _keys("full"), make_parts=partial(LearnedParts, broken, broken))
    assert list(tmp_path.iterdir()) == []


def test_files_hold_a_row_an_episode_and_the_figures(folder):
    scores, _ = write_results(folder, _keys("oracle", "full"), SETTING)
    with open(folder / "episodes.csv") as file:
        rows = list(csv.DictReader(file))
    assert [(row["agent"], row["seed"]) for row in rows] == [
        ("oracle", "200"), ("oracle", "201"), ("full", "200"), ("full", "201"), ("random", "200"), ("random", "201"),
    ]  # fmt: skip
    document = json.loads((folder / "results.json").read_text())
    assert document["setting"] == asdict(SETTING)
    assert document["made_by"]["renderer"] == "composed-tinyrenderer-1"
    assert document["agents"]["full"]["causes"] == {"segmentation": 2}
    assert document["agents"]["oracle"]["success"]["hits"] == scores.agents["oracle"].success.hits == 2
    page = (folder / "results.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 6
    assert "2 episodes for each agent" in page


def test_results_keep_the_episodes_that_were_not_asked_for(folder, tmp_path):
    shutil.copy(folder / "settings.json", tmp_path)
    lines = (folder / "episodes.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "episodes.jsonl").write_bytes(b"".join(lines[:5]))
    asked, document = write_results(tmp_path, _keys("full", seeds=(201,)), SETTING)
    assert {name: one.success.trials for name, one in asked.agents.items()} == {"full": 2, "oracle": 2, "random": 1}
    assert (document["seeds"], list(document["agents"])) == ([200, 201], ["full", "oracle", "random"])
    assert "The agents played different episodes" in (tmp_path / "results.html").read_text()


def test_a_users_own_agent_plays_the_same_episodes(tmp_path):
    (episode,) = _played(tmp_path, _keys(f"{__name__}:Idle", seeds=(200,)))
    assert (episode.success, episode.interactions, episode.others_px < 1, episode.cause) == (False, 2, True, "unknown")
