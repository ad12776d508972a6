"""Speed of Algorithm 1 with 0, 1 and 2 workers, and a test that the death of a node loses nothing.

For the test a cluster of three nodes is simulated on this machine. Learner and actors are spread over the nodes, and
one node is killed during the run. Afterwards every interaction must be once on disk and once in the history, and every
update must have been made once.

Run: python -m tabletop_interaction.benchmarks.speed.learning_workers
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from rich.console import Console

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.loop import NewestNetwork, Workers, learn, open_one_process
from tabletop_interaction.agents.learning.ray_workers import open_ray_workers
from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder, open_run, read_history, read_updates
from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import ProgressDisplay
from tabletop_interaction.ranges import Count, Processes, Range, Seed
from tabletop_interaction.segmentation.training.config import TrainingConfig


@dataclass(frozen=True)
class LearningSpeedOptions(ResultOptions):
    """Options of the benchmark of learning."""

    interactions: Count = 60
    """Interactions of each run."""
    steps_per_interaction: Count = 1
    """Training steps for each interaction; `tabletop learn` makes 3."""
    batch_size: Annotated[int, Range(1, 10_000)] = TrainingConfig.batch_size
    """Crops in a training step."""
    workers: tuple[Processes, ...] = (0, 1, 2)
    """Actors at once, one run for each number; 0 alternates acting and learning in one process."""
    seed: Seed = 0
    """Seed of the random numbers."""


@dataclass(frozen=True)
class RunOutcome:
    """Time and completeness of a run.

    Attributes:
        seconds: from the first interaction to the last update.
        deaths: processes that were replaced.
        in_history, distinct, on_disk: interactions in the history, distinct ones among them, and in the records.
        updates: for each update in the history the number of interactions it learned from.
    """

    seconds: float
    deaths: int
    in_history: int
    distinct: int
    on_disk: int
    updates: tuple[int, ...]

    def is_whole(self, config: LearningConfig) -> bool:
        """Whether nothing is missing or doubled."""
        expected = tuple(range(config.update_interval, config.interactions, config.update_interval))
        counts = {self.in_history, self.distinct, self.on_disk}
        return counts == {config.interactions} and self.updates == (*expected, config.interactions)


class _Watch:
    """Callback that notes the time of the first interaction, shows progress, and calls `strike` half-way."""

    def __init__(self, interactions: int, strike: Callable[[], Any] | None = None) -> None:
        self.first: float | None = None
        self.display = ProgressDisplay()
        self._interactions = interactions
        self._strike = strike

    def interacted(self, line: HistoryLine) -> None:
        self.first = self.first or time.monotonic()
        self.display.show("interactions", line.number, self._interactions)
        if self._strike is not None and line.number == self._interactions // 2:
            self._strike()

    def updated(self, update: Update, network: NewestNetwork) -> None:
        pass


def main(options: LearningSpeedOptions) -> None:
    """Measure, and print the table and the result of the test."""
    config = LearningConfig(
        interactions=options.interactions,
        update_interval=max(1, options.interactions // 5),
        steps_per_interaction=options.steps_per_interaction,
        seed=options.seed,
        training=TrainingConfig(batch_size=options.batch_size),
    )
    figures: dict[str, dict[str, Figure]] = {}
    if options.workers:
        outcomes = {str(workers): timed(config, workers) for workers in options.workers}
        rows = [
            (workers, f"{config.interactions / outcome.seconds:.2f}", "yes" if outcome.is_whole(config) else "NO")
            for workers, outcome in outcomes.items()
        ]
        title = f"{config.interactions} interactions, {config.steps_planned} training steps, this machine"
        Console().print(figures_table(title, ("workers", "interactions/s", "complete"), rows))
        figures = {
            f"{workers} workers": {"rate": Figure(config.interactions / one.seconds, "/s", decimals=2)}
            for workers, one in outcomes.items()
        }
    outcome = with_a_dying_node(config)
    print(
        f"three nodes, one killed half-way: {outcome.deaths} processes replaced; {outcome.in_history} interactions "
        f"in the history, {outcome.distinct} distinct, {outcome.on_disk} on disk; updates after {outcome.updates}: "
        f"{'nothing was lost' if outcome.is_whole(config) else 'SOMETHING WAS LOST'}"
    )
    on_disk = Figure(outcome.on_disk, trials=config.interactions, decimals=0)
    killed = {"processes replaced": Figure(outcome.deaths, decimals=0), "interactions on disk": on_disk}
    options.keep({**figures, "three nodes, one killed half-way": killed}, seeds=(options.seed,))


def timed(config: LearningConfig, workers: int) -> RunOutcome:
    """A run with a number of workers; 0 runs in this process."""
    with _new_run(config) as folder:
        if workers:
            with open_ray_workers(config, folder, workers) as ray_workers:
                return _learned(config, folder, ray_workers, _Watch(config.interactions))
        with open_one_process(config, folder) as one_process:
            return _learned(config, folder, one_process, _Watch(config.interactions))


def with_a_dying_node(config: LearningConfig) -> RunOutcome:
    """A run on a simulated cluster with an idle head and three nodes; one node is killed half-way."""
    from ray.cluster_utils import Cluster

    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
    try:
        nodes = [cluster.add_node(num_cpus=1) for _ in range(3)]
        cluster.wait_for_nodes()
        watch = _Watch(config.interactions, lambda: cluster.remove_node(nodes[1], allow_graceful=False))
        with (
            _new_run(config) as folder,
            open_ray_workers(config, folder, 2, address=cluster.address) as workers,
        ):
            return _learned(config, folder, workers, watch)
    finally:
        cluster.shutdown()


@contextmanager
def _new_run(config: LearningConfig) -> Iterator[RunFolder]:
    """A run in a temporary folder."""
    with tempfile.TemporaryDirectory() as path:
        yield open_run(Path(path) / "run", config)


def _learned(config: LearningConfig, folder: RunFolder, workers: Workers, watch: _Watch) -> RunOutcome:
    with watch.display:
        learn(config, folder, workers, watch)
    assert watch.first is not None, "interactions were made"
    seconds, deaths = time.monotonic() - watch.first, workers.deaths
    ids = [line.id for line in read_history(folder)]
    updates = tuple(line["interactions"] for line in read_updates(folder))
    return RunOutcome(seconds, deaths, len(ids), len(set(ids)), count_interactions(folder.records), updates)


if __name__ == "__main__":
    run_module(main, LearningSpeedOptions, __doc__)
