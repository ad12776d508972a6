"""A long recording says how much disk it will need, and warns where it does not fit."""

import shutil
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest

from tabletop_interaction.disk_space import report_expected_space, report_needed_space, total_bytes


class Usage(NamedTuple):
    total: int
    used: int
    free: int


def report(written: int, done: int, total: int, folder: Path) -> None:
    report_needed_space("interactions", written, done, total, folder, "record fewer")


@pytest.fixture(autouse=True)
def ten_gigabytes_are_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**11, 9 * 10**10, 10**10))


def test_what_a_long_recording_needs_is_reported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(written=50_000_000, done=20, total=2020, folder=tmp_path)
    assert capsys.readouterr().err == (
        f"2,000 more interactions need about 5.0 GB in {tmp_path} (2.5 MB each, measured on 20); 10.0 GB are free\n"
    )


def test_a_short_recording_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report(written=2_500_000, done=1, total=200, folder=tmp_path)
    assert capsys.readouterr() == ("", "")


def test_what_does_not_fit_is_a_warning_with_a_remedy(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"12\.5 GB.*10\.0 GB are free, which is too little: record fewer"):
        report(written=2_500_000, done=1, total=5001, folder=tmp_path)


def test_a_short_recording_that_does_not_fit_is_a_warning_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**11, 10**11, 10**6))
    with pytest.warns(UserWarning, match=r"0\.0 GB are free"):
        report(written=2_500_000, done=1, total=2, folder=tmp_path)


def test_a_finished_recording_needs_nothing(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report(written=2_500_000, done=1, total=1, folder=tmp_path)


def test_bytes_are_those_of_files_and_of_files_in_folders(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "one").write_bytes(bytes(5))
    (tmp_path / "two").write_bytes(bytes(7))
    assert total_bytes([tmp_path / "a", tmp_path / "two", tmp_path / "missing"]) == 12


def test_before_the_first_item_an_estimate_is_said_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report_expected_space("interactions", 3.2e6, 2000, tmp_path / "new" / "records", "record fewer")
    assert capsys.readouterr().err == (
        f"2,000 interactions need about 6.4 GB in {tmp_path}/new/records (3.2 MB each, an estimate from the views' "
        "sizes); 10.0 GB are free\n"
    )
    report_expected_space("interactions", 3.2e6, 200, tmp_path, "record fewer")
    assert capsys.readouterr().err == ""
    with pytest.warns(UserWarning, match="which is too little: record fewer"):
        report_expected_space("interactions", 3.2e6, 5000, tmp_path, "record fewer")
