"""The rows of a journal, in any order; damage to a journal costs only the rows that it hits."""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from tabletop_interaction.envs.records.folder import FolderMeta, is_unframed
from tabletop_interaction.envs.records.frames import Gap, read_frame, read_frames
from tabletop_interaction.envs.records.row import check_columns, schema_of
from tabletop_interaction.envs.records.unframed import read_unframed, read_unframed_row
from tabletop_interaction.errors import UnreadableRecords


@dataclass(frozen=True)
class JournalRows:
    """The whole rows of a journal when it was opened; holds no descriptor.

    Attributes:
        path: the journal.
        schema: columns of its rows.
        starts: place of each row in bytes.
        ids: interaction id of each row.
        damage: what is lost, a phrase; None where it can only be a row that was never acknowledged.
    """

    path: Path
    schema: pa.Schema
    starts: Sequence[int]
    ids: Sequence[str]
    damage: str | None

    def read(self, number: int) -> pa.RecordBatch:
        """One row.

        Raises:
            FileNotFoundError: the journal was sealed meanwhile.
            UnreadableRecords: the row was damaged meanwhile.
        """
        start = self.starts[number]
        with open(self.path, "rb") as file:
            is_old = is_unframed(self.path)
            frame = read_unframed_row(file, start, self.schema) if is_old else read_frame(file, start)
        if frame is None:
            raise UnreadableRecords(
                f"{self.path} was damaged since it was opened: row {self.ids[number]} is unreadable; open the folder "
                "again to read the rest"
            )
        return frame.row


def open_journal(path: Path, meta: FolderMeta) -> JournalRows:
    """The whole rows of a journal in a folder of this kind.

    Raises:
        FileNotFoundError: the journal was sealed meanwhile.
        UnreadableRecords: a newer version wrote it, or it belongs to another folder.
    """
    schema = schema_of(meta)
    places: dict[str, tuple[int, int]] = {}
    numbers: set[int] = set()
    gaps: list[Gap] = []
    with open(path, "rb") as file:
        for part in read_unframed(file, schema) if is_unframed(path) else read_frames(file):
            if isinstance(part, Gap):
                gaps.append(part)
                continue
            check_columns(part.row.schema, meta, path)
            numbers.add(part.number)
            places.setdefault(part.row.column("interaction_id")[0].as_py(), (part.number, part.start))
        size = os.fstat(file.fileno()).st_size
    # Blocks that changed places leave rows out of order.
    ids = sorted(places, key=lambda row_id: places[row_id])
    lost = _lost_unframed(gaps) if is_unframed(path) else _lost(gaps, numbers, size)
    return JournalRows(path, schema, [places[row_id][1] for row_id in ids], ids, lost)


def _lost(gaps: Sequence[Gap], numbers: Collection[int], size: int) -> str | None:
    """How many rows are lost, from the numbers that are missing."""
    damaged = [gap for gap in gaps if not gap.torn]
    missing = 1 + max(numbers, default=-1) - len(numbers)
    if damaged and damaged[-1].end == size:
        return f"at least {missing + 1}"
    return str(missing) if damaged or missing else None


def _lost_unframed(gaps: Sequence[Gap]) -> str | None:
    return f"{len(gaps)} or more, the last perhaps never finished" if gaps else None
