"""Labels on disk: a Parquet table beside the raw rows, which are never rewritten.

```
labels/part-<labeller>-<n>.parquet  a row for each pair: interaction_id, view, pair, labeller, label, moved, area,
                                    click_x, click_y, height, width, counts (COCO's compressed RLE)
```
Files are whole or absent. Each version of the labeller writes and reads files of its own.
"""

import os
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tabletop_interaction.agents.labelling.frame_labels import LABELLER, PairLabel, label_interactions
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.errors import UnreadableRecords
from tabletop_interaction.files import atomic_path, lock_file
from tabletop_interaction.segmentation.rle import Rle

_PER_FILE = 128
_SAME_NAMES = ("interaction_id", "view", "pair", "labeller", "label")
_SCHEMA = pa.schema(
    {
        **dict.fromkeys(_SAME_NAMES, pa.string()),
        "moved": pa.bool_(),
        "area": pa.int32(),
        "click_x": pa.float64(),
        "click_y": pa.float64(),
        "height": pa.int32(),
        "width": pa.int32(),
        "counts": pa.string(),
    }
)


def label_folder(
    folder: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> tuple[PairLabel, ...]:
    """Label the interactions of a folder that have no labels yet, and read all its labels.

    Labels are written after every 128 interactions, so that the next call resumes after a kill. A row that moves from
    a journal to a shard during the call may be left to the next one.

    Args:
        folder: of the interactions; it may be written to meanwhile.
        progress: called with the number of labelled interactions and of all.

    Raises:
        UnreadableRecords: a shard, a picture or a file of labels is damaged.
        ForeignFolder: the folder holds no interactions.
    """
    table = open_interactions(folder)
    # Without the pictures: interactions that are labelled already cost little.
    ids = [row.interaction_id for row in open_interactions(folder, columns=())][: len(table)]
    place = Path(folder) / "labels"
    with lock_file(place / ".lock"):
        known = {label.interaction_id for label in read_labels(place)}
        missing = iter([number for number, id_ in enumerate(ids) if id_ not in known])
        done = len(known)
        while chunk := list(islice(missing, _PER_FILE)):
            _write(place, list(label_interactions(table[number] for number in chunk)))
            done += len(chunk)
            if progress is not None:
                progress(done, len(table))
    return read_labels(place)


def add_labels(labels_folder: str | os.PathLike[str], labels: Sequence[PairLabel]) -> None:
    """Write labels that this labeller made elsewhere; readers ignore those of interactions that have labels already."""
    with lock_file(Path(labels_folder) / ".lock"):
        _write(Path(labels_folder), labels)


def read_labels(labels_folder: str | os.PathLike[str]) -> tuple[PairLabel, ...]:
    """The labels of this version of the labeller in a folder; none if there is no such folder.

    Raises:
        UnreadableRecords: a file is damaged.
    """
    found: dict[tuple[str, str, str], PairLabel] = {}
    for _, path in _files(Path(labels_folder)):
        for row in _rows(path):
            label = _from_row(row)
            found.setdefault((label.interaction_id, label.view, label.pair), label)
    return tuple(found.values())


def _files(folder: Path) -> list[tuple[int, Path]]:
    pattern = re.compile(rf"part-{re.escape(LABELLER)}-(\d+)\.parquet")
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted((int(match[1]), folder / name) for name in names if (match := pattern.fullmatch(name)))


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, schema=_SCHEMA).to_pylist()
    except (pa.ArrowException, OSError) as error:
        raise UnreadableRecords(f"{path} is damaged ({error}); remove it, its labels are made again") from error
    return rows


def _write(folder: Path, labels: Sequence[PairLabel]) -> None:
    number = max((number for number, _ in _files(folder)), default=-1) + 1
    path = folder / f"part-{LABELLER}-{number:05d}.parquet"
    with atomic_path(path) as temporary:
        pq.write_table(pa.Table.from_pylist([_to_row(label) for label in labels], schema=_SCHEMA), temporary)


def _to_row(label: PairLabel) -> dict[str, Any]:
    mask = label.mask
    return {
        **{name: getattr(label, name) for name in _SAME_NAMES},
        "moved": label.moved,
        "area": mask.area if mask else 0,
        "click_x": label.click_xy[0],
        "click_y": label.click_xy[1],
        "height": mask.height if mask else None,
        "width": mask.width if mask else None,
        "counts": mask.counts if mask else None,
    }


def _from_row(row: dict[str, Any]) -> PairLabel:
    mask = Rle(row["height"], row["width"], row["counts"]) if row["moved"] else None
    return PairLabel(click_xy=(row["click_x"], row["click_y"]), mask=mask, **{name: row[name] for name in _SAME_NAMES})
