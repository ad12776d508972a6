"""How far an inverse model's actions are from those that were carried out, beside what chance would say.

Chance is a fixed prior: whatever is seen, the mean action of the examples that were learned from.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.inverse.examples import InverseExample
from tabletop_interaction.agents.inverse.model import InverseModel, believe
from tabletop_interaction.agents.inverse.picture_actions import arena_actions
from tabletop_interaction.segmentation.training.pictures import PictureStore

_NEAR_CM = 2.1
"""About the benchmark's 15 px."""


@dataclass(frozen=True)
class InverseErrors:
    """Over examples.

    Attributes:
        examples: how many.
        pick_cm: mean distance on the table between the pick and the one that was carried out.
        pick_median_cm: its median.
        place_cm: the same of the place.
        place_median_cm: its median.
        angle_deg: mean difference of the gripper's angle, 0 to 90.
        both_near: share of the examples whose pick and place are both within 2.1 cm.
    """

    examples: int
    pick_cm: float
    pick_median_cm: float
    place_cm: float
    place_median_cm: float
    angle_deg: float
    both_near: float


def model_errors(
    model: InverseModel,
    examples: Sequence[InverseExample],
    pictures: PictureStore,
    tell: Callable[[int, int], None] | None = None,
) -> InverseErrors:
    """The errors of the likeliest actions.

    Args:
        model: in evaluation mode.
        examples: one or more.
        pictures: theirs.
        tell: called with how many are done and how many there are.
    """
    actions = []
    for example in examples:
        actions.append(believe(model, pictures[example.now], pictures[example.goal]).action)
        if tell is not None:
            tell(len(actions), len(examples))
    return action_errors(np.array(actions), examples, model.config.size)


def chance_errors(
    learned: Sequence[InverseExample], examples: Sequence[InverseExample], size: tuple[int, int]
) -> InverseErrors:
    """The errors of the fixed prior: the mean of what was `learned` from, its angle the mean of lines."""
    actions = np.array([example.action for example in learned])
    mean = actions.mean(0)
    mean[2] = np.angle(np.exp(2j * actions[:, 2]).mean()) / 2
    return action_errors(np.tile(mean, (len(examples), 1)), examples, size)


def action_errors(
    actions: NDArray[np.float64], examples: Sequence[InverseExample], size: tuple[int, int]
) -> InverseErrors:
    """The errors of picture actions (N, 5), one an example."""
    pairs = [
        arena_actions([action, example.action], example.view, size)
        for action, example in zip(actions, examples, strict=True)
    ]
    found, done = np.array(pairs).transpose(1, 0, 2)
    pick = 100 * np.linalg.norm(found[:, 0:2] - done[:, 0:2], axis=1)
    place = 100 * np.linalg.norm(found[:, 3:5] - done[:, 3:5], axis=1)
    turn = np.rad2deg(np.abs((found[:, 2] - done[:, 2] + np.pi / 2) % np.pi - np.pi / 2))
    return InverseErrors(
        examples=len(examples),
        pick_cm=float(pick.mean()),
        pick_median_cm=float(np.median(pick)),
        place_cm=float(place.mean()),
        place_median_cm=float(np.median(place)),
        angle_deg=float(turn.mean()),
        both_near=float((np.maximum(pick, place) <= _NEAR_CM).mean()),
    )
