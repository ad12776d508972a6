"""Plays episodes of the rearrangement benchmark one after another in this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, agent_maker
from tabletop_interaction.benchmarks.rearrangement.episode import Episode, EpisodeKey, Scenes, open_table, play, score
from tabletop_interaction.benchmarks.rearrangement.folder import write_picture
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation
from tabletop_interaction.benchmarks.rearrangement.pictures import episode_jpeg
from tabletop_interaction.benchmarks.rearrangement.setting import Setting
from tabletop_interaction.envs import TabletopRearrangement


@contextmanager
def open_player(
    out: Path, setting: Setting, make_parts: Callable[[], LearnedParts]
) -> Iterator[Callable[[EpisodeKey], Episode]]:
    """What plays an episode, until the context ends; arguments as `Player`, and what makes the parts."""
    player = Player(out, setting, make_parts())
    try:
        yield player.play
    finally:
        player.close()


class Player:
    """Plays episodes; the table stays open as long as the same kind of scene is asked for.

    Args:
        out: the benchmark's folder; the episodes' pictures go there.
        setting: see `Setting`.
        parts: what learned agents are made of.
    """

    def __init__(self, out: Path, setting: Setting, parts: LearnedParts) -> None:
        self._out = out
        self._setting = setting
        self._parts = parts
        self._scenes: Scenes | None = None
        self._table: tuple[TabletopRearrangement, RememberingSimulation] | None = None

    def play(self, key: EpisodeKey) -> Episode:
        """Play an episode and write its picture; the same whatever was played before, but for the times."""
        env, world = self._table_with(key.scenes)
        make = agent_maker(key.agent, world, self._parts)
        with _one_thread():
            wall, processor = time.perf_counter(), time.process_time()
            steps = list(play(env, make, key.seed, self._setting.most_interactions))
            times = time.perf_counter() - wall, time.process_time() - processor
        write_picture(self._out, key, episode_jpeg(steps, world))
        return score(key, steps, times, world)

    def close(self) -> None:
        """Close the table; calling it again does nothing."""
        if self._table is not None:
            self._table[0].close()
        self._scenes, self._table = None, None

    def _table_with(self, scenes: Scenes) -> tuple[TabletopRearrangement, RememberingSimulation]:
        if self._table is None or self._scenes != scenes:
            self.close()
            self._scenes, self._table = scenes, open_table(scenes, self._setting.displaced)
        return self._table


@contextmanager
def _one_thread() -> Iterator[None]:
    """Networks sum in another order with another number of threads: masks, and with them episodes, would differ."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
