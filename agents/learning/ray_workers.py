"""Algorithm 1 on many processors: several explorers and the learner, each a Ray actor, under the loop of `learning`.

What travels between the processes is small: an interaction's id with its labels one way, the newest weights the other,
put into Ray's object store once an update and fetched by each explorer once. Pictures go straight to disk: on a cluster
all nodes see the run's folder under the same path.

Explorers never wait for an update, unless the learner is more than two updates behind: then they pause, for what they
would try next would come from a network that is long outdated. Who dies, with its process or its node, is replaced and
counted: what an explorer had finished stands on disk and is taken from there, and a new learner goes on from the state
that the dead one wrote last.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.fleet import MOST_DEATHS_IN_A_ROW, import_ray
from tabletop_interaction.agents.learning.learner import Learner, Update, first_network, open_learner
from tabletop_interaction.agents.learning.loop import Explorer, open_explorer
from tabletop_interaction.agents.learning.run_folder import RunFolder, Tried, read_history, tried_from_disk
from tabletop_interaction.errors import InvalidConfiguration, WorkersDied
from tabletop_interaction.segmentation.checkpoints import load_checkpoint
from tabletop_interaction.segmentation.network import DeepMask

UPDATES_AHEAD = 2
"""Explorers pause when the learner lacks as many updates as this."""

Weights = dict[str, Tensor] | None


class RemoteExplorer:
    """An explorer in a process of its own; Ray turns it into an actor."""

    def __init__(self, config: LearningConfig, path: str, already_there: int, number: int) -> None:
        torch.set_num_threads(1)
        self._config = config
        self._network = first_network(config).eval()
        self._version = -1
        self._explorer: Explorer = open_explorer(config, RunFolder(Path(path)), already_there, number)

    def interact(self, version: int, weights: list[Any]) -> Tried:
        """Act once with the weights of that version; `weights` holds a reference, fetched when it is new."""
        if version != self._version:
            self._version = version
            self._take(weights[0])
        return self._explorer.interact()

    def _take(self, weights: Any) -> None:
        ray = import_ray()
        try:
            newest: Weights = ray.get(weights)
        except ray.exceptions.RayError:
            # They went down with the learner's node; the next update brings newer ones.
            return
        if newest is not None:
            self._network.load_state_dict(newest)
            self._explorer.use(self._network, self._config)

    def close(self) -> None:
        """Seal the records."""
        self._explorer.__exit__(None, None, None)


class RemoteLearner:
    """The learner in a process of its own; Ray turns it into an actor."""

    def __init__(self, config: LearningConfig, path: str, device: str, threads: int) -> None:
        # Ray would give it one thread.
        torch.set_num_threads(threads or len(os.sched_getaffinity(0)))
        self._learner: Learner = open_learner(config, RunFolder(Path(path)), device)

    def update(self, tried: list[Tried], began: float) -> tuple[Update, Weights]:
        """Learn; the weights stay in the object store for whoever wants them."""
        update = self._learner.update(tried, began)
        return update, self.weights()

    def weights(self) -> Weights:
        """Of the network that chooses; None while nothing is learned."""
        network = self._learner.network
        return None if network is None else {name: tensor.cpu() for name, tensor in network.state_dict().items()}

    def last_update(self) -> Update | None:
        """The last one that is in the state on disk."""
        return self._learner.last_update


class Fleet:
    """A crew of Ray actors; made by `open_fleet`.

    Args:
        ray: the module, initialised.
        config: of the run.
        folder: of the run, which all nodes see under this path.
        workers: explorers at once.
        learner_options: `device` and `threads` of the learner.
        began: see `learning_state.began_at`.

    Attributes:
        deaths: explorers and learners that died and were replaced.
    """

    def __init__(
        self,
        ray: Any,
        config: LearningConfig,
        folder: RunFolder,
        workers: int,
        learner_options: tuple[str, int],
        began: float,
    ) -> None:
        self._ray = ray
        self._config = config
        self._folder = folder
        self._workers = workers
        self._learner_options = learner_options
        self._began = began
        self.deaths = 0
        self._deaths_in_a_row = 0
        self._known = {line.id for line in read_history(folder)}
        self._already_there = len(self._known)
        self._hired = 0
        self._told: deque[Tried] = deque()
        self._acting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._to_learn: deque[list[Tried]] = deque()
        self._learning: list[Any] = []
        self._finished: deque[tuple[Update, Any]] = deque()
        self._version = 0
        self._hire_learner()
        self._told_weights = self._weights

    @property
    def learned(self) -> Update | None:
        """The last update that the learner is known to have made."""
        return self._learned

    @property
    def network(self) -> DeepMask | None:
        """The network after the last update that was told, on the CPU."""
        try:
            weights: Weights = self._ray.get(self._told_weights)
        except self._ray.exceptions.RayError:
            # They went down with the learner's node; it wrote them before it told.
            return load_checkpoint(self._folder.model)
        if weights is None:
            return None
        network = first_network(self._config).eval()
        network.load_state_dict(weights)
        return network

    def interact(self) -> Tried:
        """Wait for the next interaction of any explorer.

        Raises:
            WorkersDied: they die as fast as they are replaced.
        """
        while not self._told:
            self._set_to_work()
            self._wait_for([*self._acting, *self._learning[:1]])
        return self._told.popleft()

    def begin_update(self, tried: list[Tried]) -> None:
        """Hand these to the learner, at once or after what it is at."""
        self._to_learn.append(tried)
        self._start_learning()

    def finished_updates(self, *, wait: bool) -> Iterator[Update]:
        """Updates that are done and have not been told; `wait` for all that were begun."""
        while self._finished or (wait and self._learning):
            if self._finished:
                update, self._told_weights = self._finished.popleft()
                yield update
            else:
                self._wait_for([self._learning[0]])

    def close(self) -> None:
        """Let the explorers seal their records."""
        explorers = [*self._idle, *self._acting.values()]
        for explorer in explorers:
            try:
                self._ray.get(explorer.close.remote(), timeout=30)
            except (self._ray.exceptions.RayError, TimeoutError):
                # Whatever it did is on disk, and is sealed by whoever opens the folder next.
                continue

    @property
    def _cpus(self) -> int:
        """That Ray keeps for a new process; successors share, for a cluster that lost a node may have none free."""
        return 0 if self.deaths else 1

    def _set_to_work(self) -> None:
        """Give work to whoever is idle, and hire, unless enough is under way or the learner is behind."""
        missing = self._config.interactions - len(self._known)
        wanted = 0 if len(self._to_learn) >= UPDATES_AHEAD else min(missing, self._workers)
        for _ in range(wanted - len(self._acting)):
            explorer = self._idle.pop() if self._idle else self._hire_explorer()
            self._acting[explorer.interact.remote(self._version, [self._weights])] = explorer

    def _wait_for(self, references: list[Any]) -> None:
        """Wait until one of these is there, and take it in."""
        (done, *_), _ = self._ray.wait(references, num_returns=1)
        if done in self._learning[:1]:
            self._take_update()
        else:
            self._take_interaction(done)

    def _take_interaction(self, done: Any) -> None:
        explorer = self._acting.pop(done)
        try:
            tried: Tried = self._ray.get(done)
        except self._ray.exceptions.RayActorError as error:
            self._bury(explorer, error)
            # What it finished without telling stands on disk; so may what the living are about to tell.
            for left in tried_from_disk(self._folder, but=frozenset(self._known)):
                self._note(left)
            return
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        self._deaths_in_a_row = 0
        self._idle.append(explorer)
        self._note(tried)

    def _note(self, tried: Tried) -> None:
        if tried.interaction_id not in self._known:
            self._known.add(tried.interaction_id)
            self._told.append(tried)

    def _hire_explorer(self) -> Any:
        self._hired += 1
        # Spread over the nodes: a node that dies takes few with it.
        options = {"num_cpus": self._cpus, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        actor = self._ray.remote(**options)(RemoteExplorer)
        return actor.remote(self._config, str(self._folder.path), self._already_there, self._hired)

    def _hire_learner(self) -> None:
        """Start a learner; a cluster may place it on a node that is dead already and not known to be."""
        self._learned: Update | None
        while True:
            self._start_learner()
            try:
                self._learned = self._ray.get(self._learner.last_update.remote())
                return
            except self._ray.exceptions.RayActorError as error:
                self._bury(self._learner, error)
            except self._ray.exceptions.RayTaskError as error:
                raise error.cause from None

    def _start_learner(self) -> None:
        gpus = 1 if self._learner_options[0] == "cuda" else 0
        actor = self._ray.remote(num_cpus=self._cpus, num_gpus=gpus, max_restarts=0)(RemoteLearner)
        self._learner = actor.remote(self._config, str(self._folder.path), *self._learner_options)
        self._weights = self._learner.weights.remote()
        self._version += 1

    def _start_learning(self) -> None:
        if self._to_learn and not self._learning:
            self._learning = self._learner.update.options(num_returns=2).remote(self._to_learn[0], self._began)

    def _take_update(self) -> None:
        (told, weights), self._learning = self._learning, []
        try:
            update: Update = self._ray.get(told)
        except self._ray.exceptions.RayActorError as error:
            self._bury(self._learner, error)
            self._replace_learner()
            return
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        self._deaths_in_a_row = 0
        self._weights, self._version = weights, self._version + 1
        self._finish(update)

    def _finish(self, update: Update) -> None:
        self._to_learn.popleft()
        self._learned = update
        self._finished.append((update, self._weights))
        self._start_learning()

    def _replace_learner(self) -> None:
        """A new one goes on from the state on disk, which may hold the update that the dead one did not tell."""
        before = self._learned
        self._hire_learner()
        if self._learned is not None and self._learned != before:
            self._finish(self._learned)
        else:
            self._start_learning()

    def _bury(self, actor: Any, error: Exception) -> None:
        # One that is only out of reach must not go on writing beside its successor.
        self._ray.kill(actor)
        self.deaths += 1
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > MOST_DEATHS_IN_A_ROW:
            raise WorkersDied(
                f"{self._deaths_in_a_row} processes died in a row; what they finished is on disk; --workers 0 "
                "learns in this process and shows why"
            ) from error


@contextmanager
def open_fleet(
    config: LearningConfig,
    folder: RunFolder,
    workers: int,
    began: float,
    *,
    address: str | None = None,
    device: str = "cpu",
) -> Iterator[Fleet]:
    """Start Ray on this machine, or join a cluster, and hire the learner; explorers are hired as they are needed.

    Args:
        config: of the run.
        folder: of the run; on a cluster all nodes see it under the same path.
        workers: explorers at once, 1 or more.
        address: of a cluster; None starts Ray here.
        device: of the learner.
        began: see `learning_state.began_at`.

    Raises:
        InvalidConfiguration: Ray is not installed, or the cluster is too small.
        WorkersDied: processes die as fast as they are replaced.
    """
    ray = import_ray()
    # Without "local" Ray would join whatever cluster it finds on this machine.
    here = {"address": "local", "num_cpus": workers + 1, "include_dashboard": False}
    where = here if address is None else {"address": address}
    ray.init(log_to_driver=False, configure_logging=False, **where)
    # The learner is worth all cores that no explorer has; on a cluster, all of its node.
    threads = max(1, len(os.sched_getaffinity(0)) - workers) if address is None else 0
    try:
        _check_room(ray, workers)
        absolute = RunFolder(folder.path.resolve())
        fleet = Fleet(ray, config, absolute, workers, (device, threads), began)
        try:
            yield fleet
        finally:
            fleet.close()
    finally:
        ray.shutdown()


def _check_room(ray: Any, workers: int) -> None:
    """An explorer that never finds a place would be waited for at the end."""
    cpus = int(ray.cluster_resources().get("CPU", 0))
    if cpus < workers + 1:
        raise InvalidConfiguration(
            f"{workers} workers and the learner need {workers + 1} CPUs; the cluster has {cpus}; ask for fewer workers"
        )
