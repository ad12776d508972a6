"""Several collectors at once, each a Ray actor with an environment and a writer of its own.

Only counts travel between the processes; rows go straight to disk. A collector that dies is replaced and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tabletop_interaction.agents.learning.collecting import Collection, collect, session_seed
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.errors import InvalidConfiguration, WorkersDied

_CHUNK = 5
MOST_DEATHS_IN_A_ROW = 5
"""Of processes that are replaced: after more of them something is wrong with all."""


@dataclass(frozen=True)
class Progress:
    """What a fleet did since it last told: interactions, grasps among them, and collectors that died."""

    interactions: int
    grasped: int
    deaths: int = 0


class Collector:
    """One collector; Ray turns it into an actor.

    Args:
        collection: what it does.
    """

    def __init__(self, collection: Collection) -> None:
        self._steps = collect(collection, 2**31)

    def work(self, interactions: int) -> Progress:
        """Make some more interactions."""
        infos = [next(self._steps) for _ in range(interactions)]
        return Progress(len(infos), sum(bool(info["grasped"]) for info in infos))

    def close(self) -> None:
        """Seal the records."""
        self._steps.close()  # type: ignore[attr-defined]


def collect_with_ray(collection: Collection, interactions: int, workers: int, already_there: int) -> Iterator[Progress]:
    """Share `interactions` among `workers` collectors and tell after every few.

    Raises:
        InvalidConfiguration: Ray is not installed.
        WorkersDied: collectors die as fast as they are replaced.
    """
    ray = import_ray()
    ray.init(address="local", num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        crew = _Crew(ray, collection, interactions, already_there)
        for _ in range(workers):
            crew.hire()
        while crew.at_work or crew.make_up_for_the_dead():
            yield crew.next_progress()
    finally:
        ray.shutdown()


class _Crew:
    """The collectors at work, by what they are waited for, and how many interactions are not assigned yet."""

    def __init__(self, ray: Any, collection: Collection, interactions: int, already_there: int) -> None:
        self._ray = ray
        self._actor_class = ray.remote(num_cpus=1, max_restarts=0)(Collector)
        self._collection = collection
        self._already_there = already_there
        self._wanted = already_there + interactions
        self._unassigned = interactions
        self._hired = 0
        self._deaths_in_a_row = 0
        self.at_work: dict[Any, Any] = {}

    def hire(self) -> None:
        """Start another collector, with a seed of its own, and give it work, if there is any left."""
        if self._unassigned <= 0:
            return
        self._hired += 1
        seed = session_seed(self._collection.seed, self._already_there, self._hired)
        self._assign(self._actor_class.remote(replace(self._collection, seed=seed)))

    def next_progress(self) -> Progress:
        """Wait for the next collector to finish or to die, and set it or its successor to work again."""
        (done, *_), _ = self._ray.wait(list(self.at_work), num_returns=1)
        collector = self.at_work.pop(done)
        try:
            progress: Progress = self._ray.get(done)
        except self._ray.exceptions.RayActorError as error:
            self._bury(error)
            return Progress(0, 0, deaths=1)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        self._deaths_in_a_row = 0
        self._assign(collector)
        return progress

    def _assign(self, collector: Any) -> None:
        interactions = min(_CHUNK, self._unassigned)
        self._unassigned -= interactions
        if interactions:
            self.at_work[collector.work.remote(interactions)] = collector
        else:
            self._ray.get(collector.close.remote())

    def make_up_for_the_dead(self) -> bool:
        """Hire for what dead collectors left undone, counted on disk; whether there was anything."""
        self._unassigned = self._wanted - count_interactions(self._collection.out)
        self.hire()
        return bool(self.at_work)

    def _bury(self, error: Exception) -> None:
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > MOST_DEATHS_IN_A_ROW:
            raise WorkersDied(
                f"{self._deaths_in_a_row} collectors died in a row; what they finished is on disk; --workers 0 "
                "collects in this process and shows why"
            ) from error
        self.hire()


def import_ray() -> Any:
    """The module, which is an extra. Raises InvalidConfiguration where it is not installed."""
    try:
        import ray
    except ImportError as error:
        raise InvalidConfiguration(
            "more than one worker needs Ray, which is not installed; pip install 'tabletop-interaction[ray]', or "
            "use --workers 0"
        ) from error
    return ray
