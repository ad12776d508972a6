"""The page with the ChArUco board for printing at 100 %: PDF or PNG with its physical size.

The page also has marks at the middles of the board's sides, to align it with the table's centre lines, an arrow that
points away from the robot, and a ruler that shows whether the printer scaled the page.
"""

from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from PIL import Image

from tabletop_interaction.arrays import Bytes
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import atomic_path
from tabletop_interaction.real.calibration.charuco import Board

Paper = Literal["a4", "a3", "letter"]

PAPERS_MM: dict[str, tuple[float, float]] = {"a4": (297.0, 210.0), "a3": (420.0, 297.0), "letter": (279.4, 215.9)}
"""Width and height in landscape, millimetres."""

_PX_PER_MM = 20
_MARGIN_MM = 8.0
_BOTTOM_MM = 26.0
_TOP_MM = 14.0
_RULER_MM = 100


def page_name(board: Board, paper: Paper, suffix: str) -> str:
    """File name with the dimensions of the board."""
    return f"charuco_{board.columns}x{board.rows}_square{board.square_mm:g}mm_{paper}{suffix}"


def draw_page(board: Board, paper: Paper) -> Bytes:
    """The page in landscape, uint8 (H, W), 20 px per millimetre.

    Raises:
        InvalidConfiguration: the board and its marks do not fit on the paper.
    """
    width_mm, height_mm = PAPERS_MM[paper]
    board_mm = (board.columns * board.square_mm, board.rows * board.square_mm)
    space_mm = (width_mm - 2 * _MARGIN_MM, height_mm - _TOP_MM - _BOTTOM_MM)
    if board_mm[0] > space_mm[0] or board_mm[1] > space_mm[1]:
        raise InvalidConfiguration(
            f"a board of {board_mm[0]:g} x {board_mm[1]:g} mm came; {paper} has space for {space_mm[0]:g} x "
            f"{space_mm[1]:g} mm; use smaller or fewer squares, or another paper ({', '.join(PAPERS_MM)})"
        )
    page = np.full((_px(height_mm), _px(width_mm)), 255, np.uint8)
    left, top = (width_mm - board_mm[0]) / 2, _TOP_MM
    pattern = board.picture(_PX_PER_MM)
    page[_px(top) : _px(top) + pattern.shape[0], _px(left) : _px(left) + pattern.shape[1]] = pattern
    _draw_middles(page, left, top, board_mm)
    _draw_arrow(page, left + board_mm[0] / 2)
    _draw_ruler(page, left, height_mm - 12)
    _draw_notes(page, board, left + _RULER_MM + 12, height_mm - 16)
    return page


def write_page(page: Bytes, path: Path) -> None:
    """Write the page as PDF or PNG, by the path's suffix, with its physical size."""
    if path.suffix not in (".pdf", ".png"):
        raise InvalidConfiguration(f"suffix {path.suffix!r} came; a page is written as .pdf or .png")
    dots_per_inch = _PX_PER_MM * 25.4
    # One bit per pixel: Pillow compresses it without loss, also in a PDF.
    picture = Image.fromarray(page).convert("1", dither=Image.Dither.NONE)
    with atomic_path(path) as temporary:
        picture.save(temporary, resolution=dots_per_inch, dpi=(dots_per_inch, dots_per_inch))


def _px(mm: float) -> int:
    return round(mm * _PX_PER_MM)


def _line(page: Bytes, start_mm: tuple[float, float], end_mm: tuple[float, float]) -> None:
    start, end = ((_px(x), _px(y)) for x, y in (start_mm, end_mm))
    cv2.line(page, start, end, 0, thickness=5)


def _draw_middles(page: Bytes, left: float, top: float, board_mm: tuple[float, float]) -> None:
    right, bottom = left + board_mm[0], top + board_mm[1]
    x, y = (left + right) / 2, (top + bottom) / 2
    _line(page, (left - 6, y), (left - 2, y))
    _line(page, (right + 2, y), (right + 6, y))
    _line(page, (x, top - 6), (x, top - 2))
    _line(page, (x, bottom + 2), (x, bottom + 6))


def _draw_arrow(page: Bytes, x: float) -> None:
    cv2.arrowedLine(page, (_px(x + 12), _px(_TOP_MM - 3)), (_px(x + 12), _px(4)), 0, thickness=10, tipLength=0.4)
    _write(page, "this side away from the robot", (x + 16, _TOP_MM - 4))


def _draw_ruler(page: Bytes, left: float, y: float) -> None:
    _line(page, (left, y), (left + _RULER_MM, y))
    for mm in range(0, _RULER_MM + 1, 5):
        _line(page, (left + mm, y), (left + mm, y - (4 if mm % 10 == 0 else 2)))
    _write(page, f"this line is {_RULER_MM} mm long", (left, y + 6))


def _draw_notes(page: Bytes, board: Board, left: float, y: float) -> None:
    _write(page, f"{board.columns} x {board.rows} squares of {board.square_mm:g} mm, {board.dictionary}", (left, y))
    _write(page, "Print at 100 %, glue it flat on a stiff plate, and measure:", (left, y + 5))
    _write(page, "write the measured square into the lab file as square_mm.", (left, y + 10))


def _write(page: Bytes, text: str, at_mm: tuple[float, float]) -> None:
    place = (_px(at_mm[0]), _px(at_mm[1]))
    cv2.putText(page, text, place, cv2.FONT_HERSHEY_SIMPLEX, 2.6, 0, thickness=5, lineType=cv2.LINE_AA)
