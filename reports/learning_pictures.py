"""The pictures of a learning run's report: held-out pictures over time, and interactions, as JPEGs inside the page.

Each interaction is shown in one view: the one of the hypothesis, the first one for a random action, and for nudges the
one in which most pixels moved. The label shown is the label of that view.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tabletop_interaction.agents.labelling.frame_labels import label_interaction
from tabletop_interaction.agents.labelling.pair_label import LabelKind, PairLabel
from tabletop_interaction.agents.learning.run_folder import HistoryLine
from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs.backend import PickOutcome, Primitive
from tabletop_interaction.envs.records.folder import is_record_folder
from tabletop_interaction.envs.records.reading import InteractionTable, open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import InvalidPicture
from tabletop_interaction.picture_files import read_picture
from tabletop_interaction.reports.learning_run import HeldOutFigures, LearningRun
from tabletop_interaction.reports.outcomes import OUTCOMES, outcome_of
from tabletop_interaction.reports.page import Embedded, embedded
from tabletop_interaction.reports.sheets import PICK_COLOUR, PLACE_COLOUR, evenly_chosen, with_arrow, with_cross
from tabletop_interaction.segmentation.overlays import outlined
from tabletop_interaction.segmentation.rle import mask_from_rle

Show = Callable[[HistoryLine], "ShownAttempt"]

PANELS: Mapping[Primitive, tuple[str, ...]] = {
    "pick": ("before, with the pick", "with the object held", "after, with the masks"),
    "push": ("before, with the push", "after, with the masks"),
}
"""What the pictures of an attempt show."""

_LABELS: dict[LabelKind, str] = {
    "object": "object",
    "background": "background",
    "nudged": "doubtful",
    "unknown": "none",
}
_MOST_PX = 430
_EACH_KIND = 4
_MOST_COLUMNS = 5
# Only the pictures show whether a neighbour moved; reading them takes time, so only the newest ones are searched.
_SEARCHED = 16
_WHY_NUDGED = "The difference contains the object twice: where it was and where the nudge left it."
_WHY_NEIGHBOUR = "Its masks before and after differ much in size: the larger one contains more than the object."
_WHY_TOUCHED = "The gripper met something, so it is not background; without a difference there is no mask."
_WHY_UNSEEN = "The object is too small, or too similar to the table, for the frame difference."
_WHY_OVERLAPPING = "The object overlaps the place where it was, or a neighbour moved with it."
_TOUCHED = (PickOutcome.SLIPPED, PickOutcome.PUSHED_AWAY, PickOutcome.BLOCKED)


@dataclass(frozen=True)
class ShownAttempt:
    """One interaction as the page shows it.

    Attributes:
        number: in the run, from 1.
        choice, outcome: of the pick, in words.
        view: the camera that is shown; empty when the record is missing.
        label: of the picture before and, after a grasp, of the picture after.
        pictures: what `PANELS` names; empty when the record is missing.
    """

    number: int
    choice: str
    outcome: str
    view: str
    label: str
    pictures: tuple[Embedded, ...]


@dataclass(frozen=True)
class Unlabelled:
    """Interactions of one kind that give no label: how many, why, and the newest few."""

    title: str
    why: str
    count: str
    shown: tuple[ShownAttempt, ...]


def chosen_evaluations(evaluations: Sequence[HeldOutFigures]) -> list[HeldOutFigures]:
    """At most five evaluations with pictures, including the first and the last (the paper's figure 4)."""
    return evenly_chosen([evaluation for evaluation in evaluations if evaluation.shown], _MOST_COLUMNS)


def pictures_over_time(truth: Sequence[Path], columns: Sequence[HeldOutFigures]) -> list[list[Embedded | None]]:
    """A row for each held-out picture: its truth, if there is any, then each evaluation; None where it is missing."""
    shown = ([truth] if truth else []) + [column.shown for column in columns]
    names = sorted({path.name for paths in shown for path in paths}, key=lambda name: (len(name), name))
    return [[_held_out_picture(paths, name) for paths in shown] for name in names]


def unlabelled(run: LearningRun, album: Album) -> tuple[Unlabelled, ...]:
    """The kinds of interactions that give no label, the newest of each."""
    attempts = run.attempts
    if run.primitive == "push":
        return (_pushed_without_mask(run, album),)
    nudged = [attempt for attempt in attempts if attempt.moved and not attempt.grasped]
    touched = [attempt for attempt in attempts if not attempt.moved and attempt.pick_outcome in _TOUCHED]
    unseen = [attempt for attempt in attempts if attempt.grasped and not attempt.moved]
    return (
        _kind(run, "Moved, but not held", _WHY_NUDGED, nudged, album.show_where_most_moved),
        _with_neighbour(run, album),
        _kind(run, "Touched, but nothing was seen to move", _WHY_TOUCHED, touched, album.show),
        _kind(run, "Held, but nothing was seen to move", _WHY_UNSEEN, unseen, album.show),
    )


def open_album(run: LearningRun) -> Album:
    """Open the run's records, if there are any yet. Raises UnreadableRecords if a shard is damaged."""
    if not is_record_folder(run.records):
        return Album(None, {})
    table = open_interactions(run.records)
    numbers = {id_: number for number, id_ in enumerate(table.ids)}
    return Album(table, numbers, tuple((row.seed, row.scene) for row in open_interactions(run.records, columns=())))


@dataclass(frozen=True)
class Album:
    """Finds the record of an attempt and draws it; `open_album` makes it.

    Attributes:
        table: the records; None without any.
        numbers: places in the table, by the rows' ids.
        scenes: what is the same for the rows of a scene, in the order of the table.
    """

    table: InteractionTable | None
    numbers: Mapping[str, int]
    scenes: tuple[tuple[int, int], ...] = ()

    def new_scenes(self, attempts: Sequence[HistoryLine]) -> Floats:
        """Numbers of the attempts that were the first in their scene, without the first of all."""
        first: dict[tuple[int, int], int] = {}
        for attempt in attempts:
            if (at := self.numbers.get(attempt.id)) is not None:
                first.setdefault(self.scenes[at], attempt.number)
        return np.array(list(first.values())[1:], np.float64)

    def has(self, attempt: HistoryLine, label: LabelKind) -> bool:
        """Whether the view that is shown has this label."""
        row = self._row(attempt)
        return row is not None and any(one.label == label for one in label_interaction(_seen_in(row, attempt.view)))

    def has_anywhere(self, attempt: HistoryLine, label: LabelKind) -> bool:
        """Whether any view has this label."""
        row = self._row(attempt)
        return row is not None and any(one.label == label for one in label_interaction(row))

    def show(self, attempt: HistoryLine) -> ShownAttempt:
        """The attempt with its pictures, if there is a record."""
        row = self._row(attempt)
        return _shown(attempt, _seen_in(row, attempt.view) if row else None)

    def show_where_most_moved(self, attempt: HistoryLine) -> ShownAttempt:
        """As `show`, in the view in which most pixels moved."""
        row = self._row(attempt)
        if row is None:
            return _shown(attempt, None)
        widest = max(label_interaction(row), key=lambda label: label.mask.area if label.mask else 0)
        return _shown(attempt, _seen_in(row, widest.view))

    def _row(self, attempt: HistoryLine) -> Interaction | None:
        number = self.numbers.get(attempt.id)
        return None if self.table is None or number is None else self.table[number]


def _seen_in(row: Interaction, view: str | None) -> Interaction:
    """The interaction reduced to the named view, or else to its first."""
    at = next((number for number, one in enumerate(row.views) if one.name == view), 0)
    only = slice(at, at + 1)
    if (pushed := row.pushed) is not None:
        pushed = replace(pushed, start_xy=pushed.start_xy[only], end_xy=pushed.end_xy[only])
    row = replace(row, pushed=pushed)
    return replace(row, views=row.views[only], pick_xy=row.pick_xy[only], place_xy=row.place_xy[only])


def _shown(attempt: HistoryLine, row: Interaction | None) -> ShownAttempt:
    labels = label_interaction(row) if row else []
    return ShownAttempt(
        number=attempt.number,
        choice=_choice(attempt, row),
        outcome=_outcome(attempt, row),
        view=row.views[0].name if row else "",
        label=_label(labels),
        pictures=tuple(embedded(panel, _MOST_PX) for panel in _panels(row, labels)) if row else (),
    )


def _outcome(attempt: HistoryLine, row: Interaction | None) -> str:
    if row is None or row.pushed is None:
        return OUTCOMES.get(PickOutcome(attempt.pick_outcome), "no pick")
    return outcome_of(row)


def _kind(run: LearningRun, title: str, why: str, found: Sequence[HistoryLine], show: Show) -> Unlabelled:
    share = f" ({100 * len(found) / len(run.attempts):.1f} %)" if run.attempts else ""
    count = f"{len(found):,} of {len(run.attempts):,} interactions{share}"
    return Unlabelled(title, why, count, tuple(show(attempt) for attempt in found[: -_EACH_KIND - 1 : -1]))


def _with_neighbour(run: LearningRun, album: Album) -> Unlabelled:
    held = [attempt for attempt in run.attempts if attempt.grasped and attempt.moved][: -_SEARCHED - 1 : -1]
    found = [attempt for attempt in held if album.has(attempt, "nudged")]
    count = f"{len(found)} of the newest {len(held)} that were held and seen to move"
    shown = tuple(album.show(attempt) for attempt in found[:_EACH_KIND])
    return Unlabelled("Held, and a neighbour moved too", _WHY_NEIGHBOUR, count, shown)


def _pushed_without_mask(run: LearningRun, album: Album) -> Unlabelled:
    moved = [attempt for attempt in run.attempts if attempt.moved][: -_SEARCHED - 1 : -1]
    found = [attempt for attempt in moved if not album.has_anywhere(attempt, "object")]
    count = f"{len(found)} of the newest {len(moved)} that moved something"
    shown = tuple(album.show_where_most_moved(attempt) for attempt in found[:_EACH_KIND])
    return Unlabelled("Moved, but without a mask of the object alone", _WHY_OVERLAPPING, count, shown)


def _choice(attempt: HistoryLine, row: Interaction | None) -> str:
    if attempt.policy != "hypothesis" or attempt.score is None:
        return f"random {row.primitive if row else 'pick'}"
    return f"hypothesis of score {100 * attempt.score:.0f} %, one of {attempt.hypotheses}, in {attempt.view}"


def _label(labels: Sequence[PairLabel]) -> str:
    if len(labels) == 2 and labels[0].label == labels[1].label:
        return f"{_LABELS[labels[0].label]} before and after"
    return ", ".join(f"{_LABELS[label.label]} {label.moment}" for label in labels)


def _panels(row: Interaction, labels: Sequence[PairLabel]) -> Iterator[Picture]:
    """The pictures that `PANELS` names, with the masks of where the object was and, if it was held, where it is."""
    view = row.views[0].name
    if row.pushed is None:
        yield with_cross(row.before[view], row.pick_xy[0], PICK_COLOUR, size=24, thickness=3)
        yield row.held[view]
    else:
        yield with_arrow(row.before[view], row.pushed.start_xy[0], row.pushed.end_xy[0], PICK_COLOUR, thickness=3)
    after = row.after[view]
    for label in labels:
        colour = PICK_COLOUR if label.moment == "before" else PLACE_COLOUR
        if label.mask is not None:
            after = outlined(after, mask_from_rle(label.mask), colour, 2)
    yield with_cross(after, row.place_xy[0], PLACE_COLOUR, size=24, thickness=3) if row.grasped else after


def _held_out_picture(paths: Sequence[Path], name: str) -> Embedded | None:
    path = next((path for path in paths if path.name == name), None)
    try:
        return embedded(read_picture(path, upright=False), _MOST_PX) if path else None
    except InvalidPicture:
        # The picture may still be being written.
        return None
