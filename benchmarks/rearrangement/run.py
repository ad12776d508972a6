"""How well agents bring a table to what a picture shows: seeded episodes of TabletopRearrangement, scored by truth.

The rule is the paper's (Pathak et al. 2018, section 5): an episode succeeds when within 10 interactions every
displaced object is within 15 px of its goal in the first view; that no other object has moved by more is ours. It
ends there, so that distances are those at which an agent was stopped, not the best that it can.

Every episode is written when it ends, and the same call goes on where an earlier one was stopped; the files are those
of `rearrangement_folder`. A row depends on its agent, kind of scene and seed alone: neither the order nor the number of
processes in which episodes are played changes it, but for the times.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, check_agents
from tabletop_interaction.benchmarks.rearrangement.episode import Episode, EpisodeKey, Scenes
from tabletop_interaction.benchmarks.rearrangement.folder import (
    EPISODES,
    check_setting,
    keep_episode,
    keep_setting,
    read_episodes,
    read_settings,
    write_figures,
    write_table,
)
from tabletop_interaction.benchmarks.rearrangement.page import write_report
from tabletop_interaction.benchmarks.rearrangement.player import open_player
from tabletop_interaction.benchmarks.rearrangement.setting import Setting
from tabletop_interaction.benchmarks.rearrangement.table import Scores
from tabletop_interaction.json_lines import repair_lines
from tabletop_interaction.processes import WorkerDeath, do_in_processes

OpenPlayer = Callable[[], AbstractContextManager[Callable[[EpisodeKey], Episode]]]


def episode_keys(names: Sequence[str], scenes: Sequence[Scenes], seeds: Sequence[int]) -> list[EpisodeKey]:
    """Every agent in every kind of scene with every seed, in this order."""
    return [EpisodeKey(name, kind, seed) for name in names for kind in scenes for seed in seeds]


def missing_episodes(out: Path, keys: Sequence[EpisodeKey]) -> list[EpisodeKey]:
    """Those that a folder lacks. Raises UnreadableRecords."""
    there = {one.key for one in read_episodes(out)}
    return [key for key in keys if key not in there]


def run_benchmark(
    out: Path,
    keys: Sequence[EpisodeKey],
    setting: Setting,
    make_parts: Callable[[], LearnedParts],
    workers: int = 0,
    on_death: Callable[[WorkerDeath[EpisodeKey]], None] = print,
) -> Iterator[Episode]:
    """Play what the folder lacks; every episode is on disk when it is yielded. Closing this ends all processes.

    Args:
        out: an existing folder.
        keys: the episodes, see `episode_keys`.
        setting: see `Setting`.
        make_parts: makes what learned agents are made of; with several workers called once in each, and pickled.
        workers: processes that play at once; 0 or 1 plays in this one.
        on_death: called when a playing process has died and is replaced.

    Raises:
        InvalidConfiguration: an agent that is unknown or lacks its model; nothing was written.
        ForeignFolder: the folder's episodes were made with another setting or other weights.
        WorkersDied: processes die as fast as they are replaced.
    """
    check_agents(tuple(dict.fromkeys(key.agent for key in keys)), setting.inverse_model)
    check_setting(out, setting)
    repair_lines(out / EPISODES)
    missing = missing_episodes(out, keys)
    player: OpenPlayer = partial(open_player, out, setting, make_parts)
    played = do_in_processes(player, missing, workers, on_death) if workers > 1 else _play_here(player, missing)
    with closing(played):
        for episode in played:
            keep_setting(out, setting)
            keep_episode(out, episode)
            yield episode


def write_results(out: Path, keys: Sequence[EpisodeKey], setting: Setting) -> Scores:
    """Write episodes.csv, results.json and results.html of these episodes, all of which were played; give the figures.

    Raises:
        UnreadableRecords: a file of the folder is damaged.
    """
    played = {one.key: one for one in read_episodes(out)}
    chosen = [played[key] for key in keys]
    scores, there = Scores.of(chosen), read_settings(out)
    document = {
        "setting": asdict(setting),
        "made_by": there.get("made_by"),
        "weights": there.get("weights"),
        "scenes": list(dict.fromkeys(key.scenes.name for key in keys)),
        "seeds": list(dict.fromkeys(key.seed for key in keys)),
        "agents": scores.document(),
    }
    write_table(out, chosen)
    write_figures(out, document)
    write_report(out, chosen, scores, document)
    return scores


def _play_here(open_worker: OpenPlayer, keys: Sequence[EpisodeKey]) -> Generator[Episode]:
    with open_worker() as play:
        for key in keys:
            yield play(key)
