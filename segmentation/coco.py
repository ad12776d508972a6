"""Label sets: pictures and the masks of their objects, as COCO JSON on disk and as checked values in memory.

Pixels are rows and columns of the picture, as it is stored or turned upright by its EXIF orientation: see
`segmentation.orientation`. Boxes are x, y, width, height in pixels.

An evaluation ignores crowd objects. pycocotools overwrites an annotation's `ignore` with its `iscrowd`, so only
`iscrowd` counts, here too. A crowd object cannot be missed, and a detection whose share of pixels in it reaches the
IoU threshold is neither right nor wrong. Files written here carry both flags for other readers; a foreign `ignore`
without `iscrowd` has no effect.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tabletop_interaction.arrays import Floats, Masks, Picture
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet, InvalidPicture
from tabletop_interaction.files import write_file
from tabletop_interaction.picture_files import PictureHeader, read_header, read_picture
from tabletop_interaction.segmentation.label_faults import HARMLESS, Fault, FaultKind, listed, shown
from tabletop_interaction.segmentation.label_files import AnnotationEntry, Key, read_label_file
from tabletop_interaction.segmentation.label_masks import rle_from_segmentation
from tabletop_interaction.segmentation.orientation import (
    Orientation,
    Orientations,
    choose_orientations,
    fitting_orientations,
)
from tabletop_interaction.segmentation.picture_search import find_picture, names_below
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

MIN_OBJECT_AREA = 100
"""Objects of fewer visible pixels are ignored: neither found nor missed."""


@dataclass(frozen=True)
class LabelledImage:
    """A picture: COCO id, file name relative to the pictures' folder, size in pixels."""

    image_id: int
    file_name: str
    height: int
    width: int


@dataclass(frozen=True)
class LabelledObject:
    """The mask of one object in one picture; an evaluation ignores it if `is_crowd`."""

    object_id: int
    image_id: int
    rle: Rle
    is_crowd: bool


@dataclass(frozen=True)
class LabelSet:
    """Pictures and their objects, both in the order of their ids.

    Attributes:
        images: at least one; a picture may have no objects.
        objects: at least one; each mask has a pixel and the size of its picture.
        images_dir: the pictures' folder; None when only the labels were read.
        orientations: which pictures are turned upright.
        notes: lines for the user about what was skipped, numbered or turned.
    """

    images: tuple[LabelledImage, ...]
    objects: tuple[LabelledObject, ...]
    images_dir: Path | None = None
    orientations: Orientations = field(default_factory=Orientations)
    notes: tuple[str, ...] = ()

    def read(self, image: LabelledImage) -> Picture:
        """Decode a picture in the orientation of its labels, uint8 (H, W, 3); InvalidPicture if it is damaged."""
        assert self.images_dir is not None, "loaded with its pictures"
        return read_picture(self.images_dir / image.file_name, upright=image.image_id in self.orientations.upright)

    def objects_in(self, image_id: int) -> tuple[LabelledObject, ...]:
        """Return the objects of one picture, crowd objects included."""
        return self._objects_by_image.get(image_id, ())

    @cached_property
    def _objects_by_image(self) -> dict[int, tuple[LabelledObject, ...]]:
        grouped: dict[int, list[LabelledObject]] = {}
        for labelled in self.objects:
            grouped.setdefault(labelled.image_id, []).append(labelled)
        return {image_id: tuple(objects) for image_id, objects in grouped.items()}


@dataclass(frozen=True, eq=False)
class Detections:
    """The objects found in one picture.

    Attributes:
        rles: one mask for each detection; each has a pixel.
        scores: (N,) float64, finite; higher is more certain. Equal scores are ranked in this order.

    Raises:
        InvalidDetections: the counts differ, a score is not finite, or a mask has no pixel.
    """

    rles: tuple[Rle, ...]
    scores: Floats

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.rles),):
            raise InvalidDetections(
                f"{len(self.rles)} masks came with scores {self.scores.shape}; one score a mask is needed"
            )
        for index in np.flatnonzero(~np.isfinite(self.scores)).tolist():
            raise InvalidDetections(f"detection {index} has score {self.scores[index]}; scores must be finite")
        for index, rle in enumerate(self.rles):
            if rle.area == 0:
                raise InvalidDetections(f"detection {index} has no pixel; drop empty masks before evaluating")


