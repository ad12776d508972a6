"""Picture files become the pixels that were drawn, or are refused in one line."""

import os
import socket
import struct
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PilImage
from PIL import ImageFile
from PIL.PngImagePlugin import PngInfo

from tabletop_interaction import picture_files
from tabletop_interaction.errors import InvalidConfiguration, InvalidPicture
from tabletop_interaction.picture_files import check_decodable, check_pictures, read_header, read_picture
from tests.picture_zoo import ORIENTATION, drawn, exif, tiff, upright

GREY = drawn()[..., 1]
DEEP = np.linspace(0, 65535, 24 * 40).reshape(24, 40).round().astype(np.uint16)


def grey_of(path: Path) -> NDArray[np.int64]:
    picture = read_picture(path, upright=False)
    assert (picture == picture[..., :1]).all()
    return picture[..., 0].astype(np.int64)


def refusal(path: Path) -> str:
    with pytest.raises(InvalidPicture) as caught:
        read_picture(path, upright=True)
    assert str(path) in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("ending", ["png", "tif", "bmp", "ppm", "webp", "jpg"])
def test_pixels_are_those_that_were_drawn(tmp_path: Path, ending: str) -> None:
    PilImage.fromarray(drawn()).save(tmp_path / f"x.{ending}", lossless=True, quality=100, subsampling=0)
    picture = read_picture(tmp_path / f"x.{ending}", upright=False)
    assert (picture.dtype, picture.flags.writeable) == (np.uint8, True)
    np.testing.assert_allclose(picture.astype(int), drawn(), atol=4 if ending == "jpg" else 0)


@pytest.mark.parametrize(
    ("ending", "mode"), [("png", "LA"), ("png", "RGBA"), ("png", "P"), ("gif", "P"), ("tif", "RGBA")]
)
def test_transparency_is_dropped(tmp_path: Path, ending: str, mode: str) -> None:
    source = PilImage.fromarray(drawn()).convert(mode)
    if mode != "P":
        source.putalpha(PilImage.fromarray(GREY))
    source.save(tmp_path / f"x.{ending}", **({"transparency": 3} if mode == "P" else {}))
    expected = source.convert("RGBA").convert("RGB")
    np.testing.assert_array_equal(read_picture(tmp_path / f"x.{ending}", upright=True), np.asarray(expected))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tif"])
def test_a_picture_is_turned_upright_on_request_only(tmp_path: Path, ending: str, orientation: int) -> None:
    path = tmp_path / f"x.{ending}"
    PilImage.fromarray(drawn()).save(path, exif=exif(orientation), lossless=True, quality=100, subsampling=0)
    header, right = read_header(path), upright(drawn(), orientation)
    assert (header.height, header.width, header.orientation) == (24, 40, orientation)
    assert (header.size(upright=False), header.size(upright=True)) == ((24, 40), right.shape[:2])
    np.testing.assert_allclose(read_picture(path, upright=False).astype(int), drawn(), atol=4)
    np.testing.assert_allclose(read_picture(path, upright=True).astype(int), right, atol=4)


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    PilImage.fromarray(drawn()).save(tmp_path / "x.png")
    content = (tmp_path / "x.png").read_bytes()
    data = exif(6).tobytes().removeprefix(b"Exif\0\0")
    chunk = struct.pack(">I", len(data)) + b"eXIf" + data + struct.pack(">I", zlib.crc32(b"eXIf" + data))
    (tmp_path / "x.png").write_bytes(content[:-12] + chunk + content[-12:])
    np.testing.assert_array_equal(read_picture(tmp_path / "x.png", upright=True), upright(drawn(), 6))


