"""The learning half of Algorithm 1: trains a network on all interactions so far, in updates.

The network that chooses and is evaluated is an average of the weights over the last steps: at the high learning rate of
mid-run the weights themselves fluctuate. Its BatchNorm statistics are recomputed from the last batches.
"""

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import asdict, dataclass
from importlib.metadata import version
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from torch import Tensor

from tabletop_interaction.agents.labelling.examples import ExampleBuilder
from tabletop_interaction.agents.labelling.label_table import add_labels, read_labels
from tabletop_interaction.agents.labelling.pair_label import PairLabel
from tabletop_interaction.agents.labelling.pushes import OnPushes, PassiveConfig, passive_examples
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.run_folder import (
    LabelledInteraction,
    RunFolder,
    label_again,
    read_history,
    read_updates,
)
from tabletop_interaction.envs import Backend
from tabletop_interaction.errors import DamagedState, ForeignFolder, UnreadableRecords
from tabletop_interaction.seals import append_sealed_line, keep_sealed_lines
from tabletop_interaction.segmentation.checkpoints import (
    checkpoint_metadata,
    is_checkpoint_of,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_state,
)
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
from tabletop_interaction.segmentation.network import DeepMask, refresh_statistics
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.batches import batches
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.trainer import StepReport, Trainer, new_network

OnStep = Callable[[int, int], None]

_REFRESH_BATCHES = 8


@dataclass(frozen=True)
class Update:
    """One update of the network; losses are means over its steps, 0 where it made none.

    Attributes:
        interactions: number of interactions that it learned from.
        step: training steps so far.
        steps_planned: training steps of the whole run.
        score_loss, mask_loss, mask_iou: as in `StepReport`.
        learning_rate: of the last step.
        seconds: of work since the run began.
        cpu_seconds: processor time of that without evaluations, of all threads; what a killed session did after its
            last update is not in it. None where several processes act and learn, and in runs of earlier versions.
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
    cpu_seconds: float | None = None


class Learner:
    """Learns in updates and saves its state after each; made by `open_learner`.

    Args:
        network: to start with, on its device.
        passive: examples to start with.

    Attributes:
        last_update: None before the first.
    """

    def __init__(
        self, config: LearningConfig, folder: RunFolder, network: DeepMask, passive: ExampleSet | None = None
    ) -> None:
        self._config = config
        self._folder = folder
        self._passive = passive
        self._examples = ExampleBuilder(folder.records, folder.pictures, carry=config.carry_labels, run=folder.run)
        self._average = deepcopy(network).eval().requires_grad_(False)
        self._trainer = Trainer(network, config.schedule)
        self._recent: deque[Tensor] = deque(maxlen=_REFRESH_BATCHES)
        # Interactions whose labels were on disk before this process; those after the last state are learned again.
        self._labelled: frozenset[str] = frozenset()
        self.interactions = 0
        self.last_update: Update | None = None

    @property
    def network(self) -> DeepMask | None:
        """The network that chooses, in evaluation mode; None before the first training step."""
        has_learned = self._trainer.step_number > 0 or self._config.model is not None
        return self._average if has_learned else None

    def update(self, interactions: Sequence[LabelledInteraction], on_step: OnStep | None = None) -> Update:
        """Add interactions, learn from all so far, and save the state.

        Without an example of an object no step is made; later updates make up for it.

        Args:
            interactions: those since the last update.
            on_step: called after each step with steps made and steps planned.
        """
        if interactions:
            new = [label for one in interactions if one.id not in self._labelled for label in one.labels]
            add_labels(self._folder.labels, new, self._folder.run)
            self._examples.add({one.id: one.labels for one in interactions})
        self.interactions += len(interactions)
        examples = self._examples.example_set(self._passive)
        reports = list(self._learn(examples, on_step)) if examples.objects else []
        self.last_update = self._summary(examples, reports, time.time() - self._folder.began)
        self._save(self.last_update)
        return self.last_update

    def restore(self) -> None:
        """Resume from the state on disk, if there is one.

        Raises:
            UnreadableRecords: it is damaged, or counts interactions or updates that are not on disk.
            ForeignFolder: it is of another run.
        """
        folder = self._folder
        self._labelled = frozenset(label.interaction_id for label in read_labels(folder.labels, folder.run))
        remedy = f"remove {folder.state}, and the run learns again from the interactions on disk"
        try:
            state = load_state(folder.state, folder.run)
            updates = self._restored(state) if state else []
        except ForeignFolder:
            raise
        except DamagedState as error:
            raise UnreadableRecords(f"{error}; {remedy}") from error
        except (KeyError, TypeError, ValueError, RuntimeError) as error:
            raise UnreadableRecords(f"{folder.state} is damaged ({shorten(str(error), 200)}); {remedy}") from error
        keep_sealed_lines(folder.updates, updates, folder.run)
        if state is None:
            return
        history = read_history(folder)
        if self.interactions > len(history):
            raise UnreadableRecords(
                f"{folder.state} counts {self.interactions} interactions, and {folder.history} has {len(history)}; "
                f"{remedy}"
            )
        if not updates or updates[-1]["interactions"] != self.interactions:
            raise UnreadableRecords(f"{folder.updates} lacks the last update of {folder.state}; {remedy}")
        self.last_update = Update(**updates[-1])
        self._examples.add(_labels_of(folder, [line.id for line in history[: self.interactions]]))
        self._repair_model(self.last_update)

    def _restored(self, state: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Restore networks, optimiser and counters; returns the lines of the updates that the state counts."""
        self.interactions = int(state["interactions"])
        self._trainer.load_state_dict(state["trainer"])
        self._average.load_state_dict(state["average"])
        # States of earlier versions do not hold the updates.
        updates = state.get("updates") or read_updates(self._folder)
        return [line for line in updates if line["interactions"] <= self.interactions]

    def _repair_model(self, update: Update) -> None:
        """Write the newest network again where its files are missing, damaged or of another update."""
        model = self._folder.model
        if self.network is None:
            return
        if not is_checkpoint_of(model, self._folder.run) or checkpoint_metadata(model)["step"] != update.step:
            save_checkpoint(self.network, model, metadata=self._metadata(update), run=self._folder.run)

    def _learn(self, examples: ExampleSet, on_step: OnStep | None) -> Iterator[StepReport]:
        """Make the steps that are due."""
        trainer, due = self._trainer, self._config.steps_until(self.interactions)
        sampler = CropSampler(examples, self._config.training.crops, trainer.network.mask_grid)
        steps, size = range(trainer.step_number, due), self._config.training.batch_size
        for batch in batches(sampler, self._config.seed, steps, size):
            yield trainer.step(batch)
            self._update_average()
            self._recent.append(batch.images)
            if on_step is not None:
                on_step(trainer.step_number, self._config.steps_planned)
        self._refresh_statistics()

    @torch.no_grad()
    def _update_average(self) -> None:
        """Move the average towards the weights; after few steps it spans few."""
        step = self._trainer.step_number
        kept = min(self._config.average, (step - 1) / (step + 9))
        average: list[Tensor] = list(self._average.parameters())
        weights: list[Tensor] = list(self._trainer.network.parameters())
        torch._foreach_lerp_(average, weights, 1.0 - kept)

    def _refresh_statistics(self) -> None:
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
            cpu_seconds=None if (clock := self._folder.clock) is None else round(clock.seconds, 2),
        )

    def _save(self, update: Update) -> None:
        """Write the update, the network and the state; the state comes last, since it counts what is on disk."""
        run = self._folder.run
        append_sealed_line(self._folder.updates, asdict(update), run)
        if self.network is not None:
            save_checkpoint(self.network, self._folder.model, metadata=self._metadata(update), run=run)
        state = {
            "interactions": self.interactions,
            "updates": read_updates(self._folder),
            "trainer": self._trainer.state_dict(),
            "average": self._average.state_dict(),
        }
        save_state(self._folder.state, state, run)

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
    """The learner of a run, in its state on disk; observes the run's pushes first, as `watched`.

    Raises:
        CheckpointError: the network to start from is missing or does not fit.
        UnreadableRecords, ForeignFolder: as `Learner.restore`.
    """
    learner = Learner(config, folder, first_network(config).to(device), watched(config, folder, backend=backend))
    learner.restore()
    return learner


