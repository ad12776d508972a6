"""How a program of this package ends: errors in one line, and an exit status.

The `tabletop` command and the modules that run as `python -m` share it.
"""

import errno
import io
import re
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from types import TracebackType
from typing import TypeVar

import tyro
from rich.console import Console
from rich.text import Text

from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.extras import explained
from tabletop_interaction.starting import STOPPED, is_program
from tabletop_interaction.streams import (
    READER_GONE,
    Stopped,
    discard,
    open_standard_streams,
    reader_has_gone,
    terminating_cleanly,
)

OptionsT = TypeVar("OptionsT")

FAILED, MISTAKEN, INTERRUPTED = 1, 2, 130
"""Exit statuses after a failure, after a mistake on the command line, and after Ctrl-C."""

_TOO_MANY_FILES = (errno.EMFILE, errno.ENFILE)


class Refused(Exception):
    """Carries the error of a configuration, its cause, through tyro, which would show any ValueError as its own."""


def exit_status(run: Callable[[], int | None], *, is_last: bool = False) -> int:
    """Run a program; an error of this package, of a file or of a missing package ends in one line, without a traceback.

    Args:
        run: parses the command line and does the work; its result is the exit status, None for 0.
        is_last: the process ends afterwards. After one Ctrl-C another one does not disturb that.

    Returns:
        the exit status: that of `run`, 1 after a failure, 2 after a mistake on the command line or in a file of
        settings that it names, 128 + n after signal n (130 after Ctrl-C).
    """
    open_standard_streams()
    try:
        with warnings.catch_warnings(), _errors_of_threads_kept() as errors:
            warnings.showwarning = _show_warning  # type: ignore[assignment]
            try:
                status = _run(run, is_last)
                if status == 0:
                    _warn_of(errors)
                return status
            except OSError:
                raise
            except Exception:
                # The traceback that follows may be a consequence.
                _warn_of(errors)
                raise
            finally:
                # Here, because Python's own flush at its end reports errors with a traceback.
                sys.stdout.flush()
    except (BrokenPipeError, SystemExit) as error:
        # Nobody reads the output any more, as after `| head`. Rich makes an end of the program of that.
        if isinstance(error, SystemExit) and not isinstance(error.__context__, BrokenPipeError):
            raise
        discard(sys.stdout, sys.stderr)
        return READER_GONE
    except OSError as error:
        discard(sys.stdout)
        return _report(f"standard output: {error.strerror or error}; free space, or write it elsewhere", FAILED)


def run_module(main: Callable[[OptionsT], int | None], options: type[OptionsT], description: str | None) -> None:
    """Run a module as a program, `python -m MODULE`, and exit with its status.

    Args:
        main: does the work; its result is the exit status, None for 0.
        options: dataclass of the options.
        description: text above the options in the help.
    """
    program = program_name()
    sys.exit(
        exit_status(
            lambda: main(
                parsed(lambda: tyro.cli(options, prog=program, description=description), f"`{program} --help`")
            ),
            is_last=True,
        )
    )


def program_name() -> str:
    """How this process is called on the command line: `python -m MODULE`, or `tabletop`."""
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    module = (spec.name if spec is not None else "").removesuffix(".__main__")
    return "tabletop" if not module or module.endswith(".cli.main") else f"python -m {module}"


def parsed(parse: Callable[[], OptionsT], help_page: str) -> OptionsT:
    """The options that a parser of tyro returns; a mistake that it finds is one line, which names the help page.

    Raises:
        SystemExit: after --help, and, with status 2, after a mistake.
    """
    said = io.StringIO()
    try:
        with redirect_stderr(said):
            return parse()
    except SystemExit as end:
        if end.code != MISTAKEN:
            raise
        _print_line("error: ", "bold red", f"{_line_of_box(said.getvalue())}; see {help_page}")
        raise


def shorten_errors_of_imports() -> None:
    """Let a missing package end the program in one line while its modules are imported.

    For packages whose modules run as programs; they are imported before `exit_status` begins. Other errors keep their
    traceback, and where another program imports these packages nothing changes.
    """
    if is_program():
        sys.excepthook = _show_uncaught


@contextmanager
def _errors_of_threads_kept() -> Iterator[list[OSError]]:
    """Collect errors of the system that end a thread; Python would print their tracebacks.

    A library such as TensorBoard raises them again in the main thread, where they end the program in one line.
    """
    before, kept = threading.excepthook, list[OSError]()

    def keep(ended: threading.ExceptHookArgs) -> None:
        if isinstance(ended.exc_value, OSError):
            kept.append(ended.exc_value)
        else:
            before(ended)

    threading.excepthook = keep
    try:
        yield kept
    finally:
        threading.excepthook = before


def _warn_of(errors: list[OSError]) -> None:
    for error in errors:
        _show_warning(_line_of_system_error(error))


def _run(run: Callable[[], int | None], is_last: bool) -> int:
    try:
        with terminating_cleanly():
            return run() or 0
    except Refused as refused:
        return _report(str(refused.__cause__), MISTAKEN)
    except InvalidConfiguration as error:
        return _report(str(error), MISTAKEN)
    except TabletopError as error:
        return _report(str(error), FAILED)
    except ImportError as error:
        if (missing := explained(error)) is not None:
            return _report(str(missing), FAILED)
        return _report(f"a package cannot be imported ({error}); `tabletop doctor` checks the installation", FAILED)
    except OSError as error:
        if isinstance(error, BrokenPipeError) and reader_has_gone():
            raise
        return _report(_line_of_system_error(error), FAILED)
    except KeyboardInterrupt as stop:
        if is_last:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            # A second line would follow the one below.
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # After SIGHUP there may be no terminal.
        with suppress(OSError):
            # A live display may have been interrupted as it began or ended.
            Console(stderr=True).show_cursor()
            print(STOPPED, file=sys.stderr)
        return stop.status if isinstance(stop, Stopped) else INTERRUPTED
    except Exception as error:
        # Some libraries raise an error of their own from one of the system, such as torch's export.
        if (cause := _system_cause(error)) is None:
            raise
        return _report(_line_of_system_error(cause), FAILED)


def _system_cause(error: BaseException) -> OSError | None:
    """The system's error from which an error was raised explicitly, if any."""
    cause = error.__cause__
    while cause is not None and not isinstance(cause, OSError):
        cause = cause.__cause__
    return cause


def _line_of_system_error(error: OSError) -> str:
    remedy = "raise the limit with `ulimit -n`" if error.errno in _TOO_MANY_FILES else "check path and rights"
    return f"{error.filename or 'a file or the output'}: {error.strerror or error}; {remedy}"


def _show_uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if isinstance(error, ImportError) and (missing := explained(error)) is not None:
        _report(str(missing), FAILED)
    else:
        sys.__excepthook__(kind, error, trace)


def _line_of_box(box: str) -> str:
    """The text of the parser's box in one line, without its hint at a help page and names of classes."""
    # Its first and last rows are borders and title.
    rows = [row.strip("│| ") for row in Text.from_ansi(box).plain.splitlines()[1:-1]]
    parts = [" ".join(part.split()).rstrip(".") for part in re.split(r"[─-]{9,}", " ".join(rows))]
    line = "; ".join(part for part in parts if part and not part.startswith("For full helptext"))
    return re.sub(r"^Error parsing ([A-Z]\w*Options|__tyro-dummy-inner__\.\w+): ", "", line)


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
