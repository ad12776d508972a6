"""The folder of a rearrangement benchmark: every episode is written when it ends, and run once.

```
settings.json           how the episodes are run, and the folder's id; other settings or weights need another folder
episodes.jsonl          the episodes, one a line, in the order in which they ended
pictures/               start, goal and end of each episode
episodes.csv            the episodes by agent, kind of scene and seed
results.json            the figures of each agent
results.html            figures, charts and examples on one page
```

Old folders have a single kind of scene and name it in settings.json instead of in the episodes.
"""

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from tabletop_interaction.benchmarks.rearrangement.episode import Episode
from tabletop_interaction.benchmarks.rearrangement.setting import EpisodeKey, Setting
from tabletop_interaction.documents import convert
from tabletop_interaction.errors import ForeignFolder
from tabletop_interaction.files import (
    atomic_path,
    check_request,
    checksum,
    plain,
    write_file,
)
from tabletop_interaction.seals import (
    append_sealed_line,
    new_run_id,
    read_sealed,
    read_sealed_lines,
    run_id_of,
    write_sealed,
)
from tabletop_interaction.segmentation.opening import file_of
from tabletop_interaction.simulation import open_simulation

EPISODES = "episodes.jsonl"

_SETTINGS = "settings.json"
_OPTIONAL = "inverse_model"
_WEIGHTS = "weights"


def check_setting(out: Path, setting: Setting) -> None:
    """Check that a folder's episodes were run with this setting and the same weights; nothing is written.

    Raises:
        ForeignFolder: another setting, or a model's file with other weights than before.
        UnreadableRecords: settings.json is damaged.
    """
    there = read_settings(out)
    if not there:
        return
    unused = (_OPTIONAL,) if None in (setting.inverse_model, there.get(_OPTIONAL)) else ()
    check_request(out / _SETTINGS, plain(setting), "episodes", unused, whole=("simulation",))
    kept = there.get(_WEIGHTS, {})
    for name, found in _checksums(setting).items():
        if kept.get(name, found) != found:
            raise ForeignFolder(
                f"{out} holds episodes with other weights of {name} {there[name]!r}: the file has been written again; "
                "name a new folder with --out"
            )


def keep_setting(out: Path, setting: Setting) -> None:
    """Write the setting, renderer and versions of the folder's episodes, once; an inverse model may be added."""
    there = read_settings(out)
    if not there:
        with open_simulation("test", None) as backend:
            made_by = {key: backend.metadata[key] for key in ("renderer", "versions")}
        content = {**plain(setting), "made_by": made_by, _WEIGHTS: _checksums(setting)}
        write_sealed(out / _SETTINGS, content, new_run_id())
    elif setting.inverse_model is not None and there.get(_OPTIONAL) is None:
        added = {name: found for name, found in _checksums(setting).items() if name == _OPTIONAL}
        weights = {**there.get(_WEIGHTS, {}), **added}
        content = {**there, _OPTIONAL: setting.inverse_model, _WEIGHTS: weights}
        write_sealed(out / _SETTINGS, content, run_id_of(out / _SETTINGS))


def read_settings(out: Path) -> dict[str, Any]:
    """Content of settings.json; empty if there is none. Raises UnreadableRecords when it is damaged."""
    path = out / _SETTINGS
    return read_sealed(path)[0] if path.exists() else {}


def keep_episode(out: Path, episode: Episode, jpeg: bytes) -> None:
    """Add an episode and its picture; when this returns, both survive a kill."""
    write_file(picture_path(out, episode.key), jpeg)
    append_sealed_line(out / EPISODES, plain(episode), run_id_of(out / _SETTINGS))


def read_episodes(out: Path) -> list[Episode]:
    """The episodes of a folder, in the order in which they ended; none without a file.

    Raises:
        UnreadableRecords: a file is damaged.
        ForeignFolder: an episode is of another folder.
    """
    split = read_settings(out).get("split", "test")
    lines = read_sealed_lines(out / EPISODES, run_id_of(out / _SETTINGS))
    return convert([{"objects": split, "tables": split, **line} for line in lines], list[Episode], out / EPISODES)


def picture_path(out: Path, key: EpisodeKey) -> Path:
    """Path of an episode's picture; folders of earlier versions have none."""
    agent = key.agent.replace(":", ".")
    return out / "pictures" / agent / f"{key.scenes.objects}-on-{key.scenes.tables}" / f"{key.seed:06d}.jpg"


def write_table(out: Path, episodes: Sequence[Episode]) -> None:
    """Write episodes.csv."""
    with atomic_path(out / "episodes.csv") as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Episode)])
        writer.writeheader()
        writer.writerows(asdict(one) for one in episodes)


def _checksums(setting: Setting) -> dict[str, str]:
    """Checksums of the models' files that a setting names, by field; none for a file that does not exist."""
    files = {"model": file_of(setting.model)}
    if setting.inverse_model is not None:
        files[_OPTIONAL] = Path(setting.inverse_model)
    return {name: checksum(file) for name, file in files.items() if file and file.is_file()}
