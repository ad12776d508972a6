"""Success of agents in bringing a table to what a picture shows: seeded episodes of TabletopRearrangement.

An episode succeeds when within 10 interactions every displaced object is within 15 px of its goal in the first view
(Pathak et al. 2018, section 5) and, which is our addition, no other object has moved by more. It ends with its
success, so that distances are those at which an agent stopped, not the smallest that it can reach.

Every episode is written when it ends, and the same call resumes an interrupted one; see `folder` for the files. Apart
from its times, a row depends only on agent, kind of scene and seed, not on the order or number of processes.
"""

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, closing
from functools import partial
from pathlib import Path
from typing import Any

from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, check_agents
from tabletop_interaction.benchmarks.rearrangement.episode import Episode, PlayedEpisode, open_player
from tabletop_interaction.benchmarks.rearrangement.folder import (
    EPISODES,
    check_setting,
    keep_episode,
    keep_setting,
    read_episodes,
    read_settings,
    write_table,
)
from tabletop_interaction.benchmarks.rearrangement.page import write_page
from tabletop_interaction.benchmarks.rearrangement.setting import EpisodeKey, Scenes, Setting
from tabletop_interaction.benchmarks.rearrangement.table import Scores
from tabletop_interaction.files import plain, repair_json_lines, write_json
from tabletop_interaction.processes import WorkerDeath, do_in_processes

OpenPlayer = Callable[[], AbstractContextManager[Callable[[EpisodeKey], PlayedEpisode]]]


def missing_episodes(out: Path, keys: Sequence[EpisodeKey]) -> list[EpisodeKey]:
    """The episodes that a folder lacks. Raises UnreadableRecords."""
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
    """Play the episodes that the folder lacks; each is on disk when it is yielded. Closing this ends all processes.

    Args:
        out: an existing folder.
        keys, setting: the episodes, and how they are run.
        make_parts: makes the parts of learned agents, once in each process; it is pickled for several workers.
        workers: processes that run episodes at once; 0 or 1 uses this process.
        on_death: called when a process has died, before it is replaced.

    Raises:
        InvalidConfiguration: an agent is unknown or lacks its model; nothing was written.
        ForeignFolder: the folder's episodes were run with another setting or other weights.
        WorkersDied: processes die as fast as they are replaced.
    """
    check_agents(tuple(dict.fromkeys(key.agent for key in keys)), setting.inverse_model)
    check_setting(out, setting)
    repair_json_lines(out / EPISODES)
    missing = missing_episodes(out, keys)
    open_worker = partial(open_player, setting, make_parts)
    played_in = partial(do_in_processes, workers=workers, on_death=on_death) if workers > 1 else _play_here
    with closing(played_in(open_worker, missing)) as played:
        for episode, jpeg in played:
            keep_setting(out, setting)
            keep_episode(out, episode, jpeg)
            yield episode


def write_results(out: Path, keys: Sequence[EpisodeKey], setting: Setting) -> tuple[Scores, dict[str, Any]]:
    """Write episodes.csv, results.json and results.html of all episodes that the folder holds.

    Args:
        keys: episodes whose agents and kinds of scene stand first.

    Returns:
        the figures, and the content of results.json.
    """
    episodes, there = _in_order(read_episodes(out), keys), read_settings(out)
    scores = Scores.of(episodes)
    document = {
        "setting": {**plain(setting), **{name: there[name] for name in plain(setting) if name in there}},
        "made_by": there.get("made_by"),
        "weights": there.get("weights"),
        "scenes": list(dict.fromkeys(one.key.scenes.name for one in episodes)),
        "seeds": sorted({one.seed for one in episodes}),
        "agents": scores.agents,
    }
    write_table(out, episodes)
    write_json(out / "results.json", document)
    write_page(out, episodes, scores, document)
    return scores, document


def _in_order(episodes: Sequence[Episode], keys: Sequence[EpisodeKey]) -> list[Episode]:
    """The episodes by agent, kind of scene and seed; agents and kinds of scene of `keys` first, in their order."""
    played = {one.key: one for one in episodes}
    agents: dict[str, int] = {}
    scenes: dict[Scenes, int] = {}
    for key in (*keys, *played):
        agents.setdefault(key.agent, len(agents))
        scenes.setdefault(key.scenes, len(scenes))
    return [played[key] for key in sorted(played, key=lambda key: (agents[key.agent], scenes[key.scenes], key.seed))]


def _play_here(open_worker: OpenPlayer, keys: Sequence[EpisodeKey]) -> Generator[PlayedEpisode]:
    with open_worker() as play_episode:
        for key in keys:
            yield play_episode(key)
