"""Label sets: pictures and the masks of their objects, as COCO JSON on disk and as checked values in memory.

Pixels are rows and columns of the picture as it is stored; boxes are x, y, width, height in pixels.

An evaluation ignores crowd objects. pycocotools overwrites an annotation's `ignore` with its `iscrowd`, so only
`iscrowd` counts, here too. A crowd object cannot be missed, and a detection whose share of pixels in it reaches the
IoU threshold is neither right nor wrong. Files written here carry both flags for other readers; a foreign `ignore`
without `iscrowd` has no effect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import Any, TypeVar

import imageio.v3 as iio
import numpy as np
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Floats, Masks
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.files import write_file
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

_Entry = TypeVar("_Entry")

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
    """

    images: tuple[LabelledImage, ...]
    objects: tuple[LabelledObject, ...]
    images_dir: Path | None = None

    def objects_in(self, image_id: int) -> tuple[LabelledObject, ...]:
        """Return the objects of one picture, crowd objects included."""
        return self._objects_by_image[image_id]

    @cached_property
    def _objects_by_image(self) -> dict[int, tuple[LabelledObject, ...]]:
        grouped: dict[int, list[LabelledObject]] = {image.image_id: [] for image in self.images}
        for labelled in self.objects:
            grouped[labelled.image_id].append(labelled)
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


