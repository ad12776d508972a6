"""A training run on disk, for any network: it can be stopped at any time and resumes to the same result.

```
training.json       the request: configuration, fingerprint of the examples and id; written first, it claims the folder
state.pt            network, optimiser and step; replaced every few steps
tensorboard/        losses, rates and pictures
model.safetensors   the network, with model.json beside it; a finished run has both
```
The batch of step k depends on the seed and k only, so the state needs no random streams. State and network carry the
run's id (`seals`). A network that is missing or damaged is made again from the state.
"""

import math
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any, Generic

import torch
from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.errors import DamagedState, ForeignFolder, TrainingError
from tabletop_interaction.files import disk_full_named, lock_file
from tabletop_interaction.seals import (
    check_sealed_request,
    new_run_id,
    run_id_of,
    warn_without_id,
    write_sealed,
)
from tabletop_interaction.segmentation.checkpoints import (
    SEGMENTATION,
    NetworkKind,
    is_checkpoint_of,
    load_state,
    save_checkpoint,
    save_state,
)
from tabletop_interaction.segmentation.network import refresh_statistics
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.batches import MakesBatches, batches, drawn_batch
from tabletop_interaction.segmentation.training.config import SEEDS, OptimiserConfig, RunOptions, TrainingConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.trainer import (
    BatchT,
    NetworkT,
    NetworkTrainer,
    ReportT,
    StepReport,
    Trainer,
    new_network,
)

_SCHEMA_VERSION = 1
_REQUEST, _STATE, _MODEL = "training.json", "state.pt", "model.safetensors"
# Settings that earlier versions did not have.
_ASSUMED = {"config.hard_weight": 0.0}
_REMEDY = "remove it, and the run trains again from its beginning"
_REFRESH_BATCHES = 10
_PROBED_STEPS = 12
_PROBE_WARM_UP = 3
# Seeds of batches that no step learns from, above those of any run.
_REFRESH_SEED, _SHOWN_SEED = SEEDS + 1, SEEDS + 2
_LIBRARIES = ("torch", "torchvision", "numpy", "opencv-python-headless")

StepCallback = Callable[[int, int, ReportT], None]
"""Called after each step with its number from 1, the number of all steps, and its report."""


@dataclass(frozen=True, eq=False)
class TrainingRun(Generic[NetworkT, BatchT, ReportT]):
    """The run of one kind of network, with what other kinds do differently.

    Attributes:
        trainer: its configuration says how many steps are made.
        fingerprint: of the examples.
        show: called after a state was written; writes pictures or held-out errors to TensorBoard.
        finish: called after the last step; may prepare the network for use, and returns what the checkpoint's metadata
            says of examples and results.
    """

    trainer: NetworkTrainer[NetworkT, BatchT, ReportT]
    sampler: MakesBatches[BatchT]
    fingerprint: str
    kind: NetworkKind[Any]
    show: Callable[[SummaryWriter], None]
    finish: Callable[[], dict[str, Any]]

    def complete(self, out: Path, options: RunOptions, callback: StepCallback[ReportT] | None = None) -> Path:
        """Begin or resume the run in a folder, and write the network after the last step; returns its path.

        Ctrl-C ends the current step, writes the state, and raises KeyboardInterrupt. A finished run stays as it is.

        Raises:
            TrainingError: the state is damaged, or the training diverges.
            ForeignFolder: the folder holds something else, a run with other examples or another configuration, or a
                file of another run.
            UnreadableRecords: training.json is damaged.
            FolderInUse: another process trains in the folder.
            DiskFull: no space is left.
        """
        # A lock is a file, too: foreign folders and finished runs get none.
        check_run_folder(out, self.trainer.config, self.fingerprint, any_steps=False)
        if is_finished(out, self.kind):
            return out / _MODEL
        with lock_file(out / ".lock", blocking=False):
            return self._complete(out, options, callback)

    def _complete(self, out: Path, options: RunOptions, callback: StepCallback[ReportT] | None) -> Path:
        config, model = self.trainer.config, out / _MODEL
        is_new = check_run_folder(out, config, self.fingerprint, any_steps=False) is None
        if is_finished(out, self.kind):
            return model
        if is_new:
            autocast = fast_autocast_dtype(torch.device(options.device))
            name = None if autocast is None else str(autocast).removeprefix("torch.")
            began_on = {"device": options.device, "autocast": name}
            write_sealed(out / _REQUEST, {**_request(config, self.fingerprint), "began_on": began_on}, new_run_id())
        if (run := run_id_of(out / _REQUEST)) is None:
            warn_without_id(out)
        with disk_full_named(out, kept="the run resumes from its last state"):
            seconds = self._steps(out, run, options, callback)
        metadata = {
            "data": options.data,
            **self.finish(),
            "cpu_minutes": round(seconds / 60, 2),
            "training": config,
            "versions": {name: version(name) for name in _LIBRARIES},
        }
        save_checkpoint(self.trainer.network, model, half=options.half, metadata=metadata, kind=self.kind, run=run)
        return model

    def _steps(self, out: Path, run: str | None, options: RunOptions, callback: StepCallback[ReportT] | None) -> float:
        """Make the missing steps; returns CPU seconds of the whole run."""
        trainer, config = self.trainer, self.trainer.config
        earlier = _restore(out / _STATE, run, trainer) - time.process_time()
        first = trainer.step_number
        with SummaryWriter(str(out / "tensorboard"), purge_step=first) as board, until_interrupted() as interrupted:
            for batch in batches(self.sampler, config.seed, range(first, config.steps), config.batch_size):
                report = trainer.step(batch)
                done = trainer.step_number
                plot(board, report._asdict(), done)
                if callback is not None:
                    callback(done, config.steps, report)
                if interrupted.is_set() or done % options.checkpoint_every == 0 or done == config.steps:
                    seconds = earlier + time.process_time()
                    save_state(out / _STATE, {"trainer": trainer.state_dict(), "cpu_seconds": seconds}, run)
                    if interrupted.is_set():
                        raise KeyboardInterrupt
                    self.show(board)
        return earlier + time.process_time()


