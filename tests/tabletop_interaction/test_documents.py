"""JSON and YAML are data: what is none ends in one typed line, and what readers disagree about is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.documents import convert, parse_json, parse_yaml, read_yaml
from tabletop_interaction.errors import InvalidConfiguration, UnreadableRecords


@dataclass(frozen=True)
class Line:
    """A line of a file."""

    number: int
    seconds: float
    name: str | None = None


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ('{"a": [1, 2.5, null, "\\u00e9"]}', {"a": [1, 2.5, None, "é"]}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        ('{"a": 1}'.encode("utf-16"), {"a": 1}),
    ],
)
def test_json_in_any_unicode_encoding_is_read(content: str | bytes, value: Any) -> None:
    assert parse_json(content, "x.json") == value


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "Expecting value"),
        (b"\xff{}", "can't decode byte"),
        ("[" * 10**5, "it is nested too deeply"),
        ("9" * 5000, "Exceeds the limit"),
        ('{"a": 1, "b": 2, "a": 3}', "the name 'a' is given twice"),
    ],
)
def test_what_is_no_json_is_one_line(content: str | bytes, said: str) -> None:
    with pytest.raises(UnreadableRecords, match=r"x\.json is damaged") as error:
        parse_json(content, "x.json")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_json_becomes_a_type_or_an_error_that_names_the_place() -> None:
    assert convert([{"number": 1, "seconds": 2, "new": 3}], list[Line], "x") == [Line(1, 2.0)]
    with pytest.raises(UnreadableRecords, match=r"Expected `int`, got `str` - at `\$\[0\]\.number`"):
        convert([{"number": "1", "seconds": 2}], list[Line], "x")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: [1, -2, 1.5, 1e3, true, null, ~]", {"a": [1, -2, 1.5, 1000.0, True, None, None]}),
        ("a: [010, 0x10, 1:30, yes, off]", {"a": ["010", "0x10", "1:30", "yes", "off"]}),
        ("a: 2026-11-01T10:00:00Z", {"a": datetime(2026, 11, 1, 10, tzinfo=UTC)}),
        ("a: &x {b: 1}\nc: {<<: *x, d: 2}", {"a": {"b": 1}, "c": {"b": 1, "d": 2}}),
        ("", None),
    ],
)
def test_yaml_is_read_as_version_1_2_has_it(text: str, value: Any) -> None:
    assert parse_yaml(text, "x.yaml", error=InvalidConfiguration) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: !!int x", "'x' cannot be read as int in line 1, column 4"),
        ("a: 2026-02-30", "'2026-02-30' cannot be read as timestamp in line 1"),
        ("a: .inf", "'.inf' is no finite number"),
        ("a: !!python/object:os.system x", "could not determine a constructor"),
        ("a: 1\na: 2", "the name 'a' is given twice in line 2"),
        ("&a [*a]", "it contains itself"),
        ("[" * 600, "it is nested too deeply"),
        ("".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}' if n else 'x'] * 9)}]\n" for n in range(9)), "100,000 values"),
        (" " * 2**20, "524,288 bytes"),
    ],
)
def test_what_is_no_plain_yaml_is_one_line(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x.yaml"
    path.write_text(text)
    with pytest.raises(InvalidConfiguration) as error:
        read_yaml(path, error=InvalidConfiguration)
    assert said in str(error.value)
    assert "\n" not in str(error.value)
