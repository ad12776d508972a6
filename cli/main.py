"""The `tabletop` command: a subcommand a file, its options one dataclass; parse and call only."""

from __future__ import annotations

import sys
from typing import Any

import tyro
from rich.console import Console

from tabletop_interaction.cli.assets import Assets
from tabletop_interaction.cli.collect import Collect
from tabletop_interaction.cli.show import Show
from tabletop_interaction.envs.errors import TabletopError

COMMANDS: dict[str, type[Any]] = {
    "collect": Collect,
    "show": Show,
    "assets": Assets,
}

_INTERRUPTED = 130


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
    except TabletopError as error:
        console.print(f"[bold red]error:[/] {error}", highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("stopped; everything that was finished is on disk; the same command goes on from there")
        return _INTERRUPTED
    return 0


if __name__ == "__main__":
    sys.exit(main())
