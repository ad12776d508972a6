"""Formats in which pictures are recorded: PNG, which is lossless, and JPEG, which takes a sixth of the disk.

JPEG keeps the colours at full resolution (4:4:4), and rounds all frequencies to the same step. The usual tables round
high frequencies more, because people see less there; at the same size they shift the rims of masks more
(docs/decisions/0010-picture-compression.md). JPEG has no checksums: those of shard and journal find its damage.
Depths and instance maps are always PNG (see `png`).

Source: ITU-T T.81 (JPEG), annexes A and B.
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import cv2
import numpy as np
from PIL import Image

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.records import png
from tabletop_interaction.errors import UnreadableRecords
from tabletop_interaction.ranges import Range, check_fields, check_picture

FormatName = Literal["png", "jpeg"]

JPEG_STEP = 8
"""Default step, in grey levels, to which JPEG rounds the frequencies of each 8 x 8 px block."""

PICTURES_IN_META = "pictures"
"""Key of `PictureFormat.plain` in the metadata of a folder's first writer; earlier versions wrote PNG and no key."""

# Of pictures of simulated tables, approximately; the exponent fits steps 1 to 32.
_PNG_BYTES_PER_PIXEL, _JPEG_BYTES_PER_PIXEL, _JPEG_EXPONENT = 1.8, 0.29, -0.8
_FREQUENCIES, _FULL_COLOUR = 64, 0
_START_OF_JPEG, _END_OF_JPEG = b"\xff\xd8\xff", b"\xff\xd9"
_AS_STORED = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION


@dataclass(frozen=True)
class PictureFormat:
    """How pictures are recorded; depths and instance maps are always PNG.

    Attributes:
        picture_format: Format of the recorded pictures: jpeg (lossy) or png (lossless, six times the disk).
        jpeg_step: Step of jpeg in grey levels, 1 to 255; a smaller one is more exact and takes more disk.
    """

    picture_format: FormatName = "jpeg"
    jpeg_step: Annotated[int, Range(1, 255)] = JPEG_STEP

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def bytes_per_pixel(self) -> float:
        """Bytes of a recorded picture of a simulated table for each of its pixels, approximately."""
        if self.picture_format == "png":
            return _PNG_BYTES_PER_PIXEL
        return _JPEG_BYTES_PER_PIXEL * (self.jpeg_step / JPEG_STEP) ** _JPEG_EXPONENT

    def plain(self) -> dict[str, Any]:
        """Its settings that have an effect, as meta.json has them."""
        step = {"jpeg_step": self.jpeg_step} if self.picture_format == "jpeg" else {}
        return {"picture_format": self.picture_format, **step}

    def encode(self, picture: Picture) -> bytes:
        """The file of a picture, uint8 (height, width, 3) RGB.

        Raises:
            ValueError: it has another shape or element type.
        """
        return png.encode_picture(picture) if self.picture_format == "png" else encode_jpeg(picture, self.jpeg_step)


LOSSLESS = PictureFormat("png")


def first_format(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The format of a folder's first writer, as `PictureFormat.plain`, from the folder's metadata."""
    found = metadata.get(PICTURES_IN_META)
    # A user's own metadata may have this key in records of an earlier version.
    return found if isinstance(found, dict) and "picture_format" in found else LOSSLESS.plain()


def encode_jpeg(picture: Picture, step: int = JPEG_STEP) -> bytes:
    """JPEG of a picture, uint8 (height, width, 3) RGB, with frequencies rounded to multiples of `step` grey levels.

    Raises:
        ValueError: it has another shape or element type.
    """
    check_picture("picture", picture)
    file = io.BytesIO()
    # One table for brightness, one for colours.
    tables = [[step] * _FREQUENCIES] * 2
    Image.fromarray(picture).save(file, "JPEG", qtables=tables, subsampling=_FULL_COLOUR)
    return file.getvalue()


def decode_picture(content: bytes) -> Picture:
    """The picture in a PNG or JPEG file, uint8 (height, width, 3) RGB.

    Raises:
        UnreadableRecords: the bytes are neither, end early, or a checksum of a PNG does not hold.
    """
    if not content.startswith(_START_OF_JPEG):
        return png.decode_picture(content)
    is_whole = content.endswith(_END_OF_JPEG)
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), _AS_STORED) if is_whole else None
    if picture is None:
        raise UnreadableRecords(f"a JPEG of {len(content)} bytes is damaged; restore the shard from a copy")
    return np.asarray(picture, np.uint8)
