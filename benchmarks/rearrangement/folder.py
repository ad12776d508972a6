"""The folder of a rearrangement benchmark: every episode is in it when it ends, and played once.

```
settings.json           what the episodes were made with; other settings or weights want another folder
episodes.jsonl          an episode a line, as they end
pictures/               start, goal and end of each episode
episodes.csv            the same lines as a table, in the order of agents, scenes and seeds
results.json            the figures of each agent
results.html            figures, charts and examples on one page
```

Folders that knew one kind of scene only name it in settings.json; their episodes count as of that kind.
"""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tabletop_interaction.benchmarks.rearrangement.episode import Episode, EpisodeKey
from tabletop_interaction.benchmarks.rearrangement.setting import Setting
from tabletop_interaction.envs.records.folder import write_whole
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.json_lines import append_line, read_lines
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
from tabletop_interaction.simulation import open_simulation

EPISODES = "episodes.jsonl"

_SETTINGS = "settings.json"
_OPTIONAL = "inverse_model"
_WEIGHTS = "weights"


def check_setting(out: Path, setting: Setting) -> None:
    """Make sure that a folder's episodes were made with this setting and the same weights; nothing is written.

    Raises:
        ForeignFolder: they were made with another one, or a model's file holds other weights than then.
        UnreadableRecords: settings.json is damaged.
    """
    there = read_settings(out)
    for name, wanted in asdict(setting).items():
        unused = name == _OPTIONAL and None in (wanted, there.get(name))
        if there and not unused and there.get(name) != wanted:
            raise ForeignFolder(
                f"{out} holds episodes with {name} {there.get(name)!r}, not {wanted!r}; name a new folder with --out"
            )
    kept = there.get(_WEIGHTS, {})
    for name, checksum in _checksums(setting).items():
        if kept.get(name, checksum) != checksum:
            raise ForeignFolder(
                f"{out} holds episodes with other weights of {name} {there[name]!r}: the file was written anew since; "
                "name a new folder with --out"
            )


def keep_setting(out: Path, setting: Setting) -> None:
    """Write what the folder's episodes are made with, and by which renderer and versions; once."""
    there = read_settings(out)
    if not there:
        with open_simulation("test", None) as backend:
            made_by = {key: backend.metadata[key] for key in ("renderer", "versions")}
        _write_json(out / _SETTINGS, {**asdict(setting), "made_by": made_by, _WEIGHTS: _checksums(setting)})
    elif setting.inverse_model is not None and there.get(_OPTIONAL) is None:
        added = {name: one for name, one in _checksums(setting).items() if name == _OPTIONAL}
        weights = {**there.get(_WEIGHTS, {}), **added}
        _write_json(out / _SETTINGS, {**there, _OPTIONAL: setting.inverse_model, _WEIGHTS: weights})


def _checksums(setting: Setting) -> dict[str, str]:
    """Of the weights of each model that a setting names, by its name there; none where there is no file."""
    files = {"model": str(DEFAULT_CHECKPOINT) if setting.model == "default" else setting.model}
    if setting.inverse_model is not None:
        files[_OPTIONAL] = setting.inverse_model
    return {name: _checksum(Path(file)) for name, file in files.items() if Path(file).is_file()}


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def read_settings(out: Path) -> dict[str, Any]:
    """What settings.json says; empty where there is none. Raises UnreadableRecords when it is damaged."""
    path = out / _SETTINGS
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise UnreadableRecords(f"{path} is damaged ({error}); restore it from a copy") from error


def keep_episode(out: Path, episode: Episode) -> None:
    """Add an episode to those that the folder holds; it survives a kill when this returns."""
    append_line(out / EPISODES, asdict(episode))


def read_episodes(out: Path) -> list[Episode]:
    """The episodes that a folder holds, in the order in which they ended; none where there is no file.

    Raises:
        UnreadableRecords: a line or settings.json is damaged.
    """
    split = read_settings(out).get("split", "test")
    return [Episode(**{"objects": split, "tables": split, **line}) for line in read_lines(out / EPISODES)]


def write_picture(out: Path, key: EpisodeKey, jpeg: bytes) -> None:
    """Keep an episode's picture."""
    path = picture_path(out, key)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, jpeg)


def picture_path(out: Path, key: EpisodeKey) -> Path:
    """Where an episode's picture is; folders of earlier versions have none."""
    agent = key.agent.replace(":", ".")
    return out / "pictures" / agent / f"{key.scenes.objects}-on-{key.scenes.tables}" / f"{key.seed:06d}.jpg"


def write_table(out: Path, episodes: Sequence[Episode]) -> Path:
    """Write episodes.csv and name it."""
    path = out / "episodes.csv"
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Episode)])
        writer.writeheader()
        writer.writerows(asdict(one) for one in episodes)
    return path


def write_figures(out: Path, document: dict[str, Any]) -> Path:
    """Write results.json and name it."""
    path = out / "results.json"
    _write_json(path, document)
    return path


def _write_json(path: Path, document: dict[str, Any]) -> None:
    write_whole(path, json.dumps(document, indent=2) + "\n")
