"""Seconds of `tabletop segment` for a large photo on one core.

Run: python -m tabletop_interaction.benchmarks.speed.large_photos

Each photo shows ellipses on noise. The command runs in a process of its own, with one thread; the start of Python, the
imports and the network are in every figure, and the row of 0.1 megapixels shows what they take. Each figure is the
smallest of several. Other processes of the machine disturb the seconds on the clock more than those of the CPU.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
from rich.console import Console

from tabletop_interaction.arrays import Picture
from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.benchmarks.speed.interactions import one_core
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed
from tabletop_interaction.segmentation.overlays import distinct_colours

_ASPECT = 4 / 3
_NOISE_ROWS = 322


@dataclass(frozen=True)
class LargePhotosOptions(ResultOptions):
    """Options of the benchmark of large photos."""

    megapixels: tuple[Annotated[float, Range(0, 1000, above=True)], ...] = (0.1, 12, 50)
    """Sizes of the photos."""
    objects: Annotated[int, Range(1, 10**4)] = 30
    """Ellipses in a photo; not all of them are found."""
    repeats: Count = 3
    """Runs of the command; the shortest one counts."""
    seed: Seed = 0
    """Seed of the photos."""


def main(options: LargePhotosOptions) -> None:
    """Measure and print the table."""
    rows, figures = [], {}
    with one_core(), tempfile.TemporaryDirectory() as folder:
        for megapixels in track(options.megapixels, "sizes"):
            photo = Path(folder) / f"{megapixels:g}.jpg"
            drawn = draw_photo(megapixels, options.objects, options.seed)
            cv2.imwrite(str(photo), drawn)
            runs = [segment_seconds(photo, Path(folder) / "out") for _ in range(options.repeats)]
            found = len(json.loads((Path(folder) / "out" / "segments.json").read_text()))
            clock, cpu = (min(each) for each in zip(*runs, strict=True))
            name = f"{megapixels:g} ({drawn.shape[1]} x {drawn.shape[0]} px)"
            rows.append((name, str(found), f"{clock:.1f}", f"{cpu:.1f}"))
            figures[f"{name}, megapixels"] = {"on the clock": Figure(clock, "s"), "of the CPU": Figure(cpu, "s")}
    title = f"tabletop segment, one core, smallest of {options.repeats}"
    Console().print(figures_table(title, ("megapixels", "objects found", "seconds", "CPU seconds"), rows))
    options.keep(figures, seeds=(options.seed,))


def draw_photo(megapixels: float, objects: int, seed: int) -> Picture:
    """Draw ellipses on noise, (H, W, 3) uint8, at places that do not depend on the size."""
    rng = np.random.default_rng(seed)
    height = round((megapixels * 1e6 / _ASPECT) ** 0.5)
    width = round(height * _ASPECT)
    noise = rng.integers(120, 150, (_NOISE_ROWS, round(_NOISE_ROWS * _ASPECT), 3), np.uint8)
    photo = np.asarray(cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC), np.uint8)
    for colour in distinct_colours(objects):
        centre = rng.uniform(0.1, 0.9, 2) * (width, height)
        axes = rng.uniform(0.03, 0.09, 2) * width
        angle = rng.uniform(0, 180)
        cv2.ellipse(photo, (centre, 2 * axes, angle), colour, cv2.FILLED)
    return photo


def segment_seconds(photo: Path, out: Path) -> tuple[float, float]:
    """Run `tabletop segment` once; seconds on the clock, and of the CPU in user mode."""
    command = [sys.executable, "-m", "tabletop_interaction.cli.main", "segment", str(photo), "--out", str(out)]
    used, start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime, time.perf_counter()
    subprocess.run(
        command,
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    seconds = time.perf_counter() - start
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - used


if __name__ == "__main__":
    run_module(main, LargePhotosOptions, __doc__)
