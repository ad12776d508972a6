"""A gate on speed: ratios that are measured in one run may not fall far below the committed ones.

Run: python -m tabletop_interaction.benchmarks.speed.gate

- composed over plain: interactions a second with our renderer over those with plain TinyRenderer pictures;
- bare over step: seconds of a bare forward and backward pass over those of a training step with its crops and
  optimiser, for the arithmetic of this processor (bfloat16 or float32);
- two workers over one: interactions a second of two processes over those of one.

Both halves of a ratio are measured one after the other on the same machine, so that its speed cancels out. Kinds of
processors have different ratios: one is judged where the committed file has a column for its processor and arithmetic.
Other load does not cancel out wholly: a ratio that is too low is measured again, twice at most, and the best counts.
"""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from rich.console import Console

from tabletop_interaction.agents.labelling.examples import recorded_examples
from tabletop_interaction.agents.learning.collecting import Collection, collect
from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.results.measured import ResultOptions, processor_name
from tabletop_interaction.benchmarks.results.result import Figure, Rows, read_result
from tabletop_interaction.benchmarks.speed.feeding import feeding_cost
from tabletop_interaction.benchmarks.speed.interactions import (
    InteractionSpeedOptions,
    measure,
    one_core,
    workers_rate,
)
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.program import FAILED, run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Seed, Share
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.config import TrainingConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.trainer import new_network

COMMITTED = Path("docs/results/speed-gate.json")
"""The committed ratios, below the root of the repository."""

_NOTE = "each column was measured on its own processor; commit, date and machine are those of the newest one"
_ATTEMPTS = 3

Measure = Callable[[], float]


@dataclass(frozen=True)
class GateOptions(ResultOptions):
    """Options of the gate on speed."""

    committed: Path = COMMITTED
    """Result file with the committed ratios."""
    slack: Share = 0.15
    """Share by which a ratio may be lower than the committed one, 0 to 1."""
    interactions: Count = 16
    """Interactions to time in each half of a ratio."""
    steps: Count = 8
    """Training steps to time."""
    seed: Seed = 0
    """Seed of the random numbers."""


@dataclass(frozen=True)
class Judged:
    """A ratio beside the least accepted one; None where none is committed for this processor."""

    name: str
    ratio: float
    least: float | None

    @property
    def passes(self) -> bool:
        """Whether it is high enough."""
        return self.least is None or self.ratio >= self.least


def main(options: GateOptions) -> int:
    """Measure the ratios, print them beside the least accepted ones, and end with 1 if one is too low."""
    least = {name: (1 - options.slack) * ratio for name, ratio in committed_ratios(options).items()}
    if not least and options.committed.is_file():
        print(f"{options.committed} has no ratios of this kind of processor, {processor()}: none is judged")
    with _ratios(options) as ratios:
        judged = [best_of(name, measured, least.get(name)) for name, measured in track(ratios.items(), "ratios")]
    rows = [
        (one.name, f"{one.ratio:.2f}", "-" if one.least is None else f"{one.least:.2f}", "yes" if one.passes else "NO")
        for one in judged
    ]
    Console().print(figures_table("speed", ("", "measured", "least accepted", "passes"), rows))
    options.keep(_beside_others(judged, options), seeds=(options.seed,), notes=(_NOTE,))
    return 0 if all(one.passes for one in judged) else FAILED


def committed_ratios(options: GateOptions) -> dict[str, float]:
    """The committed ratios of this kind of processor by name; none where they are about to be written.

    Raises:
        InvalidConfiguration: there is no such file.
    """
    if options.committed.is_file():
        rows = read_result(options.committed).figures
        return {name: columns[processor()].value for name, columns in rows.items() if processor() in columns}
    if options.result is None:
        raise InvalidConfiguration(
            f"there is no file {options.committed}; run this in the root of the repository, or name the file by "
            "--committed"
        )
    return {}


def best_of(name: str, measured: Measure, least: float | None) -> Judged:
    """Measure a ratio, and again while it is too low; the best of three counts."""
    judged = Judged(name, measured(), least)
    for _ in range(_ATTEMPTS - 1):
        if judged.passes:
            break
        judged = max(judged, Judged(name, measured(), least), key=lambda one: one.ratio)
    return judged


def processor() -> str:
    """The kind of processor and its arithmetic in training, such as "Intel Xeon, bfloat16"."""
    dtype = fast_autocast_dtype(torch.device("cpu"))
    return f"{processor_name()}, {str(dtype or torch.float32).removeprefix('torch.')}"


def _beside_others(judged: Sequence[Judged], options: GateOptions) -> Rows:
    """The rows of a result file: the new ratios, and those that the committed file has of other processors."""
    committed = read_result(options.committed).figures if options.committed.is_file() else {}
    rows = {name: dict(columns) for name, columns in committed.items()}
    for one in judged:
        rows.setdefault(one.name, {})[processor()] = Figure(one.ratio, decimals=2)
    return rows


@contextmanager
def _ratios(options: GateOptions) -> Iterator[dict[str, Measure]]:
    """What measures each ratio, by its name."""
    ratios: dict[str, Measure] = {"composed over plain": partial(_composed_over_plain, options)}
    with tempfile.TemporaryDirectory() as folder:
        records = Path(folder) / "records"
        for _ in collect(Collection(records, options.seed, policy="hypothesis"), options.interactions):
            pass
        config = TrainingConfig(seed=options.seed)
        sampler = CropSampler(recorded_examples(records), config.crops, new_network(config).mask_grid)
        ratios["bare over step"] = partial(_bare_over_step, sampler, config, options.steps)
        if len(os.sched_getaffinity(0)) > 1:
            ratios["two workers over one"] = partial(_two_workers_over_one, options)
        yield ratios


def _composed_over_plain(options: GateOptions) -> float:
    with one_core():
        composed, plain = (measure(options.interactions, options.seed, plain=plain).rate for plain in (False, True))
    return composed / plain


def _bare_over_step(sampler: CropSampler, config: TrainingConfig, steps: int) -> float:
    step, bare = feeding_cost(sampler, config, steps)
    return bare / step


def _two_workers_over_one(options: GateOptions) -> float:
    timed = InteractionSpeedOptions(interactions=options.interactions, seed=options.seed)
    one, two = (workers_rate(number, timed) for number in (1, 2))
    return two / one


if __name__ == "__main__":
    run_module(main, GateOptions, __doc__)
