"""Each file of a run is removed, emptied, torn, replaced by a folder, changed in one bit, or one of another run.

The same command is given again: it ends with the network of the undisturbed run, bit by bit, or in one clear line.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from attack import Attack, Outcome

from tabletop_interaction.agents.inverse.examples import inverse_examples
from tabletop_interaction.agents.labelling.examples import recorded_examples
from tabletop_interaction.agents.labelling.pushes import PassiveConfig, passive_examples
from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.loop import learn, open_one_process
from tabletop_interaction.agents.learning.run_folder import RunFolder, open_run
from tabletop_interaction.envs import Arena, PickPlace, RecordInteractions, TabletopInteraction
from tabletop_interaction.envs.watched_pushes import PushingConfig
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.seals import new_run_id
from tabletop_interaction.segmentation.checkpoints import load_checkpoint, load_state
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.rle import rle_from_mask
from tabletop_interaction.segmentation.training.config import CropConfig, TrainingConfig
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.run import train

pytestmark = pytest.mark.usefixtures("one_thread_for_all")

TRAINING = TrainingConfig(
    steps=4,
    batch_size=1,
    crops=CropConfig(crop_px=64, object_px=32, reach_px=8, margin_px=16),
    network=NetworkConfig(end_channels=2, code_channels=8, refining_channels=2),
)
LEARNING = LearningConfig(
    interactions=6,
    update_interval=2,
    steps_per_interaction=1,
    carry_labels=False,
    training=TRAINING,
    policy="random",
    seed=1,
)
PUSHES = PassiveConfig(pushes=4, seed=2, pushing=PushingConfig(strokes=2, stroke_m=0.1, pushes_per_scene=2))
# Shards have a test of their own, and no content of these is read.
UNREAD = (".lock", "README.md", "tensorboard", "data")


@dataclass(frozen=True)
class Kind:
    """A kind of run.

    Attributes:
        begin: makes a run's folder that was stopped half-way.
        resume: the same command; returns what it learned, or learned from, as comparable values.
    """

    begin: Callable[[Path], object]
    resume: Callable[[Path], object]


@pytest.fixture(scope="module")
def one_thread_for_all() -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def kinds(painted_table: Callable[..., Any]) -> dict[str, Kind]:
    class SmallTable(painted_table):  # type: ignore[misc, valid-type]
        """A random pick is likely to hit the square; pushes shift it."""

        def __init__(self) -> None:
            super().__init__()
            self.arena = Arena(-0.06, 0.06, -0.06, 0.06)

        def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
            super().reset(rng, new_scene=new_scene)
            self._square = rng.uniform(-0.03, 0.03, 2)
            return 0

    class PushedTable(painted_table):  # type: ignore[misc, valid-type]
        def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
            self._square = np.clip(self._square + np.array([0.04, 0.0]), -0.2, 0.2)

    class Stop:
        def interacted(self, line: Any) -> None:
            if line.number == 5:
                raise KeyboardInterrupt

        def updated(self, update: Any, network: Any) -> None:
            pass

    class Watch(Stop):
        def interacted(self, line: Any) -> None:
            pass

    def run_learning(path: Path, callback: Any) -> object:
        folder = open_run(path, LEARNING)
        with open_one_process(LEARNING, folder, backend=SmallTable()) as workers:
            learn(LEARNING, folder, workers, callback)
        state = load_state(folder.state, folder.run)
        assert state is not None
        model = load_checkpoint(folder.model).state_dict()
        return weights_of(state["average"]), weights_of(model), state["interactions"], state["trainer"]["step_number"]

    def begin_learning(path: Path) -> None:
        with suppress(KeyboardInterrupt):
            run_learning(path, Stop())

    def begin_training(path: Path) -> None:
        def stop(step: int, *_: object) -> None:
            if step == 2:
                signal.raise_signal(signal.SIGINT)

        with suppress(KeyboardInterrupt):
            train(discs(), path, TRAINING, callback=stop)

    def record(path: Path) -> None:
        table = painted_table(175, 215)
        with RecordInteractions(
            TabletopInteraction(table, episodes_per_scene=1), path, metadata={"run": new_run_id()}
        ) as env:
            for episode in range(3):
                env.reset(seed=0 if episode == 0 else None)
                for _ in range(3):
                    x, y = table._square
                    env.step(PickPlace(x, y, 0.3, -x / 2 - 0.1, -y / 2).to_action(table.arena))

    def begin_recorded(path: Path) -> None:
        record(path)
        recorded_examples(path)

    def begin_inverse(path: Path) -> None:
        record(path)
        inverse_examples(path, (64, 80))

    def watched(path: Path) -> object:
        return content_of(passive_examples(PushedTable(), path, PUSHES))

    def inverse(path: Path) -> object:
        found = inverse_examples(path, (64, 80))
        return [
            (one.now, one.action.tolist(), found.pictures[one.now].tobytes(), found.pictures[one.goal].tobytes())
            for one in found.examples
        ]

    return {
        "learning": Kind(begin_learning, lambda path: run_learning(path, Watch())),
        "training": Kind(begin_training, lambda path: weights_of(load_checkpoint(train(discs(), path, TRAINING)))),
        "finished training": Kind(
            lambda path: train(discs(), path, TRAINING),
            lambda path: weights_of(load_checkpoint(train(discs(), path, TRAINING))),
        ),
        "watched pushes": Kind(watched, watched),
        "recorded examples": Kind(begin_recorded, lambda path: content_of(recorded_examples(path))),
        "inverse examples": Kind(begin_inverse, inverse),
    }


@pytest.fixture(scope="module")
def begun(kinds: dict[str, Kind], tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """begun(kind): the folder of a run that was stopped; only to be copied."""

    @cache
    def begin(kind: str) -> Path:
        folder = tmp_path_factory.mktemp("begun") / "run"
        kinds[kind].begin(folder)
        return folder

    return begin


def weights_of(state: Any) -> list[bytes]:
    tensors = state if isinstance(state, dict) else state.state_dict()
    return [tensor.numpy().tobytes() for tensor in tensors.values()]


def content_of(examples: ExampleSet) -> object:
    return [(one, examples.pictures[one.picture].tobytes()) for one in examples.examples]


def discs() -> ExampleSet:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:100, :120]
    pictures, examples = {}, []
    for number in range(3):
        cx, cy = rng.uniform(40, 80), rng.uniform(40, 60)
        mask = np.hypot(x - cx, y - cy) < rng.uniform(16, 24)
        pictures[str(number)] = np.where(mask[..., None], np.uint8(220), rng.integers(60, 99, (100, 120, 3), np.uint8))
        examples += [Example(str(number), (cx, cy), rle_from_mask(mask)), Example(str(number), (5.0, 5.0), None)]
    return ExampleSet(tuple(examples), pictures)


def as_command(function: Callable[[Path], object], path: Path) -> object:
    """A command reports an error of the system as one line, too."""
    try:
        return function(path)
    except OSError as error:
        if error.errno is None:
            raise
        raise UnreadableRecords(f"{error.filename}: {error.strerror}") from error


def files_of(folder: Path) -> list[Path]:
    found = [path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in found if not any(part.startswith(UNREAD) for part in path.parts)]


def copied(folder: Path, to: Path) -> Path:
    """Copy a run; large files, which are replaced and never changed, are linked."""

    def copy(source: str, target: str) -> None:
        (os.link if source.endswith((".pt", ".safetensors")) else shutil.copy)(source, target)

    return Path(shutil.copytree(folder, to, copy_function=copy))


def damage(path: Path, how: str, rng: random.Random) -> None:
    content = path.read_bytes()
    path.unlink()
    if how == "a folder":
        path.mkdir()
    elif how == "unreadable":
        # Root may read every file; a name that leads to itself can be read by nobody.
        path.symlink_to(path.name)
    elif how == "emptied":
        path.write_bytes(b"")
    elif how == "torn":
        path.write_bytes(content[: rng.randrange(max(1, len(content)))])
    elif how == "a flipped bit":
        changed = bytearray(content)
        # Ends and beginnings of files hold what says how to read the rest.
        bits = 8 * len(content)
        ends = min(bits, 4096)
        bit = rng.choice([rng.randrange(bits), rng.randrange(ends), bits - 1 - rng.randrange(ends)])
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)


HOW = ("removed", "emptied", "a folder", "unreadable", *["torn"] * 2, *["a flipped bit"] * 6)
KINDS = ("learning", "training", "finished training", "watched pushes", "recorded examples", "inverse examples")


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_named_or_made_again(
    kind: str,
    kinds: dict[str, Kind],
    begun: Callable[[str], Path],
    tmp_path: Path,
    attack: Callable[[str], Attack],
    samples: Callable[..., Sequence[Any]],
) -> None:
    one_kind, whole = kinds[kind], begun(kind)
    copied(whole, tmp_path / "undisturbed")
    expected = one_kind.resume(tmp_path / "undisturbed")
    attacks = [(file, number, how) for file in files_of(whole) for number, how in enumerate(HOW)]
    with attack(f"run: damaged files, {kind}") as one:
        for file, number, how in samples(attacks, short=2):
            copy = copied(whole, tmp_path / "copy")
            damage(copy / file, how, random.Random(f"{file} {number}"))
            one.call(
                lambda copy=copy: as_command(one_kind.resume, copy),
                lambda found: found == expected,
                what=f"{file}, {how} ({number})",
            )
            shutil.rmtree(copy)


@pytest.mark.parametrize("kind", KINDS)
def test_files_of_another_run_are_refused(
    kind: str,
    kinds: dict[str, Kind],
    begun: Callable[[str], Path],
    tmp_path: Path,
    attack: Callable[[str], Attack],
    samples: Callable[..., Sequence[Any]],
) -> None:
    one_kind, mine, other = kinds[kind], begun(kind), tmp_path / "other"
    # The same request: nothing but the id tells the two apart.
    one_kind.begin(other)
    with attack(f"run: files of another run, {kind}") as one:
        for file in samples(files_of(mine), short=2):
            copy = copied(mine, tmp_path / "copy")
            theirs = other / file if (other / file).exists() else next((other / file).parent.glob("*.parquet"))
            (copy / file).unlink()
            shutil.copy(theirs, copy / file)
            outcome = one.call(lambda copy=copy: as_command(one_kind.resume, copy), what=str(file))
            # The reasons and the pixels are read where something is missing; the networks of the two runs are equal.
            is_read = file.parts[0] != "choices" and file.suffix not in (".u8", ".safetensors")
            if is_read and (kind, file.name) != ("finished training", "state.pt"):
                assert outcome is Outcome.CLEAR, file
            shutil.rmtree(copy)


def test_interactions_of_another_run_are_refused(
    kinds: dict[str, Kind], begun: Callable[[str], Path], tmp_path: Path
) -> None:
    kinds["learning"].begin(tmp_path / "other")
    run = copied(begun("learning"), tmp_path / "run")
    shutil.rmtree(run / "records" / "data")
    shutil.copytree(tmp_path / "other" / "records" / "data", run / "records" / "data")
    with pytest.raises(ForeignFolder, match=r"records holds interactions of another run: w0-00000-000 was made at"):
        kinds["learning"].resume(run)


def test_a_learning_run_of_mixed_files_is_refused(
    kinds: dict[str, Kind], begun: Callable[[str], Path], tmp_path: Path
) -> None:
    run = copied(begun("learning"), tmp_path / "run")
    folder = RunFolder(run)
    lines = folder.history.read_bytes().splitlines(keepends=True)
    for wrong, said in (
        ([*lines, lines[0]], "are missing or in another order"),
        (lines[1:], "are missing or in another order"),
        ([lines[1], lines[0], *lines[2:]], "are missing or in another order"),
    ):
        folder.history.write_bytes(b"".join(wrong))
        with pytest.raises(UnreadableRecords, match=said):
            open_run(run, LEARNING)
    folder.history.write_bytes(b"".join(lines))
    shutil.rmtree(folder.records / "data")
    with pytest.raises(UnreadableRecords, match=r"history\.jsonl names 5 interactions that .*records lacks"):
        open_run(run, LEARNING)
    shutil.rmtree(folder.records)
    folder.history.unlink()
    with pytest.raises(UnreadableRecords, match=r"state\.pt counts 4 interactions, and .*history\.jsonl has 0; remove"):
        kinds["learning"].resume(run)


def test_a_run_of_an_earlier_version_resumes_with_one_warning(
    kinds: dict[str, Kind], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Without an id, as earlier versions began runs; their states and lines are read without checksums in other tests.
    monkeypatch.setattr("tabletop_interaction.agents.learning.run_folder.new_run_id", lambda: None)
    with pytest.warns(UserWarning, match="without an id"):
        kinds["learning"].begin(tmp_path / "run")
    with pytest.warns(UserWarning, match="without an id") as warned:
        kinds["learning"].resume(tmp_path / "run")
    assert sum("without an id" in str(one.message) for one in warned) == 1
    history = tmp_path / "run" / "history.jsonl"
    history.write_text(history.read_text().replace('"moved": true', '"moved": false'))
    with pytest.raises(UnreadableRecords, match=r"history\.jsonl is damaged"):
        open_run(tmp_path / "run", LEARNING)
