"""The dataset card README.md: what Hugging Face `datasets` reads of a folder of interactions.

`datasets` finds the rows that it cached by the folder's name and the card's front matter, not by the files. The front
matter therefore has a description that is new each time shards are added, in every folder.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tabletop_interaction.documents import parse_yaml
from tabletop_interaction.errors import UnreadableRecords
from tabletop_interaction.files import write_file

CARD = "README.md"

_BODY = """# Interactions of a gripper with a table

Each row is one pick-and-place: the pictures of every view before it, while something is held and after it
(`view_0_before`, `view_0_held`, `view_0_after`, ...), what was done (`pick_x`, `pick_y`, `place_x`, `place_y`
in metres, `angle` in radians), the pixel acted on in each view (`pick_xy`, `place_xy`), whether the gripper
held something (`grasped`, `pick_outcome`), the cameras (`views`, JSON), and where the row comes from (`seed`,
`episode`, `step`, `scene`, `background`, `split`, `time`, `writer`). What made the pictures stands in
`meta.json`.

Where `meta.json` says `"primitive": "push"`, each row is one push instead: the pictures before and after it, where the
closed gripper went (`start_x`, `start_y`, `end_x`, `end_y` in metres, `start_xy`, `end_xy` in pixels of each view),
whether it came down at all (`came_down`), and whether the pictures show that something moved (`moved`).

Where `meta.json` says `"extras"`, there are maps of each view besides, ground truth of the simulation in grey PNGs of
16 bits: `view_0_depth_before` and so on, distances along the camera's z axis in millimetres, 0 where nothing is seen;
and `view_0_instances_before` and so on, the number of the object in each pixel, 0 for the table.

```python
from datasets import load_dataset
rows = load_dataset("path/of/this/folder", split="{split}")

from tabletop_interaction.envs import read_interactions
for interaction in read_interactions("path/of/this/folder"):
    picture = interaction.before["view_0"]
```

`load_dataset` gives the rows of all shards in `data/`; the latest rows of an open writer are in its journal, which
`read_interactions` reads as well. After shards were moved or replaced by hand, or with a card of an earlier version,
whose front matter has no description, pass `download_mode="force_redownload"`.
"""

_FRONT = re.compile(r"\A---\r?\n(?P<yaml>.*?)^---[ \t]*(?:\r?\n|\Z)", re.DOTALL | re.MULTILINE)


def begin_change(folder: Path, split: str) -> None:
    """Make cached rows outdated, before shards change; `end_change` comes after. The folder is locked.

    A process that is killed between the two leaves a description under which nothing is cached, unless another one
    loads the folder in these milliseconds; the next writer replaces it.
    """
    _write(folder, split, f"shards are being added, {secrets.token_hex(8)}")


def end_change(folder: Path, split: str, shards: Sequence[Path]) -> None:
    """Write the card of a folder with these shards. The folder is locked."""
    _write(folder, split, f"{_state(shards)}, {secrets.token_hex(8)}")


def refresh(folder: Path, split: str, shards: Sequence[Path]) -> None:
    """Write the card unless it is one for exactly these shards. The folder is locked."""
    front, body = _parts(folder / CARD)
    try:
        known = str(front["configs"][0]["description"])
    except (LookupError, TypeError):
        known = ""
    described, _, token = known.rpartition(", ")
    if described != _state(shards) or not token or _read(folder / CARD) != _card(front, split, known, body):
        end_change(folder, split, shards)


def _write(folder: Path, split: str, description: str) -> None:
    front, body = _parts(folder / CARD)
    write_file(folder / CARD, _card(front, split, description, body))


def _card(front: Mapping[str, Any], split: str, description: str, body: str) -> bytes:
    """A card; other front matter and the text, which a user may have written, stay."""
    text = yaml.safe_dump(
        {**front, "configs": [_entry(split, description)]}, sort_keys=False, allow_unicode=True, width=1000
    )
    return f"---\n{text}---\n{body or _BODY.format(split=split)}".encode()


def _entry(split: str, description: str) -> dict[str, Any]:
    return {
        "config_name": "default",
        "description": description,
        "data_files": [{"split": split, "path": "data/*.parquet"}],
    }


def _state(shards: Sequence[Path]) -> str:
    """Number of shards, and a digest of their names, sizes and times."""
    files = sorted((path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in shards)
    digest = hashlib.blake2b(repr(files).encode(), digest_size=8).hexdigest()
    return f"{len(files)} shard{'s' * (len(files) != 1)}, {digest}"


def _parts(path: Path) -> tuple[Mapping[str, Any], str]:
    """Front matter and text of a card; both empty where they are missing, front matter also where it is damaged."""
    text = _read(path).decode("utf-8-sig", errors="replace")
    match = _FRONT.match(text)
    if match is None:
        return {}, text
    try:
        front = parse_yaml(match["yaml"], path, error=UnreadableRecords)
    except UnreadableRecords:
        front = None
    return (front if isinstance(front, dict) else {}), text[match.end() :]


def _read(path: Path) -> bytes:
    return path.read_bytes() if path.is_file() else b""
