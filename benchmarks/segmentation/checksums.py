"""Checksums of the benchmark sets: whether two people speak of the same pictures and labels.

They are taken over the label file and the decoded pictures, so that the version of a PNG encoder does not
matter. Processors do matter, a little: OpenCV rounds differently with and without AVX2, which moves one value in
fifty thousand by a grey level, while the labels stay the same to the bit. A set's mean colour tells such rounding from
other pictures. `checksums.json` beside this file holds the published sets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.benchmarks.segmentation.label_sets import SetFolder, read_rgb, render

PUBLISHED = Path(__file__).with_name("checksums.json")

_ROUNDING = 5e-4


@dataclass(frozen=True)
class Checksum:
    """What identifies a set, or one picture of it.

    Attributes:
        labels: SHA-256, hexadecimal, of the label file, or of a picture's instance map.
        pictures: SHA-256, hexadecimal, of the pictures' shapes and pixels.
        mean_rgb: of all pixels, grey levels.
    """

    labels: str
    pictures: str
    mean_rgb: tuple[float, float, float]

    def agrees_up_to_rounding(self, other: Checksum) -> bool:
        """Whether the labels are the same, and the colours on average."""
        return self.labels == other.labels and bool(np.allclose(self.mean_rgb, other.mean_rgb, rtol=0, atol=_ROUNDING))


def checksum_of(folder: SetFolder) -> Checksum:
    """The checksum of a finished set."""
    return _checksum(folder.labels.read_bytes(), map(read_rgb, map(folder.picture, range(folder.spec.pictures))))


def checksum_of_first(folder: SetFolder) -> Checksum:
    """The checksum of the set's first picture, rendered anew; it tells soon whether rendering has changed."""
    picture, instances = render(folder.spec, 0)
    return _checksum(instances.astype(np.uint8).tobytes(), [picture])


def published(path: Path = PUBLISHED) -> dict[str, dict[str, Any]]:
    """The entries of a checksum file by their sets' names; none where there is no file."""
    return dict(json.loads(path.read_text(encoding="utf-8"))["sets"]) if path.is_file() else {}


def published_checksum(name: str, path: Path = PUBLISHED) -> Checksum | None:
    """The published checksum of a set, None where there is none."""
    entry = published(path).get(name)
    return None if entry is None else checksum_from(entry["checksum"])


def checksum_from(entry: Mapping[str, Any]) -> Checksum:
    """Inverse of what `record_checksums` writes."""
    return Checksum(entry["labels"], entry["pictures"], tuple(entry["mean_rgb"]))


def verdict(name: str, found: Checksum, wanted: Checksum | None) -> str:
    """One line that says whether a set is the published one, and if not, what of it differs."""
    if wanted is None:
        return f"{name}: no checksum is published; this set has {found.labels[:12]} {found.pictures[:12]}"
    if found == wanted:
        return f"{name}: matches the published set"
    if found.agrees_up_to_rounding(wanted):
        return f"{name}: matches the published set up to rounding; labels are the same, another processor drew the rest"
    differing = "labels" if found.labels != wanted.labels else "pictures"
    return f"{name}: differs from the published set in its {differing}; say so beside every figure"


def record_checksums(folders: list[SetFolder], path: Path) -> None:
    """Write the checksums of finished sets, with what rendered them, into `path`; other sets' entries stay."""
    known = published(path)
    for folder in folders:
        known[folder.spec.name] = {
            "checksum": asdict(checksum_of(folder)),
            "first_picture": asdict(checksum_of_first(folder)),
            "seed": folder.spec.seed,
            "pictures": folder.spec.pictures,
            "objects": len(folder.load().objects),
            "renderer": folder.description["renderer"],
            "versions": folder.description["versions"],
        }
    path.write_text(json.dumps({"sets": known}, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _checksum(labels: bytes, pictures: Iterable[NDArray[np.uint8]]) -> Checksum:
    digest, total, pixels = hashlib.sha256(), np.zeros(3), 0
    for picture in pictures:
        digest.update(f"{picture.shape}\n".encode())
        digest.update(picture.tobytes())
        total += picture.sum((0, 1), dtype=np.float64)
        pixels += picture.shape[0] * picture.shape[1]
    red, green, blue = np.round(total / pixels, 5).tolist()
    return Checksum(hashlib.sha256(labels).hexdigest(), digest.hexdigest(), (red, green, blue))
