"""Recorded interactions as examples for an inverse model: two pictures of the first view, and the action between.

An interaction is an example when the gripper held something and something moved: the picture after differs from the one
before (`envs.judges.differing_regions`, which tolerates 13 px). A nudge says nothing about carrying.

| | the original | here |
|---|---|---|
| backwards in time | no | every example as well: the same grasp carries the object back |
| several moves apart | no | with `span` above 1: the first of up to that many moves, with the picture after the last |

Shrunk pictures and the interactions that moved something are kept beside the records:

```
inverse-176x216/judged.jsonl   a line for each interaction that held something: its id, and whether something moved
inverse-176x216/pictures/      see segmentation.training.pictures
```
Both carry the id of the run that recorded the interactions (`seals`). Lost pictures are made again.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from tabletop_interaction.agents.inverse.picture_actions import picture_actions, reversed_actions, shrunk
from tabletop_interaction.agents.labelling.examples import picture_key
from tabletop_interaction.arrays import Floats, Picture
from tabletop_interaction.envs import View
from tabletop_interaction.envs.judges import differing_regions
from tabletop_interaction.envs.records.folder import check_primitive, record_run_id
from tabletop_interaction.envs.records.reading import InteractionTable, open_interactions
from tabletop_interaction.envs.records.row import Interaction, picture_columns
from tabletop_interaction.errors import NoExamples, UnreadableRecords
from tabletop_interaction.files import lock_file
from tabletop_interaction.seals import keep_sealed_lines, read_sealed_lines
from tabletop_interaction.segmentation.training.pictures import PictureStore, add_pictures, open_pictures

FEWEST_MOVES = 8
"""Fewest interactions that moved something; a training with a test needs them."""

_CHUNK = 128
# A pick this close to an earlier place is taken for one of the same object.
_SAME_OBJECT_M = 0.06


@dataclass(frozen=True, eq=False)
class InverseExample:
    """An action with the pictures before and after it.

    Attributes:
        now: key of the picture before.
        goal: key of the picture after.
        action: float64 (5,), a picture action (see `picture_actions`).
        scene: of the interaction; pictures of a scene look alike. Writers with the same seed have the same scenes.
        moves: number of moves between the two pictures; the action is the first of them.
    """

    now: str
    goal: str
    action: Floats
    view: View
    scene: str
    moves: int = 1


@dataclass(frozen=True, eq=False)
class InverseExamples:
    """Examples and their pictures.

    Attributes:
        examples: in the order of the records.
        pictures: uint8 (height, width, 3) RGB by key, all of one size.
    """

    examples: tuple[InverseExample, ...]
    pictures: PictureStore


def inverse_examples(
    folder: str | os.PathLike[str],
    size: tuple[int, int],
    *,
    span: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> InverseExamples:
    """Read the examples of a folder of interactions; new interactions are judged and decoded first.

    Args:
        folder: of recorded interactions.
        size: height and width of the pictures.
        span: most moves between the two pictures of an example; the original has 1.
        progress: called with the number of judged interactions and the number of all that held something.

    Raises:
        UnreadableRecords, ForeignFolder: as `open_interactions`, or what is kept beside the records is damaged or of
            another run.
        ForeignFolder: the interactions are pushes.
        NoExamples: too few interactions moved something.
        InvalidPictureStore: the folder of shrunk pictures holds something else.
    """
    check_primitive(Path(folder), "pick", "an inverse model")
    place = Path(folder) / f"inverse-{size[0]}x{size[1]}"
    held = [row for row in open_interactions(folder, columns=()) if row.grasped]
    _check_enough(folder, len(held), "held something")
    moved = _judged(folder, held, place, size, progress or (lambda done, total: None))
    moves = [row for row in held if row.interaction_id in moved]
    _check_enough(folder, len(moves), "moved something")
    examples = tuple(one for episode in _by_episode(moves) for one in _examples_of(episode, size, span))
    return InverseExamples(examples, open_pictures(place / "pictures", record_run_id(Path(folder))))


def split_by_scene(
    examples: Sequence[InverseExample], share: float, seed: int
) -> tuple[list[InverseExample], list[InverseExample]]:
    """Split examples into those to learn from and those held out, about that share of the scenes, at least one each.

    Raises:
        NoExamples: all are of one scene.
    """
    scenes = sorted({example.scene for example in examples})
    if len(scenes) < 2:
        raise NoExamples(
            f"all {len(examples)} examples are of one scene, so that none can be held out; collect 100 interactions or "
            "more, which have several scenes"
        )
    count = min(max(1, round(share * len(scenes))), len(scenes) - 1)
    held_out = set(np.random.default_rng([seed, len(scenes)]).permutation(scenes)[:count].tolist())
    return (
        [example for example in examples if example.scene not in held_out],
        [example for example in examples if example.scene in held_out],
    )


def _check_enough(folder: str | os.PathLike[str], count: int, what: str) -> None:
    if count < FEWEST_MOVES:
        raise NoExamples(
            f"{count} interactions in {folder} {what}; an inverse model needs {FEWEST_MOVES} or more, and some "
            "thousand to become useful; collect more, `tabletop collect --policy hypothesis` grasps most often"
        )


def _judged(
    folder: str | os.PathLike[str],
    held: Sequence[Interaction],
    place: Path,
    size: tuple[int, int],
    progress: Callable[[int, int], None],
) -> set[str]:
    """Return ids of the interactions that moved something; their pictures are in the store."""
    place.mkdir(parents=True, exist_ok=True)
    with lock_file(place / ".lock"):
        lines, run = place / "judged.jsonl", record_run_id(Path(folder))
        known = _known(lines, run)
        store = open_pictures(place / "pictures", run)
        for row in held:
            keys = {picture_key(row, row.views[0].name, moment) for moment in ("before", "after")}
            if known.get(row.interaction_id) and not keys <= store.keys():
                del known[row.interaction_id]
        missing = iter([row.interaction_id for row in held if row.interaction_id not in known])
        table: InteractionTable | None = None
        while chunk := set(islice(missing, _CHUNK)):
            table = table or open_interactions(folder, picture_columns([held[0].views[0].name]))
            found: dict[str, bool] = {}
            # Pictures first: judged interactions have them, even after a kill between the two.
            add_pictures(place / "pictures", _pictures(table, chunk, size, found), run)
            known |= found
            keep_sealed_lines(lines, [{"interaction_id": id_, "moved": moved} for id_, moved in known.items()], run)
            progress(len(known), len(held))
    return {id_ for id_, moved in known.items() if moved}


def _known(lines: Path, run: str | None) -> dict[str, bool]:
    """Return verdicts by id from disk."""
    remedy = "remove it, it will be made again"
    try:
        return {line["interaction_id"]: bool(line["moved"]) for line in read_sealed_lines(lines, run, remedy)}
    except KeyError as error:
        raise UnreadableRecords(f"{lines} is damaged (a line has no {error}); {remedy}") from error


def _pictures(
    table: InteractionTable, wanted: set[str], size: tuple[int, int], found: dict[str, bool]
) -> Iterator[tuple[str, Picture]]:
    """Yield shrunk pictures of the wanted interactions that moved something; `found` gets the verdicts."""
    for number in [number for number, id_ in enumerate(table.ids) if id_ in wanted]:
        row = table[number]
        name = row.views[0].name
        before, after = row.before[name], row.after[name]
        found[row.interaction_id] = bool(differing_regions(before, after).any())
        if found[row.interaction_id]:
            yield picture_key(row, name, "before"), shrunk(before, size)
            yield picture_key(row, name, "after"), shrunk(after, size)


def _by_episode(moves: Sequence[Interaction]) -> list[list[Interaction]]:
    """Return the moves of each episode in time."""
    episodes: dict[tuple[str, int, int], list[Interaction]] = {}
    for row in moves:
        episodes.setdefault((row.writer, row.seed, row.episode), []).append(row)
    return [sorted(episode, key=lambda row: row.step) for episode in episodes.values()]


def _examples_of(episode: Sequence[Interaction], size: tuple[int, int], span: int) -> Iterator[InverseExample]:
    """Yield the examples of an episode, forwards and backwards in time."""
    view = episode[0].views[0]
    scene = f"{episode[0].seed}/{episode[0].scene}"
    done = np.array([row.pick_place.to_array() for row in episode])
    forwards = picture_actions(done, view, size)
    backwards = reversed_actions(forwards)
    for first in range(len(episode)):
        for last in range(first, min(first + span, len(episode))):
            before = picture_key(episode[first], view.name, "before")
            after = picture_key(episode[last], view.name, "after")
            within = done[first : last + 1]
            if _stays(within):
                yield InverseExample(before, after, forwards[first], view, scene, len(within))
            if _stays(reversed_actions(within)[::-1]):
                yield InverseExample(after, before, backwards[last], view, scene, len(within))


def _stays(moves: Floats) -> bool:
    """Return whether no later move, of (N, 5) in metres, picks up what the first one puts down."""
    apart = np.linalg.norm(moves[1:, 0:2] - moves[0, 3:5], axis=1)
    return bool((apart > _SAME_OBJECT_M).all())
