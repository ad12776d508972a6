"""A learning run on disk. Every file is whole after a kill, and the run resumes from them.

```
learn.json           the request and the run's id; written first, it claims the folder
watched/             examples of the pushes that are observed first (`passive_examples`)
records/             the interactions; a row is durable before the next interaction begins
choices/<seed>.jsonl the reason for each interaction of a session; written before the interaction
history.jsonl        a line for each interaction, in the order in which the learner gets them
updates.jsonl        a line for each update
state.pt             the learner after its last update: network, average, optimiser, counters; replaced whole
model.safetensors    the newest network
pictures/            decoded pictures, made again when they are missing
```
Every file carries the run's id and a checksum (`seals`): one of another run is refused, and a damaged one is refused
or, where others hold the same, made again. A run of an earlier version has no id and gets none; opening it gives one
warning.

What a kill can leave behind, and how it is repaired:

- A row without a line in the history gets one, in the order of time, with its reason from `choices`.
- The learner first learns from the lines of the history that its state does not count, in the same portions: an
  update that is made again is the same update.
- Lines of the updates that the state does not count are dropped: those updates are made again. The state also holds
  the lines that it counts, and the newest network.

A session (each start of the run, and each actor in it) begins a new scene with a seed made from the run's seed and the
number of interactions so far; crops depend on the run's seed and the step alone. So no random stream is stored.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any

from tabletop_interaction.agents.labelling.frame_labels import label_interactions
from tabletop_interaction.agents.labelling.pair_label import PairLabel
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.documents import convert
from tabletop_interaction.envs.records.folder import is_record_folder, record_run_id
from tabletop_interaction.envs.records.picture_format import JPEG_STEP
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords
from tabletop_interaction.files import lock_file, repair_json_lines
from tabletop_interaction.seals import (
    append_sealed_line,
    check_run_id,
    check_sealed_request,
    keep_sealed_lines,
    new_run_id,
    read_sealed_lines,
    run_id_of,
    warn_without_id,
    write_sealed,
)

SCHEMA_VERSION = 1

_RANDOM = {"policy": "random", "view": None, "score": None, "hypotheses": 0}
# Of the request; plain settings of a simulation, or a lab file.
_BACKEND_CONFIG = "config.config"
# Settings that earlier versions did not have.
_ASSUMED = {
    "config.primitive": "pick",
    "config.steps_per_episode": 25,
    "config.pictures.picture_format": "png",
    "config.pictures.jpeg_step": JPEG_STEP,
    "config.training.hard_weight": 0.0,
}


@dataclass(frozen=True)
class HistoryLine:
    """One line of history.jsonl.

    Attributes:
        number: place in the history, from 1; 0 while the interaction is not in it.
        policy, view, score, hypotheses: of the `Attempt`.
        grasped: whether the gripper reports that it held something.
        moved: whether the difference at the pick, or along the push, found something in any view.
        seconds: of work since the run began.
        time: of the interaction's row, which no other run has; None in runs of earlier versions.
    """

    number: int
    id: str
    policy: str
    view: str | None
    score: float | None
    hypotheses: int
    pick_outcome: int
    grasped: bool
    moved: bool
    seconds: float
    time: str | None = None


@dataclass(frozen=True)
class LabelledInteraction:
    """An interaction as the learner gets it: its line of the history and its labels, one or two for each view."""

    line: HistoryLine
    labels: tuple[PairLabel, ...]

    @classmethod
    def of(cls, row: Interaction, reason: Mapping[str, Any], labels: Sequence[PairLabel]) -> LabelledInteraction:
        """An interaction that is not in the history yet, given the `Attempt.reason` for it."""
        reason = {key: reason.get(key, default) for key, default in _RANDOM.items()}
        moved = any(label.moved for label in labels if label.pair != "place")
        line = HistoryLine(
            number=0,
            id=row.interaction_id,
            **reason,
            pick_outcome=int(row.pick_outcome),
            grasped=row.grasped,
            moved=moved,
            seconds=0.0,
            time=row.time,
        )
        return cls(line, tuple(labels))

    @property
    def id(self) -> str:
        """Of the interaction's row."""
        return self.line.id


