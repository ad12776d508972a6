"""The objects: 36 to train on, 8 for validation, 15 to test on, 14 for development.

The test split has other objects of every family, and variants that occur in no other split; so has the development
split, which shares no variant with the test split but those that both share with the training split.
"""

from collections.abc import Mapping

from tabletop_interaction.ranges import check_choice

Entry = tuple[str, str]

_VARIANTS_BY_FAMILY = {
    "train": {
        "box": "carton carton soap sponge brick wooden_block",
        "cylinder": "can can tin jar",
        "bottle": "bottle bottle shampoo flask",
        "mug": "mug mug beaker",
        "bowl": "dish tray basket",
        "toy": "car duck dog boat caterpillar",
        "tool": "hammer brush screwdriver wrench",
        "blob": "stone potato banana pear",
        "composite": "composite composite composite",
    },
    "val": {
        "box": "carton",
        "cylinder": "barrel",
        "bottle": "flask",
        "mug": "mug",
        "toy": "figure",
        "tool": "mallet",
        "blob": "avocado",
        "composite": "composite",
    },
    "test": {
        "box": "octagon book",
        "cylinder": "can spool",
        "bottle": "bottle sprayer",
        "mug": "tankard",
        "bowl": "gondola",
        "toy": "locomotive fish",
        "tool": "torch paintbrush",
        "blob": "aubergine croissant",
        "composite": "composite",
    },
    # The order of splits and objects is part of each object's seed: add at the end.
    "dev": {
        "box": "carton eraser",
        "cylinder": "tin",
        "bottle": "shampoo",
        "mug": "beaker",
        "bowl": "tray",
        "toy": "duck snail",
        "tool": "brush dumbbell",
        "blob": "pear loaf",
        "composite": "composite composite",
    },
}

CATALOGUE: Mapping[str, tuple[Entry, ...]] = {
    split: tuple((family, variant) for family, variants in families.items() for variant in variants.split())
    for split, families in _VARIANTS_BY_FAMILY.items()
}
"""(family, variant) of each split's objects, in the order of their numbers."""


def object_names(split: str) -> tuple[str, ...]:
    """Names of a split's objects, such as "train_14_mug".

    Raises:
        InvalidConfiguration: there is no such split.
    """
    check_choice("split", split, CATALOGUE)
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
            f"unknown object {name!r}; accepted are {len(known)} names, {known[0]!r} to {known[-1]!r}; see "
            "object_names(split)"
        )
    number = names.index(name)
    return split, number, CATALOGUE[split][number]
