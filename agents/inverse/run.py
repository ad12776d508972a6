"""A training run of an inverse model on disk: it can be stopped at any time and goes on to the same result.

Its folder is that of any training (`segmentation.training_run`): training.json, state.pt, tensorboard/,
model.safetensors with model.json. Some scenes are held out; at the end model.json says how far the model's picks and
places are from those carried out there (pairs one move apart, whatever the span), and how far a fixed prior's are.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from tabletop_interaction.agents.inverse.batches import InverseSampler
from tabletop_interaction.agents.inverse.config import InverseRunOptions, InverseTrainingConfig
from tabletop_interaction.agents.inverse.errors import InverseErrors, chance_errors, model_errors
from tabletop_interaction.agents.inverse.examples import InverseExample, InverseExamples, split_by_scene
from tabletop_interaction.agents.inverse.model import (
    InverseModel,
    inverse_model_metadata,
    new_inverse_model,
    save_inverse_model,
)
from tabletop_interaction.agents.inverse.training import InverseReport, InverseTrainer
from tabletop_interaction.segmentation.training.run import (
    check_run_folder,
    is_finished,
    keep_state,
    take_up,
    until_interrupted,
    write_request,
)

_STATE, _MODEL = "state.pt", "model.safetensors"
# Held-out examples that are looked at along the way, evenly spread.
_WATCHED = 48

TellStep = Callable[[int, int, InverseReport], None]
TellErrors = Callable[[int, int], None]


def train_inverse(
    examples: InverseExamples,
    out: Path,
    config: InverseTrainingConfig,
    options: InverseRunOptions | None = None,
    *,
    tell: TellStep | None = None,
    tell_errors: TellErrors | None = None,
) -> Path:
    """Train an inverse model, or go on with a run of the same examples and configuration that was stopped.

    Ctrl-C ends the step that is under way, saves, and raises KeyboardInterrupt.

    Args:
        examples: of `inverse_examples`, with the configuration's size and span.
        out: folder of the run; new, empty, or a stopped run. A finished one is left as it is.
        config: how.
        options: see there.
        tell: called after each step with its number from 1, all steps, and what it said.
        tell_errors: called at the end, after each held-out example, with its number from 1 and how many there are.

    Returns:
        the model's path.

    Raises:
        TrainingError: the folder holds something else, or a run with other examples or another configuration;
            nothing was written.
        NoExamples: all examples are of one scene; nothing was written.
    """
    options = options or InverseRunOptions()
    learned, held_out = split_by_scene(examples.examples, config.held_out, config.seed)
    # Of several moves more than one may come first: errors would say nothing.
    held_out = [example for example in held_out if example.moves == 1]
    fingerprint = inverse_fingerprint(examples)
    is_new = check_run_folder(out, config, fingerprint, any_steps=False) is None
    if is_finished(out):
        return out / _MODEL
    out.mkdir(parents=True, exist_ok=True)
    if is_new:
        write_request(out, config, fingerprint, options.device)
    trainer = InverseTrainer(new_inverse_model(config.model, config.seed).to(options.device), config)
    seconds = take_up(out / _STATE, trainer)
    sampler = InverseSampler(tuple(learned), examples, config.model, config.augmentation)
    watched = held_out[:: -(-len(held_out) // _WATCHED)]
    seconds = _learn(trainer, sampler, watched, out, options, seconds, tell)
    metadata = {
        "data": options.data,
        "split": options.split,
        "learned_from": len(learned),
        "held_out": asdict(_errors(trainer.model, held_out, examples, tell_errors)),
        "held_out_chance": asdict(chance_errors(learned, held_out, config.model.size)),
        "cpu_minutes": round(seconds / 60, 2),
        "training": asdict(config),
        "versions": {name: version(name) for name in ("torch", "numpy", "opencv-python-headless")},
    }
    save_inverse_model(trainer.model, out / _MODEL, metadata)
    return out / _MODEL


def held_out_errors(path: Path) -> tuple[InverseErrors, InverseErrors]:
    """A trained model's errors on what was held out, and those of the fixed prior; errors as `load_inverse_model`."""
    said = inverse_model_metadata(path)
    return InverseErrors(**said["held_out"]), InverseErrors(**said["held_out_chance"])


def inverse_fingerprint(examples: InverseExamples) -> str:
    """Count and checksum of the examples: two sets with the same one give the same run."""
    checksum = 0
    for example in examples.examples:
        said = (example.now, example.goal, example.action.round(6).tolist())
        checksum = zlib.crc32(repr(said).encode(), checksum)
    return f"{len(examples.examples)}-{checksum:08x}"


def _learn(
    trainer: InverseTrainer,
    sampler: InverseSampler,
    watched: Sequence[InverseExample],
    out: Path,
    options: InverseRunOptions,
    seconds: float,
    tell: TellStep | None,
) -> float:
    """Make the steps that are missing; CPU seconds in all."""
    config, before, first = trainer.config, time.process_time(), trainer.step_number
    with SummaryWriter(str(out / "tensorboard"), purge_step=first) as board, until_interrupted() as interrupted:
        for number in range(first, config.steps):
            report = trainer.step(sampler.batch(config.seed, number, config.batch_size))
            done = trainer.step_number
            _plot(board, report._asdict(), done)
            if tell is not None:
                tell(done, config.steps, report)
            if interrupted.is_set() or done % options.checkpoint_every == 0 or done == config.steps:
                keep_state(out / _STATE, trainer, seconds + time.process_time() - before)
            if interrupted.is_set():
                raise KeyboardInterrupt
            if done % options.checkpoint_every == 0:
                errors = asdict(_errors(trainer.model, watched, sampler.source, None))
                _plot(board, {f"held_out/{name}": value for name, value in errors.items()}, done)
    return seconds + time.process_time() - before


def _errors(
    model: InverseModel,
    held_out: Sequence[InverseExample],
    examples: InverseExamples,
    tell: TellErrors | None,
) -> InverseErrors:
    try:
        return model_errors(model.eval(), held_out, examples.pictures, tell)
    finally:
        model.train()


def _plot(board: SummaryWriter, values: Mapping[str, float], step: int) -> None:
    for name, value in values.items():
        board.add_scalar(name, value, step)
