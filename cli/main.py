"""The `tabletop` command: a subcommand a file, its options one dataclass; parse and call only.

Only the command that is asked for is imported: most bring torch, which takes seconds.
"""

from __future__ import annotations

import ast
import difflib
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import tyro
from rich.console import Console

from tabletop_interaction.errors import InvalidConfiguration, TabletopError

COMMANDS = (
    "collect",
    "show",
    "learn",
    "bootstrap",
    "train",
    "train-inverse",
    "segment",
    "evaluate",
    "rearrange",
    "benchmark",
    "assets",
    "calibrate",
    "doctor",
)
"""In the order of the help; two-words is the class TwoWords in two_words.py, which opens with what the help says."""

_INTERRUPTED = 130


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; errors that the package raises on purpose end in one line, not in a trace."""
    try:
        _parsed(sys.argv[1:] if arguments is None else arguments).run()
    except TabletopError as error:
        return _report(str(error))
    except OSError as error:
        return _report(f"{error.filename or 'a file'}: {error.strerror or error}; check path and rights")
    except KeyboardInterrupt:
        print("stopped; everything that was finished is on disk", file=sys.stderr)
        return _INTERRUPTED
    except ValueError as error:
        if not isinstance(error, _errors_of_segmentation()):
            raise
        return _report(str(error))
    return 0


def command_class(name: str) -> Callable[..., Any]:
    """The dataclass of a command's options, imported now."""
    module = import_module(f"{__package__}.{name.replace('-', '_')}")
    found: Callable[..., Any] = getattr(module, "".join(word.capitalize() for word in name.split("-")))
    return found


def summary(name: str) -> str:
    """What a command is, by the first line of its file, which is read and not imported."""
    source = Path(__file__).with_name(f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    opening = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return opening.partition(": ")[2]


def _parsed(arguments: list[str]) -> Any:
    """The options of the command that was asked for; help, and mistakes in options, end the program.

    Raises:
        InvalidConfiguration: there is no such command.
    """
    first = arguments[0] if arguments else "--help"
    if first in COMMANDS:
        known = {first: command_class(first)}
    elif first.startswith("--tyro-"):
        # The shell's completion, which knows every option.
        known = {name: command_class(name) for name in COMMANDS}
    elif first.startswith("-"):
        known = {name: _stand_in(name) for name in COMMANDS}
    else:
        raise InvalidConfiguration(_unknown(first))
    return tyro.extras.subcommand_cli_from_dict(
        known,
        prog="tabletop",
        description="Robots that teach themselves what an object is.",
        args=arguments or ["--help"],
        sort_subcommands=False,
    )


def _stand_in(name: str) -> Callable[..., Any]:
    """What stands for a command in the list of all: only its docstring is looked at."""

    def command() -> None: ...

    command.__doc__ = summary(name)
    return command


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"there is no command {name!r}{meant}; accepted are {', '.join(COMMANDS)}"


def _errors_of_segmentation() -> tuple[type[ValueError], ...]:
    """What `segmentation` raises on purpose: it imports none of ours, so that its errors share no base of ours.

    Whoever raised one of them has imported torch already; everybody else need not wait for it.
    """
    from tabletop_interaction.errors import (
        CheckpointError,
        InvalidLabelSet,
        InvalidPicture,
        InvalidPictureStore,
        NoExamples,
        TrainingError,
    )

    return CheckpointError, InvalidLabelSet, InvalidPicture, InvalidPictureStore, NoExamples, TrainingError


def _report(message: str) -> int:
    # Paths may hold brackets, which rich would take for markup.
    console = Console(stderr=True)
    console.print("error: ", style="bold red", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
