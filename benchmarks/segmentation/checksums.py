"""Checksums of the benchmark sets: they show whether two people use the same pictures and labels.

A checksum covers the label file and the decoded pictures, so that the version of the PNG encoder does not matter. The
processor does: OpenCV rounds differently with and without AVX2, which changes one value in fifty thousand by one grey
level; the labels are identical to the bit. The mean colour distinguishes such rounding from other pictures.
`checksums.json` beside this file holds the published sets.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.benchmarks.segmentation.label_sets import SetFolder, open_renderer
from tabletop_interaction.documents import convert
from tabletop_interaction.files import lock_file, read_json, write_json
from tabletop_interaction.picture_files import read_picture

PUBLISHED = Path(__file__).with_name("checksums.json")

_ROUNDING = 5e-4


@dataclass(frozen=True)
class Checksum:
    """Identity of a set, or of one of its pictures.

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
    pictures = (read_picture(folder.picture(index), upright=False) for index in range(folder.spec.pictures))
    return _checksum(folder.labels.read_bytes(), pictures)


def checksum_of_first(folder: SetFolder) -> Checksum:
    """The checksum of the set's first picture, rendered for this: a quick test of whether rendering has changed."""
    with open_renderer(folder.spec) as renderer:
        picture, instances = renderer.render(0)
    return _checksum(instances.astype(np.uint8).tobytes(), [picture])


def published(path: Path = PUBLISHED) -> dict[str, dict[str, Any]]:
    """The entries of a checksum file by the names of their sets; none without a file."""
    if not path.is_file():
        return {}
    return convert(read_json(path, dict[str, Any]).get("sets"), dict[str, dict[str, Any]], path)


def published_checksum(name: str, path: Path = PUBLISHED, of: str = "checksum") -> Checksum | None:
    """The published checksum of a set or, with `of="first_picture"`, of its first picture; None without one."""
    entry = published(path).get(name)
    return None if entry is None else Checksum(**{**entry[of], "mean_rgb": tuple(entry[of]["mean_rgb"])})


def verdict(name: str, found: Checksum, wanted: Checksum | None) -> str:
    """One line that says whether a set is the published one, and if not, what differs."""
    if wanted is None:
        return f"{name}: no checksum is published; this set has {found.labels[:12]} {found.pictures[:12]}"
    if found == wanted:
        return f"{name}: matches the published set"
    if found.agrees_up_to_rounding(wanted):
        return f"{name}: matches the published set up to the rounding of another processor; the labels are the same"
    differing = "labels" if found.labels != wanted.labels else "pictures"
    return f"{name}: differs from the published set in its {differing}; state this beside every figure"


def record_checksums(folders: list[SetFolder], path: Path) -> None:
    """Write the checksums of finished sets and their renderers into `path`; entries of other sets stay."""
    with lock_file(path.with_name(f".{path.name}.lock")):
        known = published(path) | {folder.spec.name: _entry(folder) for folder in folders}
        write_json(path, {"sets": known}, sort_keys=True)


def _entry(folder: SetFolder) -> dict[str, Any]:
    return {
        "checksum": checksum_of(folder),
        "first_picture": checksum_of_first(folder),
        "seed": folder.spec.seed,
        "pictures": folder.spec.pictures,
        "objects": len(folder.load().objects),
        "renderer": folder.description["renderer"],
        "versions": folder.description["versions"],
    }


def _checksum(labels: bytes, pictures: Iterable[Picture]) -> Checksum:
    digest, total, pixels = hashlib.sha256(), np.zeros(3), 0
    for picture in pictures:
        digest.update(f"{picture.shape}\n".encode())
        digest.update(picture.tobytes())
        total += picture.sum((0, 1), dtype=np.float64)
        pixels += picture.shape[0] * picture.shape[1]
    red, green, blue = np.round(total / pixels, 5).tolist()
    return Checksum(hashlib.sha256(labels).hexdigest(), digest.hexdigest(), (red, green, blue))
