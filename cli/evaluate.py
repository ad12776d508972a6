"""`tabletop evaluate`: measure the average precision of segmenters on labelled pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro
from rich.console import Console

from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.cli.arguments import UNSET, File, Folder, NewFolder, PossibleFolder
from tabletop_interaction.cli.options import NetworkOptions, SegmenterName, SetName, print_result
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.errors import InvalidConfiguration, InvalidLabelSet
from tabletop_interaction.files import claimed_folder
from tabletop_interaction.ranges import Range
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT, UNLIMITED, Device
from tabletop_interaction.segmentation.foreign.detections_file import DetectionsFile
from tabletop_interaction.segmentation.opening import is_network
from tabletop_interaction.segmentation.orientation import Orientation
from tabletop_interaction.segmentation.photos import LONGER_SIDE
from tabletop_interaction.segmentation.table_colour import NAME as TABLE_COLOUR

if TYPE_CHECKING:
    from tabletop_interaction.benchmarks.segmentation.evaluation import Evaluation, EvaluationSet
    from tabletop_interaction.segmentation.segments import PictureSegmenter


@dataclass(frozen=True)
class Evaluate:
    """Measure AP at several IoUs, its interval, recall and time, and draw the best and the worst pictures.

    Example: tabletop evaluate --model runs/learn/model.safetensors

    Example: tabletop evaluate --model default mine:Segmenter found.json --data mine.json --images mine/

    Masks of other segmenters, and those in a file, count unchanged; our networks propose masks of 100
    pixels to a tenth of the picture.
    """

    model: tuple[SegmenterName, ...] = ("default",)
    """Segmenters, one column of the table each: default, a checkpoint (.safetensors), an ONNX file (.onnx),
    maskrcnn=WEIGHTS, sam=CHECKPOINT, table-colour, COCO results (.json) of these pictures, or your own as
    module:Class."""
    set_name: Annotated[SetName | None, tyro.conf.arg(name="set"), UNSET] = None
    """Set of the benchmark, by default dev; test is for final figures only. A missing set is rendered first."""
    sets_dir: PossibleFolder = Path("runs/sets")
    """Folder of the benchmark's sets; a missing set is rendered there."""
    data: Annotated[File | None, UNSET] = None
    """COCO JSON file of other labelled pictures, instead of --set; needs --images."""
    images: Annotated[Folder | None, UNSET] = None
    """Folder of the pictures of --data."""
    orientation: Annotated[Orientation | None, UNSET] = None
    """Orientation of the labels of --data, where their size fits a picture both as stored and upright; by default that
    of the set's other pictures with an EXIF orientation, or upright."""
    baseline: bool = True
    """The simple baseline, table-colour, on the same pictures: measured and drawn beside the curves."""
    out: NewFolder = Path("runs/evaluation")
    """Folder of results.json, curves, detections and pictures."""
    fast: bool = False
    """Three scales of the picture instead of seven, for our networks; takes about two thirds of the time."""
    longer_side: Annotated[int, Range(64, 4096, unit="px")] = LONGER_SIDE
    """Longer side of a picture after rescaling, pixels; see `tabletop segment --help`."""
    device: Device = "cpu"
    """Device of the network."""
    workers: Annotated[int, Range(1, 1024)] = 1
    """Processes that render a missing set."""
    results: ResultOptions = field(default_factory=ResultOptions)

    def run(self) -> None:
        """Evaluate, print the table, write the report."""
        self._check()
        from tabletop_interaction.benchmarks.segmentation import evaluation, page

        segmenters = {
            label: self._load(model) for label, model in zip(page.model_labels(self.model), self.model, strict=True)
        }
        foreign = None
        if self.data is not None and self.images is not None:
            foreign = evaluation.foreign_set(self.data, self.images, self.orientation)
            for note in foreign.label_set.notes:
                print(note)
            for segmenter in segmenters.values():
                if isinstance(segmenter, DetectionsFile):
                    evaluation.detections_in_file(segmenter, foreign)
        with claimed_folder(self.out, "evaluate"):
            self._evaluate(segmenters, foreign)

    def _evaluate(
        self, segmenters: Mapping[str, PictureSegmenter | DetectionsFile], foreign: EvaluationSet | None
    ) -> None:
        """Evaluate on the foreign set, or else on the benchmark's, print the table and write the report."""
        from tabletop_interaction.benchmarks.segmentation import evaluation, page

        name = self.set_name or "dev"
        if foreign is None and not (self.sets_dir / name / "labels.json").exists():
            print(f"the set {name} is not in {self.sets_dir} yet: rendering it")
        data = foreign or evaluation.benchmark_set(name, self.sets_dir, self.workers)
        evaluations = [evaluation.evaluate(one, data, label, self.longer_side) for label, one in segmenters.items()]
        wanted = self.baseline and TABLE_COLOUR not in self.model
        baseline = evaluation.evaluate_baseline(data, self.longer_side) if wanted else None
        notes = evaluation.footnotes(evaluations, data)
        if baseline is not None:
            notes.insert(0, evaluation.baseline_note(baseline))
        console = Console()
        print_result(console, evaluation.results_table(evaluations, data), notes)
        described = dict(zip(segmenters, map(self._described, self.model, segmenters.values()), strict=True))
        for path in page.write_report(self.out, evaluations, data, described, baseline):
            console.print(str(path), highlight=False, markup=False, soft_wrap=True)
        self._keep(evaluations, data)

    def _keep(self, evaluations: Sequence[Evaluation], data: EvaluationSet) -> None:
        from tabletop_interaction.benchmarks.segmentation import evaluation

        pictures = len(data.label_set.images)
        self.results.keep(
            {f"{one.model}, {pictures} {data.name} pictures": evaluation.ap_figures(one) for one in evaluations},
            seeds=evaluation.training_seeds(self.model),
            interval=evaluations[0].intervals.describe(),
            notes=[evaluations[0].figures.settings, *evaluation.set_notes(data)],
        )

    def _check(self) -> None:
        if (self.data is None) != (self.images is None):
            raise InvalidConfiguration("--data and --images come together: the label file and its pictures' folder")
        if not self.model:
            raise InvalidConfiguration("--model came without a segmenter; name at least one")
        if not any(map(is_network, self.model)):
            refuse_ignored(self, f"with --model {' '.join(self.model)}", "fast")
        if self.data is None:
            refuse_ignored(self, "without --data", "orientation")
            return
        if self.set_name is not None:
            raise InvalidConfiguration(f"--data {self.data} and --set {self.set_name} came; give one of them")
        refuse_ignored(self, "with --data", "sets_dir", "workers")
        if not self.data.is_file():
            raise InvalidLabelSet(f"--data {self.data} is no file; name a COCO JSON, and its pictures by --images")

    def _load(self, model: str) -> PictureSegmenter | DetectionsFile:
        return NetworkOptions(model, self.fast and is_network(model), self.device).load_for_files(limits=UNLIMITED)

    def _described(self, model: str, segmenter: PictureSegmenter | DetectionsFile) -> dict[str, Any]:
        from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata
        from tabletop_interaction.segmentation.onnx.exported import ExportedNetwork
        from tabletop_interaction.segmentation.proposals import Segmenter

        described: dict[str, Any] = {"checkpoint": model, "longer_side": self.longer_side, "device": self.device}
        if isinstance(segmenter, Segmenter):
            training = checkpoint_metadata(DEFAULT_CHECKPOINT if model == "default" else model)
            described |= {"network": asdict(segmenter.network.config), "training": training}
        elif isinstance(segmenter, ExportedNetwork):
            described |= {"network": segmenter.description.network, "training": segmenter.description.training}
        else:
            return described
        return {**described, "proposal_settings": asdict(segmenter.config)}
