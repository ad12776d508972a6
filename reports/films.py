"""Films as MP4 or GIF, and the film of recorded interactions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.records.reading import InteractionTable
from tabletop_interaction.files import atomic_path
from tabletop_interaction.reports.sheets import interaction_panels, spread

_PANELS_PER_SECOND = 3
_MOST_INTERACTIONS = 60


def write_film(path: Path, frames: Iterable[Picture], frames_per_second: float) -> Path:
    """Write a film.

    Args:
        path: the file; its suffix says the format: .mp4, or .gif, which repeats for ever.
        frames: uint8 (H, W, 3) each, of one size.
        frames_per_second: speed.
    """
    options: dict[str, Any] = {"fps": frames_per_second, "macro_block_size": 2}
    if path.suffix == ".gif":
        options = {"duration": round(1000 / frames_per_second), "loop": 0}
    with atomic_path(path) as temporary:
        writer: Any = imageio.get_writer(temporary, **options)
        # The writer's own context leaves ffmpeg running after an error.
        with closing(writer):
            for frame in frames:
                writer.append_data(np.ascontiguousarray(frame))
    return path


def write_interaction_film(table: InteractionTable, numbers: Sequence[int], view: str, path: Path) -> Path:
    """Write a film of before, held, after and masks of interactions, at most 60 spread over `numbers`.

    Arguments as `write_interaction_sheets`.
    """
    chosen = spread(numbers, _MOST_INTERACTIONS)
    panels = (panel for number in chosen for panel in interaction_panels(table[number], view))
    return write_film(path, panels, _PANELS_PER_SECOND)