class ProcessorClock:
    """Processor seconds of this process, all threads together, after `spent` seconds of earlier sessions."""

    def __init__(self, spent: float = 0.0) -> None:
        self._began = time.process_time() - spent

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.process_time() - self._began

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count what this block does."""
        before = self.seconds
        try:
            yield
        finally:
            self._began = time.process_time() - before


class RunFolder:
    """The paths of a run's files; see the module.

    Attributes:
        labels: where `label_folder` looks for the labels.
        evaluations: figures and pictures by number of interactions.
        began: `time.time()` at which the run would have begun without its pauses; set by `open_run`.
        clock: counts the work in this process; set by `open_run`. None in other processes, and where that of earlier
            sessions was not counted.
    """

    def __init__(self, path: Path, began: float = 0.0) -> None:
        self.path = path
        self.began = began
        self.clock: ProcessorClock | None = None
        self.request = path / "learn.json"
        self.watched = path / "watched"
        self.records = path / "records"
        self.labels = self.records / "labels"
        self.history = path / "history.jsonl"
        self.updates = path / "updates.jsonl"
        self.state = path / "state.pt"
        self.model = path / "model.safetensors"
        self.pictures = path / "pictures"
        self.evaluations = path / "evaluations"

    @cached_property
    def run(self) -> str | None:
        """The run's id; None for a run of an earlier version, and before one has begun. Raises UnreadableRecords."""
        return run_id_of(self.request)

    def choices(self, session: int) -> Path:
        """The reasons for the interactions of a session."""
        return self.path / "choices" / f"{session}.jsonl"


def lock_run(path: Path) -> AbstractContextManager[None]:
    """Make a run's folder and lock it. Raises FolderInUse when another process has the lock."""
    return lock_file(path / ".lock", blocking=False)


def check_run(path: Path, config: LearningConfig, *, resume: bool = False) -> bool:
    """Check that a run can begin or resume in a folder; return whether there is one. Changes nothing.

    Raises:
        InvalidConfiguration: `resume`, and there is no run.
        ForeignFolder: the folder holds something else, or a run with another configuration.
        UnreadableRecords: learn.json is damaged.
    """
    found = check_sealed_request(
        RunFolder(path).request, _request(config), "a learning run", assumed=_ASSUMED, whole=(_BACKEND_CONFIG,)
    )
    exists = found is not None
    if resume and not exists:
        raise InvalidConfiguration(f"there is no run in {path} to resume; leave --resume out to begin one")
    return exists


def open_run(path: Path, config: LearningConfig, others: Mapping[str, Any] | None = None) -> RunFolder:
    """Begin a run's folder, or check that it holds this run, and repair what a kill interrupted.

    Args:
        path: new, empty, or this run's.
        config: must equal the run's own if there is one.
        others: settings that change nothing that is learned; kept from the first session.

    Raises:
        ForeignFolder: the folder holds something else, a run with another configuration, or a file of another run.
        UnreadableRecords: a file is damaged and cannot be made again.
    """
    folder = RunFolder(path)
    if not check_run(path, config):
        write_sealed(folder.request, {**_request(config), **(others or {})}, new_run_id())
    if folder.run is None:
        warn_without_id(path)
    for file in (folder.history, folder.updates, *(path / "choices").glob("*.jsonl")):
        repair_json_lines(file)
    _repair_updates(folder)
    _complete_history(folder)
    last = (read_updates(folder) or [{}])[-1]
    seconds = [line.seconds for line in read_history(folder)[-1:]]
    folder.began = time.time() - max(*seconds, last.get("seconds", 0.0), 0.0)
    spent = last.get("cpu_seconds") if last else 0.0
    folder.clock = None if spent is None else ProcessorClock(spent)
    return folder


def read_history(folder: RunFolder) -> list[HistoryLine]:
    """The history so far.

    Raises:
        UnreadableRecords: it is damaged.
        ForeignFolder: it is of another run.
    """
    remedy = f"restore {folder.history} from a copy, or remove it, and it is made again from the records"
    lines = read_sealed_lines(folder.history, folder.run, remedy)
    history = convert(lines, list[HistoryLine], folder.history, remedy=remedy)
    if [line.number for line in history] != list(range(1, len(history) + 1)):
        raise UnreadableRecords(f"lines of {folder.history} are missing or in another order; {remedy}")
    if len({line.id for line in history}) < len(history):
        raise UnreadableRecords(f"{folder.history} names an interaction twice; {remedy}")
    return history


