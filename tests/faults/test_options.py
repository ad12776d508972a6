"""Wrong options: every option of every command, and every field of every configuration, is given wrong values.

Options and fields are found by introspection, so that one which is added later is attacked too.
"""

from __future__ import annotations

import dataclasses
import inspect
import pkgutil
import types
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
import tyro
from attack import Attack, Outcome, outcome_of, run_command

import tabletop_interaction
from tabletop_interaction.cli.main import COMMANDS, command_class
from tabletop_interaction.ranges import Range, shown

Samples = Callable[..., list[Any]]

CLI = "tabletop_interaction.cli"
PACKAGES = ("agents", "envs", "simulation", "segmentation", "benchmarks", "real", "cli", "sim_assets", "reports")
ENDINGS = ("Config", "Options", "Settings", "Setting", "Session", "Scenes", "Board", "BoardPlace", "PictureSize")
HUGE = "9" * 5000

WRONG_TEXTS: Mapping[type, tuple[str, ...]] = {
    int: ("x", "", "nan", "1e3", "1.5", "-1", "-9223372036854775809", "1" + 30 * "0", HUGE, "0x10", "None", "\udcff"),
    float: ("x", "", "nan", "inf", "-inf", "-1e30", "1e30", "1e999", "1,5", HUGE, "\0"),
    bool: ("x", "", "2"),
    str: ("", " ", "\0", "\udcff", "x" * 5000),
    Path: ("", " ", "a\0b", "\udcff", "n" * 300, "/".join(["d"] * 3000), "link", "file/below", "loop"),
}
"""What is typed for an option of a type; the paths are made by `world`."""

WRONG_VALUES: tuple[Any, ...] = (
    *(None, "x", "", b"x", [], {}, (), object(), True, -1, 0.5, 2**63, 10**30, 10**5000, -(10**30)),
    *(float("nan"), float("inf"), -float("inf"), 1e308, 1j, "1", int, "\ud800", ["x"], {"a": 1}, "l\n\n"),
)


@cache
def configurations() -> list[type]:
    """Every dataclass of settings in the packages."""
    found: dict[str, type] = {}
    for package in PACKAGES:
        top = import_module(f"{tabletop_interaction.__name__}.{package}")
        for module in pkgutil.walk_packages(top.__path__, f"{top.__name__}."):
            for name, each in vars(import_module(module.name)).items():
                is_here = isinstance(each, type) and each.__module__ == module.name
                if is_here and dataclasses.is_dataclass(each) and name.endswith(ENDINGS) and name[0] != "_":
                    found[f"{each.__module__}.{name}"] = each
    return [found[name] for name in sorted(found)]


def plain(hint: Any) -> list[Any]:
    """The types that a hint is made of, each with its ranges and marks: unions and tuples are taken apart."""
    if get_origin(hint) in (Union, types.UnionType, tuple):
        return [each for part in get_args(hint) if part is not Ellipsis for each in plain(part)]
    if get_origin(hint) is Annotated and get_origin(get_args(hint)[0]) in (Union, types.UnionType, tuple):
        return plain(get_args(hint)[0])
    return [hint]


def has_range(hint: Any) -> bool:
    """Whether every number in a hint has a range."""
    return all(
        any(isinstance(mark, Range) for mark in getattr(each, "__metadata__", ()))
        for each in plain(hint)
        if (get_args(each)[0] if get_origin(each) is Annotated else each) in (int, float)
    )


@pytest.mark.parametrize("kind", configurations(), ids=lambda kind: kind.__name__)
def test_every_number_of_a_configuration_has_a_range(kind: type) -> None:
    hints = get_type_hints(kind, include_extras=True)
    assert [each.name for each in dataclasses.fields(kind) if not has_range(hints[each.name])] == []
    assert hasattr(kind, "__post_init__") or kind.__module__.startswith(f"{CLI}.")


def _made(kind: type) -> Any:
    """An instance with its defaults, and with plain values for what has none."""
    known = {"kind": "device", "source": 0, "data": Path("x"), "out": Path("x")}
    needed = [
        each.name
        for each in dataclasses.fields(kind)
        if each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
    ]
    return kind(**{name: known.get(name, 64) for name in needed})


def test_configurations_refuse_wrong_values(attack: Callable[[str], Attack], samples: Samples) -> None:
    cases = [
        (kind, each.name, value)
        for kind in configurations()
        if not kind.__module__.startswith(f"{CLI}.")
        for each in dataclasses.fields(kind)
        for value in WRONG_VALUES
    ]
    with attack("options: wrong values of a configuration's fields") as one:
        for kind, name, value in samples(cases, short=250):
            # Values that are no wrong ones, such as 0.5 for a share, have the right type.
            right = partial(_has_type, name=name, hint=get_type_hints(kind)[name])
            one.call(partial(_with_value, kind, name, value), right, what=f"{kind.__name__}.{name} = {shown(value)}")


def _with_value(kind: type, name: str, value: object) -> Any:
    return dataclasses.replace(_made(kind), **{name: value})


def _has_type(made: Any, name: str, hint: Any) -> bool:
    return is_of(getattr(made, name), hint)


