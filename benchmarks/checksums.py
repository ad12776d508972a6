"""Checksums of the benchmark sets: whether two people speak of the same pictures and labels.

They are taken over the label file and the decoded pictures, so that the version of a PNG encoder does not
matter. `checksums.json` beside this file holds the published ones.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.benchmarks.label_sets import SetFolder, read_rgb

PUBLISHED = Path(__file__).with_name("checksums.json")


@dataclass(frozen=True)
class Checksum:
    """SHA-256, hexadecimal, of a set's label file and of its pictures' names, shapes and pixels."""

    labels: str
    pictures: str


def checksum_of(folder: SetFolder) -> Checksum:
    """The checksum of a finished set."""
    digest = hashlib.sha256()
    for index in range(folder.spec.pictures):
        path = folder.picture(index)
        picture = read_rgb(path)
        digest.update(f"{path.name} {picture.shape}\n".encode())
        digest.update(picture.tobytes())
    return Checksum(hashlib.sha256(folder.labels.read_bytes()).hexdigest(), digest.hexdigest())


def pixel_checksum(picture: NDArray[np.uint8]) -> str:
    """SHA-256, hexadecimal, of one picture's pixels; that of a set's first tells soon whether rendering has changed."""
    return hashlib.sha256(picture.tobytes()).hexdigest()


def published_checksum(name: str, path: Path = PUBLISHED) -> Checksum | None:
    """The published checksum of a set, None where there is none."""
    if not path.is_file():
        return None
    entry = json.loads(path.read_text(encoding="utf-8"))["sets"].get(name)
    return None if entry is None else Checksum(**entry["sha256"])


def verdict(name: str, found: Checksum, published: Checksum | None) -> str:
    """One line that says whether a set is the published one, and if not, what of it differs."""
    if published is None:
        return f"{name}: no checksum is published; this set has {found.labels[:12]} {found.pictures[:12]}"
    if found == published:
        return f"{name}: matches the published set"
    differing = [key for key, value in asdict(found).items() if value != asdict(published)[key]]
    return f"{name}: differs from the published set in its {' and '.join(differing)}; say so beside every figure"


def record_checksums(folders: list[SetFolder], path: Path) -> None:
    """Write the checksums of finished sets, with what rendered them, into `path`; other sets' entries stay."""
    known = json.loads(path.read_text(encoding="utf-8"))["sets"] if path.is_file() else {}
    for folder in folders:
        known[folder.spec.name] = {
            "sha256": asdict(checksum_of(folder)),
            "sha256_of_first_picture": pixel_checksum(read_rgb(folder.picture(0))),
            "pictures": folder.spec.pictures,
            "objects": len(folder.load().objects),
            "renderer": folder.description["renderer"],
            "versions": folder.description["versions"],
        }
    path.write_text(json.dumps({"sets": known}, indent=2, sort_keys=True) + "\n", encoding="utf-8")
