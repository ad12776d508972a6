"""How fast Algorithm 1 runs with 0, 1 and 2 workers, and that a node that dies in mid-run loses nothing.

A cluster of three nodes is simulated on this machine: the learner and the explorers are spread over them, and one node
is taken away while they work. Afterwards every interaction stands once on disk and once in the history, and every
update was made once.

Run: python -m tabletop_interaction.benchmarks.speed.learning_workers
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console
from rich.table import Table

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update, open_learner
from tabletop_interaction.agents.learning.loop import Crew, NewestNetwork, TakingTurns, learn, open_explorer
from tabletop_interaction.agents.learning.ray_workers import open_fleet
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder, began_at, open_run
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.json_lines import read_lines
from tabletop_interaction.segmentation.training.config import TrainingConfig


@dataclass(frozen=True)
class Options:
    """Interactions a second with 0, 1 and 2 workers, acting and learning together, and a node's death."""

    interactions: int = 60
    """How many each run makes."""
    steps_per_interaction: int = 1
    """Training steps for each; 3 is the command's."""
    batch_size: int = TrainingConfig.batch_size
    """Crops a training step."""
    workers: tuple[int, ...] = (0, 1, 2)
    """Explorers at once, a run each; 0 takes turns with the learner in one process."""
    seed: int = 0
    """Where the random numbers start."""


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        seconds: from its first interaction to its last update.
        deaths: processes that were replaced.
        told: interactions in the history.
        distinct: different ones among them.
        on_disk: interactions in the records.
        updates: interactions that each update had learned from, as told on disk.
    """

    seconds: float
    deaths: int
    told: int
    distinct: int
    on_disk: int
    updates: tuple[int, ...]

    def is_whole(self, config: LearningConfig) -> bool:
        """Whether nothing is missing and nothing was done twice."""
        expected = tuple(range(config.update_interval, config.interactions, config.update_interval))
        counts = {self.told, self.distinct, self.on_disk}
        return counts == {config.interactions} and self.updates == (*expected, config.interactions)


class _Watch:
    """Notes when the run began to act, and calls `strike` once, after a number of interactions."""

    def __init__(self, strike_after: int = 0, strike: Callable[[], Any] | None = None) -> None:
        self.first: float | None = None
        self._strike_after = strike_after
        self._strike = strike

    def interacted(self, line: HistoryLine) -> None:
        self.first = self.first or time.monotonic()
        if self._strike is not None and line.number == self._strike_after:
            self._strike()

    def updated(self, update: Update, network: NewestNetwork) -> None:
        pass


def main(options: Options) -> None:
    """Run everything and print the tables."""
    config = LearningConfig(
        interactions=options.interactions,
        update_interval=max(1, options.interactions // 5),
        steps_per_interaction=options.steps_per_interaction,
        seed=options.seed,
        training=TrainingConfig(batch_size=options.batch_size),
    )
    table = Table(title=f"{config.interactions} interactions, {config.steps_planned} training steps, this machine")
    for heading in ("workers", "interactions/s", "complete"):
        table.add_column(heading, justify="right")
    for workers in options.workers:
        outcome = timed(config, workers)
        rate = f"{config.interactions / outcome.seconds:.2f}"
        table.add_row(str(workers), rate, "yes" if outcome.is_whole(config) else "NO")
    if options.workers:
        Console().print(table)
    outcome = with_a_dying_node(config)
    print(
        f"three nodes, one killed in mid-run: {outcome.deaths} processes replaced; {outcome.told} interactions told, "
        f"{outcome.distinct} distinct, {outcome.on_disk} on disk; updates after {outcome.updates}: "
        f"{'nothing was lost' if outcome.is_whole(config) else 'SOMETHING WAS LOST'}"
    )


def timed(config: LearningConfig, workers: int) -> Outcome:
    """A run with so many workers; 0 runs in this process."""
    with tempfile.TemporaryDirectory() as path:
        folder = open_run(Path(path) / "run", config)
        began = began_at(folder)
        if workers:
            with open_fleet(config, folder, workers, began) as fleet:
                seconds = _seconds(config, folder, fleet, _Watch(), began)
                return _outcome(folder, seconds, fleet.deaths)
        with open_explorer(config, folder, 0) as explorer:
            crew = TakingTurns(config, explorer, open_learner(config, folder), began)
            return _outcome(folder, _seconds(config, folder, crew, _Watch(), began), 0)


def with_a_dying_node(config: LearningConfig) -> Outcome:
    """A run on a simulated cluster of a head without work and three nodes, one of which is killed in mid-run."""
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
        cluster.wait_for_nodes()
        with tempfile.TemporaryDirectory() as path:
            folder = open_run(Path(path) / "run", config)
            began = began_at(folder)
            watch = _Watch(config.interactions // 2, lambda: cluster.remove_node(nodes[1], allow_graceful=False))
            with open_fleet(config, folder, 2, began, address=cluster.address) as fleet:
                seconds = _seconds(config, folder, fleet, watch, began)
                return _outcome(folder, seconds, fleet.deaths)
    finally:
        cluster.shutdown()


def _seconds(config: LearningConfig, folder: RunFolder, crew: Crew, watch: _Watch, began: float) -> float:
    learn(config, folder, crew, watch, began)
    assert watch.first is not None, "interactions were made"
    return time.monotonic() - watch.first


def _outcome(folder: RunFolder, seconds: float, deaths: int) -> Outcome:
    ids = [line["id"] for line in read_lines(folder.history)]
    updates = tuple(line["interactions"] for line in read_lines(folder.updates))
    return Outcome(seconds, deaths, len(ids), len(set(ids)), count_interactions(folder.records), updates)


if __name__ == "__main__":
    main(tyro.cli(Options))
