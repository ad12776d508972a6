"""Films as MP4 or GIF, and the film of recorded interactions."""

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, suppress
from itertools import chain
from pathlib import Path
from typing import Any

import imageio.v2 as imageio
import numpy as np

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.records.reading import InteractionTable
from tabletop_interaction.errors import MissingPackage
from tabletop_interaction.extras import install_command
from tabletop_interaction.files import atomic_path
from tabletop_interaction.progress import track
from tabletop_interaction.reports.outcomes import outcome_of
from tabletop_interaction.reports.sheets import evenly_chosen, interaction_panels, with_caption

_PANELS_PER_SECOND = 2
_MOST_INTERACTIONS = 60


def write_film(path: Path, frames: Iterable[Picture], frames_per_second: float) -> Path:
    """Write a film as .mp4, or as .gif, which repeats for ever; frames are uint8 (H, W, 3), all of one size."""
    write = _write_gif if path.suffix == ".gif" else _write_mp4
    with atomic_path(path) as temporary:
        write(temporary, (np.ascontiguousarray(frame) for frame in frames), frames_per_second)
    return path


def ffmpeg() -> str:
    """The ffmpeg of the package imageio-ffmpeg, or the one on the PATH.

    Raises:
        MissingPackage: there is neither.
    """
    try:
        from imageio_ffmpeg import get_ffmpeg_exe
    except ImportError as error:
        if found := shutil.which("ffmpeg"):
            return found
        raise MissingPackage(
            f"an MP4 needs ffmpeg, which is neither installed nor on the PATH; run `{install_command('films')}`"
        ) from error
    return str(get_ffmpeg_exe())


def _write_gif(path: Path, frames: Iterator[Picture], frames_per_second: float) -> None:
    writer: Any = imageio.get_writer(path, duration=round(1000 / frames_per_second), loop=0)
    with closing(writer):
        for frame in frames:
            writer.append_data(frame)


def _write_mp4(path: Path, frames: Iterator[Picture], frames_per_second: float) -> None:
    """Encode with ffmpeg. imageio's own writer does not ask ffmpeg whether it has written the film.

    Raises:
        MissingPackage: there is no ffmpeg.
        OSError: ffmpeg could not write it.
    """
    first = next(frames)
    height, width = first.shape[:2]
    # The encoder takes even sizes only.
    given = f"-f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {frames_per_second} -i -"
    wanted = f"-an -vf scale={width + width % 2}:{height + height % 2} -vcodec libx264 -pix_fmt yuv420p -crf 25"
    command = [ffmpeg(), "-y", "-v", "error", *given.split(), *wanted.split(), str(path)]
    # In a group of its own: Ctrl-C is for the command that writes the film.
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, process_group=0) as encoder:
        try:
            with suppress(BrokenPipeError):
                for frame in chain([first], frames):
                    encoder.stdin.write(frame.data)  # type: ignore[union-attr]
            said = encoder.communicate()[1].decode(errors="replace")
        except BaseException:
            encoder.kill()
            raise
    if encoder.returncode:
        raise OSError(f"ffmpeg: {said.strip().splitlines()[-1] if said.strip() else encoder.returncode}")


def write_interaction_film(table: InteractionTable, numbers: Sequence[int], view: str, path: Path) -> Path:
    """Write a film of the panels of interactions, at most 60 spread over `numbers`; see `interaction_panels`.

    Each frame has a caption: number, outcome, and what the picture shows.
    """
    chosen = track(evenly_chosen(numbers, _MOST_INTERACTIONS), "film")
    frames = (frame for number in chosen for frame in _frames(table, number, view))
    return write_film(path, frames, _PANELS_PER_SECOND)


def _frames(table: InteractionTable, number: int, view: str) -> Iterator[Picture]:
    interaction = table[number]
    for panel in interaction_panels(interaction, view):
        yield with_caption(panel.picture, f"{number + 1:,}, {outcome_of(interaction)}: {panel.title}")
