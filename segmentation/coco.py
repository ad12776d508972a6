"""Label sets: pictures and the masks of their objects, as COCO JSON on disk and as checked values in memory.

Pixels are rows and columns of the picture, as it is stored or turned upright by its EXIF orientation: see
`segmentation.orientation`. Boxes are x, y, width, height in pixels.

An evaluation ignores crowd objects. pycocotools overwrites an annotation's `ignore` with its `iscrowd`, so only
`iscrowd` counts, here too. A crowd object cannot be missed, and a detection whose share of pixels in it reaches the
IoU threshold is neither right nor wrong. Files written here carry both flags for other readers; a foreign `ignore`
without `iscrowd` has no effect.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path, PurePath
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from msgspec import Meta
from pycocotools import mask as coco_mask

from tabletop_interaction.arrays import Floats, Masks, Picture
from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet, InvalidPicture
from tabletop_interaction.files import write_file
from tabletop_interaction.picture_files import PictureHeader, read_header, read_picture
from tabletop_interaction.segmentation.orientation import (
    Orientation,
    Orientations,
    choose_orientations,
    fitting_orientations,
)
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

MIN_OBJECT_AREA = 100
"""Objects of fewer visible pixels are ignored: neither found nor missed."""


class LabelledImage(msgspec.Struct, frozen=True, rename={"image_id": "id"}):
    """A picture: COCO id, file name relative to the pictures' folder, size in pixels."""

    image_id: int
    file_name: str
    height: Annotated[int, Meta(ge=1)]
    width: Annotated[int, Meta(ge=1)]


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
    """

    images: tuple[LabelledImage, ...]
    objects: tuple[LabelledObject, ...]
    images_dir: Path | None = None
    orientations: Orientations = field(default_factory=Orientations)

    def read(self, image: LabelledImage) -> Picture:
        """Decode a picture in the orientation of its labels, uint8 (H, W, 3); InvalidPicture if it is damaged."""
        assert self.images_dir is not None, "loaded with its pictures"
        return read_picture(self.images_dir / image.file_name, upright=image.image_id in self.orientations.upright)

    def objects_in(self, image_id: int) -> tuple[LabelledObject, ...]:
        """Return the objects of one picture, crowd objects included."""
        return tuple(labelled for labelled in self.objects if labelled.image_id == image_id)


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
                is_crowd = int(rle.area < MIN_OBJECT_AREA)
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": 1,
                        "segmentation": rle.to_coco(),
                        "bbox": list(rle.box_xywh),
                        "area": rle.area,
                        "iscrowd": is_crowd,
                        "ignore": is_crowd,
                    }
                )
    if not annotations:
        raise InvalidLabelSet("no mask has a pixel; a label set without objects cannot be evaluated")
    document = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "object"}]}
    write_file(path, json.dumps(document, sort_keys=True, separators=(",", ":")) + "\n")


def load_label_set(json_path: Path, images_dir: Path | None = None, orientation: Orientation | None = None) -> LabelSet:
    """Read and check COCO JSON with RLE (compressed or not) or polygon masks.

    Categories are not read. Areas and boxes are computed from the masks.

    With the pictures' folder `images_dir`, each picture must be there in the size that the file says, as stored or
    upright. Where both fit, `orientation` decides; see `choose_orientations` for the default.

    Raises:
        InvalidLabelSet: the file is missing or not COCO JSON; an id is missing, doubled or unknown; a mask is damaged,
            empty or of another size than its picture; a picture is missing or of another size; or there is no picture
            or no object.
    """
    document = _read_document(Path(json_path))
    images = {image.image_id: image for image in document.images}
    _check_unique("image id", [image.image_id for image in document.images])
    _check_unique("file name", [image.file_name for image in document.images])
    _check_unique("annotation id", [entry.id for entry in document.annotations])
    turned: dict[int, frozenset[Orientation]] = {}
    # Before the masks, whose memory depends on the size that the file says.
    for image in document.images:
        if not image.file_name or PurePath(image.file_name).is_absolute():
            raise InvalidLabelSet(
                f'image {image.image_id} has "file_name" {image.file_name!r}; a relative path is needed'
            )
        if images_dir is not None:
            header = _checked_header(image, Path(images_dir))
            if header.orientation != 1:
                turned[image.image_id] = fitting_orientations(header, (image.height, image.width))
    objects = [_object(entry, images) for entry in document.annotations]
    return LabelSet(
        images=tuple(images[image_id] for image_id in sorted(images)),
        objects=tuple(sorted(objects, key=lambda found: found.object_id)),
        images_dir=None if images_dir is None else Path(images_dir),
        orientations=choose_orientations(turned, orientation),
    )


class _Runs(msgspec.Struct):
    size: tuple[int, int]
    counts: str | list[Annotated[int, Meta(ge=0)]]


class _ObjectEntry(msgspec.Struct):
    id: int
    image_id: int
    segmentation: _Runs | list[list[float]]
    iscrowd: Literal[0, 1] | bool = 0


class _Document(msgspec.Struct):
    images: Annotated[list[LabelledImage], Meta(min_length=1)]
    annotations: Annotated[list[_ObjectEntry], Meta(min_length=1)]


def _read_document(json_path: Path) -> _Document:
    try:
        return msgspec.convert(json.loads(json_path.read_text(encoding="utf-8")), _Document)
    except FileNotFoundError:
        raise InvalidLabelSet(f"{json_path} does not exist; give the path of a COCO JSON file") from None
    except msgspec.ValidationError as error:
        raise InvalidLabelSet(
            f'{json_path} is no COCO JSON: {error}; it needs "images" and "annotations", at least one of each'
        ) from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise InvalidLabelSet(f"{json_path} is not JSON ({error}); give a COCO JSON file") from None


def _check_unique(what: str, names: list[Any]) -> None:
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidLabelSet(f"{what} {name!r} comes twice; each must be there once")


def _object(entry: _ObjectEntry, images: Mapping[int, LabelledImage]) -> LabelledObject:
    what = f"annotation {entry.id}"
    if entry.image_id not in images:
        raise InvalidLabelSet(
            f'{what} names image {entry.image_id}, which is not among "images"; add it or drop the mask'
        )
    image = images[entry.image_id]
    if isinstance(entry.segmentation, _Runs):
        rle = _rle_from_runs(entry.segmentation, image, what)
    else:
        rle = _rle_from_polygons(entry.segmentation, image, what)
    if rle.area == 0:
        raise InvalidLabelSet(f"{what} covers no pixel of image {entry.image_id}; drop it or correct its mask")
    return LabelledObject(entry.id, entry.image_id, rle, bool(entry.iscrowd))


def _rle_from_runs(runs: _Runs, image: LabelledImage, what: str) -> Rle:
    height, width = image.height, image.width
    if runs.size != (height, width):
        raise InvalidLabelSet(
            f"{what} has a mask of size {runs.size}, but image {image.image_id} is {(height, width)} (height, width); "
            "masks must have their picture's size"
        )
    counts = runs.counts
    # pycocotools reads beyond a picture that the runs do not fill exactly.
    lengths = _unpacked_runs(counts) if isinstance(counts, str) else counts
    damaged = sum(lengths) != height * width or min(lengths) < 0
    if damaged or (isinstance(counts, str) and not counts.isascii()):
        raise InvalidLabelSet(
            f"{what} has a damaged RLE: its runs have {sum(lengths)} px, image {image.image_id} has {height * width}; "
            "write the mask again"
        )
    if isinstance(counts, str):
        return Rle(height, width, counts)
    packed = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return Rle(height, width, packed["counts"].decode("ascii"))


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


def _rle_from_polygons(polygons: list[list[float]], image: LabelledImage, what: str) -> Rle:
    # The way to a far point takes time and memory for each pixel.
    reach = max(image.height, image.width)
    for polygon in polygons or [[]]:
        if len(polygon) < 6 or len(polygon) % 2 or not all(-reach <= value <= 2 * reach for value in polygon):
            raise InvalidLabelSet(
                f"{what} has polygon {str(polygon)[:60]}; a flat list x, y, x, y, ... of at least three "
                "points in or near the picture is needed"
            )
    merged = coco_mask.merge(coco_mask.frPyObjects(polygons, image.height, image.width))
    return Rle(image.height, image.width, merged["counts"].decode("ascii"))


def _checked_header(image: LabelledImage, images_dir: Path) -> PictureHeader:
    path = images_dir / image.file_name
    try:
        header = read_header(path)
    except InvalidPicture as error:
        raise InvalidLabelSet(f"image {image.image_id}: {error}; check the folder of the pictures") from None
    if not fitting_orientations(header, (image.height, image.width)):
        raise InvalidLabelSet(
            f"image {image.image_id}, {path}, is {header.height} x {header.width} px, but the label set says "
            f"{image.height} x {image.width}; labels and pictures must be of one size"
        )
    return header
