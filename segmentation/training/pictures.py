"""Decoded pictures on disk: each picture is decoded once and then read at the speed of memory.

```
pictures.u8    the pixels of one picture after the other, uint8 RGB, nothing between them
pictures.json  for each key the first byte, height and width of its picture
```
Pixels are written first and the index replaces the old one after them: after a kill the index names whole pictures
only, and the next writer overwrites what lies behind them.
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tabletop_interaction.arrays import Bytes, Picture
from tabletop_interaction.errors import InvalidPictureStore
from tabletop_interaction.files import disk_full_named, lock_file, write_json
from tabletop_interaction.ranges import check_picture

SCHEMA_VERSION = 1
_PIXELS, _INDEX, _LOCK = "pictures.u8", "pictures.json", ".lock"


@dataclass(frozen=True, eq=False)
class PictureStore(Mapping[str, Picture]):
    """Decoded pictures by key; made by `open_pictures` and `add_pictures`.

    `store[key]` is uint8 (height, width, 3) RGB, a read-only view of the file.

    Attributes:
        places: by key: first byte, height and width.
        pixels: (bytes,) uint8, the mapped file.
    """

    places: Mapping[str, tuple[int, int, int]]
    pixels: Bytes

    def __getitem__(self, key: str) -> Picture:
        start, height, width = self.places[key]
        return self.pixels[start : start + height * width * 3].reshape(height, width, 3)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def open_pictures(folder: str | os.PathLike[str]) -> PictureStore:
    """Open the pictures that a folder holds now; none if it is absent or empty.

    Raises:
        InvalidPictureStore: it holds something else, or fewer pixels than its index names.
    """
    folder = Path(folder)
    if not (folder / _INDEX).exists():
        _check_free(folder)
        return PictureStore({}, np.zeros(0, np.uint8))
    places = _read_index(folder / _INDEX)
    needed, pixels = _end(places), folder / _PIXELS
    found = pixels.stat().st_size if pixels.exists() else 0
    if found < needed:
        raise InvalidPictureStore(f"{pixels} has {found} bytes of {needed}; remove {folder}, it will be made again")
    mapped = np.memmap(pixels, np.uint8, "r", shape=(needed,)) if needed else np.zeros(0, np.uint8)
    return PictureStore(places, mapped)


def add_pictures(folder: str | os.PathLike[str], pictures: Iterable[tuple[str, Picture]]) -> PictureStore:
    """Append pictures, uint8 (height, width, 3), and open the store; existing keys are skipped.

    The folder is made if need be. Other processes may read it meanwhile; a second writer waits.

    Raises:
        InvalidPictureStore: as `open_pictures`, or a picture has another type or shape; those before it are kept.
        DiskFull: no space is left; the pictures before are kept.
    """
    folder = Path(folder)
    _check_free(folder)
    with lock_file(folder / _LOCK), disk_full_named(folder, kept="the pictures before are kept"):
        places = dict(open_pictures(folder).places)
        with open(folder / _PIXELS, "r+b" if (folder / _PIXELS).exists() else "w+b") as file:
            file.seek(_end(places))
            try:
                for key, picture in pictures:
                    if key not in places:
                        check_picture(f"picture {key!r}", picture, error=InvalidPictureStore)
                        place = (file.tell(), *picture.shape[:2])
                        file.write(np.ascontiguousarray(picture).data)
                        places[key] = place
            finally:
                file.flush()
                os.fsync(file.fileno())
                write_json(folder / _INDEX, {"schema_version": SCHEMA_VERSION, "places": places}, indent=None)
    return open_pictures(folder)


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidPictureStore(f"{folder} is a file; give a folder for decoded pictures")
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if foreign := [name for name in names if name not in (_PIXELS, _INDEX) and not name.startswith(".")]:
        raise InvalidPictureStore(f"{folder} holds something else ({foreign[0]}); give a new or empty folder")


def _read_index(path: Path) -> dict[str, tuple[int, int, int]]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {content['schema_version']}, read is {SCHEMA_VERSION}")
        return {key: (int(start), int(height), int(width)) for key, (start, height, width) in content["places"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidPictureStore(
            f"{path} is no index of pictures ({error}); remove {path.parent}, it will be made again"
        ) from error


def _end(places: Mapping[str, tuple[int, int, int]]) -> int:
    return max((start + height * width * 3 for start, height, width in places.values()), default=0)
