"""Several collectors at once, each a Ray actor with an environment and a writer of its own.

Only counts travel between the processes; rows go straight to disk. A collector that dies is replaced and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from tabletop_interaction.agents.collecting import Collection, collect, session_seed
from tabletop_interaction.envs.errors import InvalidConfiguration

_CHUNK = 5
_MOST_DEATHS_IN_A_ROW = 5


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
        RuntimeError: collectors die as fast as they are replaced.
    """
    ray = _import_ray()
    ray.init(num_cpus=workers, include_dashboard=False, log_to_driver=False, configure_logging=False)
    try:
        yield from _share(ray, collection, interactions, workers, already_there)
    finally:
        ray.shutdown()


def _share(ray: Any, collection: Collection, interactions: int, workers: int, already_there: int) -> Iterator[Progress]:
    actor_class = ray.remote(num_cpus=1, max_restarts=0)(Collector)
    hired = 0

    def hire() -> Any:
        nonlocal hired
        hired += 1
        return actor_class.remote(replace(collection, seed=session_seed(collection.seed, already_there, hired)))

    to_assign, deaths_in_a_row = interactions, 0
    at_work: dict[Any, tuple[Any, int]] = {}

    def assign(collector: Any) -> None:
        nonlocal to_assign
        chunk = min(_CHUNK, to_assign)
        to_assign -= chunk
        if chunk:
            at_work[collector.work.remote(chunk)] = (collector, chunk)
        else:
            ray.get(collector.close.remote())

    for _ in range(min(workers, interactions)):
        assign(hire())
    while at_work:
        (done, *_), _ = ray.wait(list(at_work), num_returns=1)
        collector, chunk = at_work.pop(done)
        try:
            progress = ray.get(done)
        except ray.exceptions.RayActorError as error:
            deaths_in_a_row += 1
            if deaths_in_a_row > _MOST_DEATHS_IN_A_ROW:
                raise RuntimeError(
                    f"{deaths_in_a_row} collectors died in a row; what they finished is on disk; look at the last "
                    "one's error above, or try --workers 0"
                ) from error
            to_assign += chunk
            yield Progress(0, 0, deaths=1)
            assign(hire())
        else:
            deaths_in_a_row = 0
            yield progress
            assign(collector)


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise InvalidConfiguration(
            "more than one worker needs Ray, which is not installed; pip install 'tabletop-interaction[ray]', or "
            "use --workers 0"
        ) from error
    return ray
