"""YAML and JSON that a user may hand over, edit or damage: each file ends in the right content or in one clear line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from attack import Attack

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.run_folder import RunFolder, check_run, read_history
from tabletop_interaction.benchmarks.rearrangement.folder import read_episodes, read_settings
from tabletop_interaction.benchmarks.segmentation.checksums import published
from tabletop_interaction.envs.records.folder import read_meta
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import read_json, read_json_lines
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.real.lab.file import update_lab_file
from tabletop_interaction.real.lab.lab import load_lab
from tabletop_interaction.reports.learning_run import read_learning_run
from tabletop_interaction.segmentation.checkpoints import load_checkpoint
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
from tabletop_interaction.segmentation.training.pictures import open_pictures

Samples = Callable[..., list[Any]]

LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))
MERGES = "a0: &a0 {x: 1}\n" + "".join(f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 9)}]}}\n" for n in range(1, 12))

WRONG_YAML = (
    *(
        "",
        " ",
        "- 1",
        "1",
        "text",
        "a: 1\na: 2",
        "\ta: 1",
        "a: *x",
        "&a [*a]",
        "a: 'x",
        "%FOO",
        "? [1]\n: 2",
        "--- 1\n--- 2",
    ),
    *("[" * 3000, "{a: " * 3000, LAUGHS, MERGES, "x" * 10**6, "!!python/object:os.system x", "!!python/name:os.system"),
    *(b"\xff\xfe\x00", b"\x00", b"\x80\x81", "a: 1".encode("utf-16"), b"\xef\xbb\xbf[", b"\xed\xa0\x80"),
)
"""Contents of a whole file."""

WRONG_SCALARS = (
    *("!!int x", "!!float x", "!!bool x", "!!timestamp x", "!!binary '*'", "!!set {a}", "!!python/object:os.system x"),
    *(
        "2026-02-30",
        "2026-13-01",
        "99999-01-01",
        ".inf",
        "-.inf",
        ".nan",
        "9" * 5000,
        "1e999",
        "-1",
        "0",
        "1" + "0" * 30,
    ),
    *(
        "010",
        "1:30",
        "yes",
        "no",
        "~",
        "''",
        "'x'",
        '"\\ud800"',
        "'a\\0b'",
        "[]",
        "{}",
        "[[]]",
        "{a: 1}",
        "true",
        "1.5",
    ),
)
"""Values in place of one in a lab file."""

WRONG_JSON = (
    *(
        "",
        " ",
        "[]",
        "1",
        "null",
        '"text"',
        "{",
        "[1",
        '{"a": 1, "a": 2}',
        "nul",
        "{'a': 1}",
        '{"a": 1} x',
        "[" * 10**5,
    ),
    *('{"a":' * 5000, "9" * 5000, '{"a": ' + "9" * 5000 + "}", '{"a": NaN}', '{"a": Infinity}', '{"a": "\\ud800"}'),
    *('{"schema_version": 1e400}', '{"schema_version": 1}', '{"schema_version": "1"}', '{"schema_version": [1]}'),
    *(
        b"\xff",
        b"\x00",
        '{"a": 1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": "\xed\xa0\x80"}',
        "{" + "1" * 10**6,
    ),
)
"""Contents of a whole file."""

WRONG_VALUES = (
    *(None, True, -1, 0.5, 10**30, float("nan"), float("inf"), "x", "", "\ud800", "a\0b", [], {}, [[]], {"a": 1}),
    *([None], "9" * 5000, 2**63),
)
"""Values in place of one in a JSON file."""


def written(path: Path, content: str | bytes) -> Path:
    """A file with this content."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def changed(document: Any) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """Every place in a document, and a function that returns the document with a value in that place."""
    keys = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    for key in keys:
        yield f".{key}", partial(_with, document, key)
        for place, change in changed(document[key]):
            yield f".{key}{place}", lambda value, key=key, change=change: _with(document, key, change(value))


def _with(document: Any, key: Any, value: Any) -> Any:
    copy = document.copy()
    copy[key] = value
    return copy


def test_a_lab_file_of_any_content_is_read_or_refused(
    attack: Callable[[str], Attack], samples: Samples, tmp_path: Path
) -> None:
    with attack("YAML: contents of a lab file") as one:
        for content in samples(WRONG_YAML, short=26):
            path = written(tmp_path / "lab.yaml", content)
            # No such content is a laboratory.
            for act in (load_lab, partial(update_lab_file, sections={"driver": "twin"})):
                one.call(partial(act, path), lambda _: False, what=repr(content[:40]))
            assert path.read_bytes() == (content if isinstance(content, bytes) else content.encode())


def test_any_value_in_a_lab_file_is_read_or_refused(
    attack: Callable[[str], Attack], samples: Samples, tmp_path: Path
) -> None:
    plain = yaml.safe_load(TWIN_LAB.read_text())
    cases = [(place, change, scalar) for place, change in changed(plain) for scalar in WRONG_SCALARS][::7]
    with attack("YAML: values in a lab file") as one:
        for place, change, scalar in samples(cases, short=25):
            text = yaml.safe_dump(change("PLACE"), sort_keys=False).replace("PLACE", scalar, 1)
            path = written(tmp_path / "lab.yaml", text)
            one.call(partial(load_lab, path), _is_finite, what=f"{place}: {scalar[:40]}")


def _is_finite(lab: Any) -> bool:
    """Whether a laboratory has no number that is none, and no text that a strange scalar left."""
    text = repr(lab)
    return "nan" not in text and "inf" not in text.replace("info", "")


@pytest.mark.parametrize("scalar", ["010", "1:30", "yes", "0x10"])
def test_what_versions_of_yaml_read_differently_is_no_number(scalar: str, tmp_path: Path) -> None:
    plain = yaml.safe_load(TWIN_LAB.read_text())
    plain["picture"] = {"width": "PLACE", "height": 350}
    path = written(tmp_path / "lab.yaml", yaml.safe_dump(plain).replace("PLACE", scalar))
    with pytest.raises(InvalidConfiguration, match=r"Expected `int`, got `str` - at `picture\.width`"):
        load_lab(path)


def test_text_that_looks_like_a_number_survives_a_calibration_step(tmp_path: Path) -> None:
    path = tmp_path / "lab.yaml"
    for text in ("1e3", "1:30", "010", "yes", "null", "2026-01-01", "0x10", "- 1", "*a"):
        update_lab_file(path, {"robot": {"method": text}})
        update_lab_file(path, {"driver": "twin"})
        assert yaml_of(path)["robot"] == {"method": text}


def yaml_of(path: Path) -> Any:
    """The sections of a lab file."""
    from tabletop_interaction.real.lab.file import read_lab_file

    return read_lab_file(path).plain


def run_of(folder: Path) -> RunFolder:
    """A run as an earlier version wrote it, without seals, of one interaction."""
    run = RunFolder(folder)
    folder.mkdir(exist_ok=True)
    written(run.request, json.dumps({"schema_version": 1, "seed": 0, "config": asdict(LearningConfig())}))
    line = {"number": 1, "id": "x", "policy": "random", "view": None, "score": None, "hypotheses": 0, "pick_outcome": 0}
    written(run.history, json.dumps({**line, "grasped": False, "moved": True, "seconds": 1.5}) + "\n")
    return run


def _episodes(folder: Path) -> Any:
    return read_settings(folder), read_episodes(folder)


READERS: dict[str, tuple[str, Callable[[Path], Any]]] = {
    "meta.json": ("meta.json", lambda folder: read_meta(folder)),
    "learn.json": ("learn.json", lambda folder: check_run(folder, LearningConfig())),
    "learn.json in a report": ("learn.json", lambda folder: read_learning_run(folder)),
    "history.jsonl": ("history.jsonl", lambda folder: read_history(RunFolder(folder))),
    "history.jsonl in a report": ("history.jsonl", lambda folder: read_learning_run(folder)),
    "updates.jsonl in a report": ("updates.jsonl", lambda folder: read_learning_run(folder)),
    "settings.json": ("settings.json", _episodes),
    "episodes.jsonl": ("episodes.jsonl", _episodes),
    "checksums": ("checksums.json", lambda folder: published(folder / "checksums.json")),
    "checkpoint": ("model.json", lambda folder: load_checkpoint(folder / "model.safetensors")),
    "pictures": ("pictures.json", lambda folder: open_pictures(folder)),
    "any": ("any.json", lambda folder: read_json(folder / "any.json")),
    "lines": ("any.jsonl", lambda folder: read_json_lines(folder / "any.jsonl")),
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder in which every reader finds what it needs."""
    run_of(tmp_path)
    shutil.copy(DEFAULT_CHECKPOINT, tmp_path / "model.safetensors")
    written(tmp_path / "pictures.u8", "")
    return tmp_path