def write_label_set(path: Path, file_names: Sequence[str], masks: Iterable[Masks]) -> None:
    """Write a label set as COCO JSON; the same input gives the same bytes.

    Ids count from 1, because the evaluator takes 0 for "unmatched". Objects of fewer than `MIN_OBJECT_AREA` pixels are
    marked as crowd; masks without a pixel (hidden objects) are left out.

    Args:
        path: the new file.
        file_names: one for each picture, relative to the pictures' folder.
        masks: one array (N, H, W) bool for each picture; its number N of objects may be 0. They are read once.

    Raises:
        InvalidLabelSet: the counts differ, a name comes twice, an array has another shape or type, or no object is
            visible; nothing was written.
        FileExistsError: `path` exists; nothing was written.
    """
    path = Path(path)
    if path.exists():
        raise FileExistsError(f"{path} exists; label sets are never overwritten: remove it or choose another name")
    if len(set(file_names)) != len(file_names):
        raise InvalidLabelSet("a file name comes twice; every picture needs its own")
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, stack) in enumerate(zip_longest(file_names, masks), start=1):
        if name is None or stack is None:
            missing = "file name" if name is None else "masks"
            raise InvalidLabelSet(f"picture {number} has no {missing}; give as many file names as arrays of masks")
        if stack.ndim != 3 or stack.dtype != np.bool_:
            raise InvalidLabelSet(f"masks of {name} are {stack.dtype} {stack.shape}; bool (N, height, width) is needed")
        images.append({"id": number, "file_name": name, "height": stack.shape[1], "width": stack.shape[2]})
        for rle in (rle_from_mask(mask) for mask in stack):
            if rle.area:
                annotations.append(_annotation(len(annotations) + 1, number, rle))
    if not annotations:
        raise InvalidLabelSet("no mask has a pixel; a label set without objects cannot be evaluated")
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}
    write_file(path, json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")


def _annotation(number: int, image_id: int, rle: Rle) -> dict[str, Any]:
    is_crowd = int(rle.area < MIN_OBJECT_AREA)
    return {
        "id": number,
        "image_id": image_id,
        "category_id": 1,
        "segmentation": rle.to_coco(),
        "bbox": list(rle.box_xywh),
        "area": rle.area,
        "iscrowd": is_crowd,
        "ignore": is_crowd,
    }


def load_label_set(json_path: Path, images_dir: Path | None = None) -> LabelSet:
    """Read and check COCO JSON with RLE (compressed or not) or polygon masks.

    Categories are not read. Areas and boxes are computed from the masks.

    Args:
        json_path: the file.
        images_dir: the pictures' folder; each picture must be there, in the size that the file says. None does not
            check the pictures.

    Raises:
        InvalidLabelSet: the file is missing or not COCO JSON; an id is missing, doubled or unknown; a mask is damaged,
            empty or of another size than its picture; a picture is missing or of another size; or there is no picture
            or no object.
    """
    json_path = Path(json_path)
    document = _read_document(json_path)
    images = _unique([_image(entry) for entry in document["images"]], lambda image: image.image_id, "image id")
    _unique(images, lambda image: image.file_name, "file name")
    by_id = {image.image_id: image for image in images}
    # Before the masks, whose memory depends on the size that the file says.
    if images_dir is not None:
        for image in images:
            _check_picture(image, Path(images_dir))
    objects = _unique(
        [_object(entry, by_id) for entry in document["annotations"]], lambda found: found.object_id, "annotation id"
    )
    if not images:
        raise InvalidLabelSet(f"{json_path} has no images; at least one is needed")
    if not objects:
        raise InvalidLabelSet(f"{json_path} has no annotations; AP is undefined without labelled objects")
    return LabelSet(
        images=tuple(sorted(images, key=lambda image: image.image_id)),
        objects=tuple(sorted(objects, key=lambda found: found.object_id)),
        images_dir=None if images_dir is None else Path(images_dir),
    )


def _read_document(json_path: Path) -> dict[str, list[Any]]:
    accepted = 'COCO JSON is an object with the lists "images" and "annotations"'
    try:
        document = json.loads(json_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InvalidLabelSet(f"{json_path} does not exist; give the path of a COCO JSON file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidLabelSet(f"{json_path} is not JSON ({error}); {accepted}") from None
    if not isinstance(document, dict):
        raise InvalidLabelSet(f"{json_path} holds a {type(document).__name__}; {accepted}")
    for key in ("images", "annotations"):
        if not isinstance(document.get(key), list):
            raise InvalidLabelSet(f'{json_path} has no list "{key}"; {accepted}')
    return document


def _unique(entries: list[_Entry], key: Callable[[_Entry], object], what: str) -> list[_Entry]:
    seen: set[object] = set()
    for entry in entries:
        if key(entry) in seen:
            raise InvalidLabelSet(f"{what} {key(entry)!r} comes twice; each must be there once")
        seen.add(key(entry))
    return entries


def _integer(entry: Any, key: str, what: str, minimum: int | None = None) -> int:
    value = entry.get(key) if isinstance(entry, Mapping) else None
    if isinstance(value, bool) or not isinstance(value, int) or (minimum is not None and value < minimum):
        least = "" if minimum is None else f" >= {minimum}"
        raise InvalidLabelSet(f'{what} has "{key}" {value!r}; an integer{least} is needed: {str(entry)[:120]}')
    return value


def _image(entry: Any) -> LabelledImage:
    image_id = _integer(entry, "id", "an image")
    name = entry.get("file_name")
    if not isinstance(name, str) or not name or PurePath(name).is_absolute():
        raise InvalidLabelSet(f'image {image_id} has "file_name" {name!r}; a relative path is needed')
    height, width = (_integer(entry, key, f"image {image_id}", minimum=1) for key in ("height", "width"))
    return LabelledImage(image_id, name, height, width)


def _object(entry: Any, images: Mapping[int, LabelledImage]) -> LabelledObject:
    object_id = _integer(entry, "id", "an annotation")
    what = f"annotation {object_id}"
    image_id = _integer(entry, "image_id", what)
    if image_id not in images:
        raise InvalidLabelSet(f'{what} names image {image_id}, which is not among "images"; add it or drop the mask')
    is_crowd = entry.get("iscrowd", 0)
    if is_crowd not in (0, 1):
        raise InvalidLabelSet(f'{what} has "iscrowd" {is_crowd!r}; 0 or 1 is accepted')
    rle = _rle(entry.get("segmentation"), images[image_id], what)
    if rle.area == 0:
        raise InvalidLabelSet(f"{what} covers no pixel of image {image_id}; drop it or correct its mask")
    return LabelledObject(object_id, image_id, rle, bool(is_crowd))


def _rle(segmentation: Any, image: LabelledImage, what: str) -> Rle:
    if isinstance(segmentation, list):
        return _rle_from_polygons(segmentation, image, what)
    if not isinstance(segmentation, dict) or not {"size", "counts"} <= segmentation.keys():
        raise InvalidLabelSet(
            f"{what} has segmentation {str(segmentation)[:60]!r}; "
            'an RLE {"size", "counts"} or a list of polygons is needed'
        )
    if segmentation["size"] != [image.height, image.width]:
        raise InvalidLabelSet(
            f"{what} has a mask of size {segmentation['size']}, but image {image.image_id} is "
            f"{[image.height, image.width]} (height, width); masks must have their picture's size"
        )
    return _checked_rle(segmentation["counts"], image, what)


def _checked_rle(counts: Any, image: LabelledImage, what: str) -> Rle:
    runs = isinstance(counts, list) and all(type(run) is int and run >= 0 for run in counts)
    if not runs and not isinstance(counts, str):
        raise InvalidLabelSet(f'{what} has "counts" {str(counts)[:40]}; a string or a list of run lengths is needed')
    # pycocotools reads beyond a picture that the runs do not fill exactly.
    lengths = counts if runs else _unpacked_runs(counts)
    pixels = image.height * image.width
    if sum(lengths) != pixels or min(lengths) < 0 or not (runs or counts.isascii()):
        raise InvalidLabelSet(
            f"{what} has a damaged RLE: its runs have {sum(lengths)} px, image {image.image_id} has {pixels}; "
            "write the mask again"
        )
    if not runs:
        return Rle(image.height, image.width, counts)
    size = {"size": [image.height, image.width], "counts": counts}
    packed = coco_mask.frPyObjects(size, image.height, image.width)["counts"]
    return Rle(image.height, image.width, packed.decode("ascii"))


def _unpacked_runs(counts: str) -> list[int]:
    """Unpack COCO's string: numbers of 5 bits a character, from the third on the difference to the last but one."""
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (bits & 16) << (shift - 4)
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    return runs


def _rle_from_polygons(polygons: list[Any], image: LabelledImage, what: str) -> Rle:
    # The way to a far point takes time and memory for each pixel.
    reach = max(image.height, image.width)
    for polygon in polygons:
        near = isinstance(polygon, list) and all(
            isinstance(value, int | float) and -reach <= value <= 2 * reach for value in polygon
        )
        if not near or len(polygon) < 6 or len(polygon) % 2:
            raise InvalidLabelSet(
                f"{what} has polygon {str(polygon)[:60]}; a flat list x, y, x, y, ... of at least three "
                "points in or near the picture is needed"
            )
    if not polygons:
        raise InvalidLabelSet(f"{what} has an empty segmentation; a polygon or an RLE is needed")
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, image.height, image.width))
    return Rle(image.height, image.width, merged["counts"].decode("ascii"))


def _check_picture(image: LabelledImage, images_dir: Path) -> None:
    path = images_dir / image.file_name
    if not path.is_file():
        raise InvalidLabelSet(f"image {image.image_id} is missing: {path}; check the folder of the pictures")
    try:
        height, width = iio.improps(path, plugin="pillow", index=0).shape[:2]
    except (OSError, ValueError, SyntaxError) as error:
        raise InvalidLabelSet(f"image {image.image_id} cannot be read: {path} ({error})") from None
    if (height, width) != (image.height, image.width):
        raise InvalidLabelSet(
            f"image {image.image_id}, {path}, is {height} x {width} px, but the label set says "
            f"{image.height} x {image.width}; labels and pictures must be of one size"
        )
