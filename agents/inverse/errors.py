"""Errors of an inverse model's actions against those carried out, and the errors of chance.

Chance is a fixed prior: for every pair of pictures the mean action of the training examples.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tabletop_interaction.agents.inverse.examples import InverseExample
from tabletop_interaction.agents.inverse.model import InverseModel, predict_action
from tabletop_interaction.agents.inverse.picture_actions import arena_actions
from tabletop_interaction.arrays import Floats
from tabletop_interaction.segmentation.training.pictures import PictureStore

_NEAR_CM = 2.1
"""About the 15 px of the rearrangement benchmark."""


@dataclass(frozen=True)
class InverseErrors:
    """Errors over examples.

    Attributes:
        examples: number of examples.
        pick_cm: mean distance on the table between predicted and carried-out pick.
        pick_median_cm: median of this distance.
        place_cm: mean distance of the place.
        place_median_cm: median of this distance.
        angle_deg: mean difference of the gripper's angle, 0 to 90.
        both_near: share of the examples with pick and place both within 2.1 cm.
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
    progress: Callable[[int, int], None] | None = None,
) -> InverseErrors:
    """Compute the errors of the likeliest actions.

    Args:
        model: in evaluation mode.
        examples: one or more.
        pictures: of the examples.
        progress: called after each example with the number done and the number of all.
    """
    actions = []
    for example in examples:
        actions.append(predict_action(model, pictures[example.now], pictures[example.goal]).action)
        if progress is not None:
            progress(len(actions), len(examples))
    return action_errors(np.array(actions), examples, model.config.size)


def chance_errors(
    learned: Sequence[InverseExample], examples: Sequence[InverseExample], size: tuple[int, int]
) -> InverseErrors:
    """Compute the errors of the fixed prior: the mean action of `learned`, its angle the mean of directions."""
    actions = np.array([example.action for example in learned])
    mean = actions.mean(0)
    mean[2] = np.angle(np.exp(2j * actions[:, 2]).mean()) / 2
    return action_errors(np.tile(mean, (len(examples), 1)), examples, size)


def action_errors(actions: Floats, examples: Sequence[InverseExample], size: tuple[int, int]) -> InverseErrors:
    """Compute the errors of picture actions (N, 5), one for each example."""
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
