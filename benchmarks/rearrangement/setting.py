"""Which episodes of the rearrangement benchmark are run, and how; importing it does not import torch or PyBullet."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal

from tabletop_interaction.envs import SPLITS
from tabletop_interaction.ranges import Range, check_choice, check_fields

MOST_INTERACTIONS = 10
"""As the registration of TabletopRearrangement-v0 has it."""

_PAPER_LETTERS = {("train", "train"): "A", ("train", "test"): "B", ("test", "train"): "C", ("test", "test"): "D"}


@dataclass(frozen=True)
class Setting:
    """How all episodes of a folder are run.

    Attributes:
        model: Segmenter: default, a checkpoint (.safetensors), an ONNX file (.onnx), maskrcnn=WEIGHTS, sam=CHECKPOINT,
            or your own as module:Class.
        fast: Three scales of the picture instead of seven, for our networks; takes about two thirds of the time.
        features: Features that tell objects apart: efficientnet-lite0, alexnet or trunk.
        displaced: Number of objects that stand elsewhere in the goal, 1 to 3; by default it is drawn.
        most_interactions: Interactions after which an episode has failed.
        inverse_model: Checkpoint of `tabletop train-inverse`, for the agent inverse.
        simulation: Plain form of the simulation's `SimulationConfig`, apart from its table tops; None for the default.
    """

    model: str = "default"
    fast: bool = True
    features: str = "efficientnet-lite0"
    displaced: Literal[1, 2, 3] | None = None
    most_interactions: Annotated[int, Range(1, 1000)] = MOST_INTERACTIONS
    inverse_model: str | None = None
    simulation: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class Scenes:
    """A kind of scene: the split of its objects and the split of its table tops."""

    objects: str = "test"
    tables: str = "test"

    def __post_init__(self) -> None:
        for split in (self.objects, self.tables):
            check_choice("split", split, SPLITS)

    @property
    def name(self) -> str:
        """Name for readers, with the letter of the paper's kind of generalisation if there is one."""
        return f"{self.objects} objects on {self.tables} tables{self._letter}"

    @property
    def short_name(self) -> str:
        """Name for tables and charts."""
        return f"{self.objects} on {self.tables}{self._letter}"

    @property
    def _letter(self) -> str:
        letter = _PAPER_LETTERS.get((self.objects, self.tables))
        return f" ({letter})" if letter else ""


@dataclass(frozen=True)
class EpisodeKey:
    """Identity of an episode: agent, kind of scene, and the seed of scene, goal and agent."""

    agent: str
    scenes: Scenes
    seed: int

    def __str__(self) -> str:
        return f"{self.agent}, seed {self.seed}, {self.scenes.name}"


def scenes_of(objects: Sequence[str], tables: Sequence[str] = ()) -> tuple[Scenes, ...]:
    """Kinds of scene: each split of objects on each split of table tops, or on its own if there are no table tops."""
    pairs = product(objects, tables) if tables else zip(objects, objects, strict=True)
    return tuple(dict.fromkeys(Scenes(*pair) for pair in pairs))


def episode_keys(agents: Sequence[str], scenes: Sequence[Scenes], seeds: Sequence[int]) -> list[EpisodeKey]:
    """Every agent in every kind of scene with every seed, in this order."""
    return [EpisodeKey(*key) for key in product(agents, scenes, seeds)]
