"""Reads JSON and YAML that somebody may have edited, damaged or made up: what it is not, one typed error says.

A document is data only: no tag makes an object. What readers disagree about is refused: a name given twice, numbers
that YAML 1.1 takes for octal or for minutes, aliases that grow without bound.
"""

import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import yaml

from tabletop_interaction.errors import TabletopError, UnreadableRecords
from tabletop_interaction.ranges import shown

ValueT = TypeVar("ValueT")

_RESTORE = "restore it from a copy"
_MOST_YAML_BYTES = 2**19
_MOST_YAML_NODES = 100_000
_TAG = "tag:yaml.org,2002:"


def parse_json(
    content: str | bytes,
    where: str | os.PathLike[str],
    *,
    error: type[TabletopError] = UnreadableRecords,
    remedy: str = _RESTORE,
) -> Any:
    """The value of a JSON text; bytes are UTF-8, or UTF-16 or UTF-32 by their first characters.

    Args:
        where: the file, for the message.
        error: class to raise.
        remedy: the end of the message.

    Raises:
        TabletopError: of class `error`; it is no JSON, is nested too deeply, or gives a name twice.
    """
    with one_error(f"{where} is damaged", error, remedy):
        return json.loads(content, object_pairs_hook=_unique)


def convert(
    value: Any,
    kind: type[ValueT],
    where: str | os.PathLike[str],
    *,
    error: type[TabletopError] = UnreadableRecords,
    remedy: str = _RESTORE,
) -> ValueT:
    """A value that JSON gave, as a type or dataclass; names that a dataclass does not have are left out.

    Raises:
        TabletopError: of class `error`; says the place, what is there and what is expected.
    """
    with one_error(f"{where} is damaged", error, remedy):
        return msgspec.convert(value, kind)


def read_yaml(path: Path, *, error: type[TabletopError]) -> Any:
    """The value of a YAML file: text, finite numbers, true, false, null and times, in sequences and mappings.

    Raises:
        TabletopError: of class `error`; it is no YAML, has other tags, gives a name twice, or is too large.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        return parse_yaml(file.read(_MOST_YAML_BYTES + 1), path, error=error)


def parse_yaml(content: bytes | str, where: str | os.PathLike[str], *, error: type[TabletopError]) -> Any:
    """The value of a YAML text; see `read_yaml`."""
    if len(content) > _MOST_YAML_BYTES:
        raise error(f"{where} has more than {_MOST_YAML_BYTES:,} bytes; name a YAML file that is no larger")
    with one_error(f"{where} cannot be read as YAML", error, "correct it there"):
        return yaml.load(content, Loader=_PlainLoader)


@contextmanager
def one_error(what: str, error: type[TabletopError], remedy: str) -> Iterator[None]:
    """Raise `error`, in one line, for whatever the parsing and checking of a document raises."""
    try:
        yield
        return
    except RecursionError:
        reason = "it is nested too deeply"
    except MemoryError:
        reason = "it does not fit into memory"
    except yaml.MarkedYAMLError as failure:
        mark = failure.problem_mark
        place = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        reason = f"{failure.problem}{place}"
    except (ValueError, OverflowError, yaml.YAMLError) as failure:
        reason = " ".join(str(failure).split())
    raise error(f"{what} ({reason}); {remedy}")


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"the name {max(names, key=names.count)!r} is given twice")
    return found


class _PlainLoader(yaml.SafeLoader):
    """Reads plain data. YAML 1.1 takes 010 for 8, 1:30 for 90 and yes for true; here they are text, as in YAML 1.2."""

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            _check_nodes(node, {})
        return node

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """See yaml.SafeLoader; a value that does not exist is an error with its place."""
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, OverflowError) as failure:
            # Such as the 30th of February, or `!!int x`.
            raise _error(f"{shown(node.value)} cannot be read as {node.tag.removeprefix(_TAG)}", node) from failure
        if isinstance(value, float) and not math.isfinite(value):
            raise _error(f"{shown(node.value)} is no finite number", node)
        return value


def _check_nodes(node: yaml.Node, sizes: dict[int, int]) -> int:
    """The number of values in a node with its aliases written out; `sizes` has that of nodes by their ids.

    Raises:
        yaml.constructor.ConstructorError: it is too large, contains itself, or gives a name twice.
    """
    if (size := sizes.get(id(node))) is not None:
        if size == 0:
            raise _error("it contains itself", node)
        return size
    sizes[id(node)] = 0
    children = list(node.value) if isinstance(node, yaml.SequenceNode) else []
    if isinstance(node, yaml.MappingNode):
        names = set()
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and (name.tag, name.value) in names:
                raise _error(f"the name {name.value!r} is given twice", name)
            names.add((name.tag, name.value) if isinstance(name, yaml.ScalarNode) else None)
            children += (name, value)
    size = 1 + sum(_check_nodes(child, sizes) for child in children)
    if size > _MOST_YAML_NODES:
        raise _error(f"it has more than {_MOST_YAML_NODES:,} values", node)
    sizes[id(node)] = size
    return size


def _error(problem: str, node: yaml.Node) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)


_KINDS = ("null", "bool", "int", "float", "timestamp", "str", "seq", "map")
_SCALARS: Mapping[str, tuple[str, str]] = {
    "null": (r"~|null|Null|NULL|", "~nN"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"[-+]?(?:0|[1-9][0-9]*)", "-+0123456789"),
    "float": (
        r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))"
        r"|\.(?:nan|NaN|NAN)",
        "-+.0123456789",
    ),
}
# Resolvers by the first character of a scalar, in the order in which they are tried.
RESOLVERS: dict[str, list[tuple[str, re.Pattern[str]]]] = {
    first: [each for each in found if each[0] in (f"{_TAG}timestamp", f"{_TAG}merge")]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, (_pattern, _firsts) in _SCALARS.items():
    for _first in (*_firsts, *([""] if _name == "null" else [])):
        RESOLVERS.setdefault(_first, []).append((f"{_TAG}{_name}", re.compile(f"(?:{_pattern})\\Z")))

_PlainLoader.yaml_implicit_resolvers = RESOLVERS
_PlainLoader.yaml_constructors = {
    tag: made
    for tag, made in yaml.SafeLoader.yaml_constructors.items()
    if tag in {None, *(_TAG + each for each in _KINDS)}
}
