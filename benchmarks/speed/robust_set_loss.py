"""Time of the robust set loss, compared with the paper's search and with a training step.

Run: python -m tabletop_interaction.benchmarks.speed.robust_set_loss

Latent masks are found for a batch of 32 masks of 56 x 56 px. A training step is one forward and backward pass on 12
crops of 256 px with two masks each. Each time is the shortest of several.
"""

import platform
import timeit
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from torch import Tensor
from torch.nn import functional

from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.robust_set_loss import (
    latent_mask,
    mask_ious,
    robust_set_loss,
    two_bias_latent_mask,
)

CROPS, CROP_PX, MASKS_A_CROP = 12, 256, 2


@dataclass(frozen=True)
class LossSpeedOptions(ResultOptions):
    """Options of the benchmark of the robust set loss."""

    threads: Annotated[int, Range(1, 1024)] = 1
    """Threads of torch."""
    repeats: Count = 20
    """Number of timings; the shortest one counts."""
    seed: Seed = 0
    """Seed of the random logits and masks."""


def best_ms(act: Callable[[], object], repeats: int) -> float:
    """Shortest wall-clock time of `act`, milliseconds, after one call to warm up: other load only adds time."""
    act()
    return 1000 * min(timeit.repeat(act, number=1, repeat=repeats))


def noisy_batch(seed: int, confidence: float, count: int = 32, size: int = 56) -> tuple[Tensor, Tensor]:
    """Logits and noisy masks (count, size, size); `confidence` is 0 for an untrained network, 3 for a trained one."""
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(count, size, size, dtype=torch.bool)
    masks[:, size // 4 : 3 * size // 4, size // 5 : 4 * size // 5] = True
    logits = torch.randn(count, size, size, generator=generator) + confidence * (2.0 * masks - 1)
    flipped = torch.rand(count, size, size, generator=generator) < 0.1
    return logits, masks ^ flipped


def training_step_ms(repeats: int) -> float:
    """Milliseconds of a forward and backward pass with cross-entropy of the default network."""
    network = DeepMask(NetworkConfig())
    crops = torch.randint(0, 256, (CROPS, 3, CROP_PX, CROP_PX), dtype=torch.uint8)
    picture = torch.arange(CROPS).repeat_interleave(MASKS_A_CROP)
    index = torch.stack([picture, torch.full_like(picture, 8), torch.full_like(picture, 8)], dim=1)

    def step() -> None:
        features = network(crops)
        masks = network.mask_logits(features, index)
        scores = network.score_logits(features)
        loss = functional.binary_cross_entropy_with_logits(masks, torch.zeros_like(masks)) + scores.mean()
        loss.backward()

    return best_ms(step, repeats)


def main(options: LossSpeedOptions) -> None:
    """Measure and print the times."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    print(f"torch {torch.__version__}, {platform.machine()}, {options.threads} thread(s), seed {options.seed}")
    print("32 masks of 56 x 56, IoU bound 0.75, milliseconds:")
    figures = {}
    for name, confidence in track((("untrained", 0.0), ("half trained", 1.0), ("trained", 3.0)), "states"):
        exact, slack, search, missed = solvers(*noisy_batch(options.seed, confidence), options.repeats)
        print(
            f"  {name:12s}  exact {exact:5.1f}  with slack {slack:5.1f}  two-bias search {search:5.1f} (misses the "
            f"bound in {missed:.0%})"
        )
        times = {"exact": exact, "exact, with slack": slack, "the paper's two-bias search": search}
        figures[f"logits of a network that is {name}"] = {
            **{solver: Figure(milliseconds, "ms") for solver, milliseconds in times.items()},
            "search misses the bound": Figure(100 * missed, "%", decimals=0),
        }
    logits, masks = noisy_batch(options.seed, 1.0, count=CROPS * MASKS_A_CROP, size=41)
    loss = best_ms(lambda: robust_set_loss(logits, masks), options.repeats)
    step = training_step_ms(max(1, options.repeats // 4))
    print(f"training step on {CROPS} crops of {CROP_PX} px: {step:.0f}")
    print(f"loss of its {CROPS * MASKS_A_CROP} masks of 41 x 41: {loss:.1f}, {loss / step:.2%} of the step")
    figures["loss over training step"] = {"share": Figure(100 * loss / step, "%")}
    options.keep(figures, seeds=(options.seed,))


def solvers(logits: Tensor, masks: Tensor, repeats: int) -> tuple[float, float, float, float]:
    """Milliseconds of the exact solver, of the same with slack, and of the paper's search; share that it misses."""
    exact = best_ms(lambda: latent_mask(logits, masks), repeats)
    slack = best_ms(lambda: latent_mask(logits, masks, slack_weight=100.0), repeats)
    search = best_ms(lambda: two_bias_latent_mask(logits, masks), repeats)
    missed = (mask_ious(two_bias_latent_mask(logits, masks), masks) < 0.75).float().mean()
    return exact, slack, search, float(missed)


if __name__ == "__main__":
    run_module(main, LossSpeedOptions, __doc__)
