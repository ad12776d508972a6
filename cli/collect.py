"""`tabletop collect`: record interactions on disk."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tabletop_interaction.cli.arguments import UNSET, NewFolder
from tabletop_interaction.cli.backends import BackendOptions, Terminal, World
from tabletop_interaction.cli.options import SegmenterName, options
from tabletop_interaction.cli.progress import SPACE_REMEDY, shown_progress
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.disk_space import report_expected_space, report_needed_space
from tabletop_interaction.envs import Backend, Split
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.observations import Extra, in_order
from tabletop_interaction.envs.records.folder import (
    FolderMeta,
    collecting_alone,
    is_record_folder,
    read_meta,
    written_bytes,
)
from tabletop_interaction.envs.records.journal import seal_journals
from tabletop_interaction.envs.records.picture_format import PictureFormat, first_format
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.errors import ForeignFolder
from tabletop_interaction.files import check_new_folder
from tabletop_interaction.ranges import Count, Processes, Seed

if TYPE_CHECKING:
    from tabletop_interaction.agents.learning.collecting import CollectionProgress

# Of the interactions; about one in ten random picks moves an object.
_FEW_SHARE = 0.3


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Record interactions: the action, and each view's pictures before it, while the object is held, and after it.

    Example: tabletop collect --interactions 200 --out runs/first

    Example: tabletop collect --primitive push --interactions 200 --out runs/pushes

    Example: tabletop collect --record depth instances --interactions 200 --out runs/with-depth

    Example: tabletop collect --backend sawyer --config lab.yaml --interactions 20 --out runs/robot

    The same command resumes after a stop. One process at a time collects into a folder; programs that record into one
    folder at once use RecordInteractions, each with a writer of its own.
    """

    out: NewFolder
    """Folder of the records; new, or one of this command."""
    interactions: Count = 100
    """Interactions in total, including existing ones."""
    primitive: Primitive = "pick"
    """Kind of interaction: pick (pick up and place) or push (for objects that the gripper cannot grasp); one for each
    folder."""
    policy: Literal["random", "hypothesis"] = "random"
    """Policy: random (uniform actions) or hypothesis (acts on a mask that the segmenter of --model proposes)."""
    model: SegmenterName = "default"
    """Segmenter of --policy hypothesis: default, a checkpoint (.safetensors), an ONNX file (.onnx), maskrcnn=WEIGHTS,
    sam=CHECKPOINT, or your own as module:Class."""
    split: Split = "train"
    """Split of the objects and table tops."""
    record: Annotated[tuple[Extra, ...], UNSET] = ()
    """Ground truth to record of each view: depth (16-bit PNG, mm), instances (16-bit PNG, ids); none by default."""
    pictures: Annotated[PictureFormat, options(PictureFormat, "picture_format", "jpeg_step")]
    steps_per_episode: Count = 25
    """Interactions in an episode; between two episodes the objects are swept to the table's centre."""
    world: World = field(default_factory=BackendOptions)
    workers: Processes = 0
    """Processes that collect at once, through Ray; 0 or 1 collects in this process."""
    seed: Seed = 0
    """Seed of scenes and actions."""

    def run(self) -> None:
        """Collect what the folder lacks, with a progress bar."""
        self._check()
        if self._count() >= self.interactions:
            # The command may have been killed before the end of its journal.
            with collecting_alone(self.out):
                seal_journals(self.out)
            print(f"{self.out} holds {self._count()} interactions already; for more, give a larger --interactions")
            self._print_masks()
            return
        terminal = Terminal()
        # A folder is locked, and so made, only for a robot that is there.
        with self.world.opened(self.split, terminal) as backend, collecting_alone(self.out):
            there = self._count()
            missing = self.interactions - there
            if missing > 0:
                self._show_progress(self._collect(missing, there, backend), missing, there, terminal, backend)
        show = shlex.join(["tabletop", "show", str(self.out)])
        print(f"{self.out} holds {self._count()} interactions; pictures of them: {show}")
        self._print_masks()

    def _print_masks(self) -> None:
        """Label what has no labels yet, as a training would, and print how many masks there are."""
        from tabletop_interaction.agents.labelling.label_table import label_folder

        with shown_progress() as show:
            labels = label_folder(self.out, lambda done, total: show("labels", done, total))
        masks = [label.interaction_id for label in labels if label.label == "object"]
        print(masks_line(len(masks), len(set(masks)), self._count()))
        if self.policy == "random" and len(set(masks)) < _FEW_SHARE * self._count():
            print(
                "random actions seldom move an object; for more masks add interactions with --policy hypothesis, which "
                "acts on what a segmenter proposes, and a larger --interactions"
            )

    def _count(self) -> int:
        return count_interactions(self.out) if is_record_folder(self.out) else 0

    def _check(self) -> None:
        if self.policy == "random":
            refuse_ignored(self, "with --policy random", "model")
        else:
            from tabletop_interaction.segmentation.opening import open_segmenter

            # Each collector opens it again, after the folder was made.
            open_segmenter(self.model)
        self.world.check(self.workers)
        if self.pictures.picture_format == "png":
            refuse_ignored(self.pictures, "with --picture-format png", "jpeg_step")
        if self.record:
            self.world.check_truth(f"--record {' '.join(self.record)}")
        if self.workers > 1:
            from tabletop_interaction.agents.learning.ray_calls import check_ray

            check_ray()
        _refuse_records_of_a_run(self.out)
        if not is_record_folder(self.out):
            check_new_folder(self.out, "records")
            return
        self._check_records(read_meta(self.out))

    def _check_records(self, meta: FolderMeta) -> None:
        """Refuse records of another kind. Raises ForeignFolder."""
        backend = meta.metadata.get("backend", self.world.backend)
        for name, value, asked in (
            ("primitive", meta.primitive, self.primitive),
            ("split", meta.split, self.split),
            ("backend", backend, self.world.backend),
        ):
            if value != asked:
                raise ForeignFolder(f"{self.out} holds {name} {value}, not {asked}; name another folder with --out")
        if meta.extras != in_order(self.record):
            held = " ".join(meta.extras)
            remedy = f"repeat --record {held}" if held else "leave out --record"
            raise ForeignFolder(
                f"{self.out} holds interactions with {' and '.join(meta.extras) or 'pictures alone'}; {remedy}, or "
                "name another folder with --out"
            )
        if (there := first_format(meta.metadata)) != self.pictures.plain():
            held = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in there.items())
            raise ForeignFolder(f"{self.out} was begun with {held}; repeat that, or name another folder with --out")

    def _collect(self, missing: int, there: int, backend: str | Backend) -> Iterator[CollectionProgress]:
        from tabletop_interaction.agents.learning.actor import session_seed
        from tabletop_interaction.agents.learning.collecting import (
            Collection,
            CollectionProgress,
            collect,
            collect_with_ray,
            succeeded,
        )

        config = None if self.world.is_robot else self.world.settings()
        collection = Collection(
            self.out, self.seed, self.policy, self.model, backend, self.split, self.primitive, self.record, config,
            self.steps_per_episode, run_seed=self.seed, pictures=self.pictures,
        )  # fmt: skip
        if self.workers > 1:
            yield from collect_with_ray(collection, missing, self.workers, there)
            return
        alone = replace(collection, seed=session_seed(self.seed, there))
        for info in collect(alone, missing):
            yield CollectionProgress(1, int(succeeded(info)))

    def _show_progress(
        self, steps: Iterator[CollectionProgress], missing: int, there: int, terminal: Terminal, backend: str | Backend
    ) -> None:
        """Show the interactions and the share that succeeded; report the disk that they need."""
        verb, done, succeeded, deaths = "grasped" if self.primitive == "pick" else "moved", 0, 0, 0
        with shown_progress(terminal) as show:
            show("interactions", there, missing + there)
            if there:
                self._report_space(there, missing + there)
            else:
                each = self.world.interaction_bytes(backend, self.primitive, self.pictures)
                report_expected_space("interactions", each, missing, self.out, SPACE_REMEDY)
            for step in steps:
                if step.interactions and not there + done:
                    self._report_space(step.interactions, missing)
                done, succeeded, deaths = done + step.interactions, succeeded + step.succeeded, deaths + step.deaths
                note = f"{verb} {succeeded / max(done, 1):.0%}"
                note += f"  replaced collectors {deaths}" if deaths else ""
                show("interactions", there + done, missing + there, note)

    def _report_space(self, done: int, total: int) -> None:
        report_needed_space("interactions", written_bytes(self.out), done, total, self.out, SPACE_REMEDY)


def _refuse_records_of_a_run(out: Path) -> None:
    """Refuse the records of a learning run, which would take the new rows for its own."""
    if (out.resolve().parent / "learn.json").exists() and out.resolve().name == "records":
        raise ForeignFolder(
            f"{out} holds the records of the learning run {out.resolve().parent}; `tabletop learn` adds to them, "
            "collect into another folder"
        )


def masks_line(masks: int, interactions: int, of: int) -> str:
    """How many masks a folder's interactions gave."""
    if not masks:
        return f"no masks of objects: none of {of} interactions moved one far enough, or held it"
    return f"{masks} masks of objects, from {interactions} of {of} interactions ({interactions / of:.0%})"
