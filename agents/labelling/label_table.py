"""Labels on disk: a Parquet table beside the raw rows, which are never rewritten.

```
labels/part-<labeller>-<n>-<checksum>.parquet  a row for each pair: interaction_id, view, pair, labeller, label, moved,
                                               area, click_x, click_y, height, width, counts (COCO's compressed RLE)
```
Files are whole or absent. Each version of the labeller writes and reads files of its own; picks and pushes, which no
folder mixes, have different labellers. The checksum is that of the
file; the file's metadata has the id of the run that recorded the interactions, as meta.json beside them
(`record_run_id`). Files of earlier versions have no checksum in their name and no id.
"""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tabletop_interaction.agents.labelling.frame_labels import LABELLER, label_interactions
from tabletop_interaction.agents.labelling.pair_label import PairLabel
from tabletop_interaction.agents.labelling.push_labels import PUSH_LABELLER
from tabletop_interaction.envs.records.folder import record_run_id
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.errors import UnreadableRecords
from tabletop_interaction.files import checksum, lock_file, write_file
from tabletop_interaction.seals import check_run_id
from tabletop_interaction.segmentation.rle import Rle

_PER_FILE = 128
_RUN, _CHECKSUM_DIGITS = b"run", 32
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
    """Label the interactions of a folder that have no labels yet; return all labels in the order of the interactions.

    Labels are written after every 128 interactions, so that the next call resumes after a kill. A row that moves from
    a journal to a shard during the call may be left to the next one.

    Args:
        folder: of the interactions; it may be written to meanwhile.
        progress: called with the number of labelled interactions and of all.

    Raises:
        UnreadableRecords: a shard, a picture or a file of labels is damaged.
        ForeignFolder: the folder holds no interactions, or labels of another run.
    """
    table = open_interactions(folder)
    # Without the pictures: interactions that are labelled already cost little.
    ids = [row.interaction_id for row in open_interactions(folder, columns=())][: len(table)]
    place, run = Path(folder) / "labels", record_run_id(Path(folder))
    with lock_file(place / ".lock"):
        known = {label.interaction_id for label in read_labels(place, run)}
        missing = iter([number for number, id_ in enumerate(ids) if id_ not in known])
        done = len(known)
        while chunk := list(islice(missing, _PER_FILE)):
            _write(place, list(label_interactions(table[number] for number in chunk)), run)
            done += len(chunk)
            if progress is not None:
                progress(done, len(table))
    # Labels of unknown interactions are left out; labels that were made again stand where the lost ones stood.
    order = {id_: number for number, id_ in enumerate(ids)}
    found = [label for label in read_labels(place, run) if label.interaction_id in order]
    return tuple(sorted(found, key=lambda label: order[label.interaction_id]))


def add_labels(labels_folder: str | os.PathLike[str], labels: Sequence[PairLabel], run: str | None = None) -> None:
    """Write labels that this labeller made elsewhere, each interaction's once.

    Args:
        labels: of interactions that have no labels in the folder yet.
        run: id of the run that recorded the interactions.
    """
    if labels:
        with lock_file(Path(labels_folder) / ".lock"):
            _write(Path(labels_folder), labels, run)


def read_labels(labels_folder: str | os.PathLike[str], run: str | None = None) -> tuple[PairLabel, ...]:
    """The labels of this version of the labeller in a folder; none if there is no such folder.

    Args:
        run: id of the run that recorded the interactions; None: of an earlier version.

    Raises:
        UnreadableRecords: a file is damaged.
        ForeignFolder: a file has labels of another run's interactions.
    """
    found: dict[tuple[str, str, str], PairLabel] = {}
    for _, path in _files(Path(labels_folder)):
        for row in _rows(path, run):
            label = _from_row(row)
            found.setdefault((label.interaction_id, label.view, label.pair), label)
    return tuple(found.values())


def _files(folder: Path) -> list[tuple[int, Path]]:
    labeller = "|".join(map(re.escape, (LABELLER, PUSH_LABELLER)))
    pattern = re.compile(rf"part-(?:{labeller})-(\d+)(?:-[0-9a-f]{{32}})?\.parquet")
    names = os.listdir(folder) if folder.is_dir() else []
    return sorted((int(match[1]), folder / name) for name in names if (match := pattern.fullmatch(name)))


def _rows(path: Path, run: str | None) -> list[dict[str, Any]]:
    named = path.stem.rpartition("-")[2]
    try:
        if len(named) == _CHECKSUM_DIGITS and checksum(path) != named:
            raise pa.ArrowInvalid("its checksum differs")
        with pq.ParquetFile(path) as file:
            found = (file.schema_arrow.metadata or {}).get(_RUN)
            rows: list[dict[str, Any]] = file.read().select(_SCHEMA.names).cast(_SCHEMA).to_pylist()
    except (pa.ArrowException, KeyError, OSError, ValueError) as error:
        raise UnreadableRecords(f"{path} is damaged ({error}); remove it, its labels are made again") from error
    check_run_id(None if found is None else found.decode(errors="replace"), run, path)
    return rows


def _write(folder: Path, labels: Sequence[PairLabel], run: str | None) -> None:
    number = max((number for number, _ in _files(folder)), default=-1) + 1
    schema = _SCHEMA if run is None else _SCHEMA.with_metadata({_RUN: run})
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist([_to_row(label) for label in labels], schema=schema), sink)
    content = sink.getvalue().to_pybytes()
    digest = hashlib.blake2b(content, digest_size=_CHECKSUM_DIGITS // 2).hexdigest()
    write_file(folder / f"part-{labels[0].labeller}-{number:05d}-{digest}.parquet", content)


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
