"""Training of an inverse model: the loss of a step, and the run with its held-out scenes.

The loss is cross-entropy on the pick's cell, the angle's bin and the place's cell, the latter two given the pick that
was carried out (Agrawal et al. 2016, section 3, without the forward model). A run's folder is that of any training
(`segmentation.training.run`). Some scenes are held out; in the end model.json says how far the model's picks and places
are from those carried out there (pairs one move apart, for any span), and how far a fixed prior's are.
"""

import zlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.agents.inverse.batches import InverseBatch, InverseSampler
from tabletop_interaction.agents.inverse.config import InverseRunOptions, InverseTrainingConfig
from tabletop_interaction.agents.inverse.examples import InverseExample, InverseExamples, split_by_scene
from tabletop_interaction.agents.inverse.model import INVERSE_MODEL, InverseModel, new_inverse_model, predict_action
from tabletop_interaction.agents.inverse.picture_actions import arena_actions
from tabletop_interaction.arrays import Floats
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata
from tabletop_interaction.segmentation.training.pictures import PictureStore
from tabletop_interaction.segmentation.training.run import StepCallback, TrainingRun, plot
from tabletop_interaction.segmentation.training.trainer import NetworkTrainer

# Held-out examples, evenly spread, whose errors are plotted during the training.
_PLOTTED = 48
# About the 15 px of the rearrangement benchmark.
_NEAR_CM = 2.1


class InverseReport(NamedTuple):
    """Figures of one step; losses in nats."""

    pick_loss: float
    angle_loss: float
    place_loss: float
    learning_rate: float
    gradient: float


@dataclass(frozen=True)
class InverseErrors:
    """Errors over examples.

    Attributes:
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


class InverseTrainer(NetworkTrainer[InverseModel, InverseBatch, InverseReport]):
    """Trains an inverse model; its trunk stays as it is."""

    def __init__(self, network: InverseModel, config: InverseTrainingConfig) -> None:
        trained = [parameter for parameter in network.parameters() if parameter.requires_grad]
        super().__init__(network, config, [{"params": trained, "weight_decay": config.weight_decay}], InverseReport)

    def _loss(self, batch: InverseBatch) -> tuple[Tensor, Sequence[float]]:
        with self._autocast():
            pick, angle, place = self.network(batch.now, batch.goal, batch.pick_cells)
        pairs = ((pick, batch.pick), (angle, batch.angle), (place, batch.place))
        losses = torch.stack(
            [functional.cross_entropy(logits.float().flatten(1), target.flatten(1)) for logits, target in pairs]
        )
        return losses.sum(), losses.tolist()


def train_inverse(
    examples: InverseExamples,
    out: Path,
    config: InverseTrainingConfig,
    options: InverseRunOptions | None = None,
    *,
    callback: StepCallback[InverseReport] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Train an inverse model, or resume a stopped run; returns the path of the checkpoint.

    Args:
        examples: of `inverse_examples`, with the configuration's size and span.
        out: new, empty, or of a stopped run with the same examples and configuration; a finished run stays as it is.
        progress: called in the end, after each held-out example, with its number from 1 and the number of all.

    Raises:
        NoExamples: all examples are of one scene; nothing was written.
        TrainingError, ForeignFolder, DiskFull: as of `TrainingRun.complete`.
    """
    options = options or InverseRunOptions()
    learned, held_out = split_by_scene(examples.examples, config.held_out, config.seed)
    # Several moves may be made in another order: errors of the first one would mean nothing.
    held_out = [example for example in held_out if example.moves == 1]
    model = new_inverse_model(config.model, config.seed).to(options.device)
    trainer = InverseTrainer(model, config)
    sampler = InverseSampler(tuple(learned), examples, config.model, config.augmentation)
    plotted = held_out[:: -(-len(held_out) // _PLOTTED)]

    def show(board: SummaryWriter) -> None:
        errors = asdict(model_errors(model.eval(), plotted, examples.pictures))
        model.train()
        plot(board, {f"held_out/{name}": value for name, value in errors.items()}, trainer.step_number)

    def finish() -> dict[str, Any]:
        return {
            "split": options.split,
            "learned_from": len(learned),
            "held_out": model_errors(model.eval(), held_out, examples.pictures, progress),
            "held_out_chance": chance_errors(learned, held_out, config.model.size),
        }

    run = TrainingRun(trainer, sampler, inverse_fingerprint(examples), INVERSE_MODEL, show, finish)
    return run.complete(out, options, callback)


def held_out_errors(path: Path) -> tuple[InverseErrors, InverseErrors]:
    """Return the held-out errors of a trained model and of the fixed prior; raises as `load_inverse_model`."""
    metadata = checkpoint_metadata(path, INVERSE_MODEL)
    return InverseErrors(**metadata["held_out"]), InverseErrors(**metadata["held_out_chance"])


def inverse_fingerprint(examples: InverseExamples) -> str:
    """Count and checksum of the examples: two sets with the same one give the same run."""
    checksum = 0
    for example in examples.examples:
        content = (example.now, example.goal, example.action.round(6).tolist())
        checksum = zlib.crc32(repr(content).encode(), checksum)
    return f"{len(examples.examples)}-{checksum:08x}"


def model_errors(
    model: InverseModel,
    examples: Sequence[InverseExample],
    pictures: PictureStore,
    progress: Callable[[int, int], None] | None = None,
) -> InverseErrors:
    """Compute the errors of the likeliest actions on one or more examples; `model` is in evaluation mode.

    `progress` is called after each example with the number done and the number of all.
    """
    actions = []
    for example in examples:
        actions.append(predict_action(model, pictures[example.now], pictures[example.goal]))
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
