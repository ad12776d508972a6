"""What a run of `tabletop learn` has written so far, read into plain data; the run may still be in progress.

```
learn.json               the request: schema_version, config, seed
records/                 the interactions
history.jsonl            one line per interaction
updates.jsonl            one line per update of the network
evaluations/00200.json   figures on the held-out set after 200 interactions
evaluations/00200/       the same few held-out pictures each time, with the network's masks
evaluations/truth/       these pictures with the true masks
```
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import (
    SCHEMA_VERSION,
    HistoryLine,
    RunFolder,
    read_history,
    read_updates,
)
from tabletop_interaction.arrays import Floats
from tabletop_interaction.documents import convert
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.files import read_json

TRUTH = "truth"
"""Folder of the true masks below that of the evaluations."""
IOUS = (0.3, 0.5, 0.75)
"""IoU thresholds at which an evaluation gives average precision."""


@dataclass(frozen=True, eq=False)
class HeldOutFigures:
    """The figures of one evaluation on the held-out set.

    Attributes:
        interactions, steps: interactions and training steps before it.
        set_name, pictures: name of the set, and number of its pictures.
        ap: average precision by IoU threshold, per cent.
        ap_interval: low and high by IoU threshold, per cent; empty for a run of an earlier version.
        baseline_ap: that of the simple baseline on the same pictures; empty in runs of earlier versions.
        recall_at_precision: by IoU threshold and precision, 0 to 1.
        curves: recall and precision by IoU threshold, 0 to 1.
        shown: pictures with the masks, in the same order in each evaluation.
    """

    interactions: int
    steps: int
    set_name: str
    pictures: int
    ap: Mapping[float, float]
    ap_interval: Mapping[float, tuple[float, float]]
    recall_at_precision: Mapping[float, Mapping[float, float]]
    curves: Mapping[float, tuple[Floats, Floats]]
    shown: tuple[Path, ...]
    baseline_ap: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True)
class LearningRun:
    """All that a run has written so far; `attempts`, `updates` and `evaluations` in the order of interactions.

    `truth`: held-out pictures with the true masks, as in the `shown` of evaluations; none in runs of earlier versions.

    In attempts, `moved` is the judgement of the frame difference; `grasped` and `pick_outcome` are the gripper's.
    """

    folder: Path
    seed: int
    config: Mapping[str, Any]
    attempts: tuple[HistoryLine, ...]
    updates: tuple[Update, ...]
    evaluations: tuple[HeldOutFigures, ...]
    truth: tuple[Path, ...] = ()

    @property
    def primitive(self) -> Primitive:
        """What one interaction was; earlier versions only picked."""
        return "push" if self.config.get("primitive") == "push" else "pick"

    @property
    def records(self) -> Path:
        """The folder of the interactions."""
        return RunFolder(self.folder).records

    @property
    def times(self) -> tuple[datetime, ...]:
        """Of the first and the last interaction, UTC; none for a run of an earlier version, or without interactions."""
        ends = [self.attempts[at].time for at in (0, -1)] if self.attempts else []
        return tuple(datetime.fromisoformat(time) for time in ends if time is not None)

    @property
    def moved(self) -> Floats:
        """(N,) 1.0 where an interaction moved an object."""
        return np.array([attempt.moved for attempt in self.attempts], np.float64)

    @property
    def grasped(self) -> Floats:
        """(N,) 1.0 where the gripper held something."""
        return np.array([attempt.grasped for attempt in self.attempts], np.float64)


def read_learning_run(folder: Path) -> LearningRun:
    """Read a run's folder; a last line that a kill cut short, or that is being written, is left out.

    Raises:
        ForeignFolder: `tabletop learn` did not make the folder.
        UnreadableRecords: a file is damaged or of another schema version.
    """
    run = RunFolder(folder)
    if not run.request.is_file():
        raise ForeignFolder(f"{folder} holds no learn.json; give the folder that `tabletop learn --out` named")
    with _content_of(run.request):
        request = read_json(run.request, dict[str, Any])
        seed = convert(request.get("seed", 0), int, run.request)
        config = convert(request.get("config", {}), dict[str, Any], run.request)
    version = request.get("schema_version")
    if version != SCHEMA_VERSION:
        raise UnreadableRecords(
            f"{run.request} has schema version {version}; this version reads {SCHEMA_VERSION}: "
            "write the report with the version that made the run"
        )
    with _content_of(run.history):
        attempts = tuple(read_history(run))
    with _content_of(run.updates):
        updates = convert(read_updates(run), tuple[Update, ...], run.updates)
    return LearningRun(
        folder=folder,
        seed=seed,
        config=config,
        attempts=attempts,
        updates=updates,
        evaluations=read_evaluations(folder),
        truth=tuple(sorted((run.evaluations / TRUTH).glob("*.png"), key=_number)),
    )


def read_evaluations(folder: Path) -> tuple[HeldOutFigures, ...]:
    """The evaluations of a run, in the order of interactions; none without a run. Raises UnreadableRecords."""
    paths = sorted(RunFolder(folder).evaluations.glob("*.json"), key=_number)
    return tuple(_evaluation(path) for path in paths)


@contextmanager
def _content_of(path: Path) -> Iterator[None]:
    """Raise UnreadableRecords where a file lacks what it has to contain."""
    try:
        yield
    except UnreadableRecords:
        raise
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UnreadableRecords(
            f"{path} lacks what `tabletop learn` writes ({type(error).__name__}: {error}); restore it from a copy"
        ) from error


def _evaluation(path: Path) -> HeldOutFigures:
    with _content_of(path):
        document = read_json(path)
        return HeldOutFigures(
            interactions=int(document["interactions"]),
            steps=int(document["steps"]),
            set_name=str(document["set"]),
            pictures=int(document["pictures"]),
            ap=_by_number(document["ap"]),
            ap_interval={
                float(iou): (float(low), float(high)) for iou, (low, high) in document.get("ap_interval", {}).items()
            },
            recall_at_precision={float(iou): _by_number(at) for iou, at in document["recall_at_precision"].items()},
            curves={
                float(iou): (np.array(curve["recall"], np.float64), np.array(curve["precision"], np.float64))
                for iou, curve in document["precision_recall"].items()
            },
            shown=tuple(sorted(path.with_suffix("").glob("*.png"), key=_number)),
            baseline_ap=_by_number(document.get("baseline_ap", {})),
        )


def _by_number(values: Mapping[str, float]) -> dict[float, float]:
    return {float(key): float(value) for key, value in values.items()}


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else -1
