"""A learning run on disk: each file is whole after a kill, and the run goes on from them.

```
learn.json           what was asked; written first, so that the folder is known to be ours
watched/             what pushes showed that were watched first (`passive_examples`)
records/             the interactions; a row is durable before the next interaction begins
choices/<seed>.jsonl why each interaction of a session was tried; written before it is made
history.jsonl        a line an interaction, in the order in which the learner gets them
updates.jsonl        a line an update
state.pt             the learner after its last update: network, average, optimiser, counters; replaced whole
model.safetensors    the newest network
pictures/            decoded pictures, made again when they are missing
```
What a kill can leave behind, and what becomes of it:

- a row that stands in no line of the history is given one, in the order of time, with its choice from `choices`;
- lines of the history after the state's count are what the state has not learned from: they are learned from first, in
  the same portions, so that an update that is made again is the same update;
- lines of the updates after the state's count are dropped: those updates are made again.

A session (each start of the run, and each collector) begins a new scene with a seed made from the run's seed and the
number of interactions there were; crops depend on the run's seed and the step alone. So no random stream is stored.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from tabletop_interaction.agents.labelling.frame_labels import LabelledExample, label_interactions
from tabletop_interaction.agents.learning.actor import Attempt
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.envs.records.folder import is_record_folder, sync_folder, write_whole
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import (
    DamagedState,
    ForeignFolder,
    InvalidConfiguration,
    UnreadableRecords,
    WriterInUse,
)
from tabletop_interaction.json_lines import append_line, read_lines, repair_lines
from tabletop_interaction.segmentation.training.state import load_state, save_state

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Tried:
    """One interaction as the learner gets it: what was tried, what came of it, and its labels.

    Attributes:
        interaction_id: of its row.
        policy, view, score, hypotheses: of the `Attempt`.
        pick_outcome: a `PickOutcome`.
        grasped: the gripper's belief.
        labels: one a view, or two where something was held.
    """

    interaction_id: str
    policy: str
    view: str | None
    score: float | None
    hypotheses: int
    pick_outcome: int
    grasped: bool
    labels: tuple[LabelledExample, ...]

    @property
    def moved(self) -> bool:
        """Whether the frame difference at the pick found something in any view."""
        return any(label.moved for label in self.labels if label.pair == "pick")


@dataclass(frozen=True)
class HistoryLine:
    """One line of history.jsonl; `seconds` are of work since the run began."""

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

    @classmethod
    def of(cls, tried: Tried, number: int, seconds: float) -> HistoryLine:
        """What is kept of an interaction besides its row and its labels."""
        return cls(
            number,
            tried.interaction_id,
            tried.policy,
            tried.view,
            tried.score,
            tried.hypotheses,
            tried.pick_outcome,
            tried.grasped,
            tried.moved,
            round(seconds, 2),
        )

    def tried(self, labels: Sequence[LabelledExample]) -> Tried:
        """The interaction, given its labels."""
        reason = (self.policy, self.view, self.score, self.hypotheses)
        return Tried(self.id, *reason, self.pick_outcome, self.grasped, tuple(labels))


@dataclass(frozen=True)
class RunFolder:
    """The places of a run's files."""

    path: Path

    @property
    def request(self) -> Path:
        """learn.json"""
        return self.path / "learn.json"

    @property
    def records(self) -> Path:
        """The interactions."""
        return self.path / "records"

    @property
    def labels(self) -> Path:
        """The labels, where `label_folder` looks for them."""
        return self.records / "labels"

    @property
    def pictures(self) -> Path:
        """Decoded pictures."""
        return self.path / "pictures"

    @property
    def watched(self) -> Path:
        """What was watched before the agent acted."""
        return self.path / "watched"

    @property
    def history(self) -> Path:
        """A line an interaction."""
        return self.path / "history.jsonl"

    @property
    def updates(self) -> Path:
        """A line an update."""
        return self.path / "updates.jsonl"

    @property
    def state(self) -> Path:
        """The learner's state."""
        return self.path / "state.pt"

    @property
    def model(self) -> Path:
        """The newest network."""
        return self.path / "model.safetensors"

    @property
    def evaluations(self) -> Path:
        """Figures and pictures by number of interactions."""
        return self.path / "evaluations"

    def choices(self, session: int) -> Path:
        """Why each interaction of a session was tried."""
        return self.path / "choices" / f"{session}.jsonl"


def open_run(path: Path, config: LearningConfig, others: Mapping[str, Any] | None = None) -> RunFolder:
    """Begin a run's folder, or check that it holds this run, and repair what a kill cut short.

    Args:
        path: new, empty, or this run's.
        config: must be the run's own where there is one.
        others: what else was asked and changes nothing that is learned; remembered from the first session.

    Raises:
        ForeignFolder: it holds something else, or a run with another configuration; nothing was written.
    """
    check_run(path, config)
    folder = RunFolder(path)
    if not folder.request.exists():
        path.mkdir(parents=True, exist_ok=True)
        request = {"schema_version": SCHEMA_VERSION, "seed": config.seed, "config": asdict(config), **(others or {})}
        write_whole(folder.request, json.dumps(request, indent=2) + "\n")
        sync_folder(path)
    folder.choices(0).parent.mkdir(exist_ok=True)
    for file in (folder.history, folder.updates):
        repair_lines(file)
    adopt(folder)
    return folder


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise WriterInUse(f"another process learns in {path}; wait for it, or give another folder") from error


