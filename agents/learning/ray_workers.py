"""Algorithm 1 in several processes: actors and the learner, each a Ray actor, under the loop of `loop.learn`.

Little travels between the processes: an interaction's id with its labels one way, the newest weights the other, put
into Ray's object store once an update and fetched by each actor once. Pictures go straight to disk: on a cluster all
nodes see the run's folder under the same path.

Actors do not wait for an update, unless the learner is more than two updates behind: then they pause, because they
would choose with a network that is long outdated. A process that dies, with its node or alone, is replaced and counted:
the interactions that an actor had finished are read from disk, and a new learner resumes from the last state on disk.
"""

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from tabletop_interaction.agents.learning.actor import Actor, open_actor
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Learner, Update, first_network, open_learner
from tabletop_interaction.agents.learning.ray_calls import DIED, RayCalls, ray_session
from tabletop_interaction.agents.learning.run_folder import (
    LabelledInteraction,
    RunFolder,
    read_history,
    unknown_interactions,
)
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.checkpoints import load_checkpoint
from tabletop_interaction.segmentation.network import DeepMask

Weights = dict[str, Tensor] | None

UPDATES_AHEAD = 2
"""Actors pause when the learner is behind by this many updates."""

_SEALING_S = 30


class RemoteActor:
    """An `Actor` in a process of its own; Ray turns it into an actor."""

    def __init__(self, config: LearningConfig, folder: RunFolder, already_there: int, number: int) -> None:
        torch.set_num_threads(1)
        self._network = first_network(config).eval()
        self._version = -1
        self._actor: Actor = open_actor(config, folder, already_there, number)

    def interact(self, version: int, weights: list[Any]) -> LabelledInteraction:
        """Act once with the weights of a version; `weights` holds a reference, fetched when the version is new."""
        if version != self._version:
            self._version = version
            self._use(weights[0])
        return self._actor.interact()

    def close(self) -> None:
        """Seal the records."""
        self._actor.close()

    def _use(self, weights: Any) -> None:
        import ray

        try:
            newest: Weights = ray.get(weights)
        except ray.exceptions.RayError:
            # They were lost with the learner's node; the next update brings newer ones.
            return
        if newest is not None:
            self._network.load_state_dict(newest)
            self._actor.use(self._network)


class RemoteLearner:
    """The `Learner` in a process of its own; Ray turns it into an actor."""

    def __init__(self, config: LearningConfig, folder: RunFolder, device: str, threads: int) -> None:
        # Ray would give it one thread.
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        self._learner: Learner = open_learner(config, folder, device)

    def update(self, interactions: list[LabelledInteraction]) -> tuple[Update, Weights]:
        """Learn; the weights stay in the object store until an actor fetches them."""
        update = self._learner.update(interactions)
        return update, self.weights()

    def weights(self) -> Weights:
        """Of the network that chooses; None before the first training step."""
        network = self._learner.network
        return None if network is None else {name: tensor.cpu() for name, tensor in network.state_dict().items()}

    def last_update(self) -> Update | None:
        """The last one that is in the state on disk."""
        return self._learner.last_update


