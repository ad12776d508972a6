"""Foreign picture files of every kind give the pixels that were drawn, or one line."""

import io
import itertools
import json
import os
import random
import socket
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from attack import Attack
from numpy.typing import NDArray
from PIL import Image as PilImage

from tabletop_interaction.picture_files import read_header, read_picture
from tabletop_interaction.segmentation.coco import load_label_set, write_label_set
from tests.picture_zoo import drawn, exif, tiff, upright

Attacks = Callable[[str], Attack]
Samples = Callable[..., Any]

FORMATS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("JPEG", {"quality": 100, "subsampling": 0}),
    ("JPEG", {"quality": 100, "subsampling": 0, "progressive": True}),
    ("MPO", {"quality": 100, "subsampling": 0}),
    ("PNG", {}),
    *(("TIFF", {"compression": name}) for name in ("raw", "packbits", "tiff_lzw", "tiff_adobe_deflate")),
    ("TIFF", {"compression": "jpeg", "quality": 100}),
    ("BMP", {}),
    ("GIF", {}),
    ("WEBP", {"lossless": True, "exact": True}),
    ("PPM", {}),
)
MODES = {
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "MPO": ("L", "RGB", "CMYK"),
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "TIFF": ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "LAB", "I", "I;16", "F"),
    "BMP": ("1", "L", "P", "RGB", "RGBA"),
    "GIF": ("1", "L", "P"),
    "WEBP": ("L", "RGB", "RGBA"),
    "PPM": ("1", "L", "RGB", "I;16", "F"),
}
"""What Pillow writes without converting it."""
_REFUSED = ("LAB", "I", "F")
_WITH_EXIF = ("JPEG", "MPO", "PNG", "TIFF", "WEBP")
_LOSSY_WITHIN = 6


def _source(mode: str) -> PilImage.Image:
    picture = PilImage.fromarray(drawn())
    if mode == "I;16":
        return PilImage.fromarray(drawn()[..., 1].astype(np.uint16) * 257)
    if mode == "LAB":
        return PilImage.frombytes("LAB", picture.size, picture.tobytes())
    return picture.convert("L").convert(mode) if mode in ("F", "I") else picture.convert(mode)


def _right_pixels(mode: str) -> NDArray[np.uint8]:
    """The picture as a viewer without colour management shows it, without transparency."""
    if mode == "I;16":
        return np.repeat(drawn()[..., 1:2], 3, axis=-1)
    source = _source(mode)
    return np.asarray((source.convert("RGBA") if mode in ("PA", "P", "LA") else source).convert("RGB"))


def _zoo() -> list[tuple[str, str, dict[str, Any], int]]:
    return [
        (mode, name, options, orientation)
        for name, options in FORMATS
        for mode in (MODES[name] if options.get("compression") != "jpeg" else ("L", "RGB", "CMYK"))
        for orientation in (range(1, 9) if name in _WITH_EXIF else (1,))
    ]


def test_formats_modes_and_orientations(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    with attack("pictures: format x mode x orientation") as one:
        for mode, name, options, orientation in samples(_zoo(), short=60):
            tags = {} if orientation == 1 else {"exif": exif(orientation)}
            _source(mode).save(tmp_path / "x.jpg", name, **options, **tags)
            for is_upright in (False, True):
                right = None if mode in _REFUSED else _right_pixels(mode)
                if right is not None and is_upright:
                    right = upright(right, orientation)
                one.call(
                    lambda turn=is_upright: read_picture(tmp_path / "x.jpg", upright=turn),
                    lambda got, right=right, within=_LOSSY_WITHIN if "quality" in options else 0: (
                        right is not None and _near(got, right, within)
                    ),
                    what=f"{mode} {name} {options} orientation {orientation} upright {is_upright}",
                )


def _written(folder: Path, content: bytes, name: str = "x.jpg") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


def _near(got: NDArray[Any], expected: NDArray[Any], within: int = 0) -> bool:
    if got.dtype != np.uint8 or got.shape != expected.shape:
        return False
    return bool(np.abs(got.astype(np.int64) - expected.astype(np.int64)).max() <= within)


def _examples() -> dict[str, bytes]:
    """A picture of noise for each kind of compression, by name."""
    noise = PilImage.fromarray(np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8))
    found = {}
    for name, options in FORMATS:
        memory = io.BytesIO()
        noise.save(memory, name, **options)
        found[" ".join([name, *map(str, options.values())])] = memory.getvalue()
    return found


