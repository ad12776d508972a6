"""Picture files of users: the formats and pixel types that are read, and the limits that are checked before decoding.

Pixels are uint8 RGB. Transparency is dropped, and colour profiles and gamma are ignored. Of an animation or of several
pages the first picture is read. CMYK is converted without a profile.

A file of 16 bits is scaled so that its greatest possible value becomes 255. Cameras store 10, 12 or 14 bits in 16:
where a TIFF states this (BitsPerSample 12, MaxSampleValue or SMaxSampleValue 2**n - 1), or a PGM or PPM its greatest
value, that value becomes 255. Any other picture of 16 bits that stays below 16384, a quarter of the range, is refused:
it is very dark or holds fewer bits, and the file does not say which.
"""

import os
import stat
import struct
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image as PilImage
from PIL import ImageFile, UnidentifiedImageError
from PIL.TiffImagePlugin import ImageFileDirectory_v2

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import InvalidConfiguration, InvalidPicture

MAX_PIXELS = 250_000_000
"""Largest picture that is decoded; phones take up to 200 million pixels."""

ACCEPTED = "JPEG, PNG, TIFF, BMP, GIF, WebP, PPM, PGM and PBM"
"""The formats in words."""

# MPO, which phones write, is opened as JPEG.
_FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM")
_PNG, _TIFF = b"\x89PNG\r\n\x1a\n", (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_ORIENTATION = 0x0112
_WIDTH, _HEIGHT, _BITS, _PHOTOMETRIC, _SUBFILE, _SAMPLE_FORMAT, _DNG = 256, 257, 258, 262, 254, 339, 50706
_BIG_TIFF = 43
_GREATEST_VALUES = (281, 341)
"""TIFF's MaxSampleValue and SMaxSampleValue."""
_DEEP = 65535
_LEAST_OF_DEEP = 16384
"""A picture of 16 bits has a value at least this large, unless it holds fewer bits."""

_TURNS = {
    2: PilImage.Transpose.FLIP_LEFT_RIGHT,
    3: PilImage.Transpose.ROTATE_180,
    4: PilImage.Transpose.FLIP_TOP_BOTTOM,
    5: PilImage.Transpose.TRANSPOSE,
    6: PilImage.Transpose.ROTATE_270,
    7: PilImage.Transpose.TRANSVERSE,
    8: PilImage.Transpose.ROTATE_90,
}
"""How a stored picture is turned upright, by EXIF orientation."""
_TURNS_BACK = {**_TURNS, 6: PilImage.Transpose.ROTATE_90, 8: PilImage.Transpose.ROTATE_270}

_TO_RGB = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK"}
_PIXEL_TYPES = {"I": "32-bit integers", "F": "floating-point numbers", "LAB": "CIE L*a*b* colours"}

_settings_lock = threading.Lock()


@dataclass(frozen=True)
class PictureHeader:
    """What a picture file says before it is decoded.

    Attributes:
        height, width: of the stored picture, pixels.
        orientation: EXIF orientation, 1 to 8; 1 if it is missing or damaged.
    """

    height: int
    width: int
    orientation: int

    def size(self, *, upright: bool) -> tuple[int, int]:
        """Return height and width, of the stored picture or of the upright one."""
        turned = upright and self.orientation >= 5
        return (self.width, self.height) if turned else (self.height, self.width)


def read_header(path: Path) -> PictureHeader:
    """Read size and orientation of a picture file without decoding it.

    Raises:
        InvalidPicture: the file is missing, not a regular file, of no accepted format or pixel type, or too large.
    """
    with _opened(path) as picture:
        return picture.header


def read_picture(path: Path, *, upright: bool) -> Picture:
    """Decode a picture file as uint8 (H, W, 3) RGB.

    Args:
        path: a file of an accepted format.
        upright: turn it as its EXIF orientation says; otherwise pixels are as stored.

    Raises:
        InvalidPicture: as `read_header`, or it is damaged, or its greatest value is unknown.
    """
    with _opened(path) as picture:
        return np.array(picture.decoded(upright=upright), np.uint8)


def check_pictures(paths: Sequence[Path]) -> None:
    """Check the headers of picture files.

    Raises:
        InvalidConfiguration: no file is given.
        InvalidPicture: as `read_header`.
    """
    if not paths:
        raise InvalidConfiguration("no picture was given; name at least one file")
    for path in paths:
        read_header(path)


def check_decodable(path: Path) -> None:
    """Check that a picture can be decoded; a JPEG is decoded to an eighth of its size, which is faster.

    Raises:
        InvalidPicture: as `read_picture`.
    """
    with _opened(path) as picture:
        # Only JPEG has drafts.
        picture.image.draft("RGB", (max(1, picture.image.width // 8), max(1, picture.image.height // 8)))
        picture.decoded(upright=True)


@dataclass(frozen=True)
class _Opened:
    """An open picture; `greatest` is the value that becomes white, None if the file does not state it."""

    image: ImageFile.ImageFile
    header: PictureHeader
    is_deep: bool
    greatest: int | None
    is_inverted: bool

    def decoded(self, *, upright: bool) -> PilImage.Image:
        """Decode the picture as RGB, or raise ValueError."""
        self.image.load()
        # A palette's transparent colour would be a warning.
        self.image.info.pop("transparency", None)
        rgb = self._rgb()
        was_turned = self.image.format == "TIFF" and self.image.getexif().get(_ORIENTATION, 1) == 1
        if was_turned and not upright:
            # Pillow turns a TIFF upright while it decodes it.
            turn = _TURNS_BACK.get(self.header.orientation)
        else:
            turn = _TURNS.get(self.header.orientation) if upright and not was_turned else None
        return rgb if turn is None else rgb.transpose(turn)

    def _rgb(self) -> PilImage.Image:
        mode = self.image.mode
        if self.is_deep and mode.startswith("I"):
            return self._from_deep_grey().convert("RGB")
        if mode not in _TO_RGB or (self.is_deep and mode == "CMYK"):
            raise ValueError(f"its pixels are {'16-bit CMYK' if mode == 'CMYK' else _PIXEL_TYPES.get(mode, mode)}")
        rgb = self.image.convert("RGB")
        if self.is_deep:
            # Pillow keeps only the upper 8 of the 16 bits, and may round up.
            if self.greatest is not None and self.greatest < _DEEP:
                raise ValueError(f"its pixels are colours up to {self.greatest} in 16 bits; save them with 8 bits")
            brightest = int(np.asarray(rgb).max())
            self._check_range((brightest - 1) * 256)
        return rgb

    def _from_deep_grey(self) -> PilImage.Image:
        grey = np.asarray(self.image).astype(np.uint32)
        self._check_range(int(grey.max()))
        greatest = self.greatest or _DEEP
        grey = (grey * 255 + greatest // 2) // greatest
        return PilImage.fromarray((255 - grey if self.is_inverted else grey).astype(np.uint8))

    def _check_range(self, found: int) -> None:
        if self.greatest is not None and found > self.greatest:
            raise ValueError(f"it has a value {found}, but says that {self.greatest} is the greatest")
        if self.greatest is None and found < _LEAST_OF_DEEP:
            raise ValueError(
                f"it has 16 bits, but no value reaches {_LEAST_OF_DEEP}, so it may hold 10, 12 or 14 bits; scale its "
                f"values to {_DEEP}, or save it with 8 bits"
            )


@contextmanager
def _opened(path: Path) -> Iterator[_Opened]:
    """Open a picture; whatever goes wrong until the end of the block becomes InvalidPicture."""
    try:
        _check_regular(path)
        with open(path, "rb") as file, _own_settings():
            yield _open(file)
    except InvalidPicture:
        raise
    # Pillow raises errors of a dozen kinds for damaged files, also KeyError, struct.error and ZeroDivisionError.
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise InvalidPicture(f"{path} cannot be read as a picture ({reason}); accepted are {ACCEPTED}") from None


def _check_regular(path: Path) -> None:
    """Refuse what is no regular file before it is opened, because opening a pipe waits for a writer."""
    try:
        found = os.stat(path)
    except FileNotFoundError:
        raise InvalidPicture(f"{path} does not exist; name a picture file") from None
    if stat.S_ISDIR(found.st_mode):
        raise InvalidPicture(f"{path} is a folder; name the pictures in it, such as {path}/*.jpg")
    if not stat.S_ISREG(found.st_mode):
        raise InvalidPicture(f"{path} is a pipe, socket or device; name a picture file")
    if found.st_size == 0:
        raise InvalidPicture(f"{path} is empty; name a picture file")


@contextmanager
def _own_settings() -> Iterator[None]:
    """Use our limit of the size instead of Pillow's, no warnings, and no pictures that end early."""
    with _settings_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, truncated = PilImage.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        PilImage.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = None, False
        try:
            yield
        finally:
            PilImage.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = limit, truncated


def _open(file: BinaryIO) -> _Opened:
    magic = file.read(8)
    png = _read_png(file) if magic == _PNG else None
    tags: Mapping[int, Any] = _read_tiff(file) if magic[:4] in _TIFF else {}
    try:
        image: Any = PilImage.open(file, formats=_FORMATS)
    except UnidentifiedImageError:
        kind = f"TIFF with {_tiff_pixels(tags)}" if tags else "unknown format or damaged header"
        raise ValueError(kind) from None
    width, height = (tags[_WIDTH], tags[_HEIGHT]) if tags else image.size
    if width * height > MAX_PIXELS:
        raise ValueError(f"it has {width} x {height} px, more than {MAX_PIXELS // 10**6} million")
    if png is not None and png.exif is not None:
        image.info.setdefault("exif", png.exif)
    header = PictureHeader(height, width, _orientation(image))
    is_deep, greatest = _depth(image, png, tags)
    return _Opened(image, header, is_deep, greatest, tags.get(_PHOTOMETRIC) == 0)


def _orientation(image: PilImage.Image) -> int:
    try:
        # PNG's own method would decode the picture first.
        value = PilImage.Image.getexif(image).get(_ORIENTATION, 1)
    # As for pictures, damaged EXIF raises errors of many kinds; a viewer shows such a picture as it is stored.
    except Exception:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _depth(image: ImageFile.ImageFile, png: "_Png | None", tags: Mapping[int, Any]) -> tuple[bool, int | None]:
    """Return whether samples have more than 8 bits, and the stated value of white after Pillow's own scaling."""
    if png is not None:
        return png.bits == 16, None
    if tags:
        bits = max(tags.get(_BITS, (1,)))
        stated = [int(value) for tag in _GREATEST_VALUES for value in np.ravel(tags.get(tag, ()))]
        greatest = [value for value in stated if value in {2**count - 1 for count in range(9, 16)}]
        return 8 < bits <= 16, 2**bits - 1 if bits < 16 else max(greatest, default=None)
    if image.format == "PPM" and image.mode in ("I", "RGB", "L"):
        tile: Any = image.tile[0]
        codec, _, _, arguments = tile
        # Pillow scales by the stated value; 65535 is also written for fewer bits.
        stated_value = int(arguments[-1]) if codec.startswith("ppm") else _DEEP if image.mode == "I" else 255
        return stated_value > 255, None if stated_value == _DEEP else _DEEP
    return False, None


@dataclass(frozen=True)
class _Png:
    """Bits of a sample and EXIF data, which may stand behind the pixels."""

    bits: int
    exif: bytes | None


def _read_png(file: BinaryIO) -> _Png:
    """Read a PNG's chunks and their checksums, which Pillow does not compare for pixels."""
    bits, exif = 8, None
    left = os.fstat(file.fileno()).st_size - len(_PNG)
    while True:
        length, kind = struct.unpack(">I4s", file.read(8).ljust(8, b"\0"))
        left -= length + 12
        if left < 0:
            raise ValueError("it ends early")
        content = file.read(length)
        if zlib.crc32(content, zlib.crc32(kind)) != struct.unpack(">I", file.read(4))[0]:
            raise ValueError(f"the checksum of its chunk {kind.decode('latin-1')!r} differs")
        if kind == b"IHDR":
            bits = content[8]
        elif kind == b"eXIf":
            exif = content
        elif kind == b"IEND":
            return _Png(bits, exif)


def _read_tiff(file: BinaryIO) -> Mapping[int, Any]:
    """Read the tags of a TIFF's first picture, and refuse thumbnails and pixels that Pillow would misread."""
    file.seek(0)
    start = file.read(8)
    # BigTIFF has 64-bit addresses.
    tags: Any = ImageFileDirectory_v2(start + file.read(8) if start[2] == _BIG_TIFF else start)
    file.seek(tags.next)
    tags.load(file)
    if not {_WIDTH, _HEIGHT, _PHOTOMETRIC} <= set(tags):
        raise ValueError("its header is damaged")
    if _DNG in tags or tags.get(_SUBFILE, 0) & 1:
        raise ValueError("it is a camera's raw file, whose first picture is a preview")
    if set(tags.get(_SAMPLE_FORMAT, (1,))) != {1}:
        raise ValueError(f"its pixels are {_tiff_pixels(tags)}")
    return dict(tags)


def _tiff_pixels(tags: Mapping[int, Any]) -> str:
    bits = tags.get(_BITS, (1,))
    numbers = {1: "unsigned integers", 2: "signed integers", 3: "floating-point numbers"}
    kind = numbers.get(tags.get(_SAMPLE_FORMAT, (1,))[0], "of an unknown type")
    return f"{max(bits)}-bit {kind}, {len(bits)} a pixel, photometric interpretation {tags.get(_PHOTOMETRIC)}"
