"""A picture is found by the names that labelling tools give it, in its folder only, and never by guessing."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.segmentation.picture_search import Names, find_picture, folded, names_below

FOLDER = "/data/train/images"
NFC, NFD = (unicodedata.normalize(form, "café.png") for form in ("NFC", "NFD"))


def found(name: str, *files: str) -> tuple[str, ...]:
    """Search in a folder with these files."""

    def names_in(folder: str) -> Names:
        prefix = f"{folder}/" if folder else ""
        names: dict[str, tuple[str, ...]] = {}
        for file in files:
            if file.startswith(prefix):
                first = file.removeprefix(prefix).split("/")[0]
                names[folded(first)] = tuple(dict.fromkeys((*names.get(folded(first), ()), first)))
        return names

    return find_picture(name, FOLDER, names_in)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.png", "a.png"),
        ("./sub//a.png", "sub/a.png"),
        ("a.png/", "a.png"),
        ("sub/../a.png", "a.png"),
        (r"sub\a.png", "sub/a.png"),
        ("a%20b.png", "a b.png"),
        ("a%20b.png", "a%20b.png"),
        ("sub%5Ca.png", "sub\\a.png"),
        (NFC, NFD),
        (NFD, NFC),
        ("caf%C3%A9.png", NFD),
        ("A.PNG", "a.png"),
        ("images/a.png", "a.png"),
        ("train/images/a.png", "a.png"),
        (r"Images\sub\a.png", "sub/a.png"),
        ("images/a.png", "images/a.png"),
        (f"{FOLDER}/a.png", "a.png"),
        ("../images/a.png", "a.png"),
    ],
)
def test_a_name_fits_its_file(name: str, file: str) -> None:
    assert found(name, "other.png", file) == (file,)


@pytest.mark.parametrize(
    "name",
    [
        "b.png",
        "sub",
        "../a.png",
        "images/../../a.png",
        "/a.png",
        "/data/val/images/a.png",
        "val/images/a.png",
        "cam2/a.png",
        r"C:\data\train\images\a.png",
        "https://example.org/a.png",
        "a%00.png",
        "..",
        ".",
    ],
)
def test_nothing_fits_but_the_file_itself(name: str) -> None:
    assert found(name, "a.png") == ()


def test_several_files_are_all_named() -> None:
    assert found("IMG.png", "img.png", "Img.png") == ("img.png", "Img.png")
    assert found("images/a.png", "A.png", "a.PNG") == ("A.png", "a.PNG")
    assert found(r"s\a%20b.png", "s/a b.png", "s/a%20b.png") == ("s/a%20b.png", "s/a b.png")


def test_the_same_name_and_the_same_spelling_come_first() -> None:
    assert found("a%20b.png", "a b.png", "a%20b.png") == ("a%20b.png",)
    assert found("img.png", "IMG.png", "img.png") == ("img.png",)
    assert found("images/img.png", "IMG.png", "img.png") == ("img.png",)


@given(st.text(st.sampled_from("ab./\\%2eE\0é\u0301"), min_size=1, max_size=12))
def test_what_is_found_is_in_the_folder(name: str) -> None:
    for file in found(name, "a", "b", "a.b", "A/b", "e/a", "é"):
        assert file in ("a", "b", "a.b", "A", "A/b", "e", "e/a", "é")


def test_each_folder_is_read_once_and_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "A.png").touch()
    names_in = names_below(tmp_path)
    assert find_picture("sub/a.png", str(tmp_path), names_in) == ("sub/A.png",)
    assert names_in("sub/A.png") == names_in("gone") == {}
    (tmp_path / "sub" / "B.png").touch()
    assert find_picture("sub/b.png", str(tmp_path), names_in) == ()
