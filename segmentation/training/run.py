"""A training run on disk: it can be stopped at any time and goes on to the same result.

```
training.json       what the run was asked for; written first, so that the folder is known to be ours
state.pt            network, optimiser and step; replaced whole every few steps
tensorboard/        losses, rates and pictures
model.safetensors   the network, and what it learned from beside it in model.json; a finished run has both
```
The crops of step k depend on the seed and k alone, so the state needs no random streams.
"""

from __future__ import annotations

import json
import math
import os
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.errors import DamagedState, TrainingError
from tabletop_interaction.files import whole_file
from tabletop_interaction.segmentation.checkpoints import save_checkpoint
from tabletop_interaction.segmentation.network import refresh_statistics
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.batches import batches
from tabletop_interaction.segmentation.training.config import SEEDS, RunOptions, TrainingConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.drawn_batch import drawn_batch
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.state import load_state, save_state
from tabletop_interaction.segmentation.training.trainer import StepReport, Trainer, new_network

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Tell = Callable[[int, int, StepReport], None]

_SCHEMA_VERSION = 1
_REQUEST, _STATE, _MODEL, _MODEL_SAYS = "training.json", "state.pt", "model.safetensors", "model.json"
_REFRESH_BATCHES = 10
_PROBED_STEPS = 12
_PROBE_WARM_UP = 3
# Seeds of batches that no step learns from, beyond those of any run.
_REFRESH_SEED, _SHOWN_SEED = SEEDS + 1, SEEDS + 2


def train(
    examples: ExampleSet,
    out: str | os.PathLike[str],
    config: TrainingConfig,
    options: RunOptions | None = None,
    *,
    minutes: float | None = None,
    tell: Tell | None = None,
) -> Path:
    """Train a network, or go on with a run of the same examples and configuration that was stopped.

    Ctrl-C ends the step that is under way, saves, and raises KeyboardInterrupt.

    Args:
        examples: what to learn from.
        out: folder of the run; new, empty, or a stopped run. A finished one is left as it is.
        config: how; `steps` is replaced when `minutes` are given.
        options: see `RunOptions`.
        minutes: about how long to learn: as many steps as the first few promise.
        tell: called after each step with its number from 1, all steps, and what it said.

    Returns:
        the checkpoint's path.

    Raises:
        TrainingError: the folder holds something else, or a run with other examples or another configuration, or
            the minutes are no positive number; nothing was written.
        NoExamples: no example shows an object; nothing was written.
    """
    out, options = Path(out), options or RunOptions()
    check_minutes(minutes)
    network = new_network(config).to(options.device)
    sampler = CropSampler(examples, config.crops, network.mask_grid)
    fingerprint = examples_fingerprint(examples)
    kept_steps = check_run_folder(out, config, fingerprint, any_steps=minutes is not None)
    if kept_steps is not None:
        config = replace(config, steps=kept_steps)
    elif minutes is not None:
        config = replace(config, steps=steps_in(minutes, sampler, config, options.device))
    if is_finished(out):
        return out / _MODEL
    out.mkdir(parents=True, exist_ok=True)
    if kept_steps is None:
        write_request(out, config, fingerprint, options.device)
    trainer = Trainer(network, config)
    cpu_seconds = take_up(out / _STATE, trainer)
    cpu_seconds = _learn(trainer, sampler, out, options, cpu_seconds, tell)
    refresh = (
        sampler.batch(_REFRESH_SEED, number, config.batch_size) for number in range(min(_REFRESH_BATCHES, config.steps))
    )
    refresh_statistics(network, (batch.images.to(options.device) for batch in refresh))
    metadata = _metadata(examples, config, options, cpu_seconds)
    save_checkpoint(network.eval(), out / _MODEL, half=options.half, metadata=metadata)
    return out / _MODEL


