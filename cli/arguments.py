"""Checks of the command line before a command runs: of the arguments as typed, and of the values of its options."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_type_hints

import tyro

from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.files import nearest_existing
from tabletop_interaction.ranges import check_value, shown

_LONGEST_ARGUMENT, _LONGEST_NAME = 4000, 240
_PACKAGE = __package__


class Leads(NamedTuple):
    """What the path of an option leads to; part of the option's type."""

    wanted: Literal["file", "folder"]
    is_written: bool


File = Annotated[Path, Leads("file", is_written=False)]
"""A file that is read."""
Folder = Annotated[Path, Leads("folder", is_written=False)]
"""A folder that is read."""
NewFile = Annotated[Path, Leads("file", is_written=True)]
"""A file that the command writes."""
NewFolder = Annotated[Path, Leads("folder", is_written=True)]
"""A folder in which the command writes."""
PossibleFolder = Annotated[Path, Leads("folder", is_written=False)]
"""A folder in which the command writes in some cases only, so that it may be read-only in the others."""


UNSET = tyro.conf.arg(help_behavior_hint="")
"""Part of the type of an option whose help says what happens without it."""


def check_arguments(arguments: Sequence[str]) -> None:
    """Refuse arguments that no command can use: empty, overlong or not UTF-8 ones, and an option that is repeated.

    Raises:
        InvalidConfiguration: says which option it is.
    """
    seen: set[str] = set()
    option = "the command"
    for argument in arguments:
        value = argument
        if argument.startswith("--"):
            option, assigned, value = argument.partition("=")
            option = option.replace("_", "-")
            if (switch := option.replace("--no-", "--", 1)) in seen:
                raise InvalidConfiguration(f"{option} came more than once; give it once, with all of its values")
            seen.add(switch)
            if not assigned:
                continue
        _check_text(option, value)


def _check_text(option: str, value: str) -> None:
    if not value.strip():
        raise InvalidConfiguration(f"{option} came with an empty value; give one, or leave the option out")
    if len(value) > _LONGEST_ARGUMENT:
        raise InvalidConfiguration(
            f"{option} came with {len(value):,} characters; accepted are {_LONGEST_ARGUMENT:,} at most"
        )
    if "\0" in value:
        raise InvalidConfiguration(f"{option} came with {shown(value)}; a NUL character is in no path and no name")
    if any("\ud800" <= character <= "\udfff" for character in value):
        # JSON, TensorBoard and Parquet hold names as UTF-8 only.
        raise InvalidConfiguration(f"{option} came with {shown(value)}, which is not UTF-8; rename the file or folder")


def check_options(command: Any) -> None:
    """Refuse values outside the ranges of their options, and paths that lead to something else than they should.

    Configurations of other packages among the options have checked themselves.

    Raises:
        InvalidConfiguration: names the option as it is typed; nothing was written.
    """
    hints = get_type_hints(type(command), include_extras=True)
    for field in fields(command):
        value, hint = getattr(command, field.name), hints[field.name]
        if is_dataclass(value):
            if str(type(value).__module__).startswith(f"{_PACKAGE}."):
                check_options(value)
            continue
        option = _option(field.name, hint)
        check_value(option, value, hint)
        for path in value if isinstance(value, tuple) else (value,):
            if isinstance(path, Path):
                _check_path(option, path, _leads(hint))


def as_typed(error: TabletopError, names: Sequence[str]) -> TabletopError:
    """An error about a field of a configuration, about its option if it has one.

    Args:
        names: fields that are options; "crops.paste_share" is a field of the field `crops`.
    """
    if error.setting not in [name.rpartition(".")[2] for name in names]:
        return error
    return type(error)(f"{_option(error.setting)}{str(error).removeprefix(error.setting)}")


def _option(name: str, hint: Any = None) -> str:
    marks = getattr(hint, "__metadata__", ())
    given = next((mark.name for mark in marks if getattr(mark, "name", None)), name)
    return given.upper() if tyro.conf.Positional in marks else f"--{given.replace('_', '-')}"


def _leads(hint: Any) -> Leads | None:
    """What the paths of an option lead to, by its type."""
    if isinstance(hint, Leads):
        return hint
    parts = (*get_args(hint), *getattr(hint, "__metadata__", ()))
    return next((leads for part in parts if (leads := _leads(part))), None)


def _check_path(option: str, path: Path, leads: Leads | None) -> None:
    if any(len(os.fsencode(name)) > _LONGEST_NAME for name in path.parts):
        raise InvalidConfiguration(
            f"{option} is {shown(str(path))}; accepted are names of {_LONGEST_NAME} bytes at most"
        )
    if path.is_symlink() and not path.exists():
        raise InvalidConfiguration(f"{option} is {path}, a symbolic link to a missing file; repair or remove the link")
    above = nearest_existing(path)
    if above != path and not above.is_dir():
        raise InvalidConfiguration(f"{option} is {path}, but {above} is a file; name a path in a folder")
    if leads is None:
        return
    if above == path and not (path.is_dir() if leads.wanted == "folder" else path.is_file()):
        raise InvalidConfiguration(f"{option} is {path}, which is no {leads.wanted}; name a {leads.wanted}")
    if leads.is_written:
        check_writable(option, path)


def check_writable(option: str, path: Path) -> None:
    """Refuse the path of an option if it, or the folder that exists above it, cannot be written.

    Raises:
        InvalidConfiguration: names option, path and folder.
    """
    above = nearest_existing(path)
    if not os.access(above, os.W_OK):
        raise InvalidConfiguration(f"{option} is {path}, but {above} cannot be written; change its rights or the path")
