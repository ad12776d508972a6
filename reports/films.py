"""Films as MP4 or GIF, and the film of recorded interactions."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.records.reading import InteractionTable
from tabletop_interaction.files import atomic_path
from tabletop_interaction.reports.sheets import evenly_chosen, interaction_panels

_PANELS_PER_SECOND = 3
_MOST_INTERACTIONS = 60


def write_film(path: Path, frames: Iterable[Picture], frames_per_second: float) -> Path:
    """Write a film as .mp4, or as .gif, which repeats for ever; frames are uint8 (H, W, 3), all of one size."""
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
    """Write a film of the panels of interactions, at most 60 spread over `numbers`; see `interaction_panels`."""
    chosen = evenly_chosen(numbers, _MOST_INTERACTIONS)
    panels = (panel for number in chosen for panel in interaction_panels(table[number], view))
    return write_film(path, panels, _PANELS_PER_SECOND)