class RayWorkers:
    """The `Workers` of a learning run as Ray actors; made by `open_ray_workers`, whose arguments it shares.

    Args:
        options: `device` and `threads` of the learner.
    """

    def __init__(
        self, ray: Any, config: LearningConfig, folder: RunFolder, actors: int, options: tuple[str, int]
    ) -> None:
        self._ray = ray
        self._config = config
        self._folder = folder
        self._actors = actors
        self._options = options
        self._calls = RayCalls(ray)
        self._known = {line.id for line in read_history(folder)}
        self._already_there = len(self._known)
        self._started = 0
        self._made: deque[LabelledInteraction] = deque()
        self._idle: list[Any] = []
        self._to_learn: deque[list[LabelledInteraction]] = deque()
        # Reference of the weights that the update under way will give.
        self._next_weights: Any = None
        self._finished: deque[tuple[Update, Any]] = deque()
        self._version = 0
        self._open_learner()
        self._reported_weights = self._weights

    @property
    def deaths(self) -> int:
        """Number of actors and learners that died and were replaced."""
        return self._calls.deaths

    @property
    def learned(self) -> Update | None:
        """See `Workers`."""
        return self._learned

    @property
    def network(self) -> DeepMask | None:
        """The network after the last update that was yielded, on the CPU."""
        try:
            weights: Weights = self._ray.get(self._reported_weights)
        except self._ray.exceptions.RayError:
            # They were lost with the learner's node, but are on disk.
            return load_checkpoint(self._folder.model)
        if weights is None:
            return None
        network = first_network(self._config).eval()
        network.load_state_dict(weights)
        return network

    def interact(self) -> LabelledInteraction:
        """Wait for the next interaction of any actor.

        Raises:
            WorkersDied: processes die as fast as they are replaced.
        """
        while not self._made:
            self._start_acting()
            self._take_next()
        return self._made.popleft()

    def begin_update(self, interactions: list[LabelledInteraction]) -> None:
        """Give these to the learner, now or after its present update."""
        self._to_learn.append(interactions)
        self._start_learning()

    def finished_updates(self, *, wait: bool) -> Iterator[Update]:
        """Updates that are done and were not yielded before; `wait` for all that were begun."""
        while self._finished or (wait and self._to_learn):
            if self._finished:
                update, self._reported_weights = self._finished.popleft()
                yield update
            else:
                self._take_next()

    def close(self) -> None:
        """Let the actors seal their records."""
        for actor in [*self._idle, *(one for one in self._calls.actors.values() if one is not self._learner)]:
            try:
                self._ray.get(actor.close.remote(), timeout=_SEALING_S)
            except (self._ray.exceptions.RayError, TimeoutError):
                # Its interactions are on disk; the next writer in the folder seals them.
                continue

    @property
    def _cpus(self) -> int:
        """CPUs that Ray reserves for a new process; 0 for replacements: a cluster that lost a node may have none."""
        return 0 if self.deaths else 1

    def _start_acting(self) -> None:
        """Let idle and new actors act, unless enough is under way or the learner is behind."""
        missing = self._config.interactions - len(self._known)
        wanted = 0 if len(self._to_learn) >= UPDATES_AHEAD else min(missing, self._actors)
        acting = len(self._calls.actors) - (self._learner in self._calls.actors.values())
        for _ in range(wanted - acting):
            actor = self._idle.pop() if self._idle else self._start_actor()
            self._calls.actors[actor.interact.remote(self._version, [self._weights])] = actor

    def _take_next(self) -> None:
        """Wait until an actor or the learner is done, and take its result."""
        actor, found = self._calls.next()
        if actor is self._learner:
            self._take_update(found)
        elif found is DIED:
            # On disk are the interactions that it finished, and some that living actors are about to return.
            for interaction in unknown_interactions(self._folder, self._known):
                self._add(interaction)
        else:
            self._idle.append(actor)
            self._add(found)

    def _add(self, interaction: LabelledInteraction) -> None:
        if interaction.id not in self._known:
            self._known.add(interaction.id)
            self._made.append(interaction)

    def _start_actor(self) -> Any:
        self._started += 1
        # Spread over the nodes: a node that dies takes few with it.
        options = {"num_cpus": self._cpus, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        actor = self._ray.remote(**options)(RemoteActor)
        return actor.remote(self._config, self._folder, self._already_there, self._started)

    def _open_learner(self) -> None:
        """Start a learner, again if the cluster places it on a node that is already dead."""
        self._learned: Update | None
        gpus = 1 if self._options[0] == "cuda" else 0
        found: Any = DIED
        while found is DIED:
            remote = self._ray.remote(num_cpus=self._cpus, num_gpus=gpus, max_restarts=0)(RemoteLearner)
            self._learner = remote.remote(self._config, self._folder, *self._options)
            self._weights, self._version = self._learner.weights.remote(), self._version + 1
            found = self._calls.result(self._learner, self._learner.last_update.remote())
        self._learned = found

    def _start_learning(self) -> None:
        if self._to_learn and self._learner not in self._calls.actors.values():
            update = self._learner.update.options(num_returns=2)
            done, self._next_weights = update.remote(self._to_learn[0])
            self._calls.actors[done] = self._learner

    def _take_update(self, update: Any) -> None:
        if update is not DIED:
            self._weights, self._version = self._next_weights, self._version + 1
            self._finish(update)
            return
        # The state on disk may already hold the update that the dead learner did not return.
        before = self._learned
        self._open_learner()
        if self._learned is not None and self._learned != before:
            self._finish(self._learned)
        else:
            self._start_learning()

    def _finish(self, update: Update) -> None:
        self._to_learn.popleft()
        self._learned = update
        self._finished.append((update, self._weights))
        self._start_learning()


@contextmanager
def open_ray_workers(
    config: LearningConfig,
    folder: RunFolder,
    actors: int,
    *,
    address: str | None = None,
    device: str = "cpu",
) -> Iterator[RayWorkers]:
    """Start Ray on this machine, or join a cluster, and start the learner; actors start when they are needed.

    Args:
        config, folder: of the run; on a cluster all nodes see the folder under the same path.
        actors: number of actors at once, 1 or more.
        address: of a cluster; None starts Ray here.

    Raises:
        InvalidConfiguration: Ray is not installed, or the cluster is too small.
        WorkersDied: processes die as fast as they are replaced.
    """
    # The learner uses all cores that no actor has; on a cluster, all of its node.
    threads = max(1, len(os.sched_getaffinity(0)) - actors) if address is None else 0
    with ray_session(actors + 1, address) as ray:
        cpus = int(ray.cluster_resources().get("CPU", 0))
        # An actor without a CPU would be awaited forever.
        if cpus < actors + 1:
            raise InvalidConfiguration(
                f"{actors} workers and the learner need {actors + 1} CPUs; the cluster has {cpus}; use fewer workers"
            )
        workers = RayWorkers(ray, config, RunFolder(folder.path.resolve(), folder.began), actors, (device, threads))
        try:
            yield workers
        finally:
            workers.close()