def is_finished(out: Path) -> bool:
    """Whether a folder's run needs nothing more; a kill may have left the network without what describes it."""
    return all((out / name).is_file() for name in (_MODEL, _MODEL_SAYS))


def check_minutes(minutes: float | None) -> None:
    """Raises TrainingError for a time that is not positive and finite."""
    if minutes is not None and not (minutes > 0 and math.isfinite(minutes)):
        raise TrainingError(f"minutes is {minutes}; it must be positive and finite")


def check_run_folder(out: Path, config: DataclassInstance, fingerprint: str | None, *, any_steps: bool) -> int | None:
    """Whether a run may be kept in a folder, and the steps of the run that is there, None for none.

    Args:
        out: the folder.
        config: of the run; has `steps`.
        fingerprint: of its examples; None leaves them uncompared, before they are there.
        any_steps: leave the number of steps uncompared.

    Raises:
        TrainingError: it holds something else or another run.
    """
    if out.exists() and not out.is_dir():
        raise TrainingError(f"{out} is a file; give a folder, new, empty or of a training that was stopped")
    request = out / _REQUEST
    if not request.exists():
        if out.exists() and (found := sorted(path.name for path in out.iterdir() if not path.name.startswith("."))):
            raise TrainingError(f"{out} holds something else ({found[0]}); give a new or empty folder")
        return None
    try:
        kept = json.loads(request.read_text(encoding="utf-8"))
        schema = kept["schema_version"]
        steps = int(kept["config"]["steps"])
        there = {"examples": kept["examples"], **_flat(kept["config"])}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise TrainingError(f"{request} describes no training ({error!r}); give a new folder") from error
    if schema != _SCHEMA_VERSION:
        raise TrainingError(
            f"{request} has schema version {schema} and this release goes on with {_SCHEMA_VERSION}; go on with the "
            "release that began it, or give a new folder"
        )
    asked = {"examples": fingerprint or there["examples"], **_flat(json.loads(json.dumps(asdict(config))))}
    if any_steps:
        there.pop("steps", None)
        asked.pop("steps", None)
    differing = [f"{key} {there.get(key)!r}, not {asked.get(key)!r}" for key in asked if there.get(key) != asked[key]]
    if differing:
        raise TrainingError(f"{out} holds a training with {'; '.join(differing[:3])}; give a new folder")
    return steps


def examples_fingerprint(examples: ExampleSet) -> str:
    """Count and checksum of the examples: two sets with the same one give the same run."""
    checksum = 0
    for example in examples.examples:
        said = (example.picture, example.click_xy, example.mask.counts if example.mask else "")
        checksum = zlib.crc32(repr(said).encode(), checksum)
    for picture, masks in sorted(examples.ignored.items()):
        checksum = zlib.crc32(repr((picture, [mask.counts for mask in masks])).encode(), checksum)
    return f"{len(examples.examples)}-{checksum:08x}"


def steps_in(minutes: float, sampler: CropSampler, config: TrainingConfig, device: str = "cpu") -> int:
    """How many steps a time holds, judged by a few on a network that is thrown away; at least 1.

    Raises:
        TrainingError: the time is not positive and finite.
    """
    check_minutes(minutes)
    trainer = Trainer(new_network(config).to(device), config)
    start = time.perf_counter()
    for number, batch in enumerate(batches(sampler, config.seed, range(_PROBED_STEPS), config.batch_size), start=1):
        trainer.step(batch)
        if number == _PROBE_WARM_UP:
            start = time.perf_counter()
    taken = (time.perf_counter() - start) / (_PROBED_STEPS - _PROBE_WARM_UP)
    return max(1, int(60 * minutes / taken))


