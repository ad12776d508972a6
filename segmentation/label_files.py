"""COCO JSON files as labelling tools write them: entries with checked values.

Annotations are decoded one after the other, and a mask stays JSON until it is needed, so that a file with a million
masks takes little more memory than its text.
"""

import json
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

import msgspec

from tabletop_interaction.errors import InvalidLabelSet
from tabletop_interaction.picture_files import MAX_PIXELS
from tabletop_interaction.segmentation.label_faults import Fault, FaultKind, shown

EntryT = TypeVar("EntryT")
Key: TypeAlias = int | str
"""An id: a number, or the text of one that is none."""

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}")
_MAX_EXACT_FLOAT = 2.0**53
# Python writes them, but they are no JSON. Strings come first, so that their content stays.
_NOT_JSON = re.compile(rb'"(?:[^"\\]+|\\.)*+"|-?Infinity|NaN', re.DOTALL)


@dataclass(frozen=True, slots=True)
class ImageEntry:
    """A picture: id, file name, size in pixels."""

    key: Key
    file_name: str
    height: int
    width: int


@dataclass(frozen=True, slots=True)
class AnnotationEntry:
    """A mask, still as JSON: its id, None without one, a name for messages, and the id of its picture."""

    key: Key | None
    name: str
    image: Key
    is_crowd: bool
    segmentation: msgspec.Raw


@dataclass(frozen=True)
class LabelFile:
    """The sound entries of a file in its order, each image id once, and the faults of the others."""

    images: tuple[ImageEntry, ...]
    annotations: tuple[AnnotationEntry, ...]
    faults: tuple[Fault, ...]


def read_label_file(path: Path) -> LabelFile:
    """Read a COCO JSON in UTF-8, UTF-16 or UTF-32, with or without a byte-order mark.

    Raises:
        InvalidLabelSet: the file is missing or no COCO JSON.
    """
    document = _read_document(path)
    faults: list[Fault] = []
    images: dict[Key, ImageEntry] = {}
    known: set[Key | None] = set()
    for where, raw_image in _entries(document.images, _RawImage, "images", faults):
        known.add(_key(raw_image.id))
        image = _checked_image(raw_image, where)
        if isinstance(image, Fault):
            faults.append(image)
        elif images.setdefault(image.key, image) is not image:
            kind = FaultKind.IMAGE_REPEATED if images[image.key] == image else FaultKind.IMAGE_ID_TWICE
            faults.append(Fault(kind, f"image {shown(image.key)}"))
    annotations: list[AnnotationEntry] = []
    seen: set[Key] = set()
    for where, raw_annotation in _entries(document.annotations, _RawAnnotation, "annotations", faults):
        annotation = _checked_annotation(raw_annotation, where, known)
        if isinstance(annotation, Fault):
            faults.append(annotation)
        elif annotation.key in seen:
            faults.append(Fault(FaultKind.ANNOTATION_ID_TWICE, annotation.name))
        else:
            annotations.append(annotation)
            if annotation.key is not None:
                seen.add(annotation.key)
    return LabelFile(tuple(images.values()), tuple(annotations), tuple(faults))


def whole_number(value: object) -> int | None:
    """Return the number that 12, 12.0 or "12" is; None for anything else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer() and abs(value) <= _MAX_EXACT_FLOAT:
        return int(value)
    if isinstance(value, str) and _WHOLE_NUMBER.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) else None


class _RawImage(msgspec.Struct):
    id: Any = None
    file_name: Any = None
    height: Any = None
    width: Any = None


class _RawAnnotation(msgspec.Struct):
    id: Any = None
    image_id: Any = None
    segmentation: msgspec.Raw = msgspec.Raw(b"null")
    iscrowd: Any = None


class _Document(msgspec.Struct):
    images: list[msgspec.Raw]
    annotations: list[msgspec.Raw]


def _read_document(path: Path) -> _Document:
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise InvalidLabelSet(f"{path} {what}; give the path of a COCO JSON file")
    try:
        content = path.read_bytes()
        if (encoding := json.detect_encoding(content)) != "utf-8":
            content = content.decode(encoding).encode()
        document = _decoded(content)
    except msgspec.ValidationError as error:
        raise InvalidLabelSet(f'{path} is no COCO JSON: {error}; it needs "images" and "annotations"') from None
    except (OSError, UnicodeError, msgspec.DecodeError, RecursionError) as error:
        raise InvalidLabelSet(f"{path} is not JSON ({error}); give a COCO JSON file") from None
    if not document.images or not document.annotations:
        missing = '"annotations"' if document.images else '"images"'
        raise InvalidLabelSet(f"{path} has no entry in {missing}; at least one picture and one mask are needed")
    return document


def _decoded(content: bytes) -> _Document:
    try:
        return msgspec.json.decode(content, type=_Document)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        return msgspec.json.decode(_NOT_JSON.sub(_null_if_no_string, content), type=_Document)


def _null_if_no_string(token: re.Match[bytes]) -> bytes:
    return token[0] if token[0].startswith(b'"') else b"null"


def _entries(
    raw: list[msgspec.Raw], kind: type[EntryT], name: str, faults: list[Fault]
) -> Iterator[tuple[str, EntryT]]:
    """Decode entries with their places, and add those that fail to `faults`."""
    decoder = msgspec.json.Decoder(kind)
    for index, each in enumerate(raw):
        try:
            yield f"{name}[{index}]", decoder.decode(each)
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            faults.append(Fault(FaultKind.ENTRY_UNREADABLE, f"{name}[{index}]: {error}"))


def _checked_image(image: _RawImage, where: str) -> ImageEntry | Fault:
    key = _key(image.id)
    if key is None:
        return Fault(FaultKind.IMAGE_WITHOUT_ID, f"{where} has {shown(image.id)}")
    height, width = whole_number(image.height), whole_number(image.width)
    if height is None or width is None or height < 1 or width < 1:
        return Fault(
            FaultKind.SIZE_MISSING,
            f"image {shown(key)} has height {shown(image.height)}, width {shown(image.width)}",
        )
    if height * width > MAX_PIXELS:
        return Fault(FaultKind.SIZE_TOO_LARGE, f"image {shown(key)} has {height} x {width} px, most is {MAX_PIXELS}")
    if not isinstance(image.file_name, str) or not image.file_name or "\0" in image.file_name:
        return Fault(FaultKind.NAME_MISSING, f"image {shown(key)} has {shown(image.file_name)}")
    return ImageEntry(key, image.file_name, height, width)


def _checked_annotation(annotation: _RawAnnotation, where: str, known: Set[Key | None]) -> AnnotationEntry | Fault:
    key, image = _key(annotation.id), _key(annotation.image_id)
    name = where if key is None else f"annotation {shown(key)}"
    if image is None or image not in known:
        return Fault(FaultKind.IMAGE_UNKNOWN, f"{name} names image {shown(annotation.image_id)}")
    crowd = annotation.iscrowd
    if not (crowd is None or isinstance(crowd, bool) or whole_number(crowd) in (0, 1)):
        return Fault(FaultKind.CROWD_UNKNOWN, f"{name} has {shown(crowd)}")
    return AnnotationEntry(key, name, image, bool(crowd and int(crowd)), annotation.segmentation)


def _key(value: object) -> Key | None:
    number = whole_number(value)
    return value if number is None and isinstance(value, str) and value else number
