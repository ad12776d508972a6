"""The learning half of Algorithm 1: a network that learns from all interactions so far, in updates.

The network that chooses, and that is evaluated, is an average of the weights over the last steps: at the high rate of
mid-run the weights themselves jitter. Its BatchNorm statistics are taken anew from the last batches.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tabletop_interaction.agents.labelling.experience import Experience
from tabletop_interaction.agents.labelling.frame_labels import LabelledExample
from tabletop_interaction.agents.labelling.label_table import add_labels, read_labels
from tabletop_interaction.agents.labelling.pushes import PassiveConfig, Tell, passive_examples
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.run_folder import (
    RunFolder,
    Tried,
    labelled_again,
    load_learner,
    read_history,
    save_learner,
)
from tabletop_interaction.envs import Backend
from tabletop_interaction.json_lines import append_line, keep_lines, read_lines
from tabletop_interaction.segmentation.checkpoints import load_checkpoint, save_checkpoint
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
from tabletop_interaction.segmentation.network import DeepMask, refresh_statistics
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.batches import batches
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.trainer import StepReport, Trainer, new_network

_REFRESH_BATCHES = 8

StepTold = Callable[[int, int], None]


@dataclass(frozen=True)
class Update:
    """What an update of the network brought; losses are means over its steps, 0 where it made none.

    Attributes:
        interactions: how many it learned from.
        step: training steps so far.
        steps_planned: in the whole run.
        score_loss, mask_loss, mask_iou: as of `StepReport`.
        learning_rate: of the last step.
        objects: examples with a mask.
        background: examples without one.
        seconds: of work since the run began.
    """

    interactions: int
    step: int
    steps_planned: int
    score_loss: float
    mask_loss: float
    mask_iou: float
    learning_rate: float
    objects: int
    background: int
    seconds: float


class Learner:
    """Learns in updates, and is on disk after each; made by `open_learner`.

    Args:
        config: of the run.
        folder: of the run.
        experience: what it learns from.
        network: that it starts with, on its device.

    Attributes:
        interactions: how many it has learned from.
        last_update: None before the first.
    """

    def __init__(self, config: LearningConfig, folder: RunFolder, experience: Experience, network: DeepMask) -> None:
        self._config = config
        self._folder = folder
        self._experience = experience
        self._average = deepcopy(network).eval().requires_grad_(False)
        self._trainer = Trainer(network, config.schedule)
        self._recent: deque[Tensor] = deque(maxlen=_REFRESH_BATCHES)
        self.interactions = 0
        self.last_update: Update | None = None

    @property
    def network(self) -> DeepMask | None:
        """The network that chooses, in evaluation mode; None while nothing has been learned."""
        has_learned = self._trainer.step_number > 0 or self._config.model is not None
        return self._average if has_learned else None

    def update(self, tried: Sequence[Tried], began: float, tell: StepTold | None = None) -> Update:
        """Take interactions in, learn from all so far, and write the state.

        Without an example of an object there is nothing to learn from; the steps are made up for later.

        Args:
            tried: the interactions since the last update.
            began: `time.time()` when the run began, pauses left out.
            tell: called after each step with steps made and steps planned.
        """
        if tried:
            add_labels(self._folder.labels, [label for one in tried for label in one.labels])
            self._experience.add(tried)
        self.interactions += len(tried)
        examples = self._experience.examples()
        reports = list(self._learn(examples, tell)) if examples.objects else []
        self.last_update = self._summary(examples, reports, time.time() - began)
        self._write(self.last_update)
        return self.last_update

    def restore(self) -> None:
        """Go on from the state on disk, if there is one."""
        state = load_learner(self._folder.state)
        self.interactions = 0 if state is None else int(state["interactions"])
        lines = [line for line in read_lines(self._folder.updates) if line["interactions"] <= self.interactions]
        if state is None:
            keep_lines(self._folder.updates, [])
            return
        keep_lines(self._folder.updates, lines)
        self._trainer.load_state_dict(state["trainer"])
        self._average.load_state_dict(state["average"])
        self.last_update = Update(**lines[-1])
        self._experience.add(list(_learned_from(self._folder, self.interactions)))

    def _learn(self, examples: ExampleSet, tell: StepTold | None) -> Iterator[StepReport]:
        """Make the steps that are due."""
        trainer, due = self._trainer, self._config.steps_until(self.interactions)
        sampler = CropSampler(examples, self._config.training.crops, trainer.network.mask_grid)
        steps, size = range(trainer.step_number, due), self._config.training.batch_size
        for batch in batches(sampler, self._config.seed, steps, size):
            yield trainer.step(batch)
            self._follow()
            self._recent.append(batch.images)
            if tell is not None:
                tell(trainer.step_number, self._config.steps_planned)
        self._refresh()

    @torch.no_grad()
    def _follow(self) -> None:
        """Move the average towards the weights; after few steps it remembers few."""
        step = self._trainer.step_number
        kept = min(self._config.average, (step - 1) / (step + 9))
        average: list[Tensor] = list(self._average.parameters())
        weights: list[Tensor] = list(self._trainer.network.parameters())
        torch._foreach_lerp_(average, weights, 1.0 - kept)

    def _refresh(self) -> None:
        device = next(self._average.parameters()).device
        dtype = fast_autocast_dtype(device)
        with torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
            refresh_statistics(self._average, (images.to(device) for images in self._recent))
        self._recent.clear()

    def _summary(self, examples: ExampleSet, reports: Sequence[StepReport], seconds: float) -> Update:
        score, mask, iou = (
            float(np.mean([report[field] for report in reports])) if reports else 0.0 for field in range(3)
        )
        return Update(
            interactions=self.interactions,
            step=self._trainer.step_number,
            steps_planned=self._config.steps_planned,
            score_loss=score,
            mask_loss=mask,
            mask_iou=iou,
            learning_rate=reports[-1].learning_rate if reports else 0.0,
            objects=len(examples.objects),
            background=len(examples.background),
            seconds=round(seconds, 2),
        )

    def _write(self, update: Update) -> None:
        """The state comes last: what it counts is on disk already."""
        append_line(self._folder.updates, asdict(update))
        if self.network is not None:
            save_checkpoint(self.network, self._folder.model, metadata=self._metadata(update))
        state = {
            "interactions": self.interactions,
            "trainer": self._trainer.state_dict(),
            "average": self._average.state_dict(),
        }
        save_learner(self._folder.state, state)

    def _metadata(self, update: Update) -> dict[str, Any]:
        return {
            "data": str(self._folder.records),
            **asdict(update),
            "learning": asdict(self._config),
            "versions": {name: version(name) for name in ("torch", "torchvision", "numpy", "opencv-python-headless")},
        }


def open_learner(
    config: LearningConfig, folder: RunFolder, device: str = "cpu", backend: str | Backend | None = None
) -> Learner:
    """The learner of a run, as its state on disk says; pushes that it has not watched yet are watched first.

    Args:
        config: of the run.
        folder: of the run.
        device: where it learns.
        backend: as for `watched`.

    Raises:
        CheckpointError: the network to start from is missing or does not fit.
        UnreadableRecords: the state is damaged.
    """
    network = first_network(config).to(device)
    experience = Experience(folder, carry=config.carry_labels, passive=watched(config, folder, backend=backend))
    learner = Learner(config, folder, experience, network)
    learner.restore()
    return learner


def watched(
    config: LearningConfig, folder: RunFolder, tell: Tell | None = None, backend: str | Backend | None = None
) -> ExampleSet | None:
    """What the run's pushes showed, read from disk as far as they have been watched; None without pushes.

    Args:
        config: of the run.
        folder: of the run.
        tell: see `passive_examples`.
        backend: another one than the configuration's name says, such as an open Backend, which stays open.

    Raises:
        as `passive_examples`.
    """
    if config.pushes == 0:
        return None
    asked = PassiveConfig(pushes=config.pushes, seed=config.seed, split=config.split)
    return passive_examples(backend or config.backend, folder.watched, asked, tell)


def first_network(config: LearningConfig) -> DeepMask:
    """The network that a run starts with. Raises CheckpointError."""
    if config.model is None:
        return new_network(config.schedule)
    return load_checkpoint(DEFAULT_CHECKPOINT if config.model == "default" else config.model)


def _learned_from(folder: RunFolder, interactions: int) -> Iterator[Tried]:
    """The first interactions of the history with their labels, which are made again where they are missing."""
    labels: dict[str, list[LabelledExample]] = {}
    for label in read_labels(folder.labels).labels:
        labels.setdefault(label.interaction_id, []).append(label)
    lines = read_history(folder)[:interactions]
    missing = {line.id for line in lines} - labels.keys()
    again = {one.interaction_id: one for one in labelled_again(folder, missing)} if missing else {}
    for line in lines:
        yield again[line.id] if line.id in again else line.tried(labels[line.id])
