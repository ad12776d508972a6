"""`tabletop collect`: record interactions on disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tabletop_interaction.cli.arguments import NewFolder
from tabletop_interaction.cli.backends import BackendOptions, Terminal
from tabletop_interaction.cli.options import SegmenterName
from tabletop_interaction.cli.progress import shown_progress
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.envs import Backend, Split
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.observations import Extra, in_order
from tabletop_interaction.envs.records.folder import collecting_alone, is_record_folder, read_meta
from tabletop_interaction.envs.records.journal import seal_journals
from tabletop_interaction.envs.records.reading import count_interactions
from tabletop_interaction.errors import ForeignFolder
from tabletop_interaction.files import check_new_folder
from tabletop_interaction.ranges import Count, Processes, Seed

if TYPE_CHECKING:
    from tabletop_interaction.agents.learning.collecting import CollectionProgress


@dataclass(frozen=True, kw_only=True)
class Collect:
    """Record interactions: pictures before, held and after for each view, and the action; or pushes.

    Example: tabletop collect --interactions 200 --out runs/first

    Example: tabletop collect --primitive push --interactions 200 --out runs/pushes

    Example: tabletop collect --record depth instances --interactions 200 --out runs/with-depth

    Example: tabletop collect --backend sawyer --config lab.yaml --interactions 20 --out runs/robot

    The same command resumes after a stop. Only one process at a time collects into a folder, because --interactions
    counts all rows in it; programs that record side by side use RecordInteractions, each with a writer of its own.
    """

    out: NewFolder
    """Folder of the records; new, or one that this command made."""
    interactions: Count = 100
    """Interactions to reach in total, including existing ones."""
    primitive: Primitive = "pick"
    """pick: pick up and place. push: push, for objects that the gripper cannot grasp. A folder has one primitive."""
    policy: Literal["random", "hypothesis"] = "random"
    """random: uniform actions. hypothesis: actions on what a segmenter takes for an object."""
    model: SegmenterName = "default"
    """Segmenter for --policy hypothesis: default, a checkpoint (.safetensors), an ONNX file, maskrcnn=WEIGHTS,
    sam=CHECKPOINT, or your own as module:Class."""
    split: Split = "train"
    """Split of the objects and table tops."""
    record: tuple[Extra, ...] = ()
    """Ground truth to record of each view besides pictures: depth (16-bit PNG, mm), instances (16-bit PNG, ids)."""
    steps_per_episode: Count = 25
    """Interactions of an episode, after which the objects are swept to the middle."""
    world: BackendOptions = field(default_factory=BackendOptions)
    workers: Processes = 0
    """Collectors at once, through Ray; 0 or 1 collects in this process."""
    seed: Seed = 0
    """Seed of scenes and actions."""

    def run(self) -> None:
        """Collect what the folder lacks, with a progress bar."""
        self._check()
        if self._count() >= self.interactions:
            # The command may have been killed before the end of its journal.
            with collecting_alone(self.out):
                seal_journals(self.out)
            print(f"{self.out} holds {self._count()} interactions already; ask for more with --interactions")
            return
        terminal = Terminal()
        # A folder is locked, and so made, only for a robot that is there.
        with self.world.opened(self.split, terminal) as backend, collecting_alone(self.out):
            there = self._count()
            missing = self.interactions - there
            if missing > 0:
                verb = "grasped" if self.primitive == "pick" else "moved"
                _show_progress(self._collect(missing, there, backend), missing, there, terminal, verb)
        print(f"{self.out} holds {self._count()} interactions; look: tabletop show {self.out}")

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
        if self.record:
            self.world.check_truth(f"--record {' '.join(self.record)}")
        if self.workers > 1:
            from tabletop_interaction.agents.learning.ray_calls import check_ray

            check_ray()
        _refuse_records_of_a_run(self.out)
        if not is_record_folder(self.out):
            check_new_folder(self.out, "records")
            return
        meta = read_meta(self.out)
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
            self.steps_per_episode,
        )  # fmt: skip
        if self.workers > 1:
            yield from collect_with_ray(collection, missing, self.workers, there)
            return
        alone = replace(collection, seed=session_seed(self.seed, there))
        for info in collect(alone, missing):
            yield CollectionProgress(1, int(succeeded(info)))


def _refuse_records_of_a_run(out: Path) -> None:
    """Refuse the records of a learning run, which would take the new rows for its own."""
    if (out.resolve().parent / "learn.json").exists() and out.resolve().name == "records":
        raise ForeignFolder(
            f"{out} holds the records of the learning run {out.resolve().parent}; `tabletop learn` adds to them, "
            "collect into another folder"
        )


def _show_progress(
    steps: Iterator[CollectionProgress], missing: int, there: int, terminal: Terminal, verb: str
) -> None:
    """Show a bar and the share of the interactions that succeeded, as a `verb`."""
    done = succeeded = deaths = 0
    start = time.monotonic()
    with shown_progress(terminal) as show:
        show("interactions", there, missing + there)
        for step in steps:
            done, succeeded, deaths = done + step.interactions, succeeded + step.succeeded, deaths + step.deaths
            rate = f"{done / (time.monotonic() - start):.1f}/s  {verb} {succeeded / max(done, 1):.0%}"
            rate += f"  replaced collectors {deaths}" if deaths else ""
            show("interactions", there + done, missing + there, rate)
