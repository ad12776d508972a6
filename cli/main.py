"""The `tabletop` command: one file per subcommand, its options one dataclass; parse and call only.

Only the file of the given command is imported, and what it needs of torch and PyBullet only when it runs.
"""

import ast
import difflib
import sys
from collections.abc import Callable, Sequence
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tyro

from tabletop_interaction import __version__
from tabletop_interaction.cli.arguments import check_arguments, check_options
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.program import exit_status, parsed

COMMANDS = (
    "collect",
    "show",
    "learn",
    "bootstrap",
    "train",
    "train-inverse",
    "segment",
    "evaluate",
    "export",
    "rearrange",
    "benchmark",
    "assets",
    "calibrate",
    "doctor",
)
"""In the order of the help. `two-words` is the class TwoWords in two_words.py, whose first line is its summary."""

_DESCRIPTION = (
    "Robots that teach themselves what an object is. `tabletop COMMAND --help` explains a command, and `tabletop "
    "--version` prints the version. Exit status: 0 after success, 1 after a failure, 2 after a mistake on the command "
    "line, 130 after Ctrl-C."
)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; an error of this package ends in one line, without a traceback.

    Returns:
        the exit status, as of `tabletop_interaction.program.exit_status`.
    """
    given = sys.argv[1:] if arguments is None else arguments
    return exit_status(lambda: _run(given), is_last=arguments is None)


def _run(arguments: list[str]) -> None:
    check_arguments(arguments)
    command = _parsed(arguments)
    check_options(command)
    command.run()


def command_class(name: str) -> Callable[..., Any]:
    """The dataclass of a command's options, imported now."""
    module = import_module(f"{__package__}.{name.replace('-', '_')}")
    found: Callable[..., Any] = getattr(module, "".join(word.capitalize() for word in name.split("-")))
    return found


def summary(name: str) -> str:
    """One line about a command: the first line of its file, which is not imported."""
    source = Path(__file__).with_name(f"{name.replace('-', '_')}.py").read_text(encoding="utf-8")
    opening = (ast.get_docstring(ast.parse(source)) or "").partition("\n")[0]
    return opening.partition(": ")[2]


def _parsed(arguments: list[str]) -> Any:
    """The options of a command.

    Raises:
        InvalidConfiguration: there is no such command.
        SystemExit: after --help and --version, and, with status 2, after a mistake that the parser finds.
    """
    if arguments[:1] == ["help"]:
        arguments = [*arguments[1:], "--help"]
    first = arguments[0] if arguments else "--help"
    if first == "--version":
        print(f"tabletop {__version__}")
        raise SystemExit(0)
    if first in COMMANDS:
        known = {first: command_class(first)}
    elif first.startswith("--tyro-"):
        # The shell's completion lists the options of every command.
        known = {name: command_class(name) for name in COMMANDS}
    elif first.startswith("-"):
        known = {name: _stand_in(name) for name in COMMANDS}
    else:
        raise InvalidConfiguration(_unknown(first))
    return parsed(
        lambda: tyro.extras.subcommand_cli_from_dict(
            known,
            prog="tabletop",
            description=_DESCRIPTION,
            args=arguments or ["--help"],
            sort_subcommands=False,
            config=(tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone),
        ),
        help_page(arguments),
    )


def help_page(arguments: Sequence[str]) -> str:
    """The command that prints the help of what was called: of the command, and of its part where it has parts."""
    page, known = ["tabletop"], list(COMMANDS)
    for word in arguments[:2]:
        if word not in known:
            break
        page.append(word)
        known = _parts_of(command_class(word)) if word in COMMANDS else []
    return f"`{' '.join(page)} --help`"


def _parts_of(command: Callable[..., Any]) -> list[str]:
    """Names of the commands below a command, as `make-sets` of `benchmark`; none for most."""
    names: list[str] = []
    for hint in get_type_hints(command, include_extras=True).values():
        for part in get_args((*get_args(hint), None)[0]):
            kind, *marks = get_args(part) or (None,)
            names += [mark.name for mark in marks if is_dataclass(kind)]
    return names


def _stand_in(name: str) -> Callable[..., Any]:
    """A stand-in for a command in the list of all commands: tyro reads only its docstring."""

    def command() -> None: ...

    command.__doc__ = summary(name)
    return command


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"there is no command {name!r}{meant}; accepted are {', '.join(COMMANDS)}"


if __name__ == "__main__":
    sys.exit(main())
