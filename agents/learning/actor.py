"""The acting half of Algorithm 1: proposes an object, picks it up or pushes it, and labels the pictures of the attempt.

Without a hypothesis inside the arena the agent acts at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.agent import Observation, RandomAgent
from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.agents.learning.config import ChoiceName, LearningConfig, PolicyName
from tabletop_interaction.agents.learning.primitives import ACTION_SIZES, ENVIRONMENT_IDS, aims_of
from tabletop_interaction.agents.learning.run_folder import LabelledInteraction, RunFolder, append_choice
from tabletop_interaction.arrays import Floats, Floats32, Mask
from tabletop_interaction.envs import Arena, Backend, RecordInteractions, View
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import TabletopError
from tabletop_interaction.segmentation import FAST, ProposalConfig
from tabletop_interaction.segmentation.rle import Rle, mask_from_rle
from tabletop_interaction.segmentation.segments import PictureSegmenter

if TYPE_CHECKING:
    from tabletop_interaction.segmentation.network import DeepMask

_Point = tuple[float, float]

MOST_FAULTS_IN_A_ROW = 3
"""After as many faults without an interaction between them, the last one is raised."""

# A network proposes the same again in a picture that has not changed, until its next update.
_SAME_PLACE_M = 0.025

CHOICES: Mapping[ChoiceName, Callable[[Floats], Floats]] = {
    "score": lambda scores: scores,
    "random": np.ones_like,
    "uncertainty": lambda scores: scores * (1 - scores),
}
"""By name: the chance of a hypothesis, up to a factor, given its score in 0 to 1.