@pytest.mark.parametrize("name", READERS)
def test_a_json_file_of_any_content_is_read_or_refused(
    name: str, attack: Callable[[str], Attack], samples: Samples, run: Path
) -> None:
    file, read = READERS[name]
    with attack("JSON: contents of files") as one:
        for content in samples(WRONG_JSON, short=12):
            data = content if isinstance(content, bytes) else content.encode()
            written(run / file, data + b"\n" if file.endswith("l") else data)
            one.call(lambda: read(run), what=f"{name}: {content[:40]!r}")


DOCUMENTS: dict[str, Any] = {
    "meta.json": {"split": "train", "views": ["view_0"], "metadata": {"backend": "x"}, "schema_version": 1},
    "learn.json": {"schema_version": 1, "seed": 0, "config": asdict(LearningConfig())},
    "learn.json in a report": {"schema_version": 1, "seed": 0, "config": asdict(LearningConfig())},
    "checkpoint": json.loads(DEFAULT_CHECKPOINT.with_suffix(".json").read_text()),
    "checksums": {"sets": {"test": {"checksum": [], "seed": 1}}},
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_any_value_in_a_json_file_is_read_or_refused(
    name: str, attack: Callable[[str], Attack], samples: Samples, run: Path
) -> None:
    file, read = READERS[name]
    cases = [(place, change, value) for place, change in changed(DOCUMENTS[name]) for value in WRONG_VALUES]
    with attack("JSON: values in files") as one:
        for place, change, value in samples(cases, short=25):
            written(run / file, json.dumps(change(value)))
            one.call(lambda: read(run), what=f"{name}{place}: {value!r:.40}")


@pytest.mark.parametrize("name", ["history.jsonl", "history.jsonl in a report"])
def test_any_value_in_a_line_is_read_or_refused(
    name: str, attack: Callable[[str], Attack], samples: Samples, run: Path
) -> None:
    file, read = READERS[name]
    line = json.loads((run / file).read_text())
    cases = [(place, change, value) for place, change in changed(line) for value in WRONG_VALUES]
    with attack("JSON: values in files") as one:
        for place, change, value in samples(cases, short=25):
            written(run / file, json.dumps(change(value)) + "\n")
            one.call(lambda: read(run), what=f"{name}{place}: {value!r:.40}")
