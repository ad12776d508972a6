"""Calls of Ray actors: each runs in a process of its own, and a process that dies is noticed and counted."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tabletop_interaction.errors import MissingPackage, WorkersDied
from tabletop_interaction.extras import install_command
from tabletop_interaction.installation import check_ray_folder

DIED = object()
"""In place of the result of a call whose process died."""

_MOST_DEATHS_IN_A_ROW = 5


def check_ray(address: str | None = None) -> Any:
    """The module `ray`, after a check that it can be started here, or connect to a cluster; starts nothing.

    Raises:
        MissingPackage: Ray, which is an extra, is not installed.
        InvalidConfiguration: it has no folder for its sockets.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingPackage(
            f"more than one worker needs Ray, which is not installed; run `{install_command('ray')}`, or use "
            "--workers 0"
        ) from error
    if address is None:
        check_ray_folder()
    return ray


@contextmanager
def ray_session(cpus: int, address: str | None = None) -> Iterator[Any]:
    """The module `ray`, with Ray started on this machine or connected to a cluster in this block.

    Args:
        cpus: number of processes on this machine.
        address: of a cluster; None starts Ray here.

    Raises:
        InvalidConfiguration: as `check_ray`.
    """
    ray = check_ray(address)
    # Without "local" Ray would join any cluster that it finds on this machine.
    here = {"address": "local", "num_cpus": cpus, "include_dashboard": False}
    ray.init(log_to_driver=False, configure_logging=False, **(here if address is None else {"address": address}))
    try:
        yield ray
    finally:
        ray.shutdown()


class RayCalls:
    """The calls that are under way, at most one for each actor.

    Too many deaths in a row mean that something is wrong with every process, so that replacing them does not help.

    Attributes:
        actors: the actors at work, by the reference of the call.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._in_a_row = 0
        self.actors: dict[Any, Any] = {}
        self.deaths = 0

    def next(self) -> tuple[Any, Any]:
        """Wait for a call to end; returns its actor and its result, or `DIED`. Errors as `result`."""
        (done, *_), _ = self._ray.wait(list(self.actors), num_returns=1)
        actor = self.actors.pop(done)
        value = self.result(actor, done)
        if value is not DIED:
            self._in_a_row = 0
        return actor, value

    def result(self, actor: Any, reference: Any) -> Any:
        """The result of a call of an actor, or `DIED`.

        Raises:
            WorkersDied: too many processes died, and `next` returned no result between them.
            Exception: what the call raised.
        """
        try:
            return self._ray.get(reference)
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayActorError as error:
            # One that is only out of reach must not write beside its successor.
            self._ray.kill(actor)
            self.deaths += 1
            self._in_a_row += 1
            if self._in_a_row > _MOST_DEATHS_IN_A_ROW:
                raise WorkersDied(
                    f"{self._in_a_row} processes died in a row; their finished interactions are on disk; use "
                    "--workers 0, which runs in this process and shows the cause"
                ) from error
            return DIED
