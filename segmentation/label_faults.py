"""Faults of label files: their kinds, and all faults of a file in one line."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What is wrong with an entry of a label file; the harmless ones are in `HARMLESS`."""

    NO_MASK = "annotations without a mask"
    NO_PIXEL = "masks without a pixel in their picture"
    IMAGE_REPEATED = "image entries that repeat an earlier one"

    ENTRY_UNREADABLE = "entries that are no JSON object with values of usual size"
    IMAGE_WITHOUT_ID = "images without an id"
    IMAGE_ID_TWICE = "image ids that come twice"
    SIZE_MISSING = "images without a height and width in whole pixels"
    SIZE_TOO_LARGE = "images that are too large"
    NAME_MISSING = "images without a file name"
    PICTURE_TWICE = "pictures that come twice"
    PICTURE_MISSING = "pictures that are not in the folder"
    PICTURE_AMBIGUOUS = "file names that fit several pictures"
    PICTURE_UNREADABLE = "pictures that cannot be read"
    PICTURE_SIZE = "pictures of another size than the label set says"
    ANNOTATION_ID_TWICE = "annotation ids that come twice"
    IMAGE_UNKNOWN = 'annotations of an image that is not among "images"'
    CROWD_UNKNOWN = "annotations whose iscrowd is neither 0 nor 1"
    MASK_UNREADABLE = "masks that are neither polygons nor an RLE"
    COORDINATES = "polygons with coordinates that are not finite or far outside the picture"
    MASK_SIZE = "masks of another size than their picture"
    RLE_DAMAGED = "damaged RLEs"


HARMLESS = frozenset({FaultKind.NO_MASK, FaultKind.NO_PIXEL, FaultKind.IMAGE_REPEATED})
"""Entries with these faults are skipped and counted; a file with any other fault is refused."""

_LONGEST_EXAMPLE = 160


@dataclass(frozen=True)
class Fault:
    """A fault of one entry, and where it is."""

    kind: FaultKind
    example: str


def listed(faults: Iterable[Fault]) -> str:
    """Return the count of each kind and its first example, of bounded length: "damaged RLEs: 2 (annotation 5: ...)"."""
    grouped: dict[FaultKind, list[Fault]] = {}
    for fault in faults:
        grouped.setdefault(fault.kind, []).append(fault)
    return "; ".join(
        f"{kind}: {len(same)} ({_shortened(same[0].example, _LONGEST_EXAMPLE)})" for kind, same in grouped.items()
    )


def shown(value: object, longest: int = 60) -> str:
    """Return a value as ASCII text of bounded length without line breaks."""
    return _shortened(ascii(value), longest)


def _shortened(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