def check_run(path: Path, config: LearningConfig, *, resume: bool = False) -> None:
    """Check that a run may be begun in a folder, or gone on with; changes nothing.

    Raises:
        InvalidConfiguration: `resume`, and there is no run.
        ForeignFolder: it holds something else, or a run with another configuration.
    """
    folder = RunFolder(path)
    if folder.request.exists():
        _check_same(folder, json.loads(json.dumps(asdict(config))))
    elif path.exists() and (not path.is_dir() or any(not p.name.startswith(".") for p in path.iterdir())):
        raise ForeignFolder(f"{path} holds something else than a learning run; give a new or empty folder with --out")
    elif resume:
        raise InvalidConfiguration(f"there is no run in {path} to resume; leave --resume out to begin one")


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Keep a run's folder for this process.

    Raises:
        WriterInUse: another process learns in it.
    """
    path.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path / ".lock", os.O_CREAT | os.O_RDWR, 0o666)
    try:
        _lock(descriptor, path)
        yield
    finally:
        os.close(descriptor)


def read_history(folder: RunFolder) -> list[HistoryLine]:
    """The history so far."""
    return [HistoryLine(**line) for line in read_lines(folder.history)]


def adopt(folder: RunFolder) -> None:
    """Add lines to the history for interactions that a kill left without one."""
    history = read_history(folder)
    seconds = history[-1].seconds if history else 0.0
    for tried in tried_from_disk(folder, but=frozenset(line.id for line in history)):
        history.append(HistoryLine.of(tried, len(history) + 1, seconds))
        append_line(folder.history, asdict(history[-1]))


def began_at(folder: RunFolder) -> float:
    """`time.time()` at which the run would have begun without its pauses."""
    seconds = [line["seconds"] for file in (folder.history, folder.updates) for line in read_lines(file)[-1:]]
    return time.time() - max(seconds, default=0.0)


def save_learner(path: Path, state: Mapping[str, Any]) -> None:
    """Write the learner's state; it is whole or as before after a kill or a power cut."""
    save_state(path, state)
    sync_folder(path.parent)


def load_learner(path: Path) -> dict[str, Any] | None:
    """The learner's state, on the CPU; None where there is none yet.

    Raises:
        UnreadableRecords: it is damaged.
    """
    try:
        return load_state(path)
    except DamagedState as error:
        raise UnreadableRecords(
            f"{error}; remove it, and the run learns anew from the interactions it has made"
        ) from error


def note_choice(folder: RunFolder, session: int, episode: int, step: int, attempt: Attempt) -> None:
    """Say what is going to be tried, before it is."""
    reason = {"policy": attempt.policy, "view": attempt.view, "score": attempt.score, "hypotheses": attempt.hypotheses}
    append_line(folder.choices(session), {"episode": episode, "step": step, **reason})


def tried_from_disk(folder: RunFolder, but: frozenset[str] = frozenset()) -> Iterator[Tried]:
    """Interactions that stand on disk and are not among `but`, in the order of time, labelled anew."""
    if not is_record_folder(folder.records):
        return
    missing = set(open_interactions(folder.records, columns=()).ids) - but
    if missing:
        yield from labelled_again(folder, missing)


def labelled_again(folder: RunFolder, ids: set[str]) -> Iterator[Tried]:
    """Interactions by id, in the order of time, labelled anew."""
    table = open_interactions(folder.records)
    number_of = {id_: number for number, id_ in enumerate(table.ids)}
    small = open_interactions(folder.records, columns=())
    rows = {row.interaction_id: row for row in sorted(small, key=lambda row: row.time) if row.interaction_id in ids}
    choices = {session: _choices(folder.choices(session)) for session in {row.seed for row in rows.values()}}
    labels = label_interactions(table[number_of[id_]] for id_ in rows)
    for id_, said in groupby(labels, key=lambda label: label.interaction_id):
        row = rows[id_]
        yield tried_of(row, choices[row.seed].get((row.episode, row.step), {}), list(said))


def tried_of(row: Interaction, attempt: Mapping[str, Any], labels: Sequence[LabelledExample]) -> Tried:
    """A row with the reason for it."""
    return Tried(
        row.interaction_id,
        attempt.get("policy", "random"),
        attempt.get("view"),
        attempt.get("score"),
        attempt.get("hypotheses", 0),
        int(row.pick_outcome),
        row.grasped,
        tuple(labels),
    )


def _choices(path: Path) -> dict[tuple[int, int], dict[str, Any]]:
    return {(line["episode"], line["step"]): line for line in read_lines(path)}


def _check_same(folder: RunFolder, asked: Mapping[str, Any]) -> None:
    try:
        content = json.loads(folder.request.read_text(encoding="utf-8"))
        version, there = content["schema_version"], _flat(content["config"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ForeignFolder(f"{folder.request} describes no learning run ({error!r}); give a new folder") from error
    if version != SCHEMA_VERSION:
        raise ForeignFolder(f"{folder.path} has schema version {version}, read is {SCHEMA_VERSION}; give a new folder")
    wanted = _flat(asked)
    different = [f"{key} {there.get(key)!r}, not {wanted[key]!r}" for key in wanted if there.get(key) != wanted[key]]
    if different:
        raise ForeignFolder(f"{folder.path} holds a run with {'; '.join(different[:3])}; give a new folder with --out")


def _flat(config: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings under dotted names."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat |= {f"{key}.{inner}": content for inner, content in _flat(value).items()}
        else:
            flat[key] = value
    return flat
