"""All that the learner has to learn from: examples and decoded pictures, which grow by interactions.

Each interaction costs its own pictures and labels only, however many there were before it; what an episode's masks say
about its other pictures (`standing`) is worked out anew for the episodes that have grown.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from tabletop_interaction.agents.labelling.carried import carry_masks
from tabletop_interaction.agents.labelling.frame_labels import LabelledExample
from tabletop_interaction.agents.labelling.recorded_examples import picture_key
from tabletop_interaction.agents.learning.run_folder import RunFolder, Tried
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.pictures import Picture, add_pictures, open_pictures

_Place = tuple[str, str]


class Experience:
    """Examples of a run, in the order in which they came.

    Args:
        folder: of the run.
        carry: use a mask in every picture in which its object still stands.
        passive: examples that the run starts with.
    """

    def __init__(self, folder: RunFolder, *, carry: bool, passive: ExampleSet | None = None) -> None:
        self._folder = folder
        self._carry = carry
        self._passive = passive
        self._store = open_pictures(folder.pictures)
        self._background: list[Example] = []
        self._masks: dict[str, dict[int, list[Example]]] = {}
        self._numbers: dict[str, set[int]] = {}
        self._carried: dict[str, list[Example]] = {}

    def add(self, tried: Sequence[Tried]) -> None:
        """Take interactions in; their rows are on disk."""
        labels = {one.interaction_id: one.labels for one in tried}
        table = open_interactions(self._folder.records, columns=())
        number_of = {id_: number for number, id_ in enumerate(table.ids)}
        missing: dict[str, dict[str, _Place]] = {}
        for id_, said in labels.items():
            row = table[number_of[id_]]
            self._note(row, said)
            needed = _needed(row, said, every_picture=self._carry)
            if new := {key: place for key, place in needed.items() if key not in self._store}:
                missing[id_] = new
        if missing:
            self._store = add_pictures(self._folder.pictures, self._decoded(missing))

    def examples(self) -> ExampleSet:
        """The examples now; of those without an object at most as many as of those with one."""
        objects = list(chain.from_iterable(self._objects(sequence) for sequence in self._masks))
        background = spread(self._background, len(objects))
        if self._passive is None:
            return ExampleSet((*objects, *background), self._store)
        pictures: Mapping[str, Picture] = ChainMap(dict(self._passive.pictures), self._store)  # type: ignore[arg-type]
        return self._passive.plus([*objects, *background], pictures)

    def _note(self, row: Interaction, labels: Sequence[LabelledExample]) -> None:
        for view in row.views:
            sequence, number = _place_of(picture_key(row, view.name, "before"))
            self._numbers.setdefault(sequence, set()).update((number, number + 1))
            self._carried.pop(sequence, None)
        for label in labels:
            example = Example(picture_key(row, label.view, label.moment), label.click_xy, label.mask)
            if label.label == "object":
                sequence, number = _place_of(example.picture)
                self._masks.setdefault(sequence, {}).setdefault(number, []).append(example)
            elif label.label == "background":
                self._background.append(example)

    def _decoded(self, missing: Mapping[str, Mapping[str, _Place]]) -> Iterator[tuple[str, Picture]]:
        table = open_interactions(self._folder.records)
        number_of = {id_: number for number, id_ in enumerate(table.ids)}
        for id_, pictures in missing.items():
            row = table[number_of[id_]]
            for key, (view, moment) in pictures.items():
                yield key, getattr(row, moment)[view]

    def _objects(self, sequence: str) -> list[Example]:
        """The examples with an object of one view of one episode."""
        masks = self._masks[sequence]
        if not self._carry:
            return list(chain.from_iterable(masks.values()))
        if sequence not in self._carried:
            pictures = {number: self._store[f"{sequence}/{number}"] for number in sorted(self._numbers[sequence])}
            labelled = {number: [e.mask for e in here if e.mask] for number, here in sorted(masks.items())}
            self._carried[sequence] = [
                Example(f"{sequence}/{number}", mask.centre_xy, mask)
                for number, here in carry_masks(labelled, pictures).items()
                for mask in here
            ]
        return self._carried[sequence]


def spread(examples: Sequence[Example], most: int) -> list[Example]:
    """At most `most` of them, evenly."""
    count = min(most, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]


def _needed(row: Interaction, labels: Sequence[LabelledExample], *, every_picture: bool) -> dict[str, _Place]:
    """View and moment by key of the pictures that an interaction's examples stand in."""
    seen: list[_Place] = [(label.view, label.moment) for label in labels if label.label in ("object", "background")]
    if every_picture:
        seen = [(view.name, moment) for view in row.views for moment in ("before", "after")]
    return {picture_key(row, view, moment): (view, moment) for view, moment in seen}


def _place_of(key: str) -> tuple[str, int]:
    sequence, number = key.rsplit("/", 1)
    return sequence, int(number)
