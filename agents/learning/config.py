"""Configuration of a run of Algorithm 1."""

import math
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, Literal

from tabletop_interaction.envs import Split
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.records.picture_format import PictureFormat
from tabletop_interaction.ranges import Count, Range, Seed, Share, check_fields
from tabletop_interaction.segmentation.training.config import TrainingConfig

ChoiceName = Literal["score", "random", "uncertainty"]
PolicyName = Literal["hypothesis", "random"]


@dataclass(frozen=True)
class LearningConfig:
    """Settings that change what is learned: a run resumes only with the same ones.

    Attributes:
        interactions: Interactions in total, including existing ones (T in the paper).
        seed: Seed of scenes, choices, first weights and crops.
        backend: Backend that moves things, by name.
        config: The robot's lab file, for the backend sawyer; for a simulation the plain form of its `SimulationConfig`,
            or None for the default one.
        split: Split of the objects and table tops.
        primitive: Kind of interaction: pick (pick up and place) or push (for objects that the gripper cannot grasp).
        episodes_per_scene: Episodes with the same objects, before new ones are drawn; on a robot the operator lays new
            ones.
        steps_per_episode: Interactions in an episode; between two episodes the objects are swept to the table's centre.
        policy: Policy: hypothesis (acts on a mask that the network proposes) or random (uniform actions; the network
            learns, but chooses nothing).
        choice: Choice among the proposed masks: score (in proportion to it), random, or uncertainty (of the network).
        random_share: Share of random interactions with --policy hypothesis, 0 to 1.
        follow_share: Share of the random interactions that act again on what has just moved, 0 to 1; 0 in the paper.
        least_belief: Smallest score of a hypothesis, and smallest probability of its position.
        update_interval: Interactions between two updates of the network.
        steps_per_interaction: Training steps for each interaction; they are made at the updates.
        growth: Exponent of the training schedule: after a share p of the interactions, p ** growth of the steps are
            made. Below 1 trains more at first; 1 is the paper's.
        pushes: Random pushes before the first interaction, from whose motion the network learns first; the paper's
            passive bootstrap.
        pretraining_steps: Training steps on the pushes before the first interaction; none without pushes.
        model: Checkpoint to start from, such as one of `tabletop bootstrap`; untrained by default.
        carry_labels: Use of a mask in all pictures in which its object stands still, not only in its own; not in the
            paper.
        average: Share of the averaged weights that a training step leaves in place; the average chooses and is
            evaluated. 0 uses the last weights.
        pictures: Format in which the interactions are recorded.
        training: How a training step is made; its steps and its seed are not read.
    """

    interactions: Count = 200
    seed: Seed = 0
    backend: str = "simulation"
    config: str | dict[str, Any] | None = None
    split: Split = "train"
    primitive: Primitive = "pick"
    episodes_per_scene: Count = 1
    steps_per_episode: Count = 25
    policy: PolicyName = "hypothesis"
    choice: ChoiceName = "score"
    random_share: Share = 0.1
    follow_share: Share = 0.7
    least_belief: Share = 0.3
    update_interval: Count = 25
    steps_per_interaction: Annotated[int, Range(1, 10_000)] = 3
    growth: Annotated[float, Range(0, 100, above=True)] = 0.7
    pushes: Annotated[int, Range(0, 10**7)] = 0
    pretraining_steps: Annotated[int, Range(0, 10**7)] = 150
    model: str | None = None
    carry_labels: bool = True
    average: Share = 0.98
    pictures: PictureFormat = field(default_factory=PictureFormat)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    def __post_init__(self) -> None:
        check_fields(self)

    def steps_until(self, interactions: int) -> int:
        """Training steps that are due when so many interactions have been made."""
        steps = self.interactions * self.steps_per_interaction
        watched = self.pretraining_steps if self.pushes else 0
        return watched + round(steps * math.pow(interactions / self.interactions, self.growth))

    @property
    def steps_planned(self) -> int:
        """Training steps in all; the learning rate rises and falls over them."""
        return self.steps_until(self.interactions)

    @property
    def schedule(self) -> TrainingConfig:
        """The training configuration with the steps and the seed of the whole run."""
        return replace(self.training, steps=self.steps_planned, seed=self.seed)
