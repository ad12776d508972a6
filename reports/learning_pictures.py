"""The pictures of a learning run's report, small JPEGs inside the page: masks over time, and interactions.

Of an interaction one view is shown: the one in which the hypothesis was made, the first one for a random pick, and for
nudges the one in which most moved. What is said of a label is said of that view.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.agents.labelling.frame_labels import Label, LabelledExample, label_interaction
from tabletop_interaction.agents.learning.run_folder import HistoryLine
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.folder import is_record_folder
from tabletop_interaction.envs.records.reading import InteractionTable, open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.errors import InvalidPicture
from tabletop_interaction.reports.learning_run import HeldOut, LearningRun
from tabletop_interaction.segmentation.overlays import outlined
from tabletop_interaction.segmentation.photos import read_picture
from tabletop_interaction.segmentation.rle import mask_from_rle

Picture = NDArray[np.uint8]
Show = Callable[[HistoryLine], "ShownAttempt"]

OUTCOMES: dict[PickOutcome, str] = {
    PickOutcome.HELD: "held",
    PickOutcome.SLIPPED: "slipped",
    PickOutcome.PUSHED_AWAY: "pushed away",
    PickOutcome.BLOCKED: "came down on something",
    PickOutcome.NOTHING_THERE: "nothing there",
    PickOutcome.UNREACHABLE: "out of reach",
}
"""What readers call an outcome, in the order in which they are stacked."""

_LABELS: dict[Label, str] = {"object": "object", "background": "background", "nudged": "doubtful", "unknown": "none"}
_WIDTH_PX = 260
_QUALITY = 78
_PICK_COLOUR, _PLACE_COLOUR = (255, 221, 51), (51, 221, 119)
_LATEST = 8
_EACH_KIND = 4
_MOST_COLUMNS = 6
# Whether a neighbour came along only the pictures tell: so many of the newest ones are looked through.
_LOOKED_THROUGH = 16
_WHY_NUDGED = "The difference shows two places of the object at once, before and after the nudge."
_WHY_NEIGHBOUR = "Its masks before and after differ much in size: the larger one holds more than the object."
_WHY_TOUCHED = "Something is there, so it is no background; what it is, no difference shows."
_WHY_UNSEEN = "What is held is too small or too like the table for the frame difference."
_TOUCHED = (PickOutcome.SLIPPED, PickOutcome.PUSHED_AWAY, PickOutcome.BLOCKED)


@dataclass(frozen=True)
class ShownAttempt:
    """One interaction: its number in the run, what was done and became of it, its label, and its pictures.

    Attributes:
        number: in the run, from 1.
        what: how the pick was chosen.
        outcome: what became of it.
        view: the camera that is shown; empty when the record is not there.
        label: of the picture before, and after a grasp of the picture after.
        pictures: data URIs before, held and after; empty when the record is not there.
    """

    number: int
    what: str
    outcome: str
    view: str
    label: str
    pictures: tuple[str, ...]


@dataclass(frozen=True)
class Doubt:
    """Interactions of one kind whose label is left out or unknown: how often, why, and the newest few."""

    title: str
    why: str
    count: str
    shown: tuple[ShownAttempt, ...]


@dataclass(frozen=True)
class Progression:
    """The held-out pictures over time: a column an evaluation, `rows` of data URIs, None where one is missing."""

    columns: tuple[HeldOut, ...]
    rows: tuple[tuple[str | None, ...], ...]


def progression(evaluations: Sequence[HeldOut]) -> Progression:
    """At most six evaluations that have pictures, the first and the last among them (the paper's figure 4)."""
    having = [evaluation for evaluation in evaluations if evaluation.shown]
    columns = [having[at] for at in spread(len(having), _MOST_COLUMNS)]
    names = sorted({path.name for column in columns for path in column.shown}, key=lambda name: (len(name), name))
    rows = [tuple(_held_out_picture(column, name) for column in columns) for name in names]
    return Progression(tuple(columns), tuple(rows))


def spread(count: int, most: int) -> list[int]:
    """At most `most` of the numbers 0 to count - 1, evenly, the first and the last among them."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(int)).tolist() if count else []


def latest_attempts(run: LearningRun, album: Album) -> tuple[ShownAttempt, ...]:
    """The newest interactions, the newest first."""
    return tuple(album.show(attempt) for attempt in run.attempts[: -_LATEST - 1 : -1])


def doubts(run: LearningRun, album: Album) -> tuple[Doubt, ...]:
    """The kinds of interactions that bring no label, the newest of each."""
    tried = run.attempts
    nudged = [attempt for attempt in tried if attempt.moved and not attempt.grasped]
    touched = [attempt for attempt in tried if not attempt.moved and attempt.pick_outcome in _TOUCHED]
    unseen = [attempt for attempt in tried if attempt.grasped and not attempt.moved]
    return (
        _doubt(run, "Moved, but not held", _WHY_NUDGED, nudged, album.show_where_most_moved),
        _with_neighbour(run, album),
        _doubt(run, "Touched, but nothing was seen to move", _WHY_TOUCHED, touched, album.show),
        _doubt(run, "Held, but nothing was seen to move", _WHY_UNSEEN, unseen, album.show),
    )


def _with_neighbour(run: LearningRun, album: Album) -> Doubt:
    held = [attempt for attempt in run.attempts if attempt.grasped and attempt.moved][: -_LOOKED_THROUGH - 1 : -1]
    found = [attempt for attempt in held if album.has(attempt, "nudged")]
    count = f"{len(found)} of the newest {len(held)} that were held and seen to move"
    shown = tuple(album.show(attempt) for attempt in found[:_EACH_KIND])
    return Doubt("Held, and a neighbour moved too", _WHY_NEIGHBOUR, count, shown)


def jpeg_uri(picture: Picture, width: int = _WIDTH_PX) -> str:
    """A picture (H, W, 3), shrunk to a width in pixels, as a data URI."""
    size = (width, round(picture.shape[0] * width / picture.shape[1]))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    _, encoded = cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(encoded.tobytes()).decode()


def open_album(run: LearningRun) -> Album:
    """The run's records as they are now, be it none.

    Raises:
        UnreadableRecords: a shard is damaged.
    """
    if not is_record_folder(run.records):
        return Album(None, {})
    table = open_interactions(run.records)
    return Album(table, {id_: number for number, id_ in enumerate(table.ids)})


@dataclass(frozen=True)
class Album:
    """Finds the record of an attempt and draws it; made by `open_album`."""

    table: InteractionTable | None
    numbers: Mapping[str, int]

    def has(self, attempt: HistoryLine, label: Label) -> bool:
        """Whether the view that is shown has such a label."""
        row = self._row(attempt)
        return row is not None and any(one.label == label for one in label_interaction(_seen_in(row, attempt.view)))

    def show(self, attempt: HistoryLine) -> ShownAttempt:
        """The attempt with its pictures, where its record is there."""
        row = self._row(attempt)
        return _shown(attempt, _seen_in(row, attempt.view) if row else None)

    def show_where_most_moved(self, attempt: HistoryLine) -> ShownAttempt:
        """As `show`, in the view whose frame difference found most."""
        row = self._row(attempt)
        if row is None:
            return _shown(attempt, None)
        widest = max(label_interaction(row), key=lambda label: label.mask.area if label.mask else 0)
        return _shown(attempt, _seen_in(row, widest.view))

    def _row(self, attempt: HistoryLine) -> Interaction | None:
        number = self.numbers.get(attempt.id)
        return None if self.table is None or number is None else self.table[number]


def _seen_in(row: Interaction, view: str | None) -> Interaction:
    """The interaction reduced to one view: the one that is named, else the first."""
    at = next((number for number, one in enumerate(row.views) if one.name == view), 0)
    only = slice(at, at + 1)
    return replace(row, views=row.views[only], pick_xy=row.pick_xy[only], place_xy=row.place_xy[only])


def _shown(attempt: HistoryLine, row: Interaction | None) -> ShownAttempt:
    labels = label_interaction(row) if row else []
    return ShownAttempt(
        number=attempt.number,
        what=_what(attempt),
        outcome=OUTCOMES.get(PickOutcome(attempt.pick_outcome), "no pick"),
        view=row.views[0].name if row else "",
        label=_label(labels),
        pictures=tuple(jpeg_uri(panel) for panel in _panels(row, labels)) if row else (),
    )


def _doubt(run: LearningRun, title: str, why: str, found: Sequence[HistoryLine], show: Show) -> Doubt:
    share = f" ({100 * len(found) / len(run.attempts):.1f} %)" if run.attempts else ""
    count = f"{len(found):,} of {len(run.attempts):,} interactions{share}"
    return Doubt(title, why, count, tuple(show(attempt) for attempt in found[: -_EACH_KIND - 1 : -1]))


def _what(attempt: HistoryLine) -> str:
    if attempt.policy != "hypothesis" or attempt.score is None:
        return "random pick"
    return f"hypothesis of score {attempt.score:.2f}, one of {attempt.hypotheses}, in {attempt.view}"


def _label(labels: Sequence[LabelledExample]) -> str:
    if len(labels) == 2 and labels[0].label == labels[1].label:
        return f"{_LABELS[labels[0].label]} before and after"
    return ", ".join(f"{_LABELS[label.label]} {label.moment}" for label in labels)


def _panels(row: Interaction, labels: Sequence[LabelledExample]) -> Iterator[Picture]:
    """Before with the pick, held, after with what moved: where it was and, after a grasp, where it is."""
    view = row.views[0].name
    yield _crossed(row.before[view], row.pick_xy[0], _PICK_COLOUR)
    yield row.held[view]
    after = row.after[view]
    for label in labels:
        colour = _PICK_COLOUR if label.pair == "pick" else _PLACE_COLOUR
        if label.mask is not None:
            after = outlined(after, mask_from_rle(label.mask), colour, 2)
    yield _crossed(after, row.place_xy[0], _PLACE_COLOUR) if row.grasped else after


def _crossed(picture: Picture, xy: NDArray[np.float32], colour: tuple[int, int, int]) -> Picture:
    crossed = picture.copy()
    centre = (round(float(xy[0])), round(float(xy[1])))
    for shade, size, thickness in (((0, 0, 0), 26, 6), (colour, 24, 3)):
        cv2.drawMarker(crossed, centre, shade, cv2.MARKER_CROSS, size, thickness, cv2.LINE_AA)
    return crossed


def _held_out_picture(evaluation: HeldOut, name: str) -> str | None:
    path = next((path for path in evaluation.shown if path.name == name), None)
    try:
        return jpeg_uri(read_picture(path, upright=False)) if path else None
    except InvalidPicture:
        # A picture that is still being written is missing, and shown as such.
        return None