def test_cut_short(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    with attack("pictures: cut short") as one:
        for name, content in _examples().items():
            whole = read_picture(_written(tmp_path, content), upright=False)
            for length in samples(range(len(content)), short=15)[:: max(1, len(content) // 500)]:
                one.call(
                    lambda data=content[:length]: read_picture(_written(tmp_path, data), upright=False),
                    lambda got, whole=whole: bool((got == whole).all()),
                    what=f"{name} cut to {length} of {len(content)} bytes",
                )


def test_flipped_bits(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    # PNG has checksums; in the others a flipped bit may be another picture, which nothing can find.
    with attack("pictures: a flipped bit in a PNG") as one:
        content = _examples()["PNG"]
        whole = read_picture(_written(tmp_path, content), upright=False)
        for bit in samples(range(len(content) * 8), short=60)[:: max(1, len(content) // 400)]:
            one.call(
                lambda bit=bit: read_picture(_written(tmp_path, _flipped(content, bit)), upright=False),
                lambda got: bool((got == whole).all()),
                what=f"bit {bit}",
            )
    with attack("pictures: damage without a checksum") as one:
        for name, content in _examples().items():
            for seed in samples(range(100), short=4):
                one.call(
                    lambda seed=seed, data=content: read_picture(
                        _written(tmp_path, _damaged(data, seed)), upright=True
                    ),
                    lambda got: got.dtype == np.uint8 and got.ndim == 3 and got.shape[2] == 3,
                    what=f"{name} seed {seed}",
                    isolated=True,
                )


def _flipped(content: bytes, bit: int) -> bytes:
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def _damaged(content: bytes, seed: int) -> bytes:
    """Flip bits, mostly of the header, and overwrite, drop or repeat a piece."""
    draw, changed = random.Random(seed), bytearray(content)
    for _ in range(draw.randint(1, 8)):
        place = draw.randrange(min(len(changed), draw.choice([64, 400, len(changed)])))
        changed[place] = draw.choice([0, 0xFF, draw.randrange(256), changed[place] ^ 1 << draw.randrange(8)])
    if seed % 3 == 0:
        start = draw.randrange(len(changed))
        changed[start : start + draw.randrange(40)] = draw.randbytes(draw.randrange(40))
    return bytes(changed)


def test_damaged_exif(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    with attack("pictures: damaged EXIF") as one:
        turned = [upright(drawn(), orientation) for orientation in range(1, 9)]
        for seed, (name, options) in itertools.product(
            samples(range(150), short=6), [FORMATS[0], FORMATS[3], ("WEBP", {"lossless": True})]
        ):
            data = _damaged(exif(1 + seed % 8).tobytes(), seed)
            path = tmp_path / "x.jpg"
            PilImage.fromarray(drawn()).save(path, name, **options, exif=data if seed % 5 else data[: seed % 30])
            one.call(
                lambda path=path: read_picture(path, upright=True),
                lambda got: any(_near(got, right, _LOSSY_WITHIN) for right in turned),
                what=f"{name} seed {seed}",
            )


def _foreign() -> dict[str, bytes]:
    files = {
        "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100),
        "FITS": b"SIMPLE  =                    T" + b" " * 3000,
        "PSD": b"8BPS\0\1" + bytes(200),
        "SVG": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 24\n%%EndComments\n(%pipe%touch x) run\n",
        "PDF": b"%PDF-1.7\n",
        "HTML": b"<!DOCTYPE html><html></html>",
        "ZIP": b"PK\3\4" + bytes(100),
        "zeros": bytes(10_000),
        "CR2": b"II*\0\x10\0\0\0CR\2\0" + bytes(100),
    }
    PilImage.init()
    for name in (
        "EPS",
        "SPIDER",
        "TGA",
        "SGI",
        "PCX",
        "IM",
        "ICO",
        "ICNS",
        "DDS",
        "JPEG2000",
        "AVIF",
        "PDF",
        "QOI",
        "MSP",
    ):
        memory = io.BytesIO()
        try:
            _source({"SPIDER": "F", "MSP": "1"}.get(name, "RGB")).save(memory, name)
        except (OSError, KeyError, ValueError):
            continue
        files[name] = memory.getvalue()
    return files


def test_other_formats(attack: Attacks, tmp_path: Path) -> None:
    with attack("pictures: other formats named .jpg, .png, .tif") as one:
        for (name, content), ending in itertools.product(_foreign().items(), ("jpg", "png", "tif")):
            path = _written(tmp_path, content, f"x.{ending}")
            one.call(lambda path=path: read_picture(path, upright=True), lambda _: False, what=f"{name} as {ending}")


def test_what_is_no_regular_file(attack: Attacks, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "dangling").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "to_zero").symlink_to("/dev/zero")
    (tmp_path / "empty").touch()
    (tmp_path / "closed").touch(mode=0)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "s"))
    places = [
        tmp_path / name
        for name in ("pipe", "dangling", "loop", "to_zero", "empty", "closed", "s", "", "a\0b", "x" * 300)
    ]
    places += map(
        Path, ("/dev/zero", "/dev/stdin", "/dev/tty", "/dev/full", "/proc/self/mem", "/proc/self/maps", "/proc")
    )
    with attack("pictures: pipes, devices, links, folders") as one:
        for place, function in itertools.product(places, (lambda path: read_picture(path, upright=True), read_header)):
            call = lambda place=place, function=function: function(place)  # noqa: E731
            one.call(call, lambda _: False, what=repr(place), isolated=True, timeout_s=5)
    listener.close()


def test_pixel_types(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    grey = drawn()[..., 1]
    # Cameras and scanners do not store 15 bits.
    kinds = [*range(9, 15), 16], ("<", ">"), (0, 1), (None, 281, 341), (1, 3)
    with attack("pictures: bits x byte order x photometric x channels") as one:
        for bits, order, photometric, tag, channels in samples(list(itertools.product(*kinds)), short=60):
            values = np.round(grey / 255 * (2**bits - 1)).astype(np.uint16)
            if channels == 3:
                stored, photometric = np.repeat(values[..., None], 3, axis=-1), 2
            else:
                stored = 2**bits - 1 - values if photometric == 0 else values
            content = tiff(stored.astype(f"{order}u2"), photometric, {} if tag is None else {tag: 2**bits - 1})
            one.call(
                lambda data=content: read_picture(_written(tmp_path, data), upright=False),
                lambda got: _near(got, np.repeat(grey[..., None], 3, axis=-1), 1),
                what=f"{bits} bits {order} photometric {photometric} tag {tag} channels {channels}",
            )
        for kind, order, photometric in itertools.product(
            ("i1", "u1", "i2", "u4", "i4", "f4", "f8", "u8"), "<>", (0, 1)
        ):
            stored = (127 - grey // 2 if photometric == 0 else grey // 2).astype(order + kind)
            content = tiff(stored, photometric, {339: {"i": 2, "u": 1, "f": 3}[kind[0]]})
            one.call(
                lambda data=content: read_picture(_written(tmp_path, data), upright=False),
                lambda got, kind=kind, photometric=photometric: (
                    kind == "u1" and _near(got[..., 0], grey // 2 + (128 if photometric == 0 else 0))
                ),
                what=f"{order}{kind} photometric {photometric}",
            )


def test_huge_pictures(attack: Attacks, tmp_path: Path) -> None:
    def png(width: int, height: int) -> bytes:
        header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
        chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10**6))), (b"IEND", b""))
        packed = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
        return b"\x89PNG\r\n\x1a\n" + b"".join(packed)

    jpeg = bytearray(_examples()["JPEG 100 0"])
    place = jpeg.index(b"\xff\xc0") + 5
    jpeg[place : place + 4] = struct.pack(">HH", 65500, 65500)
    bombs = {
        "PNG": png(20_000, 20_000),
        "PNG of 2**31": png(2**31 - 1, 2**31 - 1),
        "PNG, a row": png(2**31 - 1, 1),
        "JPEG": bytes(jpeg),
        "GIF": b"GIF89a" + struct.pack("<HHBBB", 65535, 65535, 0, 0, 0) + b",\0\0\0\0\xff\xff\xff\xff\0\2\2\4\1\0;",
        "BMP": b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 100, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 1, 1, 0, 0),
        "PPM": b"P6 100000 100000 255\n" + bytes(100),
        "TIFF": tiff(np.zeros((4, 4), np.uint8), 1, {256: 65535, 257: 65535, 278: 65535}),
    }
    with attack("pictures: huge sizes in small files") as one:
        for (name, content), function in itertools.product(bombs.items(), (read_picture, read_header)):
            path = _written(tmp_path, content)
            options = {"upright": True} if function is read_picture else {}
            one.call(
                lambda path=path, function=function, options=options: function(path, **options),
                lambda _: False,
                what=name,
                isolated=True,
            )


def test_labels_of_turned_pictures(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    kinds = list(itertools.product(("JPEG", "PNG", "TIFF", "WEBP"), range(1, 9), (False, True), ((24, 40), (30, 30))))
    with attack("labels: orientation x format x size") as one:
        for number, (name, orientation, is_upright, size) in enumerate(samples(kinds, short=30)):
            folder = tmp_path / str(number)
            folder.mkdir()
            picture = np.zeros((*size, 3), np.uint8)
            picture[2:11, 4:20] = 255
            options = {"lossless": True} if name == "WEBP" else {"quality": 100} if name == "JPEG" else {}
            PilImage.fromarray(picture).save(folder / "x", name, exif=exif(orientation), **options)
            mask = (upright(picture, orientation) if is_upright else picture)[..., 0] > 127
            write_label_set(folder / "labels.json", ["x"], [mask[None]])
            label_set = load_label_set(folder / "labels.json", folder, "upright" if is_upright else "stored")
            one.call(
                lambda label_set=label_set: label_set.read(label_set.images[0]),
                lambda got, mask=mask: (
                    got.shape[:2] == mask.shape and bool(((got[..., 0] > 127) == mask).mean() > 0.98)
                ),
                what=f"{name} orientation {orientation} labels upright {is_upright} size {size}",
            )


def test_commands(attack: Attacks, samples: Samples, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    _written(tmp_path, _foreign()["PostScript"], "postscript.jpg")
    _written(tmp_path, _examples()["JPEG 100 0"][:-200], "cut.jpg")
    commands = []
    for name in ("postscript.jpg", "pipe.jpg", "cut.jpg"):
        labels = {
            "images": [{"id": 1, "file_name": name, "height": 32, "width": 48}],
            "annotations": [{"id": 1, "image_id": 1, "segmentation": [[1, 1, 30, 1, 30, 30]], "iscrowd": 0}],
        }
        _written(tmp_path, json.dumps(labels).encode(), f"{name}.json")
        foreign = tmp_path / f"{name}.json", "--images", tmp_path
        commands += [
            ("segment", tmp_path / name),
            ("evaluate", "--data", *foreign),
            ("train", "--coco", *foreign),
            ("rearrange", "--goal", tmp_path / name),
        ]
    with attack("pictures: commands") as one:
        for arguments in samples(commands, short=1):
            one.command(*arguments, "--out", tmp_path / "out", right=lambda _: False)