def read_updates(folder: RunFolder) -> list[dict[str, Any]]:
    """The updates so far; errors as `read_history`."""
    return read_sealed_lines(folder.updates, folder.run)


def append_to_history(folder: RunFolder, line: HistoryLine, number: int, seconds: float) -> HistoryLine:
    """Add an interaction's line to the history; returns it as it is written."""
    line = replace(line, number=number, seconds=round(seconds, 2))
    append_sealed_line(folder.history, asdict(line), folder.run)
    return line


def append_choice(folder: RunFolder, session: int, episode: int, step: int, reason: Mapping[str, Any]) -> None:
    """Write down the reason for an attempt before it is made."""
    append_sealed_line(folder.choices(session), {"episode": episode, "step": step, **reason}, folder.run)


def unknown_interactions(folder: RunFolder, known: Collection[str]) -> Iterator[LabelledInteraction]:
    """Interactions on disk whose ids are not `known`, in the order of time, labelled anew."""
    if is_record_folder(folder.records):
        ids = set(open_interactions(folder.records, columns=()).ids)
        yield from label_again(folder, ids.difference(known))


def label_again(folder: RunFolder, ids: Collection[str]) -> Iterator[LabelledInteraction]:
    """Interactions by id, in the order of time, labelled anew."""
    if not ids:
        return
    table = open_interactions(folder.records)
    number_of = {id_: number for number, id_ in enumerate(table.ids)}
    small = open_interactions(folder.records, columns=())
    rows = {row.interaction_id: row for row in sorted(small, key=lambda row: row.time) if row.interaction_id in ids}
    choices = {session: _choices(folder, session) for session in {row.seed for row in rows.values()}}
    if lost := sum((row.episode, row.step) not in choices[row.seed] for row in rows.values()):
        warnings.warn(
            f"{folder.path / 'choices'} lacks the reasons for {lost} interactions; they count as random", stacklevel=2
        )
    labels = label_interactions(table[number_of[id_]] for id_ in rows)
    for id_, found in groupby(labels, key=lambda label: label.interaction_id):
        row = rows[id_]
        yield LabelledInteraction.of(row, choices[row.seed].get((row.episode, row.step), {}), list(found))


def _request(config: LearningConfig) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "seed": config.seed, "config": asdict(config)}


def _complete_history(folder: RunFolder) -> None:
    """Add lines to the history for interactions that a kill left without one."""
    history = read_history(folder)
    times: dict[str, str] = {}
    if is_record_folder(folder.records):
        check_run_id(record_run_id(folder.records), folder.run, folder.records / "meta.json")
        times = {row.interaction_id: row.time for row in open_interactions(folder.records, columns=())}
    if lost := [line.id for line in history if line.id not in times]:
        raise UnreadableRecords(
            f"{folder.history} names {len(lost)} interactions that {folder.records} lacks (the first is {lost[0]}); "
            f"restore {folder.records} from a copy"
        )
    if others := [line for line in history if line.time not in (None, times[line.id])]:
        id_, time_ = others[0].id, others[0].time
        raise ForeignFolder(
            f"{folder.records} holds interactions of another run: {id_} was made at {times[id_]}, not at {time_} as in "
            f"{folder.history}; restore {folder.records} from a copy"
        )
    seconds = history[-1].seconds if history else 0.0
    for found in unknown_interactions(folder, {line.id for line in history}):
        history.append(append_to_history(folder, found.line, len(history) + 1, seconds))


def _repair_updates(folder: RunFolder) -> None:
    """Drop damaged lines of the updates; the learner adds those that its state counts."""
    try:
        read_sealed_lines(folder.updates, folder.run, "its lines are made again from the state")
    except UnreadableRecords as error:
        warnings.warn(str(error), stacklevel=2)
        keep_sealed_lines(folder.updates, [], folder.run)


def _choices(folder: RunFolder, session: int) -> dict[tuple[int, int], dict[str, Any]]:
    path, remedy = folder.choices(session), "remove it, and its interactions count as random"
    try:
        return {(line["episode"], line["step"]): line for line in read_sealed_lines(path, folder.run, remedy)}
    except KeyError as error:
        raise UnreadableRecords(f"{path} is damaged (a line has no {error}); {remedy}") from error
