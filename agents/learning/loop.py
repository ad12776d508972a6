"""Algorithm 1 (Pathak et al. 2018): an agent that starts without knowledge and learns by interacting.

```
pre-train on passive data
for t = 1 .. T:
    observe I_t
    hypotheses s_1 .. s_K = CNN(I_t); choose one                    Actor.interact
    move(s_j); observe                                                  "
    mask = frame difference; empty: negative example, else positive     "
    every update_interval interactions: train the CNN on all examples   Learner.update
```
`Actor` acts, `Learner` learns, `learn` is the loop. In `OneProcess` both take turns; in `ray_workers` several actors
and the learner are processes of their own, under the same loop.

Ours, where the paper is silent: the learning rate warms up and falls over the whole run; every view of an interaction
is an example; before the first update, without a hypothesis, and in a share of the interactions, the agent picks again
what has just moved, or acts at random; it does not pick again where a pick moved nothing in the same episode.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from tabletop_interaction.agents.learning.actor import Actor, open_actor
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Learner, OnStep, Update, open_learner
from tabletop_interaction.agents.learning.run_folder import (
    HistoryLine,
    LabelledInteraction,
    RunFolder,
    append_to_history,
    label_again,
    read_history,
)
from tabletop_interaction.envs import Backend
from tabletop_interaction.segmentation.network import DeepMask

NewestNetwork = Callable[[], DeepMask | None]


class LearningCallback(Protocol):
    """Is notified of a run's progress, as displays, curves and evaluations are."""

    def interacted(self, line: HistoryLine) -> None:
        """An interaction was made and is on disk."""

    def updated(self, update: Update, network: NewestNetwork) -> None:
        """The network was updated; a resumed run first repeats the last update of the earlier session."""


class Workers(Protocol):
    """Actors and a learner, in this process or in others."""

    @property
    def learned(self) -> Update | None:
        """The last update of the learner; at first, the one in the state on disk."""

    @property
    def network(self) -> DeepMask | None:
        """The newest network, in evaluation mode on the CPU or the learner's device; None before the first step."""

    @property
    def deaths(self) -> int:
        """Processes that died and were replaced."""

    def interact(self) -> LabelledInteraction:
        """The next interaction, chosen with the newest network at its beginning."""

    def begin_update(self, interactions: list[LabelledInteraction]) -> None:
        """Let the learner learn from these and all before; may return before it is done."""

    def finished_updates(self, *, wait: bool) -> Iterator[Update]:
        """Updates that are done and were not yielded before; `wait` for all that were begun."""


def learn(config: LearningConfig, folder: RunFolder, workers: Workers, callback: LearningCallback) -> None:
    """Run Algorithm 1 to its end, or resume it.

    Args:
        config, folder: of the run, opened by `open_run`.
        workers: act and learn; in the state on disk.
    """

    def report(*, wait: bool) -> None:
        for update in workers.finished_updates(wait=wait):
            callback.updated(update, lambda: workers.network)

    learned = workers.learned
    if learned is not None:
        callback.updated(learned, lambda: workers.network)
    elif config.pushes or config.model:
        # Pre-training on passive data; a network to start from is recorded as it is.
        workers.begin_update([])
    report(wait=True)
    gathered: list[LabelledInteraction] = []
    already = learned.interactions if learned else 0
    for number, interaction in enumerate(_interactions(config, folder, workers, already, callback), already + 1):
        gathered.append(interaction)
        if number % config.update_interval == 0 or number == config.interactions:
            workers.begin_update(gathered)
            gathered = []
        report(wait=False)
    report(wait=True)


def _interactions(
    config: LearningConfig, folder: RunFolder, workers: Workers, already: int, callback: LearningCallback
) -> Iterator[LabelledInteraction]:
    """What the learner, which knows the first `already` ones, lacks: the rest of the history, then new interactions."""
    history = read_history(folder)
    behind = [line.id for line in history[already:]]
    again = {one.id: one for one in label_again(folder, behind)}
    yield from (again[id_] for id_ in behind)
    for number in range(len(history) + 1, config.interactions + 1):
        interaction = workers.interact()
        callback.interacted(append_to_history(folder, interaction.line, number, time.time() - folder.began))
        yield interaction


class OneProcess:
    """`Workers` in this process: one actor and the learner take turns; made by `open_one_process`.

    Args:
        actor, learner: of the run; the learner in its state on disk.
        on_step: called after each training step with steps made and steps planned.
    """

    deaths = 0

    def __init__(self, actor: Actor, learner: Learner, on_step: OnStep | None = None) -> None:
        self._actor = actor
        self._learner = learner
        self._on_step = on_step
        self._finished: list[Update] = []
        actor.use(learner.network)

    @property
    def learned(self) -> Update | None:
        """The learner's last update."""
        return self._learner.last_update

    @property
    def network(self) -> DeepMask | None:
        """The learner's."""
        return self._learner.network

    def interact(self) -> LabelledInteraction:
        """Act once."""
        return self._actor.interact()

    def begin_update(self, interactions: list[LabelledInteraction]) -> None:
        """Learn, and choose with the new network from now on."""
        self._finished.append(self._learner.update(interactions, self._on_step))
        self._actor.use(self._learner.network)

    def finished_updates(self, *, wait: bool) -> Iterator[Update]:
        """Every update that was begun is finished."""
        finished, self._finished = self._finished, []
        return iter(finished)


@contextmanager
def open_one_process(
    config: LearningConfig,
    folder: RunFolder,
    *,
    backend: str | Backend | None = None,
    device: str = "cpu",
    on_step: OnStep | None = None,
) -> Iterator[OneProcess]:
    """Open the learner in its state on disk, and the actor; a `backend` replaces the configuration's.

    Errors as `open_learner` and `open_actor`.
    """
    learner = open_learner(config, folder, device, backend)
    with open_actor(config, folder, len(read_history(folder)), backend=backend) as actor:
        yield OneProcess(actor, learner, on_step)
