"""Time of a training step relative to a bare forward and backward pass of the same network on random tensors.

Run: python -m tabletop_interaction.benchmarks.speed.feeding --data runs/first

Both are timed alternately in one run, so that other load slows both. A training step is forward pass, losses, backward
pass and optimiser on crops that a thread prepares; a bare step is forward pass, mean of the outputs and backward pass
on tensors of the same shapes. The target is a ratio of the medians of 1.15 or less.
"""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import torch

from tabletop_interaction.agents.labelling.examples import recorded_examples
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.proposals import fast_autocast_dtype
from tabletop_interaction.segmentation.training.batches import Batch, batches
from tabletop_interaction.segmentation.training.config import TrainingConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.trainer import Trainer, new_network

_WARM_UP = 2


@dataclass(frozen=True)
class FeedingOptions(ResultOptions):
    """Options of the benchmark of training steps."""

    data: Path
    """Folder of interactions."""
    steps: Count = 20
    """Steps of each kind."""
    threads: Annotated[int, Range(1, 1024)] | None = None
    """Threads of torch; its own choice by default."""
    seed: Seed = 0
    """Seed of the random numbers."""


def main(options: FeedingOptions) -> None:
    """Measure and print the ratio."""
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    config = TrainingConfig(seed=options.seed)
    network = new_network(config)
    sampler = CropSampler(recorded_examples(options.data), config.crops, network.mask_grid)
    step, bare = feeding_cost(sampler, config, options.steps)
    print(
        f"step {step:.3f} s, bare {bare:.3f} s, ratio {step / bare:.3f}; batch {config.batch_size} crops of "
        f"{config.crops.crop_px} px, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
    figures = {
        "training step": {"median": Figure(1e3 * step, "ms", decimals=0)},
        "bare forward and backward pass": {"median": Figure(1e3 * bare, "ms", decimals=0)},
        "step over bare pass": {"ratio": Figure(step / bare, decimals=2)},
    }
    options.keep(figures, seeds=(options.seed,))


def feeding_cost(sampler: CropSampler, config: TrainingConfig, steps: int) -> tuple[float, float]:
    """Median seconds of `steps` training steps and of `steps` bare steps, made alternately."""
    trainer = Trainer(new_network(config), config)
    bare_network = new_network(config).train()
    taken: list[tuple[float, float]] = []
    fed = batches(sampler, config.seed, range(steps + _WARM_UP), config.batch_size)
    for _ in track(range(steps + _WARM_UP), "steps"):
        start = time.perf_counter()
        batch = next(fed)
        trainer.step(batch)
        step = time.perf_counter() - start
        generator = torch.Generator().manual_seed(0)
        images = torch.randint(0, 256, batch.images.shape, dtype=torch.uint8, generator=generator)
        random = batch._replace(images=images)
        start = time.perf_counter()
        _bare_step(bare_network, random)
        taken.append((step, time.perf_counter() - start))
    step, bare = np.median(np.array(taken[_WARM_UP:]), axis=0)
    return float(step), float(bare)


def _bare_step(network: DeepMask, batch: Batch) -> None:
    dtype = fast_autocast_dtype(torch.device("cpu"))
    network.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=dtype, enabled=dtype is not None):
        features = network(batch.images)
        total = network.score_logits(features).float().mean()
        if len(batch.positions):
            total = total + network.mask_logits(features, batch.positions).float().mean()
    total.backward()


if __name__ == "__main__":
    run_module(main, FeedingOptions, __doc__)
