"""Detections of given pictures in a file: a list in COCO's results format, in place of a segmenter.

Each entry has `segmentation` (an RLE, compressed or not, or polygons), `score` and `image_id`; an entry with a
`file_name`, as `tabletop segment` writes it, is looked up by that and not by its id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from tabletop_interaction.documents import parse_json
from tabletop_interaction.errors import InvalidDetections
from tabletop_interaction.segmentation.coco import Detections
from tabletop_interaction.segmentation.config import ProposalConfig
from tabletop_interaction.segmentation.label_faults import HARMLESS, Fault, shown
from tabletop_interaction.segmentation.label_files import whole_number
from tabletop_interaction.segmentation.label_masks import rle_from_segmentation
from tabletop_interaction.segmentation.rle import Rle

_ACCEPTED = 'a list of {"image_id", "segmentation", "score"}, COCO\'s results format'


@dataclass(frozen=True)
class DetectionsFile:
    """The entries of a file.

    Attributes:
        path: of the file.
        limits: its `min_score`, `min_area` and `max_area_share` hold.
        by_name: entries with a file name, by that.
        by_id: the other entries, by their image's id.
    """

    path: Path
    limits: ProposalConfig
    by_name: Mapping[str, Sequence[Mapping[str, Any]]]
    by_id: Mapping[int | str, Sequence[Mapping[str, Any]]]

    def of(self, image_id: int, file_name: str, shape: tuple[int, int]) -> Detections:
        """Detections in the picture of a label set, by the file name or else the id; (H, W) is its size.

        Raises:
            InvalidDetections: a mask cannot be read or has another size, or a score is none.
        """
        return self._read([*self._named(file_name), *self.by_id.get(image_id, ())], shape)

    def in_photo(self, path: Path, shape: tuple[int, int]) -> Detections:
        """Detections in a photo, by its file name, or by an id that is its name or number, as 000042.jpg has 42.

        Raises:
            InvalidDetections: as `of`, or no entry is of this photo.
        """
        number = whole_number(path.stem.lstrip("0") or "0")
        keys = [key for key in (path.name, path.stem, number) if key is not None]
        found = [*self._named(str(path)), *(one for key in keys for one in self.by_id.get(key, ()))]
        if not found:
            raise InvalidDetections(
                f"{self.path} has no detection in {path}; accepted are entries whose file_name or image_id names it"
            )
        return self._read(found, shape)

    def _named(self, file_name: str) -> Sequence[Mapping[str, Any]]:
        if file_name in self.by_name:
            return self.by_name[file_name]
        same = [name for name in self.by_name if PurePath(name).name == PurePath(file_name).name]
        if len(same) > 1:
            raise InvalidDetections(f"{self.path}: {file_name} fits {same[0]} and {same[1]}; give whole paths there")
        return self.by_name[same[0]] if same else ()

    def _read(self, entries: Sequence[Mapping[str, Any]], shape: tuple[int, int]) -> Detections:
        least, most = self.limits.min_area, self.limits.max_area_share * shape[0] * shape[1]
        found = [(rle, entry["score"]) for entry in entries if (rle := self._rle(entry, shape)) is not None]
        kept = [(rle, score) for rle, score in found if score >= self.limits.min_score and least <= rle.area <= most]
        return Detections(tuple(rle for rle, _ in kept), np.array([score for _, score in kept], np.float64))

    def _rle(self, entry: Mapping[str, Any], shape: tuple[int, int]) -> Rle | None:
        """The mask; None if it has no pixel."""
        rle = rle_from_segmentation(entry["segmentation"], *shape)
        if not isinstance(rle, Fault):
            return rle
        if rle.kind in HARMLESS:
            return None
        raise InvalidDetections(f"{self.path}, image {shown(entry['image_id'])}: {rle.kind}: {rle.example}")


def load_detections(path: Path, limits: ProposalConfig) -> DetectionsFile:
    """Read a file.

    Raises:
        InvalidDetections: it is missing or no list of COCO results.
    """
    if not path.is_file():
        raise InvalidDetections(f"there is no file {path}; give {_ACCEPTED}")
    entries = parse_json(path.read_bytes(), path, error=InvalidDetections, remedy=f"give {_ACCEPTED}")
    if not isinstance(entries, list) or not entries:
        what = "a label set" if isinstance(entries, dict) and "annotations" in entries else shown(entries)
        raise InvalidDetections(f"{path} is {what}; accepted is {_ACCEPTED}")
    by_name: dict[str, list[Mapping[str, Any]]] = {}
    by_id: dict[int | str, list[Mapping[str, Any]]] = {}
    for number, entry in enumerate(entries):
        _check_entry(f"{path}, entry {number}", entry)
        if isinstance(name := entry.get("file_name"), str):
            by_name.setdefault(name, []).append(entry)
        else:
            key = whole_number(entry["image_id"])
            by_id.setdefault(entry["image_id"] if key is None else key, []).append(entry)
    return DetectionsFile(path, limits, by_name, by_id)


def _check_entry(where: str, entry: Any) -> None:
    if not isinstance(entry, dict):
        raise InvalidDetections(f"{where}, is {shown(entry)}; accepted is {_ACCEPTED}")
    if not isinstance(entry.get("image_id"), int | str | float):
        raise InvalidDetections(f"{where}, has image_id {shown(entry.get('image_id'))}; a number or name is needed")
    if entry.get("segmentation") is None:
        raise InvalidDetections(f"{where}, has no segmentation; boxes alone are no masks")
    score = entry.get("score")
    if isinstance(score, bool) or not isinstance(score, int | float) or not np.isfinite(score):
        raise InvalidDetections(f"{where}, has score {shown(score)}; a finite number is needed")
