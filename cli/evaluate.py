"""`tabletop evaluate`: average precision of networks on labelled pictures."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro
from rich.console import Console

from tabletop_interaction.benchmarks.segmentation.evaluation import (
    EvaluationSet,
    benchmark_set,
    evaluate,
    footnotes,
    foreign_set,
    results_table,
)
from tabletop_interaction.benchmarks.segmentation.page import model_labels, write_report
from tabletop_interaction.cli.loading import Device, claim_folder, load_segmenter
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
from tabletop_interaction.segmentation.photos import LONGER_SIDE, check_longer_side
from tabletop_interaction.segmentation.proposals import Segmenter

SetName = Literal[
    "test", "val", "train", "generalisation-A", "generalisation-B", "generalisation-C", "generalisation-D"
]


@dataclass(frozen=True)
class Evaluate:
    """Measure AP at several IoUs, its interval, recall and time, and draw the best and the worst pictures.

    Example: tabletop evaluate --model runs/learn/model.safetensors --set test

    Example: tabletop evaluate --model default --data mine.json --images mine/
    """

    model: tuple[str, ...] = ("default",)
    """Checkpoints; several give a column each."""
    set_name: Annotated[SetName | None, tyro.conf.arg(name="set")] = None
    """Which of the benchmark's sets, test if none is named; it is made first where it is missing."""
    sets_dir: Path = Path("runs/sets")
    """Where the benchmark's sets are or shall be."""
    data: Path | None = None
    """COCO JSON of other labelled pictures, instead of --set; needs --images."""
    images: Path | None = None
    """Folder that its picture names start from."""
    out: Path = Path("runs/evaluation")
    """Folder of results.json, curves, detections and pictures."""
    fast: bool = False
    """Three scales instead of seven: about two thirds of the time."""
    longer_side: int = LONGER_SIDE
    """Pixels to which a picture's longer side is brought; see `tabletop segment --help`."""
    device: Device = "cpu"
    """Where the network runs."""
    workers: int = 1
    """Processes that make a missing set."""
    seed: int = 0
    """Accepted by every command; sets and bootstrap have seeds of their own."""

    def run(self) -> None:
        """Evaluate, print the table, write the report."""
        if (self.data is None) != (self.images is None):
            raise InvalidConfiguration("--data and --images come together: the label file and its pictures' folder")
        if self.data is not None and self.set_name is not None:
            raise InvalidConfiguration(f"--data {self.data} and --set {self.set_name} came; give one of them")
        if not self.model:
            raise InvalidConfiguration("--model came without a checkpoint; name at least one")
        check_longer_side(self.longer_side)
        segmenters = {
            label: load_segmenter(model, fast=self.fast, device=self.device)
            for label, model in zip(model_labels(self.model), self.model, strict=True)
        }
        foreign = self._foreign_set()
        claim_folder(self.out, "evaluate")
        data = foreign or self._benchmark_set()
        evaluations = [evaluate(one, data, label, self.longer_side) for label, one in segmenters.items()]
        console = Console()
        console.print(results_table(evaluations, data))
        for line in footnotes(evaluations, data):
            console.print(line, highlight=False, markup=False)
        described = dict(zip(segmenters, map(self._described, self.model, segmenters.values()), strict=True))
        for path in write_report(self.out, evaluations, data, described):
            console.print(str(path), highlight=False, markup=False, soft_wrap=True)

    def _foreign_set(self) -> EvaluationSet | None:
        if self.data is None or self.images is None:
            return None
        if not self.data.is_file():
            raise InvalidConfiguration(f"--data {self.data} is no file; name a COCO JSON, and its pictures by --images")
        return foreign_set(self.data, self.images)

    def _benchmark_set(self) -> EvaluationSet:
        name = self.set_name or "test"
        if not (self.sets_dir / name / "labels.json").exists():
            print(f"the set {name} is not in {self.sets_dir} yet: rendering it")
        return benchmark_set(name, self.sets_dir, self.workers)

    def _described(self, model: str, segmenter: Segmenter) -> dict[str, Any]:
        return {
            "checkpoint": model,
            "network": asdict(segmenter.network.config),
            "training": checkpoint_metadata(DEFAULT_CHECKPOINT if model == "default" else model),
            "proposal_settings": asdict(segmenter.config),
            "longer_side": self.longer_side,
            "device": self.device,
        }
