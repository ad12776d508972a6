"""`tabletop train`: train a network on recorded interactions or on a COCO label set."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated

from tabletop_interaction.cli.arguments import UNSET, File, Folder, NewFolder
from tabletop_interaction.cli.options import check_device, check_run_path, options
from tabletop_interaction.cli.progress import TrainingSteps, shown_progress
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.progress import ShowProgress
from tabletop_interaction.ranges import Range
from tabletop_interaction.segmentation.orientation import Orientation
from tabletop_interaction.segmentation.training.config import RunOptions, TrainingConfig

if TYPE_CHECKING:
    from tabletop_interaction.segmentation.training.examples import ExampleSet


@dataclass(frozen=True, kw_only=True)
class Train:
    """Train a network on recorded interactions (--data), or on a COCO label set (--coco with --images).

    Example: tabletop train --data runs/first --out runs/first-network --minutes 10

    The same command resumes a run that was stopped.
    """

    out: NewFolder
    """Folder of the run: state, TensorBoard curves and model.safetensors."""
    data: Annotated[Folder | None, UNSET] = None
    """Folder of `tabletop collect`, or the records of `tabletop learn`; labels and decoded pictures are kept in it."""
    coco: Annotated[File | None, UNSET] = None
    """COCO JSON file with a mask for each object, instead of --data; needs --images."""
    images: Annotated[Folder | None, UNSET] = None
    """Folder of the pictures of --coco."""
    orientation: Annotated[Orientation | None, UNSET] = None
    """Orientation of the labels of --coco, where their size fits a picture both as stored and upright; by default that
    of the set's other pictures with an EXIF orientation, or upright."""
    minutes: Annotated[Annotated[float, Range(0, 525_600, above=True)] | None, UNSET] = None
    """Approximate training time in minutes, instead of --steps."""
    carry_labels: bool = False
    """Use of a mask in all pictures in which its object stands still, not only in its own."""
    training: Annotated[
        TrainingConfig,
        options(
            TrainingConfig,
            "loss",
            "iou_bound",
            "steps",
            "batch_size",
            "seed",
            "hard_weight",
            "crops.paste_share",
            "crops.shadow_share",
            "crops.print_share",
            "crops.colour_share",
            "network.mask_branch",
        ),
    ]
    session: Annotated[RunOptions, options(RunOptions, "half", "device")]

    def run(self) -> None:
        """Read the examples and train, with a progress bar."""
        from tabletop_interaction.segmentation.training.run import check_minutes, check_run_folder, is_finished, train

        check_minutes(self.minutes)
        self._check()
        check_device(self.session.device)
        # Before labelling and decoding, which write and take their time.
        if check_run_folder(self.out, self.training, None, any_steps=self.minutes is not None) is None:
            self._refuse_ignored_settings()
        was_finished = is_finished(self.out)
        with shown_progress() as show:
            examples = self._examples(show)
            shown = TrainingSteps(show, {"score loss": ".3f", "mask IoU": ".2f"})
            model = train(
                examples,
                self.out,
                self.training,
                replace(self.session, data=str(self.data or self.coco)),
                minutes=self.minutes,
                callback=lambda step, steps, said: shown.stepped(step, steps, said.score_loss, said.mask_iou),
            )
        if was_finished:
            print(f"{model} was finished before and is unchanged; give a new --out to train again")
            if self.session.half:
                print("--half had no effect: it is applied when a training finishes")
        else:
            print(f"{model} learned from {len(examples.objects)} masks in {len(examples.objects_by_picture)} pictures")

    def _check(self) -> None:
        if (self.data is None) == (self.coco is None) or (self.coco is None) != (self.images is None):
            raise InvalidConfiguration("give either --data FOLDER, or --coco LABELS.json together with --images FOLDER")
        if self.coco is not None:
            refuse_ignored(self, "with --coco", "carry_labels")
        else:
            refuse_ignored(self, "with --data", "orientation")
        if self.minutes is not None:
            refuse_ignored(self.training, "with --minutes", "steps")
        check_run_path(self.out)

    def _refuse_ignored_settings(self) -> None:
        """Only for a new run: one of an earlier version may have such settings, and resumes only with the same."""
        if self.training.loss != "robust-set":
            refuse_ignored(self.training, "without --loss robust-set", "iou_bound")
        if not self.training.crops.paste_share:
            refuse_ignored(self.training.crops, "with --paste-share 0", "shadow_share")

    def _examples(self, show: ShowProgress) -> ExampleSet:
        from tabletop_interaction.agents.labelling.examples import recorded_examples
        from tabletop_interaction.segmentation.coco import load_label_set
        from tabletop_interaction.segmentation.training.examples import examples_from_label_set

        if self.data is not None:
            return recorded_examples(self.data, progress=show, carried=self.carry_labels, callback=print)
        assert self.coco is not None, "checked before"
        # A run's folder may not exist before the run has been checked, and the pictures' folder is not ours.
        out = self.out.resolve()
        label_set = load_label_set(self.coco, self.images, self.orientation)
        for note in label_set.notes:
            print(note)
        return examples_from_label_set(label_set, out.with_name(out.name + "-pictures"), print)