def label_set_of(file_names: Sequence[str], masks: Iterable[Masks], images_dir: Path | None = None) -> LabelSet:
    """Make a label set of masks in memory.

    Ids count from 1, because the evaluator takes 0 for "unmatched". Objects of fewer than `MIN_OBJECT_AREA` pixels are
    marked as crowd; masks without a pixel (hidden objects) are left out.

    Args:
        file_names: one for each picture, relative to the pictures' folder.
        masks: one array (N, H, W) bool for each picture; its number N of objects may be 0. They are read once.
        images_dir: the pictures' folder, which is not read.

    Raises:
        InvalidLabelSet: the counts differ, a name comes twice, an array has another shape or type, or no object is
            visible.
    """
    if len(set(file_names)) != len(file_names):
        raise InvalidLabelSet("a file name comes twice; every picture needs its own")
    images: list[LabelledImage] = []
    objects: list[LabelledObject] = []
    for number, (name, stack) in enumerate(zip_longest(file_names, masks), start=1):
        if name is None or stack is None:
            missing = "file name" if name is None else "masks"
            raise InvalidLabelSet(f"picture {number} has no {missing}; give as many file names as arrays of masks")
        if stack.ndim != 3 or stack.dtype != np.bool_:
            raise InvalidLabelSet(f"masks of {name} are {stack.dtype} {stack.shape}; bool (N, height, width) is needed")
        images.append(LabelledImage(number, name, *stack.shape[1:]))
        for rle in (rle_from_mask(mask) for mask in stack):
            if rle.area:
                objects.append(LabelledObject(len(objects) + 1, number, rle, rle.area < MIN_OBJECT_AREA))
    if not objects:
        raise InvalidLabelSet("no mask has a pixel; a label set without objects cannot be evaluated")
    return LabelSet(tuple(images), tuple(objects), images_dir)