def _learn(
    trainer: Trainer, sampler: CropSampler, out: Path, options: RunOptions, cpu_seconds: float, tell: Tell | None
) -> float:
    """Make the steps that are missing; CPU seconds in all."""
    config, before = trainer.config, time.process_time()
    first = trainer.step_number

    def spent() -> float:
        return cpu_seconds + time.process_time() - before

    with SummaryWriter(str(out / "tensorboard"), purge_step=first) as board, until_interrupted() as interrupted:
        for batch in batches(sampler, config.seed, range(first, config.steps), config.batch_size):
            report = trainer.step(batch)
            for name, value in report._asdict().items():
                board.add_scalar(name, value, trainer.step_number)
            if tell is not None:
                tell(trainer.step_number, config.steps, report)
            if interrupted.is_set() or trainer.step_number % options.checkpoint_every == 0:
                keep_state(out / _STATE, trainer, spent())
                _show(trainer, sampler, board)
            if interrupted.is_set():
                raise KeyboardInterrupt
        keep_state(out / _STATE, trainer, spent())
        _show(trainer, sampler, board)
    return spent()


@contextmanager
def until_interrupted() -> Iterator[threading.Event]:
    """An event that Ctrl-C sets: a step is never cut in two. The second Ctrl-C interrupts at once."""
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


def _show(trainer: Trainer, sampler: CropSampler, board: SummaryWriter) -> None:
    """Crops with labels and the network's masks; the network, in training mode, keeps its running statistics."""
    network = trainer.network
    batch = sampler.batch(_SHOWN_SEED, 0, trainer.config.batch_size)
    network.eval()
    with torch.inference_mode():
        device = next(network.parameters()).device
        found = network.mask_logits(network(batch.images.to(device)), batch.positions.to(device)) > 0
    network.train()
    sheet = drawn_batch(batch, network.mask_grid, found.cpu().numpy())
    board.add_image("crops", sheet, trainer.step_number, dataformats="HWC")


def write_request(out: Path, config: DataclassInstance, fingerprint: str, device: str) -> None:
    """Say in a run's folder what it was asked for; see `check_run_folder`."""
    autocast = fast_autocast_dtype(torch.device(device))
    request = {
        "schema_version": _SCHEMA_VERSION,
        "examples": fingerprint,
        "config": asdict(config),
        "began_on": {"device": device, "autocast": None if autocast is None else str(autocast).removeprefix("torch.")},
    }
    with whole_file(out / _REQUEST) as file:
        file.write((json.dumps(request, indent=2) + "\n").encode())


class Resumable(Protocol):
    """A trainer of any network that can go on from what it was."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


def keep_state(path: Path, trainer: Resumable, cpu_seconds: float) -> None:
    """Write where a run is, for `take_up`."""
    save_state(path, {"trainer": trainer.state_dict(), "cpu_seconds": cpu_seconds})


def take_up(path: Path, trainer: Resumable) -> float:
    """Bring a trainer, on whichever device, to where the run was; CPU seconds until then.

    Raises:
        TrainingError: the state is damaged, or another network's.
    """
    try:
        state = load_state(path)
        if state is None:
            return 0.0
        trainer.load_state_dict(state["trainer"])
        return float(state["cpu_seconds"])
    except DamagedState as error:
        raise TrainingError(f"{error}; remove {path.parent} and train again") from error
    except Exception as error:  # torch names no error for a state of another network.
        raise TrainingError(f"{path} is damaged ({error}); remove {path.parent} and train again") from error


def _metadata(examples: ExampleSet, config: TrainingConfig, options: RunOptions, cpu_seconds: float) -> dict[str, Any]:
    return {
        "data": options.data,
        "objects": len(examples.objects),
        "background": len(examples.background),
        "pictures": len({example.picture for example in examples.examples}),
        "cpu_minutes": round(cpu_seconds / 60, 2),
        "training": asdict(config),
        "versions": {name: version(name) for name in ("torch", "torchvision", "numpy", "opencv-python-headless")},
    }


def _flat(config: dict[str, Any]) -> dict[str, Any]:
    """Nested settings under dotted names."""
    flat: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{inner}": content for inner, content in _flat(value).items()}
        else:
            flat[key] = value
    return flat
