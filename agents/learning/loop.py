"""Algorithm 1 (Pathak et al. 2018), end to end: an agent that starts knowing nothing and learns by interacting.

```
pre-train on passive data
for t = 1 .. T:
    observe I_t
    hypotheses s_1 .. s_K = CNN(I_t); choose one                    Explorer.interact
    move(s_j); observe                                                  "
    mask = frame difference; empty: negative example, else positive     "
    every update_interval interactions: train the CNN on all examples   Learner.update
```
`Explorer` acts, `Learner` learns, `learn` is the loop. Here both take turns in one process; in `learning_fleet` several
explorers and the learner are processes of their own, under the same loop.

Ours, where the paper is silent: the learning rate warms up and falls over the whole run; every view of an interaction
is an example; with nothing learned, with no hypothesis, and in a share of the interactions, the agent tries again what
it has just seen move, or acts at random; what moved nothing is not tried again in the same episode.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from types import TracebackType
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.agents.learning.actor import HypothesisAgent
from tabletop_interaction.agents.learning.collecting import ENVIRONMENT_ID, session_seed
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.learner import Learner, StepTold, Update
from tabletop_interaction.agents.learning.run_folder import (
    HistoryLine,
    RunFolder,
    Tried,
    labelled_again,
    note_choice,
    read_history,
    tried_of,
)
from tabletop_interaction.envs import Backend, RecordInteractions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import TabletopError
from tabletop_interaction.json_lines import append_line
from tabletop_interaction.segmentation.config import FAST
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.proposals import Segmenter
from tabletop_interaction.segmentation.rle import mask_from_rle

_MOST_FAULTS_IN_A_ROW = 3

NewestNetwork = Callable[[], DeepMask | None]


class Watcher(Protocol):
    """Who is told what happens: a command line, curves, evaluations."""

    def interacted(self, line: HistoryLine) -> None:
        """An interaction was made and is on disk."""
        ...

    def updated(self, update: Update, network: NewestNetwork) -> None:
        """The network was updated; the last update of an earlier session is told again when a run goes on."""
        ...


class Crew(Protocol):
    """Explorers and a learner, wherever they are."""

    @property
    def learned(self) -> Update | None:
        """The last update that the learner has made; at first, that is in the state on disk."""
        ...

    @property
    def network(self) -> DeepMask | None:
        """The newest network, in evaluation mode on the CPU or the learner's device; None while nothing is learned."""
        ...

    def interact(self) -> Tried:
        """The next interaction, made with the newest network that there was."""
        ...

    def begin_update(self, tried: list[Tried]) -> None:
        """Let the learner take these in and learn; may return before it is done."""
        ...

    def finished_updates(self, *, wait: bool) -> Iterator[Update]:
        """Updates that are done and have not been told; `wait` for all that were begun."""
        ...


def learn(config: LearningConfig, folder: RunFolder, crew: Crew, watcher: Watcher, began: float) -> None:
    """Run Algorithm 1 to its end, or go on with it.

    Args:
        config: of the run.
        folder: of the run, opened by `open_run`.
        crew: acts and learns; in the state on disk.
        watcher: is told.
        began: see `began_at`.
    """
    learned = crew.learned
    if learned is not None:
        watcher.updated(learned, lambda: crew.network)
    elif config.pushes or config.model:
        # Pre-training on passive data; a given network is put on record as it is.
        crew.begin_update([])
    for update in crew.finished_updates(wait=True):
        watcher.updated(update, lambda: crew.network)
    waiting: list[Tried] = []
    taken = learned.interactions if learned else 0
    for tried in _interactions(config, folder, crew, taken, watcher, began):
        waiting.append(tried)
        taken += 1
        if taken % config.update_interval == 0 or taken == config.interactions:
            crew.begin_update(waiting)
            waiting = []
        for update in crew.finished_updates(wait=False):
            watcher.updated(update, lambda: crew.network)
    for update in crew.finished_updates(wait=True):
        watcher.updated(update, lambda: crew.network)


def _interactions(
    config: LearningConfig, folder: RunFolder, crew: Crew, taken: int, watcher: Watcher, began: float
) -> Iterator[Tried]:
    """What the learner has not learned from: first what is on disk already, then new interactions."""
    history = read_history(folder)
    behind = [line.id for line in history[taken:]]
    again = {one.interaction_id: one for one in labelled_again(folder, set(behind))} if behind else {}
    yield from (again[id_] for id_ in behind)
    for number in range(len(history) + 1, config.interactions + 1):
        tried = crew.interact()
        line = HistoryLine.of(tried, number, time.time() - began)
        append_line(folder.history, asdict(line))
        watcher.interacted(line)
        yield tried