def write_label_set(path: Path, file_names: Sequence[str], masks: Iterable[Masks]) -> None:
    """Write a label set as COCO JSON; the same input gives the same bytes. Arguments as of `label_set_of`.

    Raises:
        InvalidLabelSet: as `label_set_of`; nothing was written.
        FileExistsError: `path` exists; nothing was written.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; label sets are never overwritten: remove it or choose another name")
    labels = label_set_of(file_names, masks)
    images = [
        {"id": image.image_id, "file_name": image.file_name, "height": image.height, "width": image.width}
        for image in labels.images
    ]
    document = {
        "images": images,
        "annotations": [_annotation(labelled) for labelled in labels.objects],
        "categories": [{"id": 1, "name": "object"}],
    }
    write_file(path, json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")


def _annotation(labelled: LabelledObject) -> dict[str, Any]:
    rle, is_crowd = labelled.rle, int(labelled.is_crowd)
    return {
        "id": labelled.object_id,
        "image_id": labelled.image_id,
        "category_id": 1,
        "segmentation": rle.to_coco(),
        "bbox": list(rle.box_xywh),
        "area": rle.area,
        "iscrowd": is_crowd,
        "ignore": is_crowd,
    }


def load_label_set(json_path: Path, images_dir: Path | None = None, orientation: Orientation | None = None) -> LabelSet:
    """Read and check COCO JSON with RLE (compressed or not) or polygon masks, as labelling tools write it.

    Categories are not read. Areas and boxes are computed from the masks. Harmless faults are skipped and counted in the
    set's notes; see `label_faults`.

    With the pictures' folder `images_dir`, each picture must be there in the size that the file says, as stored or
    upright. Where both fit, `orientation` decides; see `choose_orientations` for the default. `picture_search` says
    which files a name fits.

    Raises:
        InvalidLabelSet: the file is missing or not COCO JSON, it has faults (the message counts all of them), or no
            object is left.
    """
    file = read_label_file(Path(json_path))
    faults = list(file.faults)
    image_ids = dict(zip([one.key for one in file.images], _numbers([one.key for one in file.images]), strict=True))
    images = {one.key: LabelledImage(image_ids[one.key], one.file_name, one.height, one.width) for one in file.images}
    headers: dict[int, PictureHeader] = {}
    if images_dir is not None:
        # Before the masks, whose memory depends on the size that the file says.
        images, headers = _with_pictures(images, Path(images_dir), faults)
    _check_names(images.values(), faults)
    objects = []
    object_ids = _numbers([annotation.key for annotation in file.annotations])
    for object_id, annotation in zip(object_ids, file.annotations, strict=True):
        if (image := images.get(annotation.image)) is not None:
            rle = _decoded_mask(annotation, image)
            if isinstance(rle, Fault):
                faults.append(rle)
            else:
                objects.append(LabelledObject(object_id, image.image_id, rle, annotation.is_crowd))
    if fatal := [fault for fault in faults if fault.kind not in HARMLESS]:
        raise InvalidLabelSet(f"{json_path} is refused: {listed(fatal)}; correct or remove these entries")
    if not objects:
        raise InvalidLabelSet(f"{json_path} has no mask: {listed(faults)}; at least one is needed")
    orientations = choose_orientations(
        {
            image.image_id: fitting_orientations(headers[image.image_id], (image.height, image.width))
            for image in images.values()
            if image.image_id in headers and headers[image.image_id].orientation != 1
        },
        orientation,
    )
    return LabelSet(
        images=tuple(sorted(images.values(), key=lambda image: image.image_id)),
        objects=tuple(sorted(objects, key=lambda found: found.object_id)),
        images_dir=None if images_dir is None else Path(images_dir),
        orientations=orientations,
        notes=tuple(_notes(Path(json_path), faults, image_ids, orientations)),
    )


def _numbers(keys: Sequence[Key | None]) -> list[int]:
    """Return ids as they are if all are numbers, and otherwise 1, 2, 3, ..."""
    numbers = [key for key in keys if isinstance(key, int)]
    return numbers if len(numbers) == len(keys) else list(range(1, len(keys) + 1))


def _with_pictures(
    images: Mapping[Key, LabelledImage], images_dir: Path, faults: list[Fault]
) -> tuple[dict[Key, LabelledImage], dict[int, PictureHeader]]:
    """Return the images that have a picture of their size, under their file's name, and the pictures' headers by id."""
    names_in = names_below(images_dir)
    folder = Path(os.path.abspath(images_dir)).as_posix()
    found: dict[Key, LabelledImage] = {}
    headers: dict[int, PictureHeader] = {}
    for key, image in images.items():
        what, fits = f"image {shown(key)}", find_picture(image.file_name, folder, names_in)
        if len(fits) != 1:
            kind = FaultKind.PICTURE_AMBIGUOUS if fits else FaultKind.PICTURE_MISSING
            names = f" fits {' and '.join(map(shown, fits[:2]))}" if fits else ""
            faults.append(Fault(kind, f"{what}: {shown(image.file_name)} in {images_dir}{names}"))
            continue
        try:
            header = read_header(images_dir / fits[0])
        except InvalidPicture as error:
            faults.append(Fault(FaultKind.PICTURE_UNREADABLE, f"{what}: {error}"))
            continue
        if not fitting_orientations(header, (image.height, image.width)):
            sizes = f"{header.height} x {header.width}, not {image.height} x {image.width} px"
            faults.append(Fault(FaultKind.PICTURE_SIZE, f"{what}, {shown(fits[0])}, has {sizes}"))
            continue
        headers[image.image_id] = header
        found[key] = replace(image, file_name=fits[0])
    return found, headers


def _check_names(images: Iterable[LabelledImage], faults: list[Fault]) -> None:
    """Refuse two images of one picture: what one labels would be background in the other."""
    first: dict[str, int] = {}
    for image in images:
        if first.setdefault(image.file_name, image.image_id) != image.image_id:
            both = f"images {first[image.file_name]} and {image.image_id} are {shown(image.file_name)}"
            faults.append(Fault(FaultKind.PICTURE_TWICE, both))


def _decoded_mask(annotation: AnnotationEntry, image: LabelledImage) -> Rle | Fault:
    try:
        segmentation = msgspec.json.decode(annotation.segmentation)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        return Fault(FaultKind.MASK_UNREADABLE, f"{annotation.name}: {error}")
    mask = rle_from_segmentation(segmentation, image.height, image.width)
    return Fault(mask.kind, f"{annotation.name}: {mask.example}") if isinstance(mask, Fault) else mask


def _notes(
    json_path: Path, skipped: Sequence[Fault], image_ids: Mapping[Key, int], orientations: Orientations
) -> Iterator[str]:
    if skipped:
        yield f"{json_path}, skipped: {listed(skipped)}"
    if any(key != image_id for key, image_id in image_ids.items()):
        yield f"{json_path} has image ids that are no numbers; images are numbered from 1 in the order of the file"
    if note := orientations.note():
        yield note
