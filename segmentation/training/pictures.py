"""Decoded pictures on disk: each picture is decoded once and then read at the speed of memory.

```
pictures.u8    the pixels of one picture after the other, uint8 RGB, nothing between them
pictures.json  for each key the first byte, height, width and CRC-32 of its picture; sealed (`seals`)
```
Pixels are written first and the index replaces the old one after them: after a kill the index names whole pictures
only, and the next writer overwrites what lies behind them. Pictures of earlier versions have no CRC-32.
"""

import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from tabletop_interaction.arrays import Bytes, Picture
from tabletop_interaction.disk_space import free_bytes
from tabletop_interaction.errors import DiskFull, InvalidPictureStore, UnreadableRecords
from tabletop_interaction.files import disk_full_named, lock_file
from tabletop_interaction.ranges import check_picture
from tabletop_interaction.seals import check_run_id, read_sealed, write_sealed

SCHEMA_VERSION = 1
_Place = tuple[int, int, int, int | None]

_PIXELS, _INDEX, _LOCK = "pictures.u8", "pictures.json", ".lock"


@dataclass(frozen=True, eq=False)
class PictureStore(Mapping[str, Picture]):
    """Decoded pictures by key; made by `open_pictures` and `add_pictures`.

    `store[key]` is uint8 (height, width, 3) RGB, a read-only view of the file; its first reading raises
    InvalidPictureStore if the picture is damaged.

    Attributes:
        folder: of the files.
        places: by key: first byte, height, width, and CRC-32 unless an earlier version has written it.
        pixels: (bytes,) uint8, the mapped file.
    """

    folder: Path
    places: Mapping[str, _Place]
    pixels: Bytes
    _checked: set[str] = field(default_factory=set, init=False, repr=False)

    def __getitem__(self, key: str) -> Picture:
        start, height, width, crc = self.places[key]
        picture = self.pixels[start : start + height * width * 3]
        if crc is not None and key not in self._checked:
            if zlib.crc32(picture.data) != crc:
                raise InvalidPictureStore(
                    f"picture {key!r} in {self.folder} is damaged; remove {self.folder}, it will be made again"
                )
            self._checked.add(key)
        return picture.reshape(height, width, 3)

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


def open_pictures(folder: str | os.PathLike[str], run: str | None = None) -> PictureStore:
    """Open the pictures that a folder holds now; none if it is absent or empty.

    Args:
        run: id of the run whose pictures they are; None where keys tell all pictures apart.

    Raises:
        InvalidPictureStore: it holds something else, or fewer pixels than its index names.
        ForeignFolder: they are of another run.
    """
    folder = Path(folder)
    if not (folder / _INDEX).exists():
        _check_free(folder)
        return PictureStore(folder, {}, np.zeros(0, np.uint8))
    places = _read_index(folder / _INDEX, run)
    needed, pixels = _end(places), folder / _PIXELS
    found = pixels.stat().st_size if pixels.exists() else 0
    if found < needed:
        raise InvalidPictureStore(f"{pixels} has {found} bytes of {needed}; remove {folder}, it will be made again")
    mapped = np.memmap(pixels, np.uint8, "r", shape=(needed,)) if needed else np.zeros(0, np.uint8)
    return PictureStore(folder, places, mapped)


def check_space(sizes: Iterable[tuple[int, int]], folder: str | os.PathLike[str]) -> str:
    """Return a line that says what decoded pictures take on disk.

    Args:
        sizes: height and width of each picture, pixels.
        folder: of the pictures; it may not exist yet.

    Raises:
        DiskFull: they take more than is free; nothing was written.
    """
    each = [3 * height * width for height, width in sizes]
    needed, free = sum(each), free_bytes(Path(folder))
    line = f"{len(each):,} decoded pictures take {needed / 1e9:.2f} GB in {folder}; free are {free / 1e9:.2f} GB"
    if needed > free:
        raise DiskFull(f"{line}; nothing was written; free space, or give a smaller set")
    return line


def add_pictures(
    folder: str | os.PathLike[str], pictures: Iterable[tuple[str, Picture]], run: str | None = None
) -> PictureStore:
    """Append pictures, uint8 (height, width, 3), and open the store; existing keys are skipped.

    The folder is made if need be. Other processes may read it meanwhile; a second writer waits.

    Raises:
        InvalidPictureStore: as `open_pictures`, or a picture has another type or shape; those before it are kept.
        ForeignFolder: as `open_pictures`.
        DiskFull: no space is left; the pictures before are kept.
    """
    folder = Path(folder)
    _check_free(folder)
    with lock_file(folder / _LOCK), disk_full_named(folder, kept="the pictures before are kept"):
        places = dict(open_pictures(folder, run).places)
        with open(folder / _PIXELS, "r+b" if (folder / _PIXELS).exists() else "w+b") as file:
            file.seek(_end(places))
            try:
                for key, picture in pictures:
                    if key not in places:
                        check_picture(f"picture {key!r}", picture, error=InvalidPictureStore)
                        height, width = picture.shape[:2]
                        pixels = np.ascontiguousarray(picture).data
                        place = (file.tell(), height, width, zlib.crc32(pixels))
                        file.write(pixels)
                        places[key] = place
            finally:
                file.flush()
                os.fsync(file.fileno())
                write_sealed(folder / _INDEX, {"schema_version": SCHEMA_VERSION, "places": places}, run, indent=None)
    return open_pictures(folder, run)


def _check_free(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InvalidPictureStore(f"{folder} is a file; give a folder for decoded pictures")
    names = sorted(path.name for path in folder.iterdir()) if folder.exists() else []
    if foreign := [name for name in names if name not in (_PIXELS, _INDEX) and not name.startswith(".")]:
        raise InvalidPictureStore(f"{folder} holds something else ({foreign[0]}); give a new or empty folder")


def _read_index(path: Path, run: str | None) -> dict[str, _Place]:
    try:
        content, found = read_sealed(path)
        if content["schema_version"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {content['schema_version']}, read is {SCHEMA_VERSION}")
        places = {key: _place(*place) for key, place in content["places"].items()}
    except (UnreadableRecords, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidPictureStore(
            f"{path} is no index of pictures ({error}); remove {path.parent}, it will be made again"
        ) from error
    check_run_id(found, run, path)
    return places


def _place(start: int, height: int, width: int, crc: int | None = None) -> _Place:
    return int(start), int(height), int(width), crc


def _end(places: Mapping[str, _Place]) -> int:
    return max((start + height * width * 3 for start, height, width, _ in places.values()), default=0)
