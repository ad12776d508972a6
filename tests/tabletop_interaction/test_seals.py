"""Seals: every flipped bit is found, files of another run are refused, and files of earlier versions are read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.seals import (
    append_sealed_line,
    check_sealed_request,
    new_run_id,
    read_sealed,
    read_sealed_lines,
    run_id_of,
    write_sealed,
)

CONTENT = {"schema_version": 1, "rate": 1.5e-5, "names": ["a", "b"], "nothing": None, "config": {"steps": 3}}


def test_a_sealed_file_returns_its_content_and_its_run(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    write_sealed(path, CONTENT, "abc")
    assert read_sealed(path) == (CONTENT, "abc")
    assert run_id_of(path) == "abc"
    path.write_text(json.dumps(CONTENT))
    assert read_sealed(path) == (CONTENT, None)
    assert run_id_of(tmp_path / "absent.json") is None
    assert len({new_run_id() for _ in range(100)}) == 100


@pytest.mark.parametrize("run", ["abc", None])
def test_every_flipped_bit_is_found_or_changes_nothing(tmp_path: Path, run: str | None) -> None:
    path = tmp_path / "run.json"
    write_sealed(path, CONTENT, run)
    whole, found = path.read_bytes(), 0
    bits = range(0, 8 * len(whole), 3)
    for bit in bits:
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        try:
            assert read_sealed(path) == (CONTENT, run)
        except UnreadableRecords:
            found += 1
    # Other blanks and the capital E of a number mean the same.
    assert found > 0.98 * len(bits)


def test_lines_of_another_run_and_damaged_lines_are_named(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    for number in (1, 2):
        append_sealed_line(path, {"number": number}, "abc")
    assert read_sealed_lines(path, "abc") == [{"number": 1}, {"number": 2}]
    with pytest.raises(ForeignFolder, match=r"line 1 of .*history\.jsonl belongs to run abc, .* to run def;"):
        read_sealed_lines(path, "def")
    path.write_text(path.read_text().replace('"number": 2', '"number": 3'))
    with pytest.raises(UnreadableRecords, match=r"line 2 of .*history\.jsonl is damaged"):
        read_sealed_lines(path, "abc")


def test_a_damaged_request_is_not_taken_for_another_one(tmp_path: Path) -> None:
    path = tmp_path / "learn.json"
    assert check_sealed_request(path, CONTENT, "a run") is None
    write_sealed(path, CONTENT, "abc")
    assert check_sealed_request(path, CONTENT, "a run") is not None
    with pytest.raises(ForeignFolder, match=r"rate is 1\.5e-05 there and 2 now"):
        check_sealed_request(path, {**CONTENT, "rate": 2}, "a run")
    path.write_text(path.read_text().replace("1.5e-05", "2"))
    with pytest.raises(UnreadableRecords, match=r"learn\.json is damaged"):
        check_sealed_request(path, CONTENT, "a run")
