"""Decoded pictures read back, survive kills, and refuse foreign folders."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tabletop_interaction.errors import ForeignFolder
from tabletop_interaction.segmentation.training.pictures import InvalidPictureStore, add_pictures, open_pictures


def test_pictures_read_back_and_existing_keys_are_skipped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    pictures = {f"{n}": rng.integers(0, 256, (5 + n, 7, 3), dtype=np.uint8) for n in range(4)}
    add_pictures(tmp_path / "store", list(pictures.items())[:2])
    add_pictures(tmp_path / "store", [*list(pictures.items())[2:], ("0", pictures["1"])])
    store = open_pictures(tmp_path / "store")
    assert list(store) == list(pictures)
    assert all((store[key] == pictures[key]).all() for key in pictures)
    assert not store["0"].flags.writeable


def test_pixels_behind_the_index_are_overwritten(tmp_path: Path) -> None:
    first, second = np.full((2, 2, 3), 1, np.uint8), np.full((2, 2, 3), 2, np.uint8)
    add_pictures(tmp_path, [("first", first)])
    with open(tmp_path / "pictures.u8", "ab") as file:
        file.write(b"torn")
    store = add_pictures(tmp_path, [("second", second)])
    assert (store["first"] == first).all()
    assert (store["second"] == second).all()


def test_a_failed_write_keeps_the_pictures_before(tmp_path: Path) -> None:
    with pytest.raises(InvalidPictureStore, match="float64"):
        add_pictures(tmp_path / "s", [("good", np.zeros((2, 2, 3), np.uint8)), ("bad", np.zeros((2, 2, 3)))])
    assert list(open_pictures(tmp_path / "s")) == ["good"]


def test_a_foreign_or_damaged_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    with pytest.raises(InvalidPictureStore, match=r"thesis\.txt"):
        add_pictures(tmp_path, [])
    store = tmp_path / "store"
    add_pictures(store, [("a", np.zeros((2, 2, 3), np.uint8))])
    (store / "pictures.u8").write_bytes(b"")
    with pytest.raises(InvalidPictureStore, match="0 bytes of 12"):
        open_pictures(store)
    (store / "pictures.json").write_text(json.dumps({"schema_version": 99, "places": {}}))
    with pytest.raises(InvalidPictureStore, match="version 99"):
        open_pictures(store)


def test_a_changed_picture_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    pictures = {name: np.full((4, 5, 3), value, np.uint8) for name, value in (("a", 1), ("b", 2))}
    add_pictures(tmp_path, pictures.items())
    content = bytearray((tmp_path / "pictures.u8").read_bytes())
    content[70] ^= 4
    (tmp_path / "pictures.u8").write_bytes(content)
    store = open_pictures(tmp_path)
    assert (store["a"] == pictures["a"]).all()
    with pytest.raises(InvalidPictureStore, match=r"picture 'b' in .* is damaged; remove .*, it will be made again"):
        store["b"]
    (tmp_path / "pictures.json").write_text((tmp_path / "pictures.json").read_text().replace("60", "61"))
    with pytest.raises(InvalidPictureStore, match=r"pictures\.json is no index .*checksum differs"):
        open_pictures(tmp_path)


def test_pictures_of_another_run_are_refused_and_those_of_an_earlier_version_are_read(tmp_path: Path) -> None:
    picture = np.full((4, 5, 3), 1, np.uint8)
    add_pictures(tmp_path / "new", [("a", picture)], "abc")
    assert list(open_pictures(tmp_path / "new", "abc")) == ["a"]
    with pytest.raises(ForeignFolder, match="belongs to run abc, and its folder to run def"):
        open_pictures(tmp_path / "new", "def")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "pictures.u8").write_bytes(picture.tobytes())
    (tmp_path / "old" / "pictures.json").write_text('{"schema_version": 1, "places": {"a": [0, 4, 5]}}')
    store = add_pictures(tmp_path / "old", [("b", picture + 1)])
    assert [int(store[key].max()) for key in store] == [1, 2]
