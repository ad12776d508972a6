"""Time to segment one picture, for each scale and in total.

Run: python -m tabletop_interaction.benchmarks.speed.segmenter

A random picture of 350 x 430 px is segmented by an untrained network; the number of masks is at its limit, as with a
trained network. Each time is the shortest of several.
"""

import platform
from dataclasses import dataclass, replace
from functools import partial
from typing import Annotated

import numpy as np
import torch

from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.speed.robust_set_loss import best_ms
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed
from tabletop_interaction.segmentation.config import FAST, MaskBranch, NetworkConfig, ProposalConfig
from tabletop_interaction.segmentation.network import DeepMask
from tabletop_interaction.segmentation.proposals import Segmenter, fast_autocast_dtype

HEIGHT, WIDTH = 350, 430


@dataclass(frozen=True)
class SegmenterSpeedOptions(ResultOptions):
    """Options of the benchmark of the segmenter."""

    threads: Annotated[int, Range(1, 1024)] = 2
    """Threads of torch."""
    device: str = "cpu"
    """Device of the network: cpu or cuda."""
    mask_branch: MaskBranch = "refining"
    """Mask branch of the network."""
    repeats: Count = 5
    """Number of timings; the shortest one counts."""
    batch: Annotated[int, Range(1, 10_000)] = 4
    """Pictures in a batch."""
    seed: Seed = 0
    """Seed of weights and pictures."""


def main(options: SegmenterSpeedOptions) -> None:
    """Measure and print the times."""
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    device = torch.device(options.device)
    network = DeepMask(NetworkConfig(options.mask_branch)).eval().to(device)
    rng = np.random.default_rng(options.seed)
    pictures = list(rng.integers(0, 256, (options.batch, HEIGHT, WIDTH, 3), np.uint8))
    precision = fast_autocast_dtype(device) or torch.float32
    print(f"torch {torch.__version__}, {platform.machine()}, {device}, {options.threads} thread(s), {precision}")
    print(f"{options.mask_branch} branch, {HEIGHT} x {WIDTH} px, milliseconds a picture:")
    whole = ProposalConfig()
    one_each = {f"scale {scale:.2f} alone": replace(whole, scales=(scale,)) for scale in whole.scales}
    figures = {}
    configs = {**one_each, "all seven scales": whole, "FAST, three scales": FAST}
    for name, config in track(configs.items(), "settings"):
        single = best_ms(partial(Segmenter(network, config).segment, pictures[0]), options.repeats)
        print(f"  {name:18s}  {single:6.1f}")
        figures[name] = {"time": Figure(single, "ms")}
    together = best_ms(partial(Segmenter(network, whole).segment_batch, pictures), options.repeats)
    print(f"  seven scales, {options.batch} pictures at once, each  {together / options.batch:6.1f}")
    figures[f"all seven scales, {options.batch} pictures at once, each"] = {
        "time": Figure(together / options.batch, "ms")
    }
    note = f"{options.mask_branch} branch, {HEIGHT} x {WIDTH} px, {device}, threads: {options.threads}, {precision}"
    options.keep(figures, seeds=(options.seed,), notes=[note])


if __name__ == "__main__":
    run_module(main, SegmenterSpeedOptions, __doc__)
