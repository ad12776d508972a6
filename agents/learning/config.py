"""What a run of Algorithm 1 is asked for: how it acts, how often it learns, and what of."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from tabletop_interaction.envs import Split
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.training.config import TrainingConfig

ChoiceName = Literal["score", "random", "uncertainty"]
PolicyName = Literal["hypothesis", "random"]


@dataclass(frozen=True)
class LearningConfig:
    """A run's settings; all of them change what is learned, so a run goes on with the same ones only.

    Attributes:
        interactions: T, how many in all.
        seed: of scenes, choices, first weights and crops.
        backend: what moves, by name.
        config: the backend's, as plain JSON: of a Sawyer the path of its lab file.
        split: which objects and backgrounds.
        episodes_per_scene: episodes (of 25 interactions) between two new scenes in a simulation; the more tables and
            objects it meets, the better it knows the next.
        policy: "hypothesis", or "random": the network learns, but never chooses.
        choice: which hypothesis is tried, see `actor.CHOICES`.
        random_share: of the interactions, are random whatever the network believes.
        follow_share: of the random interactions, try again what has just been seen to move; 0 is the paper's.
        least_belief: scores under this are no hypotheses.
        update_interval: interactions between two updates of the network (paper).
        steps_per_interaction: training steps that an interaction brings, made at the updates.
        growth: steps made until a share p of the interactions are p ** growth of all; below 1 trains early, so that
            the network soon chooses well what there is to learn from. 1 is the paper's.
        pushes: watched before the first interaction; what they showed stays among the examples.
        pretraining_steps: made before the first interaction, on what the pushes showed; 0 without pushes.
        model: checkpoint that the network starts from; None starts it at random.
        carry_labels: use a mask in every picture in which its object still stands (`standing`); the paper does not.
        average: of the network's weights over its last steps, the share that a step leaves in place: the average
            chooses and is evaluated. 0 takes the last weights.
        training: how a step is made; its steps and its seed are not read.
    """

    interactions: int = 200
    seed: int = 0
    backend: str = "simulation"
    config: str | None = None
    split: Split = "train"
    episodes_per_scene: int = 1
    policy: PolicyName = "hypothesis"
    choice: ChoiceName = "score"
    random_share: float = 0.1
    follow_share: float = 0.7
    least_belief: float = 0.3
    update_interval: int = 25
    steps_per_interaction: int = 3
    growth: float = 0.7
    pushes: int = 0
    pretraining_steps: int = 150
    model: str | None = None
    carry_labels: bool = True
    average: float = 0.98
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        for name in ("interactions", "update_interval", "steps_per_interaction", "episodes_per_scene"):
            if getattr(self, name) < 1:
                raise InvalidConfiguration(f"{name} is {getattr(self, name)}; it must be 1 or more")
        for name in ("seed", "pushes", "pretraining_steps"):
            if getattr(self, name) < 0:
                raise InvalidConfiguration(f"{name} is {getattr(self, name)}; it must not be negative")
        for name in ("random_share", "follow_share", "least_belief", "average"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidConfiguration(f"{name} is {getattr(self, name)}; it must lie between 0 and 1")
        if not self.growth > 0:
            raise InvalidConfiguration(f"growth is {self.growth}; it must be positive")
        if self.choice not in get_args(ChoiceName):
            raise InvalidConfiguration(
                f"choice {self.choice!r} is unknown; accepted are {', '.join(get_args(ChoiceName))}"
            )

    def steps_until(self, interactions: int) -> int:
        """Training steps that shall have been made once so many interactions are known."""
        steps = self.interactions * self.steps_per_interaction
        watched = self.pretraining_steps if self.pushes else 0
        return watched + round(steps * math.pow(interactions / self.interactions, self.growth))

    @property
    def steps_planned(self) -> int:
        """Training steps in all; the learning rate warms up and falls over them."""
        return self.steps_until(self.interactions)

    @property
    def schedule(self) -> TrainingConfig:
        """How each step is made, over the whole run."""
        return replace(self.training, steps=self.steps_planned, seed=self.seed)
