"""The `tabletop` command: a subcommand a file, its options one dataclass; parse and call only."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import tyro
from rich.console import Console

from tabletop_interaction.cli.assets import Assets
from tabletop_interaction.cli.benchmark import Benchmark
from tabletop_interaction.cli.bootstrap import Bootstrap
from tabletop_interaction.cli.calibrate import Calibrate
from tabletop_interaction.cli.collect import Collect
from tabletop_interaction.cli.doctor import Doctor
from tabletop_interaction.cli.evaluate import Evaluate
from tabletop_interaction.cli.learn import Learn
from tabletop_interaction.cli.rearrange import Rearrange
from tabletop_interaction.cli.segment import Segment
from tabletop_interaction.cli.show import Show
from tabletop_interaction.cli.train import Train
from tabletop_interaction.envs.errors import TabletopError
from tabletop_interaction.segmentation.checkpoints import CheckpointError
from tabletop_interaction.segmentation.coco import InvalidLabelSet
from tabletop_interaction.segmentation.examples import NoExamples
from tabletop_interaction.segmentation.photos import InvalidPicture
from tabletop_interaction.segmentation.pictures import InvalidPictureStore
from tabletop_interaction.segmentation.training import TrainingError

COMMANDS: dict[str, Callable[..., Any]] = {
    "collect": Collect,
    "show": Show,
    "learn": Learn,
    "bootstrap": Bootstrap,
    "train": Train,
    "segment": Segment,
    "evaluate": Evaluate,
    "rearrange": Rearrange,
    "benchmark": Benchmark,
    "assets": Assets,
    "calibrate": Calibrate,
    "doctor": Doctor,
}

_INTERRUPTED = 130
# `segmentation` imports none of ours, so that its errors have no base in common with the others.
_RAISED_ON_PURPOSE = (
    TabletopError,
    CheckpointError,
    InvalidLabelSet,
    InvalidPicture,
    InvalidPictureStore,
    NoExamples,
    TrainingError,
)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; errors that the package raises on purpose end in one line, not in a trace."""
    command = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        prog="tabletop",
        description="Robots that teach themselves what an object is.",
        args=sys.argv[1:] if arguments is None else arguments,
        sort_subcommands=False,
    )
    console = Console(stderr=True)
    try:
        command.run()
    except _RAISED_ON_PURPOSE as error:
        return _report(console, str(error))
    except OSError as error:
        return _report(console, f"{error.filename or 'a file'}: {error.strerror or error}; check path and rights")
    except KeyboardInterrupt:
        console.print("stopped; everything that was finished is on disk", soft_wrap=True)
        return _INTERRUPTED
    return 0


def _report(console: Console, message: str) -> int:
    # Paths may hold brackets, which rich would take for markup.
    console.print("error: ", style="bold red", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