"random" is Algorithm 1's (paper); "score" prefers hypotheses of high score; "uncertainty" those about which the network
is undecided.
"""


def hypotheses_above(least: float) -> ProposalConfig:
    """The proposals of an agent that chooses among them: of few scales, and none of low score.

    Many weak hypotheses together would be chosen more often than the few strong ones. Positions of low probability are
    dropped before their masks are computed, which saves time.
    """
    return replace(FAST, min_probability=least, min_score=least)


@dataclass(frozen=True, eq=False)
class Attempt:
    """The action that is about to be made, and why.

    Attributes:
        action: float32, for the environment.
        policy: "hypothesis", or "random" when no hypothesis was found or asked for.
        view: the camera whose hypothesis was chosen; None for a random action.
        score: of the hypothesis, 0 to 1; None for a random action, and for an object that was seen to move.
        hypotheses: number of hypotheses to choose from.
    """

    action: NDArray[np.float32]
    policy: PolicyName = "random"
    view: str | None = None
    score: float | None = None
    hypotheses: int = 0

    @property
    def reason(self) -> dict[str, Any]:
        """Everything but the action, as plain values."""
        return {"policy": self.policy, "view": self.view, "score": self.score, "hypotheses": self.hypotheses}


class HypothesisAgent:
    """Segments one view, chosen at random, and picks one hypothesis and places it at random (paper, Algorithm 1).

    With the primitive "push" it pushes the hypothesis instead (`push_from_mask`). Without a segmenter, and with no
    hypothesis inside the arena, the agent acts at random. Ours: in a share of those cases it moves again what has just
    moved (`has_moved`). A random pick rarely hits a small object, and what has moved is certainly an object.

    Args:
        segmenter: makes the hypotheses; None while there is none.
        choice: see `CHOICES`.
        random_share: share of the actions that are random whatever is seen, so that the agent also finds objects that
            the network does not propose.
        follow_share: share of the random actions that move what has moved, if anything has; 0 in the paper.
        primitive: what one action is.

    Attributes:
        segmenter: may be replaced at any time.
    """

    def __init__(
        self,
        segmenter: PictureSegmenter | None,
        views: tuple[View, ...],
        arena: Arena,
        rng: np.random.Generator,
        choice: ChoiceName = "score",
        random_share: float = 0.0,
        follow_share: float = 0.0,
        primitive: Primitive = "pick",
    ) -> None:
        self.segmenter = segmenter
        self._views = views
        self._aims = aims_of(primitive, arena, rng)
        self._rng = rng
        self._random = RandomAgent(rng, ACTION_SIZES[primitive])
        self._weights_of = CHOICES[choice]
        self._random_share = random_share
        self._follow_share = follow_share
        self._refuted: list[tuple[_Point, _Point]] = []
        self._moved: list[tuple[View, Mask]] = []

    def act(self, observation: Observation, info: dict[str, Any]) -> NDArray[np.float32]:
        """An action on one hypothesis, or a random action."""
        return self.attempt(observation).action

    def attempt(self, observation: Observation) -> Attempt:
        """The next action with its reason."""
        random = self._random.act(observation, {})
        if self.segmenter is None or self._rng.random() < self._random_share:
            return self._without_hypothesis(random, 0)
        view = self._views[self._rng.integers(len(self._views))]
        hypotheses = self.segmenter.segment(observation[view.name])
        count = len(hypotheses.scores)
        for index in self._in_random_order(hypotheses.scores):
            action = self._action_on(hypotheses.masks[index], view, random)
            if action is not None:
                return Attempt(action, "hypothesis", view.name, float(hypotheses.scores[index]), count)
        return self._without_hypothesis(random, count)

    def refute(self, start_xy: _Point, end_xy: _Point) -> None:
        """Take nothing on this line, or at this point of the arena, metres, for an object until `forget`.

        A push along the line, or a pick at the point, moved nothing.
        """
        self._refuted.append((start_xy, end_xy))

    def has_moved(self, view: View, mask: Mask) -> None:
        """Remember an object that has moved and is now at `mask` (H, W) of a view."""
        self._moved.append((view, mask))

    def forget(self) -> None:
        """Forget refuted points and moved objects; call this when the table has changed."""
        self._refuted.clear()
        self._moved.clear()

    def _without_hypothesis(self, random: NDArray[np.float32], hypotheses: int) -> Attempt:
        """An action on an object that has moved, which is then forgotten, or the random action."""
        if self._moved and self._rng.random() < self._follow_share:
            view, mask = self._moved.pop(self._rng.integers(len(self._moved)))
            action = self._action_on(mask, view, random, refutable=False)
            if action is not None:
                return Attempt(action, "hypothesis", view.name, None, max(hypotheses, 1))
        return Attempt(random, hypotheses=hypotheses)

    def _action_on(
        self, mask: Mask, view: View, random: NDArray[np.float32], *, refutable: bool = True
    ) -> NDArray[np.float32] | None:
        """The action that moves the object at a mask; None out of reach and at refuted places."""
        aimed = self._aims.aim(mask, view, random)
        if aimed is None:
            return None
        refuted = refutable and any(_distance(aimed.xy, line) < _SAME_PLACE_M for line in self._refuted)
        return None if refuted else aimed.action

    def _in_random_order(self, scores: Floats32) -> NDArray[np.int64]:
        """All indices, each drawn with a chance in proportion to its weight."""
        if len(scores) == 0:
            return np.zeros(0, np.int64)
        chances = np.maximum(self._weights_of(scores.astype(np.float64)), 1e-6)
        return self._rng.choice(len(scores), len(scores), replace=False, p=chances / chances.sum())


def _distance(point: _Point, line: tuple[_Point, _Point]) -> float:
    """Distance of a point from a line between two points."""
    start, end = np.array(line)
    along, offset = end - start, np.array(point) - start
    share = np.clip(offset @ along / max(float(along @ along), 1e-12), 0.0, 1.0)
    return float(np.linalg.norm(offset - share * along))


class Actor(AbstractContextManager["Actor"]):
    """Acts, records each interaction and labels it; made by `open_actor`.

    Args:
        env: records the interactions; closed with the actor.
        session: seed of the first scene; no other session of the run has it.
    """

    def __init__(
        self, config: LearningConfig, env: RecordInteractions, agent: HypothesisAgent, folder: RunFolder, session: int
    ) -> None:
        self._config = config
        self._env = env
        self._agent = agent
        self._folder = folder
        self._session = session
        self._observation: dict[str, Any] | None = None
        self._episode, self._step = -1, 0

    def use(self, network: DeepMask | None) -> None:
        """Choose with this network from now on; with None, and with the policy "random", actions stay random."""
        # Random collectors need no torch.
        from tabletop_interaction.segmentation.photos import AtTrainingSize
        from tabletop_interaction.segmentation.proposals import Segmenter

        if network is not None and self._config.policy == "hypothesis":
            self._agent.segmenter = AtTrainingSize(Segmenter(network, hypotheses_above(self._config.least_belief)))

    def interact(self) -> LabelledInteraction:
        """One step t = 1 .. T of Algorithm 1, up to its labels; after a recoverable fault a new episode begins.

        Raises:
            TabletopError: a fault that is not recoverable, or the third in a row.
        """
        for _ in range(MOST_FAULTS_IN_A_ROW):
            try:
                return self._interact()
            except TabletopError as error:
                self._observation = None
                if not error.recoverable:
                    raise
                fault = error
        raise fault

    def _interact(self) -> LabelledInteraction:
        attempt = self._agent.attempt(self._observed())
        append_choice(self._folder, self._session, self._episode, self._step, attempt.reason)
        observation, _, terminated, truncated, _ = self._env.step(attempt.action)
        self._observation = None if terminated or truncated else observation
        self._step += 1
        row = self._env.last_interaction
        assert row is not None, "a step has been made"
        interaction = LabelledInteraction.of(row, attempt.reason, label_interaction(row))
        self._remember(row, interaction)
        return interaction

    def _remember(self, row: Interaction, interaction: LabelledInteraction) -> None:
        """Tell the agent what moved, or where nothing did."""
        if not interaction.line.moved:
            if (line := _touched_line(row)) is not None:
                self._agent.refute(*line)
            return
        masks = _masks_now(row, interaction)
        if masks:
            # The mask of median area: the largest may contain a shadow, the smallest may be a part.
            name = sorted(masks, key=lambda view: masks[view].area)[len(masks) // 2]
            view = next(view for view in row.views if view.name == name)
            self._agent.has_moved(view, mask_from_rle(masks[name]))

    def _observed(self) -> dict[str, Any]:
        """The pictures now; begins an episode where none is under way."""
        if self._observation is None:
            # A seed restarts the environment's counters: only the first reset has one.
            self._observation, _ = self._env.reset(seed=self._session if self._episode < 0 else None)
            self._episode, self._step = self._episode + 1, 0
            self._agent.forget()
        return self._observation

    def close(self) -> None:
        """Seal the records and close the environment."""
        self._env.close()

    def __exit__(self, *error: object) -> None:
        self.close()


def _touched_line(row: Interaction) -> tuple[_Point, _Point] | None:
    """Where the gripper was on the table: the line of a push, the point of a pick; None if no push was made."""
    if row.pushed is None:
        point = row.pick_place.pick_x, row.pick_place.pick_y
        return point, point
    return (row.pushed.push.start_xy, row.pushed.push.end_xy) if row.pushed.came_down else None


def _masks_now(row: Interaction, interaction: LabelledInteraction) -> dict[str, Rle]:
    """Masks, by view, of what moved, in pictures like the one after the interaction."""
    if row.pushed is None:
        wanted = {"place"} if row.grasped else {"pick"}
        return {label.view: label.mask for label in interaction.labels if label.pair in wanted and label.mask}
    # An object that overlaps its old place has one mask of both.
    there = [label for label in interaction.labels if label.pair == "new" or label.label == "nudged"]
    return {label.view: label.mask for label in there if label.mask}


def open_actor(
    config: LearningConfig, folder: RunFolder, already_there: int, number: int = 0, backend: str | Backend | None = None
) -> Actor:
    """Open environment, records and policy of one actor.

    Args:
        already_there: interactions of the run when this session began.
        backend: replaces the configuration's, for example by an open Backend; closed with the actor.
    """
    session = session_seed(config.seed, already_there, number)
    plain = _open_environment(config, backend)
    rng = np.random.default_rng(np.random.SeedSequence([session, 1]))
    views, arena = plain.get_wrapper_attr("views"), plain.get_wrapper_attr("arena")
    follow_share = config.follow_share if config.policy == "hypothesis" else 0.0
    agent = HypothesisAgent(None, views, arena, rng, config.choice, config.random_share, follow_share, config.primitive)
    try:
        metadata = {"policy": "learning", "seed": config.seed, **({} if folder.run is None else {"run": folder.run})}
        env = RecordInteractions(plain, folder.records, metadata=metadata, **config.pictures.plain())
    except BaseException:
        plain.close()
        raise
    return Actor(config, env, agent, folder, session)


def check_environment(config: LearningConfig) -> None:
    """Open and close the environment of a run. Raises InvalidConfiguration if that fails."""
    _open_environment(config, None).close()


def session_seed(seed: int, already_there: int, number: int = 0) -> int:
    """A seed that no other session or actor of the same run has, so that a resumed folder repeats nothing."""
    return int(np.random.SeedSequence([seed, already_there, number]).generate_state(1)[0])


def _open_environment(config: LearningConfig, backend: str | Backend | None) -> gym.Env[Any, Any]:
    return gym.make(
        ENVIRONMENT_IDS[config.primitive],
        backend=backend or config.backend,
        split=config.split,
        config=None if backend else config.config,
        episodes_per_scene=config.episodes_per_scene,
        max_episode_steps=config.steps_per_episode,
    )