def train(
    examples: ExampleSet,
    out: str | os.PathLike[str],
    config: TrainingConfig,
    options: RunOptions | None = None,
    *,
    minutes: float | None = None,
    callback: StepCallback[StepReport] | None = None,
) -> Path:
    """Train a segmentation network, or resume a stopped run; returns the path of the checkpoint.

    Args:
        out: new, empty, or of a stopped run with the same examples and configuration; a finished run stays as it is.
        config: `steps` is replaced when `minutes` are given.
        minutes: about how long to train: the number of steps is estimated from the first few.

    Raises:
        NoExamples: no example shows an object; nothing was written.
        TrainingError: the minutes are not a positive number, or as of `TrainingRun.complete`.
        ForeignFolder, DiskFull: as of `TrainingRun.complete`.
    """
    out, options = Path(out), options or RunOptions()
    check_minutes(minutes)
    network = new_network(config).to(options.device)
    sampler = CropSampler(examples, config.crops, network.mask_grid)
    fingerprint = examples_fingerprint(examples)
    begun_steps = check_run_folder(out, config, fingerprint, any_steps=minutes is not None)
    if begun_steps is not None:
        config = replace(config, steps=begun_steps)
    elif minutes is not None:
        config = replace(config, steps=steps_in(minutes, sampler, config, options.device))
    trainer = Trainer(network, config)

    def show(board: SummaryWriter) -> None:
        _draw_crops(trainer, sampler, board)

    def finish() -> dict[str, Any]:
        """Refresh the batch statistics; returns what the checkpoint says about the examples."""
        numbers = range(min(_REFRESH_BATCHES, config.steps))
        refresh = (sampler.batch(_REFRESH_SEED, number, config.batch_size) for number in numbers)
        refresh_statistics(network, (batch.images.to(trainer.device) for batch in refresh))
        return {
            "objects": len(examples.objects),
            "background": len(examples.background),
            "pictures": len({example.picture for example in examples.examples}),
        }

    return TrainingRun(trainer, sampler, fingerprint, SEGMENTATION, show, finish).complete(out, options, callback)


def is_finished(out: Path, kind: NetworkKind[Any] = SEGMENTATION) -> bool:
    """Return whether the run of a folder has made its network, and both its files are whole.

    Raises:
        ForeignFolder: the network is of another run.
        UnreadableRecords: training.json is damaged.
    """
    return is_checkpoint_of(out / _MODEL, run_id_of(out / _REQUEST), kind)


