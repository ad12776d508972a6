"""`tabletop bootstrap`: a first network from watching somebody push things about, before the agent acts at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tabletop_interaction.agents.labelling.pushes import PassiveConfig, passive_examples
from tabletop_interaction.cli.loading import Device, check_device, claim_folder
from tabletop_interaction.cli.train import LearningBar, progress_bars
from tabletop_interaction.envs.records.folder import write_whole
from tabletop_interaction.errors import InvalidConfiguration, NoExamples
from tabletop_interaction.reports.passive_sheet import write_passive_sheet
from tabletop_interaction.segmentation.training.config import RunOptions, TrainingConfig
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.run import train


@dataclass(frozen=True)
class Bootstrap:
    """Watch random pushes, take what moves together for objects, and train a first network on those masks.

    Example: tabletop bootstrap --pushes 150 --minutes 3 --out runs/bootstrap

    The same command goes on where an earlier one stopped. `tabletop learn --model runs/bootstrap/model.safetensors`
    starts from the network.
    """

    out: Path
    """Folder of the watched pushes, the training, masks.jpg and model.safetensors; new, or one of this command."""
    pushes: int = PassiveConfig.pushes
    """How many to watch."""
    minutes: float | None = None
    """About how long to train, instead of --steps."""
    steps: int = 400
    """How many steps to train."""
    loss: Literal["cross-entropy", "robust-set"] = "cross-entropy"
    """Of the mask branch; robust-set forgives what is wrong in the masks."""
    split: Literal["train", "val", "test"] = "train"
    """Objects and backgrounds."""
    backend: Annotated[str, tyro.conf.arg(metavar="simulation")] = "simulation"
    """What moves."""
    device: Device = "cpu"
    """What trains."""
    seed: int = 0
    """Where the random numbers start."""

    def run(self) -> None:
        """Watch, segment, train; with progress bars."""
        watching, training = self._configs()
        claim_folder(self.out, "bootstrap")
        with progress_bars() as show:
            examples = self._watch(watching, show)
            sheet = write_passive_sheet(examples, self.out / "masks.jpg")
            options = RunOptions(data=f"{self.pushes} pushes watched", device=self.device)
            trained = train(
                examples, self.out / "training", training, options, minutes=self.minutes, tell=LearningBar(show)
            )
        model = _published(trained, self.out)
        pictures = len(examples.objects_by_picture)
        print(f"{model} learned from {len(examples.objects)} masks in {pictures} pictures of {self.pushes} pushes")
        print(f"what it learned from: {sheet}")

    def _configs(self) -> tuple[PassiveConfig, TrainingConfig]:
        if self.minutes is not None and not self.minutes > 0:
            raise InvalidConfiguration(f"--minutes {self.minutes} must be positive")
        check_device(self.device)
        watching = PassiveConfig(pushes=self.pushes, seed=self.seed, split=self.split)
        return watching, TrainingConfig(loss=self.loss, steps=self.steps, seed=self.seed)

    def _watch(self, config: PassiveConfig, show: Callable[[str, int, int, str], None]) -> ExampleSet:
        examples = passive_examples(
            self.backend,
            self.out / "watched",
            config,
            lambda done, total, masks: show("pushes", done, total, f"{masks} masks"),
        )
        if not examples.objects:
            raise NoExamples(f"none of {self.pushes} pushes moved anything; watch more of them, with a new --out")
        return examples


def _published(trained: Path, out: Path) -> Path:
    """The network's two files copied into `out`, each whole or as before, the weights last; where they are."""
    for source in (trained.with_suffix(".json"), trained):
        write_whole(out / source.name, source.read_bytes())
    return out / trained.name
