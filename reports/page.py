"""The frame of every report: one HTML page without outside files, made of figures, charts and tables."""

import base64
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import cv2
import jinja2
import numpy as np
from markupsafe import Markup

from tabletop_interaction.arrays import Picture
from tabletop_interaction.reports.drawing import LIGHT, STYLE


@dataclass(frozen=True)
class Essential:
    """One figure of the page's head: its name, its value, and a note below."""

    name: str
    value: str
    note: str


def render_page(template: Path, **values: Any) -> str:
    """Render a page as HTML.

    The template extends base.html.j2 and may import parts.html.j2, which stand beside this module; `values` are what
    it names, `title` and `essentials` (of `Essential`) among them. The page ends with the day on which it is written.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([template.parent, Path(__file__).parent]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = environment.from_string(template.read_text(encoding="utf-8"))
    return page.render(style=Markup(STYLE), light=Markup(LIGHT), written=day(datetime.now(UTC)), **values)


def day(time: date) -> str:
    """A date as it is read: "29 November 2026"."""
    return f"{time.day} {time:%B %Y}"


def encode_jpeg(picture: Picture, quality: int) -> bytes:
    """A picture (H, W, 3) as JPEG; quality in per cent."""
    done, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done, "OpenCV encodes every uint8 picture"
    return encoded.tobytes()


@dataclass(frozen=True)
class Embedded:
    """A picture inside a page: its data URI, and its size in pixels."""

    source: str
    width: int
    height: int


def embedded(picture: Picture, most_px: int, quality: int = 80) -> Embedded:
    """Embed a picture (H, W, 3) as JPEG, shrunk to a width of `most_px` if it is wider."""
    height, width = picture.shape[:2]
    if width > most_px:
        height, width = round(height * most_px / width), most_px
        picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
    return Embedded(jpeg_uri(encode_jpeg(picture, quality)), width, height)


def jpeg_uri(jpeg: bytes) -> str:
    """The data URI of an encoded JPEG, for the `src` of an image."""
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