def check_minutes(minutes: float | None) -> None:
    """Raise TrainingError for a time that is not positive and finite."""
    if minutes is not None and not (minutes > 0 and math.isfinite(minutes)):
        raise TrainingError(f"minutes is {minutes}; it must be positive and finite")


def check_run_folder(out: Path, config: OptimiserConfig, fingerprint: str | None, *, any_steps: bool) -> int | None:
    """Check that a run can begin or resume in a folder; returns the steps of the run that began there, if any.

    The number of steps is not compared with `any_steps`, nor the examples if their fingerprint is None.

    Raises:
        ForeignFolder: it holds something else or another run.
        UnreadableRecords: training.json is damaged.
    """
    ignoring = [name for name, skip in (("examples", fingerprint is None), ("config.steps", any_steps)) if skip]
    begun = check_sealed_request(out / _REQUEST, _request(config, fingerprint), "a training", ignoring, _ASSUMED)
    try:
        return None if begun is None else int(begun["config"]["steps"])
    except (KeyError, TypeError, ValueError) as error:
        raise ForeignFolder(f"{out / _REQUEST} describes no training ({error!r}); give a new folder") from error


def examples_fingerprint(examples: ExampleSet) -> str:
    """Count and checksum of the examples: two sets with the same one give the same run."""
    checksum = 0
    for example in examples.examples:
        content = (example.picture, example.click_xy, example.mask.counts if example.mask else "")
        checksum = zlib.crc32(repr(content).encode(), checksum)
    for picture, masks in sorted(examples.ignored.items()):
        checksum = zlib.crc32(repr((picture, [mask.counts for mask in masks])).encode(), checksum)
    return f"{len(examples.examples)}-{checksum:08x}"


def steps_in(minutes: float, sampler: CropSampler, config: TrainingConfig, device: str) -> int:
    """Estimate how many steps fit into a time, at least 1, by a few steps of a network that is thrown away."""
    trainer = Trainer(new_network(config).to(device), config)
    start = time.perf_counter()
    for number, batch in enumerate(batches(sampler, config.seed, range(_PROBED_STEPS), config.batch_size), start=1):
        trainer.step(batch)
        if number == _PROBE_WARM_UP:
            start = time.perf_counter()
    taken = (time.perf_counter() - start) / (_PROBED_STEPS - _PROBE_WARM_UP)
    return max(1, int(60 * minutes / taken))


def plot(board: SummaryWriter, values: dict[str, float], step: int) -> None:
    """Write scalars to TensorBoard."""
    for name, value in values.items():
        board.add_scalar(name, value, step)


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets, so that it cuts no step in two; the second interrupts at once."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    before = signal.getsignal(signal.SIGINT)

    def on_interrupt(number: int, frame: Any) -> None:
        interrupted.set()
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


def _request(config: OptimiserConfig, fingerprint: str | None) -> dict[str, Any]:
    return {"schema_version": _SCHEMA_VERSION, "examples": fingerprint, "config": config}


def _restore(path: Path, run: str | None, trainer: NetworkTrainer[Any, Any, Any]) -> float:
    """Resume a trainer, on any device, from a state, if there is one; returns CPU seconds until then."""
    try:
        state = load_state(path, run)
        if state is None:
            return 0.0
        if state["trainer"]["step_number"] > trainer.config.steps:
            raise ForeignFolder(f"{path} has more than the {trainer.config.steps} steps of this run; remove it")
        trainer.load_state_dict(state["trainer"])
        return float(state["cpu_seconds"])
    except ForeignFolder:
        raise
    except DamagedState as error:
        raise TrainingError(f"{error}; {_REMEDY}") from error
    except Exception as error:  # torch has no class of its own for the state of another network.
        raise TrainingError(f"{path} is damaged ({error!r}); {_REMEDY}") from error


def _draw_crops(trainer: Trainer, sampler: CropSampler, board: SummaryWriter) -> None:
    """Draw crops with labels and predicted masks; the network keeps its statistics and stays in training mode."""
    network = trainer.network
    batch = sampler.batch(_SHOWN_SEED, 0, trainer.config.batch_size)
    network.eval()
    with torch.inference_mode():
        features = network(batch.images.to(trainer.device))
        predicted = network.mask_logits(features, batch.positions.to(trainer.device)) > 0
    network.train()
    sheet = drawn_batch(batch, network.mask_grid, predicted.cpu().numpy())
    board.add_image("crops", sheet, trainer.step_number, dataformats="HWC")
