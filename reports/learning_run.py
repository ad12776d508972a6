"""What a run of `tabletop learn` has written so far, read into plain data; the run may be going on.

```
learn.json               what was asked: schema_version, config, seed
records/                 the interactions
history.jsonl            a line an interaction
updates.jsonl            a line an update of the network
evaluations/00200.json   figures on the held-out set after 200 interactions
evaluations/00200/       the same few held-out pictures each time, the network's masks drawn in
```
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.learning.learner import Update
from tabletop_interaction.agents.learning.run_folder import (
    SCHEMA_VERSION,
    HistoryLine,
    RunFolder,
    read_history,
)
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.json_lines import read_lines

IOUS = (0.3, 0.5, 0.75)
"""At which an evaluation gives average precision."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class HeldOut:
    """The figures of one evaluation on the held-out set.

    Attributes:
        interactions: made before it.
        steps: of the network before it.
        set_name: the set's name.
        pictures: how many the set has.
        ap: average precision by IoU threshold, per cent.
        recall_at_precision: by IoU threshold and precision, 0 to 1.
        curves: recall and precision by IoU threshold, 0 to 1.
        shown: pictures with the masks drawn, in the same order in each evaluation.
    """

    interactions: int
    steps: int
    set_name: str
    pictures: int
    ap: Mapping[float, float]
    recall_at_precision: Mapping[float, Mapping[float, float]]
    curves: Mapping[float, tuple[Floats, Floats]]
    shown: tuple[Path, ...]


@dataclass(frozen=True)
class LearningRun:
    """All that a run has written so far; `attempts`, `updates` and `evaluations` in the order of interactions.

    Of the attempts `moved` is the frame difference's judgement, and `grasped` and `pick_outcome` are the gripper's.
    """

    folder: Path
    seed: int
    config: Mapping[str, Any]
    attempts: tuple[HistoryLine, ...]
    updates: tuple[Update, ...]
    evaluations: tuple[HeldOut, ...]

    @property
    def records(self) -> Path:
        """The folder of the interactions."""
        return RunFolder(self.folder).records

    @property
    def moved(self) -> Floats:
        """(N,) 1.0 where a pick moved an object."""
        return np.array([attempt.moved for attempt in self.attempts], np.float64)

    @property
    def grasped(self) -> Floats:
        """(N,) 1.0 where something was held."""
        return np.array([attempt.grasped for attempt in self.attempts], np.float64)


def read_learning_run(folder: Path) -> LearningRun:
    """What stands in a run's folder now; a last line that a kill cut short, or that is being written, is left out.

    Raises:
        ForeignFolder: it is no folder of `tabletop learn`.
        UnreadableRecords: a file is damaged or of another schema version.
    """
    places = RunFolder(folder)
    if not places.request.is_file():
        raise ForeignFolder(f"{folder} holds no learn.json; give the folder that `tabletop learn --out` named")
    asked = _object(places.request)
    if asked.get("schema_version") != SCHEMA_VERSION:
        raise UnreadableRecords(
            f"{places.request} is of schema version {asked.get('schema_version')}; read is {SCHEMA_VERSION}"
        )
    evaluations = sorted(places.evaluations.glob("*.json"), key=_number)
    return LearningRun(
        folder=folder,
        seed=int(asked.get("seed", 0)),
        config=asked.get("config", {}),
        attempts=_attempts(places),
        updates=_updates(places.updates),
        evaluations=tuple(_evaluation(path) for path in evaluations),
    )


def _number(path: Path) -> int:
    return int(path.stem) if path.stem.isdigit() else -1


def _attempts(folder: RunFolder) -> tuple[HistoryLine, ...]:
    try:
        return tuple(read_history(folder))
    except TypeError as error:
        raise _unfit(folder.history, error) from error


def _updates(path: Path) -> tuple[Update, ...]:
    names = tuple(Update.__dataclass_fields__)
    try:
        return tuple(Update(**{name: line[name] for name in names}) for line in read_lines(path))
    except (KeyError, TypeError) as error:
        raise _unfit(path, error) from error


def _evaluation(path: Path) -> HeldOut:
    document = _object(path)
    try:
        return HeldOut(
            interactions=int(document["interactions"]),
            steps=int(document["steps"]),
            set_name=str(document["set"]),
            pictures=int(document["pictures"]),
            ap=_by_number(document["ap"]),
            recall_at_precision={float(iou): _by_number(at) for iou, at in document["recall_at_precision"].items()},
            curves={float(iou): _curve(curve) for iou, curve in document["precision_recall"].items()},
            shown=tuple(sorted(path.with_suffix("").glob("*.png"), key=_number)),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unfit(path, error) from error


def _by_number(values: Mapping[str, float]) -> dict[float, float]:
    return {float(key): float(value) for key, value in values.items()}


def _curve(curve: Mapping[str, Any]) -> tuple[Floats, Floats]:
    return np.array(curve["recall"], np.float64), np.array(curve["precision"], np.float64)


def _object(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnreadableRecords(f"{path} is damaged ({error}); restore it from a copy") from error
    if not isinstance(document, dict):
        raise UnreadableRecords(f"{path} holds no JSON object; restore it from a copy")
    return document


def _unfit(path: Path, error: Exception) -> UnreadableRecords:
    return UnreadableRecords(
        f"{path} lacks what `tabletop learn` writes ({type(error).__name__}: {error}); was it changed by hand?"
    )