def watched(
    config: LearningConfig, folder: RunFolder, on_pushes: OnPushes | None = None, backend: str | Backend | None = None
) -> ExampleSet | None:
    """The examples of the run's pushes, which are observed if they are not on disk; None without pushes.

    A `backend`, such as an open Backend, which stays open, replaces the configuration's. Errors as `passive_examples`.
    """
    if config.pushes == 0:
        return None
    simulation = config.config if isinstance(config.config, dict) else None
    passive = PassiveConfig(pushes=config.pushes, seed=config.seed, split=config.split, simulation=simulation)
    return passive_examples(backend or config.backend, folder.watched, passive, on_pushes, folder.run)


def first_network(config: LearningConfig) -> DeepMask:
    """The network that a run starts with. Raises CheckpointError."""
    if config.model is None:
        return new_network(config.schedule)
    return load_checkpoint(DEFAULT_CHECKPOINT if config.model == "default" else config.model)


def _labels_of(folder: RunFolder, ids: Sequence[str]) -> dict[str, Sequence[PairLabel]]:
    """The labels of interactions by id, made again where they are missing."""
    labels: dict[str, list[PairLabel]] = {}
    for label in read_labels(folder.labels, folder.run):
        labels.setdefault(label.interaction_id, []).append(label)
    again = {one.id: one.labels for one in label_again(folder, set(ids) - labels.keys())}
    return {id_: again.get(id_) or labels[id_] for id_ in ids}
