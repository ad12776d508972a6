"""Each command that writes, with the smallest possible work, and what its results are compared by."""

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from attack import Ended, run_command
from loading import load_module

TESTS = Path(__file__).parent.parent

_SMALL = "--out out --update-interval 1 --steps-per-interaction 1 --batch-size 2 --evaluate-every 1 --pictures 1"
_LEARN = f"learn {_SMALL}"
_REARRANGEMENT = "--seed 201 --displaced 1 --out out"
_VAL = "inputs/val/labels.json --images inputs/val/images"
_MODEL = "--model inputs/model.safetensors"

COMMANDS: Mapping[str, str] = {
    "collect": "collect --interactions 2 --out out",
    "collect with a network": f"collect --interactions 1 --policy hypothesis {_MODEL} --out out",
    "collect pushes": "collect --primitive push --interactions 2 --out out",
    "learn": f"{_LEARN} --interactions 1 --seed 1 --sets-dir sets",
    "learn by pushes": f"{_LEARN} --primitive push --interactions 1 --seed 1 --sets-dir sets",
    "learn from a network": f"{_LEARN} --interactions 1 {_MODEL} --sets-dir sets",
    "bootstrap": "bootstrap --pushes 1 --steps 1 --out out",
    "train": "train --data rows --out out --steps 2 --batch-size 2",
    "train on labels": f"train --coco {_VAL} --out out --steps 1 --batch-size 2",
    "train-inverse": "train-inverse --data rows --out out --steps 1 --batch-size 2",
    "segment": f"segment inputs/small.png {_MODEL} --fast --min-score 0 --out out",
    "evaluate": f"evaluate --data {_VAL} {_MODEL} --fast --out out",
    "export": f"export {_MODEL} --out out/model.onnx",
    "show": "show rows --out out",
    "rearrange": f"rearrange --agent oracle {_REARRANGEMENT}",
    "make-sets": "benchmark make-sets --sets val --record record.json --out out",
    "generalisation": f"benchmark generalisation {_MODEL} --fast --sets-dir sets --out out",
    "benchmark learning": f"benchmark learning {_SMALL} --interactions 1 --seeds 2 {_MODEL} --sets-dir sets",
    "active-passive": "benchmark active-passive a=inputs/a b=inputs/b --out out",
    "benchmark rearrangement": f"benchmark rearrangement --agents oracle --episodes 1 {_REARRANGEMENT}",
    "assets": "assets --out out",
    "calibrate start": "calibrate start --sources 0 1 --lab new.yaml",
    "calibrate board": "calibrate board --lab lab.yaml --format png --out out",
    "doctor": "doctor",
}
"""Command lines by name; paths are relative to a workplace."""

# Identities of runs and rows, and checksums over them, are new each time; so is what names seconds or minutes.
_OF_TIME = {"time", "date", "id", "checksum", "run"}
# Cards of records name the random id of their folder.
_VARYING = (".html", ".csv", ".pt", ".md")
# torch's folder for compiled code, and the file by which Python finds out where it can write.
_OF_LIBRARIES = re.compile(r"tmp/(torchinductor_.*|[a-z0-9_]{8})")