@pytest.mark.parametrize("data", [b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0garbage", bytes(range(60))])
def test_damaged_exif_leaves_a_picture_as_it_is_stored(tmp_path: Path, data: bytes) -> None:
    PilImage.fromarray(drawn()).save(tmp_path / "x.jpg", exif=data)
    assert read_header(tmp_path / "x.jpg").orientation == 1
    assert read_picture(tmp_path / "x.jpg", upright=True).shape == (24, 40, 3)


@pytest.mark.parametrize("ending", ["png", "tif", "pgm"])
def test_grey_of_16_bits_keeps_its_shades(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"deep.{ending}"
    if ending == "pgm":
        path.write_bytes(b"P5 40 24 65535\n" + DEEP.astype(">u2").tobytes())
    else:
        PilImage.fromarray(DEEP).save(path)
    assert np.abs(grey_of(path) - DEEP / 257).max() <= 0.5


@pytest.mark.parametrize("byte_order", ["<", ">"])
def test_colours_of_16_bits_keep_their_shades(tmp_path: Path, byte_order: str) -> None:
    deep = (drawn().astype(np.uint16) * 257).astype(byte_order + "u2")
    (tmp_path / "x.tif").write_bytes(tiff(deep, 2))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif", upright=True), drawn())
    (tmp_path / "x.ppm").write_bytes(b"P6 40 24 65535\n" + deep.astype(">u2").tobytes())
    np.testing.assert_array_equal(read_picture(tmp_path / "x.ppm", upright=True), drawn())


@pytest.mark.parametrize("bits", [10, 12, 14])
@pytest.mark.parametrize("tag", [281, 341])
def test_a_stated_greatest_value_becomes_white(tmp_path: Path, bits: int, tag: int) -> None:
    values = DEEP >> (16 - bits)
    (tmp_path / "x.tif").write_bytes(tiff(values, 1, {tag: 2**bits - 1}))
    assert np.abs(grey_of(tmp_path / "x.tif") - values / (2**bits - 1) * 255).max() <= 0.5


def test_a_value_above_the_stated_greatest_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.tif").write_bytes(tiff(DEEP, 1, {281: 4095}))
    assert "a value 65535, but says that 4095 is the greatest" in refusal(tmp_path / "x.tif")


def test_twelve_packed_bits_and_a_pgm_of_twelve_bits_are_scaled(tmp_path: Path) -> None:
    values = DEEP >> 4
    first, second = values.reshape(-1, 2).T.astype(int)
    packed = np.stack([first >> 4, (first & 15) << 4 | second >> 8, second & 255], axis=1).astype(np.uint8)
    content = tiff(packed.reshape(24, 60), 1, {256: 40}, bits=12)
    (tmp_path / "x.tif").write_bytes(content)
    (tmp_path / "x.pgm").write_bytes(b"P5 40 24 4095\n" + values.astype(">u2").tobytes())
    for name in ("x.tif", "x.pgm"):
        assert np.abs(grey_of(tmp_path / name) - values / 4095 * 255).max() <= 0.6


@pytest.mark.parametrize("bits", [8, 10, 12, 14])
@pytest.mark.parametrize("kind", ["png", "tif", "pgm", "rgb png", "rgb tif", "rgb ppm"])
def test_fewer_bits_in_16_without_a_statement_are_refused(tmp_path: Path, kind: str, bits: int) -> None:
    values = DEEP >> (16 - bits)
    path = tmp_path / f"x.{kind[-3:]}"
    if kind.startswith("rgb"):
        values = np.repeat(values[..., None], 3, axis=-1)
    if kind[-3:] == "png":
        path.write_bytes(png_of_16_bits(values))
    elif kind[-3:] == "tif":
        path.write_bytes(tiff(values, 2 if values.ndim == 3 else 1))
    else:
        path.write_bytes((b"P6" if values.ndim == 3 else b"P5") + b" 40 24 65535\n" + values.astype(">u2").tobytes())
    assert "10, 12 or 14 bits" in refusal(path)


def png_of_16_bits(values: NDArray[np.uint16]) -> bytes:
    """A PNG of grey or RGB, which Pillow does not write with 16 bits in colour."""
    colour = 2 if values.ndim == 3 else 0
    header = struct.pack(">IIBBBBB", values.shape[1], values.shape[0], 16, colour, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def test_a_picture_that_is_white_where_values_are_least_is_not_inverted(tmp_path: Path) -> None:
    (tmp_path / "8.tif").write_bytes(tiff(255 - GREY, 0))
    (tmp_path / "16.tif").write_bytes(tiff(65535 - DEEP, 0))
    (tmp_path / "1.tif").write_bytes(tiff(np.packbits(GREY < 128, axis=1), 0, {256: 40}, bits=1))
    np.testing.assert_array_equal(grey_of(tmp_path / "8.tif"), GREY)
    assert np.abs(grey_of(tmp_path / "16.tif") - DEEP / 257).max() <= 0.5
    np.testing.assert_array_equal(grey_of(tmp_path / "1.tif"), np.where(GREY < 128, 0, 255))


@pytest.mark.parametrize(
    ("samples", "photometric", "tags", "named"),
    [
        (GREY.astype(np.float32), 1, {339: 3}, "32-bit floating-point numbers"),
        (GREY.astype(np.float64), 1, {339: 3}, "64-bit floating-point numbers"),
        (GREY.astype(np.uint32), 1, {}, "32-bit integers"),
        (GREY.astype(np.int32), 1, {339: 2}, "32-bit signed integers"),
        (GREY.astype(np.int16), 1, {339: 2}, "16-bit signed integers"),
        (GREY.astype(np.int8), 1, {339: 2}, "8-bit signed integers"),
        (DEEP.astype(">u2"), 0, {}, "16-bit unsigned integers, 1 a pixel, photometric interpretation 0"),
        (drawn(), 8, {}, "CIE L"),
        (drawn()[..., :2], 1, {}, "2 a pixel"),
        (GREY, 1, {254: 1}, "raw file"),
    ],
)
def test_pixels_that_would_be_misread_are_refused_by_type(
    tmp_path: Path, samples: NDArray[Any], photometric: int, tags: dict[int, Any], named: str
) -> None:
    (tmp_path / "x.tif").write_bytes(tiff(samples, photometric, tags))
    assert named in refusal(tmp_path / "x.tif")


def test_premultiplied_colours_are_divided_by_their_alpha(tmp_path: Path) -> None:
    alpha = np.full((24, 40, 1), 128)
    stored = np.concatenate([drawn() * alpha // 255, alpha], axis=-1).astype(np.uint8)
    (tmp_path / "x.tif").write_bytes(tiff(stored, 2, {338: 1}))
    np.testing.assert_allclose(read_picture(tmp_path / "x.tif", upright=True).astype(int), drawn(), atol=2)


def test_float_and_other_formats_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.ppm").write_bytes(b"Pf 40 24 -1.0\n" + GREY.astype("<f4").tobytes())
    assert "floating-point" in refusal(tmp_path / "x.ppm")
    for name, format_ in (("eps.jpg", "EPS"), ("spider.png", "SPIDER"), ("tga.jpg", "TGA"), ("sgi.png", "SGI")):
        source = PilImage.fromarray(drawn()).convert("F" if format_ == "SPIDER" else "RGB")
        # Pillow would save every later file of this ending as SPIDER.
        source.save(tmp_path / "x.spider", format_)
        (tmp_path / "x.spider").rename(tmp_path / name)
        assert "accepted are JPEG, PNG, TIFF, BMP, GIF, WebP" in refusal(tmp_path / name)


def test_what_is_no_file_is_refused_without_opening_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "gone.jpg")
    (tmp_path / "loop.jpg").symlink_to(tmp_path / "loop.jpg")
    (tmp_path / "empty.jpg").touch()
    assert "pipe, socket or device" in refusal(tmp_path / "pipe.jpg")
    assert "pipe, socket or device" in refusal(Path("/dev/zero"))
    assert "does not exist" in refusal(tmp_path / "link.jpg")
    assert "symbolic links" in refusal(tmp_path / "loop.jpg")
    assert "is empty" in refusal(tmp_path / "empty.jpg")
    assert "is a folder" in refusal(tmp_path)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        assert "pipe, socket or device" in refusal(tmp_path / "s")


def test_unreadable_pictures_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture")
    with pytest.raises(InvalidConfiguration, match="no picture was given"):
        check_pictures([])
    with pytest.raises(InvalidPicture, match="does not exist"):
        check_pictures([tmp_path / "gone.png"])
    with pytest.raises(InvalidPicture, match=r"notes\.txt cannot be read"):
        check_pictures([tmp_path / "notes.txt"])


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp", "gif", "tif", "ppm"])
def test_a_picture_cut_short_is_named_even_if_the_user_asked_pillow_to_read_it(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    noise = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    path = tmp_path / f"cut.{ending}"
    PilImage.fromarray(noise).save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert "cannot be read" in refusal(path)
    with pytest.raises(InvalidPicture):
        check_decodable(path)
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_a_flipped_bit_in_a_png_is_found(tmp_path: Path) -> None:
    # Zero compression: every byte of the pixels is there as it is.
    PilImage.fromarray(drawn()).save(tmp_path / "x.png", compress_level=0)
    content = bytearray((tmp_path / "x.png").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "x.png").write_bytes(content)
    assert "checksum of its chunk 'IDAT'" in refusal(tmp_path / "x.png")


def test_a_text_that_unpacks_to_much_more_is_refused(tmp_path: Path) -> None:
    text = PngInfo()
    text.add_text("Comment", "x" * 10**7, zip=True)
    PilImage.fromarray(drawn()).save(tmp_path / "x.png", pnginfo=text)
    assert "too large" in refusal(tmp_path / "x.png")


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PilImage.fromarray(drawn()).save(tmp_path / "bomb.png")
    monkeypatch.setattr(picture_files, "MAX_PIXELS", 24 * 40 - 1)
    with pytest.raises(InvalidPicture, match=r"bomb\.png .*40 x 24 px"):
        check_pictures([tmp_path / "bomb.png"])


def test_a_picture_above_pillows_own_limit_is_read_without_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    PilImage.fromarray(drawn()).save(tmp_path / "large.png")
    monkeypatch.setattr(PilImage, "MAX_IMAGE_PIXELS", 100)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "large.png", upright=True).shape == (24, 40, 3)
    assert PilImage.MAX_IMAGE_PIXELS == 100


def test_the_first_frame_of_an_animation_is_read(tmp_path: Path) -> None:
    frames = [PilImage.fromarray(np.full((20, 30, 3), value, np.uint8)) for value in (10, 200)]
    for ending in ("gif", "png", "webp", "tif"):
        frames[0].save(tmp_path / f"x.{ending}", save_all=True, append_images=frames[1:], lossless=True)
        assert (read_picture(tmp_path / f"x.{ending}", upright=True) == 10).all()


def test_a_picture_of_a_phone_with_a_second_picture_is_read(tmp_path: Path) -> None:
    first, second = PilImage.fromarray(drawn()), PilImage.new("RGB", (10, 10))
    first.save(tmp_path / "x.jpg", "MPO", save_all=True, append_images=[second], quality=100)
    assert read_picture(tmp_path / "x.jpg", upright=True).shape == (24, 40, 3)


def test_an_orientation_that_is_none_is_ignored(tmp_path: Path) -> None:
    for value in (0, 9, 65535):
        PilImage.fromarray(drawn()).save(tmp_path / "x.png", exif=exif(value))
        assert read_header(tmp_path / "x.png").orientation == 1
    (tmp_path / "x.tif").write_bytes(tiff(drawn(), 2, {ORIENTATION: 12}))
    np.testing.assert_array_equal(read_picture(tmp_path / "x.tif", upright=True), drawn())
