"""Which objects there are: 36 to train on, 8 to choose settings by, 15 to test on.

An entry is (family, variant). The test split has instances of every family that no other split has, and
variants that occur nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping

Entry = tuple[str, str]

CATALOGUE: Mapping[str, tuple[Entry, ...]] = {
    "train": (
        ("box", "carton"),
        ("box", "carton"),
        ("box", "soap"),
        ("box", "sponge"),
        ("box", "brick"),
        ("box", "wooden_block"),
        ("cylinder", "can"),
        ("cylinder", "can"),
        ("cylinder", "tin"),
        ("cylinder", "jar"),
        ("bottle", "bottle"),
        ("bottle", "bottle"),
        ("bottle", "shampoo"),
        ("bottle", "flask"),
        ("mug", "mug"),
        ("mug", "mug"),
        ("mug", "beaker"),
        ("bowl", "dish"),
        ("bowl", "tray"),
        ("bowl", "basket"),
        ("toy", "car"),
        ("toy", "duck"),
        ("toy", "dog"),
        ("toy", "boat"),
        ("toy", "caterpillar"),
        ("tool", "hammer"),
        ("tool", "brush"),
        ("tool", "screwdriver"),
        ("tool", "wrench"),
        ("blob", "stone"),
        ("blob", "potato"),
        ("blob", "banana"),
        ("blob", "pear"),
        ("composite", "composite"),
        ("composite", "composite"),
        ("composite", "composite"),
    ),
    "val": (
        ("box", "carton"),
        ("cylinder", "barrel"),
        ("bottle", "flask"),
        ("mug", "mug"),
        ("toy", "figure"),
        ("tool", "mallet"),
        ("blob", "avocado"),
        ("composite", "composite"),
    ),
    "test": (
        ("box", "octagon"),
        ("box", "book"),
        ("cylinder", "can"),
        ("cylinder", "spool"),
        ("bottle", "bottle"),
        ("bottle", "sprayer"),
        ("mug", "tankard"),
        ("bowl", "gondola"),
        ("toy", "locomotive"),
        ("toy", "fish"),
        ("tool", "torch"),
        ("tool", "paintbrush"),
        ("blob", "aubergine"),
        ("blob", "croissant"),
        ("composite", "composite"),
    ),
}
"""Families and variants of each split's objects, in the order of their numbers."""


def object_names(split: str) -> tuple[str, ...]:
    """Names of a split's objects, such as "train_14_mug".

    Raises:
        ValueError: the split is none of "train", "val" and "test".
    """
    if split not in CATALOGUE:
        raise ValueError(f"no split {split!r} of objects; choose one of {', '.join(map(repr, CATALOGUE))}")
    return tuple(f"{split}_{number:02d}_{family}" for number, (family, _) in enumerate(CATALOGUE[split]))


def find_object(name: str) -> tuple[str, int, Entry]:
    """Split, number and entry of a named object.

    Raises:
        ValueError: no object has this name.
    """
    split = name.partition("_")[0]
    names = object_names(split) if split in CATALOGUE else ()
    if name not in names:
        known = [known for split in CATALOGUE for known in object_names(split)]
        raise ValueError(
            f"no object {name!r} among {len(known)} ({known[0]!r} ... {known[-1]!r}); "
            "take a name from object_names(split)"
        )
    number = names.index(name)
    return split, number, CATALOGUE[split][number]
