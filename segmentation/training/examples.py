"""Examples: pictures, clicks and masks that a network learns from, of any source.

An example says one thing about one picture: "the object at this click has this mask", or "no object is at this click".
The other pixels of the picture are unknown, unless the set says that all its objects are labelled.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import NoExamples
from tabletop_interaction.segmentation.coco import LabelSet
from tabletop_interaction.segmentation.rle import Rle
from tabletop_interaction.segmentation.training.pictures import add_pictures, check_space, open_pictures


@dataclass(frozen=True)
class Example:
    """One labelled click in one picture.

    Attributes:
        picture: key of the picture.
        click_xy: pixel x, y of the action; for objects of a label set the centre of the mask's box.
        mask: of the object; None: no object is here.
    """

    picture: str
    click_xy: tuple[float, float]
    mask: Rle | None


@dataclass(frozen=True, eq=False)
class ExampleSet:
    """Examples with their pictures.

    Attributes:
        examples: in any order.
        pictures: uint8 (H, W, 3) by key, for every example.
        complete: whether every object of every picture is labelled, so that all else is background.
        ignored: by picture, unknown regions of a complete set; they are no background.

    Raises:
        NoExamples: a picture is missing, or a mask is empty or has another size than its picture.
    """

    examples: tuple[Example, ...]
    pictures: Mapping[str, Picture]
    complete: bool = False
    ignored: Mapping[str, tuple[Rle, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for example in self.examples:
            self._check(example.picture, () if example.mask is None else (example.mask,))
        for picture, masks in self.ignored.items():
            self._check(picture, masks)

    def _check(self, picture: str, masks: Sequence[Rle]) -> None:
        if picture not in self.pictures:
            raise NoExamples(f"there is no picture {picture!r}; give the pictures of all examples")
        for mask in masks:
            size = self.pictures[picture].shape[:2]
            if (mask.height, mask.width) != size or mask.area == 0:
                raise NoExamples(
                    f"a mask in picture {picture!r} is {(mask.height, mask.width)} with {mask.area} px; masks have "
                    f"their picture's size {size} and at least one pixel"
                )

    @cached_property
    def objects(self) -> tuple[Example, ...]:
        """The examples with an object."""
        return tuple(example for example in self.examples if example.mask is not None)

    @cached_property
    def background(self) -> tuple[Example, ...]:
        """The examples without an object."""
        return tuple(example for example in self.examples if example.mask is None)

    @cached_property
    def objects_by_picture(self) -> dict[str, tuple[Example, ...]]:
        """The examples with an object, by picture."""
        grouped: dict[str, list[Example]] = {}
        for example in self.objects:
            grouped.setdefault(example.picture, []).append(example)
        return {key: tuple(examples) for key, examples in grouped.items()}

    def plus(self, examples: Sequence[Example], pictures: Mapping[str, Picture]) -> ExampleSet:
        """Return a larger set; `pictures` holds those of the old and the new examples."""
        return ExampleSet((*self.examples, *examples), pictures, self.complete, self.ignored)


def examples_from_label_set(
    label_set: LabelSet,
    pictures_folder: str | os.PathLike[str],
    callback: Callable[[str], object] = lambda line: None,
) -> ExampleSet:
    """Turn every object of a label set into an example, and decode its pictures into `pictures_folder`.

    Crowd objects become ignored regions. A picture's key has a checksum of its file, so that another file of the same
    name is another picture. Before pictures are decoded, `callback` receives a line that says what disk they take.

    Raises:
        NoExamples: the set was read without its pictures' folder, or all its objects are crowd.
        InvalidPicture: a picture cannot be decoded; those before it are kept.
        InvalidPictureStore: the folder holds something else.
        DiskFull: the decoded pictures take more than is free; nothing was written.
    """
    if label_set.images_dir is None:
        raise NoExamples("the label set was read without its pictures; give the folder that its file names start from")
    source = Path(label_set.images_dir)
    store = open_pictures(pictures_folder)
    keys = {image.image_id: _picture_key(source, image.file_name) for image in label_set.images}
    # A store may hold the same picture as stored.
    keys |= {image_id: f"{keys[image_id]} upright" for image_id in label_set.orientations.upright}
    missing = [image for image in label_set.images if keys[image.image_id] not in store]
    if missing:
        callback(check_space([(one.height, one.width) for one in missing], pictures_folder))
        store = add_pictures(pictures_folder, ((keys[one.image_id], label_set.read(one)) for one in missing))
    examples = []
    ignored: dict[str, tuple[Rle, ...]] = {}
    for labelled in label_set.objects:
        key, mask = keys[labelled.image_id], labelled.rle
        if labelled.is_crowd:
            ignored[key] = (*ignored.get(key, ()), mask)
        else:
            examples.append(Example(key, mask.centre_xy, mask))
    if not examples:
        raise NoExamples("all objects of the label set are marked as crowd; label at least one object")
    return ExampleSet(tuple(examples), store, complete=True, ignored=ignored)


def _picture_key(folder: Path, name: str) -> str:
    """Name, size and checksum of the file; not its time, which a copy changes."""
    with open(folder / name, "rb") as file:
        checksum = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
        return f"{name} {file.tell()} {checksum}"