class Explorer(AbstractContextManager["Explorer"]):
    """The acting half: sees, guesses, tries, and says what came of it; made by `open_explorer`.

    Args:
        env: of this package; closed with the explorer.
        agent: chooses.
        folder: of the run.
        session: seed of the first scene; no other session of the run has it.
    """

    def __init__(self, env: RecordInteractions, agent: HypothesisAgent, folder: RunFolder, session: int) -> None:
        self._env = env
        self._agent = agent
        self._folder = folder
        self._session = session
        self._observation: dict[str, Any] | None = None
        self._episode, self._step = -1, 0

    def use(self, network: DeepMask | None, config: LearningConfig) -> None:
        """Choose with this network from now on; None, and the policy "random", act at random."""
        if network is not None and config.policy == "hypothesis":
            self._agent.segmenter = Segmenter(network, replace(FAST, min_score=config.least_belief))

    def interact(self) -> Tried:
        """One interaction, t = 1 .. T of Algorithm 1, up to its examples; a fault that passes is tried again.

        Raises:
            TabletopError: the world cannot go on.
        """
        for _ in range(_MOST_FAULTS_IN_A_ROW):
            try:
                return self._interact()
            except TabletopError as error:
                self._observation = None
                if not error.recoverable:
                    raise
                fault = error
        raise fault

    def _interact(self) -> Tried:
        observation = self._observed()
        attempt = self._agent.attempt(observation)
        note_choice(self._folder, self._session, self._episode, self._step, attempt)
        observation, _, terminated, truncated, _ = self._env.step(attempt.action)
        self._observation = None if terminated or truncated else observation
        self._step += 1
        row = self._env.last_interaction
        assert row is not None, "a step has been made"
        tried = tried_of(row, vars(attempt), label_interaction(row))
        self._remember(row, tried)
        return tried

    def _remember(self, row: Interaction, tried: Tried) -> None:
        """What was found out about the table as it stands now."""
        if not tried.moved:
            self._agent.refute(row.pick_place.pick_x, row.pick_place.pick_y)
            return
        pair = "place" if row.grasped else "pick"
        masks = {label.view: label.mask for label in tried.labels if label.pair == pair and label.mask is not None}
        if masks:
            # Of the views the middle one: the largest mask may hold a shadow, the smallest a part.
            name = sorted(masks, key=lambda view: masks[view].area)[len(masks) // 2]
            view = next(view for view in row.views if view.name == name)
            self._agent.has_moved(view, mask_from_rle(masks[name]))

    def _observed(self) -> dict[str, Any]:
        """The table now; an episode begins where the last one is over."""
        if self._observation is None:
            # A seed restarts the environment's counters: only the first reset has one.
            self._observation, _ = self._env.reset(seed=self._session if self._episode < 0 else None)
            self._episode, self._step = self._episode + 1, 0
            self._agent.forget()
        return self._observation

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Seal the records and close the environment."""
        self._env.close()


def open_explorer(
    config: LearningConfig,
    folder: RunFolder,
    already_there: int,
    number: int = 0,
    backend: str | Backend | None = None,
) -> Explorer:
    """Environment, records and policy of one explorer.

    Args:
        config: of the run.
        folder: of the run.
        already_there: interactions that the run had when this session began.
        number: of the explorer in this session.
        backend: another one than the configuration's name says, such as an open Backend; closed with the explorer.
    """
    session = session_seed(config.seed, already_there, number)
    plain = _open_world(config, backend)
    rng = np.random.default_rng(np.random.SeedSequence([session, 1]))
    views, arena = plain.get_wrapper_attr("views"), plain.get_wrapper_attr("arena")
    follow_share = config.follow_share if config.policy == "hypothesis" else 0.0
    agent = HypothesisAgent(None, views, arena, rng, config.choice, config.random_share, follow_share)
    try:
        env = RecordInteractions(plain, folder.records, metadata={"policy": "learning", "seed": config.seed})
    except BaseException:
        plain.close()
        raise
    return Explorer(env, agent, folder, session)


class TakingTurns:
    """A crew of one explorer and the learner in this process: one waits while the other works.

    Args:
        config: of the run.
        explorer: acts.
        learner: learns, as its state on disk says.
        began: see `began_at`.
        tell: called after each training step with steps made and steps planned.
    """

    def __init__(
        self,
        config: LearningConfig,
        explorer: Explorer,
        learner: Learner,
        began: float,
        tell: StepTold | None = None,
    ) -> None:
        self._config = config
        self._explorer = explorer
        self._learner = learner
        self._began = began
        self._tell = tell
        self._finished: list[Update] = []
        explorer.use(learner.network, config)

    @property
    def learned(self) -> Update | None:
        """The learner's last update."""
        return self._learner.last_update

    @property
    def network(self) -> DeepMask | None:
        """The learner's."""
        return self._learner.network

    def interact(self) -> Tried:
        """Act once."""
        return self._explorer.interact()

    def begin_update(self, tried: list[Tried]) -> None:
        """Learn, and choose with what was learned from now on."""
        self._finished.append(self._learner.update(tried, self._began, self._tell))
        self._explorer.use(self._learner.network, self._config)

    def finished_updates(self, *, wait: bool) -> Iterator[Update]:
        """What has been begun is finished."""
        finished, self._finished = self._finished, []
        return iter(finished)


def check_world(config: LearningConfig) -> None:
    """Open and close the world that a run acts in. Raises InvalidConfiguration where there is none."""
    _open_world(config, None).close()


def _open_world(config: LearningConfig, backend: str | Backend | None) -> gym.Env[Any, Any]:
    return gym.make(
        ENVIRONMENT_ID,
        backend=backend or config.backend,
        split=config.split,
        config=None if backend else config.config,
        episodes_per_scene=config.episodes_per_scene,
    )
