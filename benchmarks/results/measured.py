"""The option --result of the commands that print figures: a result file of what was measured."""

import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import tyro

from tabletop_interaction.benchmarks.results.result import Result, Rows, check_result_path, write_result
from tabletop_interaction.program import program_name
from tabletop_interaction.ranges import check_fields

_OWN_OPTIONS = ("--result", "--after")
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """Where a command that prints figures also writes them."""

    result: Annotated[Path | None, tyro.conf.arg(help_behavior_hint="")] = None
    """Result file to write, such as docs/results/NAME.json; the tables of README and docs are made from these."""
    after: Annotated[tuple[str, ...], tyro.conf.arg(help_behavior_hint="")] = ()
    """Commands that made what this command reads, such as a training; for --result."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.result is not None:
            check_result_path(self.result)
            commit_at_start()

    def keep(
        self,
        figures: Rows,
        *,
        seeds: Iterable[int] | None,
        network_seeds: Iterable[int] = (),
        interval: str | None = None,
        notes: Sequence[str] = (),
    ) -> None:
        """Write the figures, if a result file is wanted; see `Result`."""
        if self.result is None:
            return
        result = Result(
            commands=(*self.after, command_line(sys.argv)),
            figures=figures,
            seeds=None if seeds is None else tuple(seeds),
            commit=commit_at_start(),
            date=datetime.now(UTC).date(),
            machine=machine(),
            network_seeds=tuple(network_seeds),
            interval=interval,
            notes=tuple(notes),
        )
        write_result(self.result, result)
        print(f"result file: {self.result}")


def command_line(arguments: Sequence[str]) -> str:
    """The command of this process as one types it, without the options of result files.

    Args:
        arguments: as `sys.argv`.
    """
    return shlex.join([*program_name().split(), *_without_own_options(arguments[1:])])


def commit_of(root: Path) -> str | None:
    """The commit of a checkout, with "+changes" if its code differs from it; None where there is no checkout.

    Result files, pages and tests change no figure.
    """
    top = _git(root, "rev-parse", "--show-toplevel")
    if top is None or Path(top).resolve() != root.resolve():
        return None
    commit = _git(root, "rev-parse", "HEAD")
    others = [f":!{each}" for each in ("docs/results", "*.md", "tests")]
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", ".", *others)
    return f"{commit}+changes" if changes else commit


@cache
def commit_at_start() -> str | None:
    """The commit of the code that this process runs: during a long measurement the checkout may move on."""
    return commit_of(_ROOT)


def machine() -> str:
    """Processor, cores, system, and versions of Python and, where it is installed, torch."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    parts = [processor_name(), f"{cores} cores", f"{platform.system()} {platform.machine()}"]
    parts.append(f"Python {platform.python_version()}")
    with suppress(PackageNotFoundError):
        parts.append(f"torch {version('torch')}")
    return ", ".join(parts)


def processor_name() -> str:
    """The processor as it names itself."""
    cpus = Path("/proc/cpuinfo")
    if cpus.is_file():
        for line in cpus.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _without_own_options(arguments: Sequence[str]) -> list[str]:
    kept: list[str] = []
    skipping = False
    for argument in arguments:
        if argument.startswith("--"):
            skipping = argument.partition("=")[0] in _OWN_OPTIONS
        if not skipping:
            kept.append(argument)
    return kept


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
