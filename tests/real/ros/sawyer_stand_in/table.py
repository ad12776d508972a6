"""The table of faults: what our backend reports, how soon the arm rests, and what continues afterwards."""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields


@dataclass(frozen=True)
class Row:
    """One fault, as it was measured; the columns of the table.

    Attributes:
        fault: what was done to the robot.
        reported: class and cause of the error.
        rest_s: seconds from the fault until the arm rests.
        commands: number of commands after the error was raised.
        back_rad: how far a joint turned back while it stopped.
        gripper: whether it still holds its object.
        continues: how `acknowledge()` ended when the fault was over.
    """

    fault: str
    reported: str
    rest_s: str = ""
    commands: str = ""
    back_rad: str = ""
    gripper: str = ""
    continues: str = ""


_HEADINGS = ("fault", "reported", "rests after s", "commands after", "turned back rad", "gripper", "acknowledge()")


def lines_of(rows: Iterable[Row]) -> list[str]:
    """The table as Markdown, columns aligned."""
    assert len(_HEADINGS) == len(fields(Row))
    cells = [_HEADINGS, *(astuple(row) for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEADINGS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in cells
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]
