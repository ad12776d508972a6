"""Labelled interactions as examples for training, their pictures decoded once.

The picture after one interaction is the picture before the next one of its episode: it is kept once, and what both
interactions say about it stands together.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from tabletop_interaction.agents.labelling.carried import carry_masks
from tabletop_interaction.agents.labelling.frame_labels import LabelledExample
from tabletop_interaction.agents.labelling.label_table import label_folder
from tabletop_interaction.envs.records.reading import InteractionTable, open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.segmentation.rle import Rle
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.pictures import Picture, PictureStore, add_pictures, open_pictures

Progress = Callable[[str, int, int], None]


def recorded_examples(
    folder: str | os.PathLike[str],
    pictures_folder: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    *,
    nudged: bool = False,
    carried: bool = False,
) -> ExampleSet:
    """The examples of a folder of interactions; what is missing is labelled and decoded first.

    Args:
        folder: that interactions were recorded into.
        pictures_folder: where decoded pictures are kept, 0.45 MB each; None means `pictures` in `folder`.
        progress: called with what is being done ("labels" or "pictures"), how many are done and how many there are.
        nudged: take what moved without being held for an object as well, as the paper does.
        carried: take masks to the other pictures in which their object still stands (`standing`), which decodes every
            picture; the paper does not.

    Raises:
        UnreadableRecords, ForeignFolder: as `label_folder`.
        pictures.InvalidPictureStore: the pictures' folder holds something else.
    """
    tell = progress or (lambda what, done, total: None)
    labels = label_folder(folder, progress=lambda done, total: tell("labels", done, total))
    wanted = ("object", "nudged") if nudged else ("object",)
    objects = [label for label in labels.labels if label.label in wanted]
    background = [label for label in labels.labels if label.label == "background"]
    by_interaction: dict[str, list[LabelledExample]] = {}
    for label in objects + _spread(background, len(objects)):
        by_interaction.setdefault(label.interaction_id, []).append(label)
    place = Path(folder) / "pictures" if pictures_folder is None else Path(pictures_folder)
    examples, needed = _planned(folder, by_interaction, every_picture=carried)
    store = _decoded(folder, needed, place, tell)
    return ExampleSet(tuple(_carried(examples, store) if carried else examples), store)


def picture_key(interaction: Interaction, view: str, moment: str) -> str:
    """The name of a picture before or after an interaction; the same for both interactions that it stands between."""
    number = interaction.step + (moment == "after")
    return f"{interaction.writer}/{interaction.seed}/{interaction.episode}/{view}/{number}"


def _spread(labels: Sequence[LabelledExample], most: int) -> list[LabelledExample]:
    """At most `most` of them, evenly: what random picks bring is mostly background."""
    count = min(most, len(labels))
    return [labels[index * len(labels) // count] for index in range(count)]


def _planned(
    folder: str | os.PathLike[str], by_interaction: Mapping[str, Sequence[LabelledExample]], *, every_picture: bool
) -> tuple[list[Example], dict[int, dict[str, tuple[str, str]]]]:
    """The examples, and by row the pictures that they need: view and moment by key."""
    examples: list[Example] = []
    needed: dict[int, dict[str, tuple[str, str]]] = {}
    for number, row in enumerate(open_interactions(folder, columns=())):
        labels = by_interaction.get(row.interaction_id, ())
        examples += [
            Example(picture_key(row, label.view, label.moment), label.click_xy, label.mask) for label in labels
        ]
        seen = [(label.view, label.moment) for label in labels]
        if every_picture:
            seen = [(view.name, moment) for view in row.views for moment in ("before", "after")]
        needed[number] = {picture_key(row, view, moment): (view, moment) for view, moment in seen}
    return examples, needed


def _decoded(
    folder: str | os.PathLike[str],
    needed: Mapping[int, Mapping[str, tuple[str, str]]],
    pictures_folder: Path,
    tell: Progress,
) -> PictureStore:
    """The store with all pictures that are needed."""
    store = open_pictures(pictures_folder)
    known = set(store)
    missing: dict[int, dict[str, tuple[str, str]]] = {}
    for number, pictures in needed.items():
        if new := {key: place for key, place in pictures.items() if key not in known}:
            missing[number] = new
            known |= new.keys()
    return add_pictures(pictures_folder, _pictures(open_interactions(folder), missing, tell)) if missing else store


def _pictures(
    table: InteractionTable, missing: Mapping[int, Mapping[str, tuple[str, str]]], tell: Progress
) -> Iterator[tuple[str, Picture]]:
    for done, (number, pictures) in enumerate(missing.items(), start=1):
        row = table[number]
        for key, (view, moment) in pictures.items():
            # A row that moved meanwhile has other pictures; its own are then missed, not mistaken.
            if key == picture_key(row, view, moment):
                yield key, getattr(row, moment)[view]
        tell("pictures", done, len(missing))


def _carried(examples: Sequence[Example], store: PictureStore) -> Iterator[Example]:
    """Examples of objects in every picture in which they stand, and the background ones."""
    numbered: dict[str, dict[int, Picture]] = {}
    for key in store:
        sequence, number = key.rsplit("/", 1)
        numbered.setdefault(sequence, {})[int(number)] = store[key]
    masks: dict[str, dict[int, list[Rle]]] = {}
    for example in examples:
        if example.mask is None:
            yield example
            continue
        sequence, number = example.picture.rsplit("/", 1)
        masks.setdefault(sequence, {}).setdefault(int(number), []).append(example.mask)
    for sequence, labelled in masks.items():
        for at, here in carry_masks(labelled, numbered[sequence]).items():
            for mask in here:
                yield Example(f"{sequence}/{at}", mask.centre_xy, mask)
