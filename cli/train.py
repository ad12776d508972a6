"""`tabletop train`: a network from recorded interactions, or from a COCO label set."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from tabletop_interaction.agents.labelling.recorded_examples import recorded_examples
from tabletop_interaction.cli.loading import Device, check_device
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.coco import load_label_set
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.training.config import CropConfig, RunOptions, TrainingConfig
from tabletop_interaction.segmentation.training.examples import ExampleSet, examples_from_label_set
from tabletop_interaction.segmentation.training.run import check_minutes, check_run_folder, is_finished, train
from tabletop_interaction.segmentation.training.trainer import StepReport


@dataclass(frozen=True)
class Train:
    """Train a network on what interactions taught (--data), or on a COCO label set (--coco with --images).

    Example: tabletop train --data runs/first --out runs/first-network --minutes 10
    The same command goes on where an earlier one stopped.
    """

    out: Path
    """Folder of the run: state, TensorBoard curves and model.safetensors."""
    data: Path | None = None
    """Folder that `tabletop collect` made; labels and decoded pictures are kept in it."""
    coco: Path | None = None
    """COCO JSON with the masks of every object, instead of --data."""
    images: Path | None = None
    """Folder of the pictures of --coco."""
    loss: Literal["cross-entropy", "robust-set"] = "cross-entropy"
    """Of the mask branch; robust-set forgives what is wrong in the labels."""
    iou_bound: float = TrainingConfig.iou_bound
    """Least IoU with the label that robust-set demands."""
    steps: int = 1000
    """How many steps to learn."""
    minutes: float | None = None
    """About how long to learn, instead of --steps."""
    batch_size: int = TrainingConfig.batch_size
    """Crops a step."""
    paste_share: float = CropConfig.paste_share
    """Of the crops, get objects pasted in; the paper has none."""
    shadow_share: float = CropConfig.shadow_share
    """Of the pasted objects, get a soft shadow."""
    print_share: float = CropConfig.print_share
    """Of the crops, get flat prints on the table; the paper has none."""
    colour_share: float = CropConfig.colour_share
    """Of the crops, get their colours exchanged; the paper has none."""
    carry_labels: bool = False
    """Use a mask in every picture in which its object still stands, not only in the one that it was read off."""
    mask_branch: Literal["refining", "deepmask"] = "refining"
    """refining: sharper edges. deepmask: the paper's."""
    half: bool = False
    """Write the finished network in half precision: half the size."""
    device: Device = "cpu"
    """What learns."""
    seed: int = 0
    """Where the random numbers start."""

    def run(self) -> None:
        """Read the examples and learn, with a progress bar."""
        config = self._config()
        self._check_sources()
        check_device(self.device)
        check_minutes(self.minutes)
        # Before labelling and decoding, which write and take their time.
        check_run_folder(self.out, config, None, any_steps=self.minutes is not None)
        was_finished = is_finished(self.out)
        with progress_bars() as show:
            examples, said = self._examples(show)
            options = RunOptions(data=said, device=self.device, half=self.half)
            tell = LearningBar(show)
            model = train(examples, self.out, config, options, minutes=self.minutes, tell=tell)
        if was_finished:
            print(f"{model} was finished already and stays as it is; give a new --out to train again")
            if self.half:
                print("--half had no effect: it is applied when a training finishes")
        else:
            print(f"{model} learned from {len(examples.objects)} masks in {len(examples.objects_by_picture)} pictures")

    def _config(self) -> TrainingConfig:
        for name in ("paste_share", "shadow_share", "print_share", "colour_share", "iou_bound"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidConfiguration(f"--{name.replace('_', '-')} {getattr(self, name)} must lie between 0 and 1")
        return TrainingConfig(
            loss=self.loss,
            iou_bound=self.iou_bound,
            steps=self.steps,
            batch_size=self.batch_size,
            seed=self.seed,
            crops=CropConfig(
                paste_share=self.paste_share,
                shadow_share=self.shadow_share,
                print_share=self.print_share,
                colour_share=self.colour_share,
            ),
            network=NetworkConfig(mask_branch=self.mask_branch),
        )

    def _check_sources(self) -> None:
        if (self.data is None) == (self.coco is None) or (self.coco is None) != (self.images is None):
            raise InvalidConfiguration("give either --data FOLDER, or --coco LABELS.json together with --images FOLDER")
        if not self.out.resolve().name:
            raise InvalidConfiguration(f"--out {self.out} came; name a folder for the run")

    def _examples(self, show: Callable[[str, int, int, str], None]) -> tuple[ExampleSet, str]:
        """The examples, and where they are from."""
        if self.data is not None:
            told = recorded_examples(
                self.data,
                progress=lambda what, done, total: show(what, done, total, ""),
                carried=self.carry_labels,
            )
            return told, str(self.data)
        assert self.coco is not None, "checked before"
        label_set = load_label_set(self.coco, self.images)
        # A run's folder may not exist before the run has been checked, and the pictures' folder is not ours.
        out = self.out.resolve()
        return examples_from_label_set(label_set, out.with_name(out.name + "-pictures")), str(self.coco)


@contextmanager
def progress_bars() -> Iterator[Callable[[str, int, int, str], None]]:
    """Progress bars by name: show(what, done, total, beside)."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[beside]}"),
        TimeRemainingColumn(),
    )
    tasks: dict[str, TaskID] = {}
    with Progress(*columns) as progress:

        def show(what: str, done: int, total: int, beside: str) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total, beside="")
            progress.update(tasks[what], completed=done, total=total, beside=beside)

        yield show


class LearningBar:
    """Shows steps, their rate and means of what they say over the last twenty or so."""

    def __init__(self, show: Callable[[str, int, int, str], None]) -> None:
        self._show = show
        self._start: tuple[float, int] | None = None
        self._means: tuple[float, float] | None = None

    def __call__(self, step: int, steps: int, report: StepReport) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start, self._means = (now, step), (report.score_loss, report.mask_iou)
            return
        assert self._means is not None, "set with the start"
        score, iou = self._means
        self._means = score + (report.score_loss - score) / 20, iou + (report.mask_iou - iou) / 20
        rate = (step - self._start[1]) / max(now - self._start[0], 1e-9)
        beside = f"{rate:.2f} steps/s  score loss {self._means[0]:.3f}  mask IoU {self._means[1]:.2f}"
        self._show("steps", step, steps, beside)
