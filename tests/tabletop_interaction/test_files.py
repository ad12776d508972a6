"""A file is whole, or as it was before, whatever ends its writing."""

from pathlib import Path

import pytest

from tabletop_interaction.files import whole_file


def test_a_file_takes_the_place_of_the_old_one_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"
    assert [each.name for each in tmp_path.iterdir()] == ["a.json"]


def test_writing_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"n", "no bytes"])  # type: ignore[list-item]
    assert path.read_bytes() == b"old"
