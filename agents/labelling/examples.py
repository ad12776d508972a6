"""Labelled interactions as training examples, with their pictures decoded once.

The picture after an interaction is the picture before the next one of its episode: it is stored once, under one key,
and the labels of both interactions apply to it.
"""

import os
from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TypeVar

from tabletop_interaction.agents.labelling.carried import carry_masks
from tabletop_interaction.agents.labelling.label_table import label_folder
from tabletop_interaction.agents.labelling.pair_label import PairLabel
from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.records.folder import record_run_id
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.pictures import add_pictures, check_space, open_pictures

Progress = Callable[[str, int, int], None]

_Place = tuple[str, str]
_Item = TypeVar("_Item")


class ExampleBuilder:
    """Collects examples and decoded pictures of interactions, in the order in which they are added.

    Adding an interaction costs its own pictures and labels only, however many there were before. Carried masks are
    computed again for the episodes that have grown.

    Args:
        pictures: folder of the decoded pictures, 0.45 MB each.
        carry: use a mask in every picture in which its object still stands (`carry_masks`); the paper does not. This
            decodes every picture.
        run: id of the run that recorded the interactions.

    Attributes:
        labelled: the examples as they were labelled.
        background: those of them without an object.
        store: the decoded pictures.
    """

    def __init__(self, records: Path, pictures: Path, *, carry: bool, run: str | None = None) -> None:
        self._records = records
        self._pictures = pictures
        self._carry = carry
        self._masks: dict[str, dict[int, list[Example]]] = {}
        self._numbers: dict[str, set[int]] = {}
        self._carried: dict[str, list[Example]] = {}
        self.labelled: list[Example] = []
        self.background: list[Example] = []
        self._run = run
        self.store = open_pictures(pictures, run)

    def add(
        self,
        labels: Mapping[str, Sequence[PairLabel]],
        progress: Progress | None = None,
        callback: Callable[[str], object] | None = None,
    ) -> None:
        """Add interactions whose rows are on disk.

        Args:
            labels: by interaction id.
            progress: called with "pictures", how many interactions are decoded and how many have new pictures.
            callback: called, before pictures are decoded, with a line that says what disk they take.

        Raises:
            DiskFull: with a callback, the decoded pictures take more than is free; nothing was written.
        """
        if not labels:
            return
        table = open_interactions(self._records, columns=())
        number_of = {id_: number for number, id_ in enumerate(table.ids)}
        known = set(self.store)
        missing: dict[str, dict[str, _Place]] = {}
        sizes: list[tuple[int, int]] = []
        for id_, found in labels.items():
            row, used = table[number_of[id_]], [label for label in found if label.label in ("object", "background")]
            self._note(row, used)
            if new := {key: place for key, place in self._needed(row, used).items() if key not in known}:
                missing[id_] = new
                known |= new.keys()
                size_of = {view.name: (view.height, view.width) for view in row.views}
                sizes += [size_of[view] for view, _ in new.values()]
        if missing:
            if callback is not None:
                callback(check_space(sizes, self._pictures))
            self.store = add_pictures(self._pictures, self._decoded(missing, progress), self._run)

    def objects(self) -> list[Example]:
        """The examples with an object, by episode and view; carried to other pictures if so configured."""
        return list(chain.from_iterable(self._objects_of(sequence) for sequence in self._masks))

    def example_set(self, passive: ExampleSet | None = None) -> ExampleSet:
        """All examples, after those of `passive`; at most as many without an object as with one."""
        objects = self.objects()
        examples = [*objects, *spread(self.background, len(objects))]
        if passive is None:
            return ExampleSet(tuple(examples), self.store)
        pictures: Mapping[str, Picture] = ChainMap(dict(passive.pictures), self.store)  # type: ignore[arg-type]
        return passive.plus(examples, pictures)

    def _note(self, row: Interaction, labels: Sequence[PairLabel]) -> None:
        for view in row.views:
            sequence, number = _sequence_of(picture_key(row, view.name, "before"))
            self._numbers.setdefault(sequence, set()).update((number, number + 1))
            self._carried.pop(sequence, None)
        for label in labels:
            example = Example(picture_key(row, label.view, label.moment), label.click_xy, label.mask)
            self.labelled.append(example)
            if example.mask is None:
                self.background.append(example)
            else:
                sequence, number = _sequence_of(example.picture)
                self._masks.setdefault(sequence, {}).setdefault(number, []).append(example)

    def _needed(self, row: Interaction, labels: Sequence[PairLabel]) -> dict[str, _Place]:
        """View and moment by key of the pictures that an interaction's examples need."""
        places: list[_Place] = [(label.view, label.moment) for label in labels]
        if self._carry:
            places = [(view.name, moment) for view in row.views for moment in ("before", "after")]
        return {picture_key(row, view, moment): (view, moment) for view, moment in places}

    def _decoded(
        self, missing: Mapping[str, Mapping[str, _Place]], progress: Progress | None
    ) -> Iterator[tuple[str, Picture]]:
        table = open_interactions(self._records)
        number_of = {id_: number for number, id_ in enumerate(table.ids)}
        for done, (id_, pictures) in enumerate(missing.items(), start=1):
            row = table[number_of[id_]]
            for key, (view, moment) in pictures.items():
                yield key, getattr(row, moment)[view]
            if progress is not None:
                progress("pictures", done, len(missing))

    def _objects_of(self, sequence: str) -> list[Example]:
        """The examples with an object of one view of one episode."""
        masks = self._masks[sequence]
        if not self._carry:
            return list(chain.from_iterable(masks.values()))
        if sequence not in self._carried:
            pictures = {number: self.store[f"{sequence}/{number}"] for number in sorted(self._numbers[sequence])}
            labelled = {number: [one.mask for one in found if one.mask] for number, found in sorted(masks.items())}
            self._carried[sequence] = [
                Example(f"{sequence}/{number}", mask.centre_xy, mask)
                for number, found in carry_masks(labelled, pictures).items()
                for mask in found
            ]
        return self._carried[sequence]


