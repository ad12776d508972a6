"""The `tabletop` command: one file per subcommand, its options one dataclass; parse and call only.

Only the file of the given command is imported, and what it needs of torch and PyBullet only when it runs.
"""

import ast
import difflib
import errno
import io
import re
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, suppress
from dataclasses import is_dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, get_args, get_type_hints

import tyro
from rich.console import Console
from rich.text import Text

from tabletop_interaction import __version__
from tabletop_interaction.cli.arguments import check_arguments, check_options
from tabletop_interaction.cli.refused import Refused
from tabletop_interaction.cli.streams import (
    READER_GONE,
    Stopped,
    discard,
    open_standard_streams,
    reader_has_gone,
    terminating_cleanly,
)
from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.extras import explained

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
_FAILED, _MISTAKEN, _INTERRUPTED = 1, 2, 130
_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and run; an error of this package ends in one line, without a traceback.

    Returns:
        the exit status: 0, 1 after a failure, 2 after a mistake on the command line or in a file of settings that it
        names, 128 + n after signal n (130 after Ctrl-C).
    """
    open_standard_streams()
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            try:
                return _run(sys.argv[1:] if arguments is None else arguments)
            finally:
                # Here, because Python's own flush at its end reports errors with a traceback.
                sys.stdout.flush()
    except BrokenPipeError:
        # Nobody reads the output any more, as after `| head`.
        discard(sys.stdout, sys.stderr)
        return READER_GONE
    except OSError as error:
        discard(sys.stdout)
        return _report(f"standard output: {error.strerror or error}; free space, or write it elsewhere", _FAILED)


def _run(arguments: list[str]) -> int:
    try:
        with terminating_cleanly():
            check_arguments(arguments)
            command = _parsed(arguments)
            check_options(command)
            command.run()
    except Refused as refused:
        return _report(str(refused.__cause__), _MISTAKEN)
    except InvalidConfiguration as error:
        return _report(str(error), _MISTAKEN)
    except TabletopError as error:
        return _report(str(error), _FAILED)
    except ImportError as error:
        if (missing := explained(error)) is not None:
            return _report(str(missing), _FAILED)
        return _report(f"a package cannot be imported ({error}); `tabletop doctor` checks the installation", _FAILED)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and reader_has_gone():
            raise
        remedy = "raise the limit with `ulimit -n`" if error.errno in _TOO_MANY_FILES else "check path and rights"
        return _report(f"{error.filename or 'a file or the output'}: {error.strerror or error}; {remedy}", _FAILED)
    except KeyboardInterrupt as stop:
        # After SIGHUP there may be no terminal.
        with suppress(OSError):
            print("stopped; everything that was finished is on disk", file=sys.stderr)
        return stop.status if isinstance(stop, Stopped) else _INTERRUPTED
    return 0


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
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                known,
                prog="tabletop",
                description=_DESCRIPTION,
                args=arguments or ["--help"],
                sort_subcommands=False,
                config=(tyro.conf.OmitArgPrefixes, tyro.conf.DisallowNone),
            )
    except SystemExit as end:
        if end.code != _MISTAKEN:
            raise
        _print_line("error: ", "bold red", f"{_line_of_box(said.getvalue())}; see {help_page(arguments)}")
        raise


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


def _line_of_box(box: str) -> str:
    """The text of the parser's box in one line, without its hint at a help page."""
    # Its first and last rows are borders and title.
    rows = [row.strip("│| ") for row in Text.from_ansi(box).plain.splitlines()[1:-1]]
    parts = [" ".join(part.split()).rstrip(".") for part in re.split(r"[─-]{9,}", " ".join(rows))]
    return "; ".join(part for part in parts if part and not part.startswith("For full helptext"))


def _stand_in(name: str) -> Callable[..., Any]:
    """A stand-in for a command in the list of all commands: tyro reads only its docstring."""

    def command() -> None: ...

    command.__doc__ = summary(name)
    return command


def _unknown(name: str) -> str:
    near = difflib.get_close_matches(name, COMMANDS, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"there is no command {name!r}{meant}; accepted are {', '.join(COMMANDS)}"


def _report(message: str, status: int) -> int:
    _print_line("error: ", "bold red", message)
    return status


def _show_warning(message: Warning | str, *_: object) -> None:
    """In place of Python's own way, which prints the source of the warning too."""
    _print_line("warning: ", "bold yellow", str(message))


def _print_line(kind: str, style: str, message: str) -> None:
    # Messages of libraries may have several lines, and names of files may hold codes that a terminal obeys.
    line = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in " ".join(message.splitlines()))
    # Paths may hold brackets and colons, which rich would take for markup and pictures. It imports as it prints, which
    # fails where no file can be opened: nothing is printed until both parts are ready.
    console = Console(stderr=True)
    try:
        with console.capture() as printed:
            console.print(kind, style=style, end="", markup=False, emoji=False, highlight=False)
            console.print(line, markup=False, emoji=False, highlight=False, soft_wrap=True)
        print(printed.get(), end="", file=sys.stderr)
    except (OSError, ImportError):
        print(f"{kind}{line}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