@dataclass(frozen=True)
class Workplace:
    """A folder in which commands run, with a folder `tmp` for their temporary files.

    Attributes:
        folder: always the same one, so that results can be compared.
        inputs: made when a command first needs them, and never changed.
    """

    folder: Path
    inputs: Path

    def clear(self) -> None:
        """Leave only the folder for temporary files."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "tmp").mkdir(parents=True)

    def begin(self, name: str) -> None:
        """Empty the folder, and lay there what a command needs."""
        self.clear()
        for each, make in _MAKERS.items():
            if each in COMMANDS[name]:
                if not (self.inputs / each).exists():
                    make(self.inputs / each)
                if f"inputs/{each}" not in COMMANDS[name]:
                    # The command writes to it.
                    copy = shutil.copytree if (self.inputs / each).is_dir() else shutil.copy
                    copy(self.inputs / each, self.folder / each)
        (self.folder / "inputs").symlink_to(self.inputs)

    def run(self, name: str, before: Callable[[], object] = lambda: None, timeout_s: float = 60.0) -> Ended:
        """Run a command here; `before` as in `run_command`."""

        return run_command(COMMANDS[name].split(), timeout_s, lambda: (self.enter(), before()))

    def enter(self) -> None:
        """Let this process work here."""
        os.chdir(self.folder)
        os.environ["TMPDIR"] = str(self.folder / "tmp")
        tempfile.tempdir = None

    def left_behind(self) -> list[str]:
        """Names of temporary files."""
        names = [str(path.relative_to(self.folder)) for path in self.folder.rglob("*")]
        ours = (name for name in names if not _OF_LIBRARIES.fullmatch(name))
        return [name for name in ours if ".tmp-" in name or name.startswith("tmp/")]


def contents(folder: Path) -> dict[str, str]:
    """What the files of a folder hold, by name, without times and without what depends on the number of sessions."""
    found: dict[str, str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        passed = "tensorboard" in name or name.startswith("tmp/") or path.name.endswith(".lock") or ".lock-" in name
        if passed or path.is_symlink() or not path.is_file():
            continue
        if path.suffix == ".parquet" and not path.name.startswith("."):
            found[f"{path.parent.relative_to(folder)}, rows"] = _rows_in(path.parent)
        else:
            found[name] = _content_of(path)
    return found


def differences(found: Mapping[str, str], wanted: Mapping[str, str]) -> list[str]:
    """Files that only one of two results has, or whose content differs."""
    names = sorted(found.keys() | wanted.keys())
    return [
        f"{each}: {found.get(each, 'missing')[:300]}, not {wanted.get(each, 'missing')[:300]}"
        for each in names
        if found.get(each) != wanted.get(each)
    ]


@pytest.fixture(scope="session")
def workplace() -> Iterator[Workplace]:
    """Where commands run that `small_sets` made small; Ray refuses temporary folders with names as long as pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "inputs").mkdir()
        yield Workplace(Path(folder) / "work", Path(folder) / "inputs")


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each set of the benchmark have one picture."""
    from tabletop_interaction.benchmarks.segmentation.label_sets import SETS

    for name, spec in list(SETS.items()):
        monkeypatch.setitem(SETS, name, replace(spec, pictures=1, seed=spec.seed + 1000))


def _make_network(path: Path) -> None:
    import torch

    from tabletop_interaction.segmentation.checkpoints import save_checkpoint
    from tabletop_interaction.segmentation.network import DeepMask

    torch.manual_seed(0)
    save_checkpoint(DeepMask().eval(), path, metadata={"steps": 0})


def _make_set(path: Path) -> None:
    from tabletop_interaction.benchmarks.segmentation.label_sets import SETS, make_set

    make_set(replace(SETS["val"], pictures=1), path.parent)


def _make_picture(path: Path) -> None:
    import cv2

    from tabletop_interaction.sim_assets import background_names, load_background

    cv2.imwrite(str(path), cv2.resize(load_background(background_names("test")[0]), (215, 175)))


def _make_rows(path: Path) -> None:
    from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction

    backend = load_module(TESTS.parent / "docs" / "example_backend.py").PaintedTable()
    with RecordInteractions(TabletopInteraction(backend, episodes_per_scene=1), path) as env:
        for seed in (0, None):
            env.reset(seed=seed)
            for _ in range(4):
                env.step(PickPlace(*backend._square, 0.3, *-backend._square).to_action(backend.arena))


def _make_run(path: Path) -> None:
    runs, ap = load_module(TESTS / "learning_runs.py"), 50.0 + len(path.name)
    lines = [runs.history_line(number, moved=True) for number in (1, 2)]
    runs.write_learning_run(path, lines, [runs.evaluation_line(2, ap)], [runs.update_line(2)])


def _make_lab(path: Path) -> None:
    ended = run_command(["calibrate", "start", "--sources", "0", "1", "--lab", str(path)])
    assert ended.code == 0, ended.err


_MAKERS: Mapping[str, Callable[[Path], None]] = {
    "model.safetensors": _make_network,
    "val": _make_set,
    "small.png": _make_picture,
    "rows": _make_rows,
    "a": _make_run,
    "b": _make_run,
    "lab.yaml": _make_lab,
}


def _rows_in(folder: Path) -> str:
    import pyarrow.parquet as pq

    shards = [pq.read_table(path).to_pylist() for path in sorted(folder.glob("[!.]*.parquet"))]
    rows = [row for shard in shards for row in shard]
    names = ("seed", "episode", "step") if "seed" in rows[0] else ("interaction_id", "view", "pair")
    return f"{len(rows)}, {len({tuple(row[name] for name in names) for row in rows})} of them different"


def _content_of(path: Path) -> str:
    if path.suffix in _VARYING:
        return "there"
    if path.suffix == ".json":
        return json.dumps(_without_times(json.loads(path.read_text())), sort_keys=True)
    if path.suffix == ".jsonl":
        lines = [_without_times(json.loads(line)) for line in path.read_text().splitlines()]
        if path.parent.name == "choices":
            # A reason is written before its interaction, and again by a session that repeats a killed one.
            lines = list({(line["episode"], line["step"]): line for line in lines if "step" in line}.values())
        return json.dumps(lines)
    content = path.read_bytes()
    if path.suffix == ".safetensors":
        # Behind the header, which names the run.
        content = content[8 + int.from_bytes(content[:8], "little") :]
    return hashlib.sha256(content).hexdigest()


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        names_time = re.compile("seconds|minute")
        kept = {key: each for key, each in value.items() if key not in _OF_TIME and not names_time.search(key)}
        return {key: _without_times(each) for key, each in kept.items()}
    return [_without_times(each) for each in value] if isinstance(value, list) else value