def recorded_examples(
    folder: str | os.PathLike[str],
    progress: Progress | None = None,
    *,
    carried: bool = False,
    callback: Callable[[str], object] | None = None,
) -> ExampleSet:
    """The examples of a folder of interactions; missing labels and decoded pictures are made first, and stored in it.

    At most as many examples without an object as with one are used: random picks give mostly background.

    Args:
        progress: called with the kind of work ("labels" or "pictures"), how many are done and how many there are.
        carried: as `carry` of `ExampleBuilder`.
        callback: called, before pictures are decoded, with a line that says what disk they take.

    Raises:
        DiskFull: with a callback, the decoded pictures take more than is free; the labels are kept.
        UnreadableRecords, ForeignFolder: as `label_folder`, or the pictures are of another run.
        InvalidPictureStore: the folder of the pictures holds something else.
    """
    on_progress = progress or (lambda what, done, total: None)
    labels = label_folder(folder, lambda done, total: on_progress("labels", done, total))
    objects = [label for label in labels if label.label == "object"]
    background = [label for label in labels if label.label == "background"]
    # Interactions in the order of the records, also those without labels: their pictures may be needed.
    chosen: dict[str, list[PairLabel]] = {id_: [] for id_ in open_interactions(folder, columns=()).ids}
    for label in [*objects, *spread(background, len(objects))]:
        if label.interaction_id in chosen:
            chosen[label.interaction_id].append(label)
    run = record_run_id(Path(folder))
    builder = ExampleBuilder(Path(folder), Path(folder) / "pictures", carry=carried, run=run)
    builder.add(chosen, progress, callback)
    examples = [*builder.background, *builder.objects()] if carried else builder.labelled
    return ExampleSet(tuple(examples), builder.store)


def picture_key(interaction: Interaction, view: str, moment: str) -> str:
    """The name of a picture before or after an interaction; the same for both interactions that it stands between."""
    number = interaction.step + (moment == "after")
    return f"{interaction.writer}/{interaction.seed}/{interaction.episode}/{view}/{number}"


def spread(items: Sequence[_Item], most: int) -> list[_Item]:
    """At most `most` items, evenly spaced."""
    count = min(most, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def _sequence_of(key: str) -> tuple[str, int]:
    """The view of an episode that a picture belongs to, and the picture's number in it."""
    sequence, number = key.rsplit("/", 1)
    return sequence, int(number)