def is_of(value: Any, hint: Any) -> bool:
    """Whether a value is of a type, written anew: the judge must not be the judged code."""
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return any(is_of(value, part) for part in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        parts = [part for part in get_args(hint) if part is not Ellipsis]
        return isinstance(value, tuple | list) and all(is_of(each, parts[0]) for each in value)
    if origin is dict:
        return type(value) is dict and all(is_of(key, get_args(hint)[0]) for key in value)
    if hint is float:
        return type(value) in (int, float) and abs(value) < 1e10
    if hint is int:
        return type(value) is int and abs(value) < 2**63
    return type(value) is hint


@dataclasses.dataclass(frozen=True)
class Option:
    """An option of a command: how it is typed, and the types of its values; a positional one is typed as nothing."""

    command: tuple[str, ...]
    typed: str
    hint: Any
    is_needed: bool

    @property
    def kinds(self) -> list[type]:
        """The plain types of the values."""
        bare = [get_args(each)[0] if get_origin(each) is Annotated else each for each in plain(self.hint)]
        return [str if get_origin(each) is Literal else each for each in bare if each is not type(None)]


def commands(name: str) -> Iterator[tuple[tuple[str, ...], type]]:
    """A command, or its subcommands, with the dataclass of the options."""
    kind = command_class(name)
    assert isinstance(kind, type)
    return _leaves((name,), kind)


def _leaves(typed: tuple[str, ...], kind: type) -> Iterator[tuple[tuple[str, ...], type]]:
    hints = get_type_hints(kind, include_extras=True)
    unions = [hint for hint in hints.values() if is_of_subcommands(hint)]
    if not unions:
        yield typed, kind
    for union in unions:
        for part in get_args(get_args(union)[0]):
            yield from _leaves((*typed, part.__metadata__[0].name), get_args(part)[0])


def is_of_subcommands(hint: Any) -> bool:
    """Whether a hint is a union of the dataclasses of subcommands."""
    inner = get_args(hint)[0] if get_origin(hint) is Annotated else hint
    return get_origin(inner) in (Union, types.UnionType) and all(
        get_origin(part) is Annotated and dataclasses.is_dataclass(get_args(part)[0]) for part in get_args(inner)
    )


def options_of(command: tuple[str, ...], kind: type) -> Iterator[Option]:
    """The options of a command; those of nested dataclasses too."""
    hints = get_type_hints(kind, include_extras=True)
    for each in dataclasses.fields(kind):
        hint = hints[each.name]
        marks = getattr(hint, "__metadata__", ())
        inner = get_args(hint)[0] if marks else hint
        factories = [mark.constructor_factory for mark in marks if getattr(mark, "constructor_factory", None)]
        if factories:
            for one in inspect.signature(factories[0]()).parameters.values():
                yield Option(command, f"--{one.name.replace('_', '-')}", one.annotation, is_needed=False)
        elif dataclasses.is_dataclass(inner):
            yield from options_of(command, inner)
        else:
            given = next((mark.name for mark in marks if isinstance(getattr(mark, "name", None), str)), each.name)
            typed = "" if tyro.conf.Positional in marks else f"--{given.replace('_', '-')}"
            has_none = each.default is dataclasses.MISSING and each.default_factory is dataclasses.MISSING
            yield Option(command, typed, hint, is_needed=has_none)


def wrong_arguments(name: str) -> Iterator[list[str]]:
    """Command lines of a command with one wrong value each; all other options are right."""
    for command, kind in commands(name):
        found = list(options_of(command, kind))
        assert found or command == ("doctor",), command
        for option in found:
            others = [each for each in found if each.is_needed and each != option]
            base = [*command, *(part for each in others for part in (each.typed, _right(each)) if part)]
            names = [option.typed] if option.typed else []
            texts = {text for each in option.kinds for text in WRONG_TEXTS[_kind(each)]}
            parts = get_args(_inner(option.hint))
            count = len(parts) if get_origin(_inner(option.hint)) is tuple and Ellipsis not in parts else 1
            for text in sorted(texts):
                is_single = option.typed and (count == 1 or bool in option.kinds)
                yield [*base, *([f"{option.typed}={text}"] if is_single else [*names, *[text] * count])]
            if option.typed:
                yield [*base, option.typed, *(["1"] if bool not in option.kinds else []), option.typed, "1"]
                yield [*base, f"{option.typed}-x", "1"]


def _inner(hint: Any) -> Any:
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def _kind(hint: Any) -> type:
    return hint if hint in WRONG_TEXTS else str


def _right(option: Option) -> str:
    return "new" if option.typed == "--out" else "folder" if Path in option.kinds else "0"


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run, with what paths can lead to."""
    monkeypatch.chdir(tmp_path)
    Path("folder").mkdir()
    Path("file").write_text("text")
    Path("link").symlink_to("nowhere")
    Path("loop").symlink_to("loop")
    return tmp_path


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_refuses_wrong_options(
    name: str, attack: Callable[[str], Attack], samples: Samples, world: Path
) -> None:
    before = sorted(world.rglob("*"))
    with attack("options: wrong options of every command") as one:
        for arguments in samples(list(wrong_arguments(name)), short=2):
            ended = run_command(arguments, timeout_s=20)
            outcome = outcome_of(ended, lambda _: False)
            if outcome == Outcome.CLEAR and sorted(world.rglob("*")) != before:
                outcome = Outcome.WRONG
            one.note(outcome, " ".join(shown(each) for each in arguments), ended.err or ended.out)
            assert sorted(world.rglob("*")) == before, arguments
