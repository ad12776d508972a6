"""Every page of docs/recipes runs as it stands: its Python and its commands, in their order, in an empty folder."""

import sys
from pathlib import Path

import pytest
from loading import load_module

recipes = load_module(Path(__file__).with_name("recipes.py"))
PAGES = sorted((Path(__file__).parents[2] / "docs" / "recipes").glob("*.md"))


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The current folder, empty; modules that a page saves there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_recipe_runs_as_it_stands(page, empty_folder, one_thread):
    reader = recipes.Reader(page)
    blocks = list(recipes.blocks(page.read_text()))
    assert {"python", "bash"} & {block.language for block in blocks}
    for block in blocks:
        reader.follow(block)


def follow(text, folder):
    reader = recipes.Reader(folder / "page.md")
    for block in recipes.blocks(text):
        reader.follow(block)
    return reader.names


def test_blocks_share_names_and_files(empty_folder, monkeypatch):
    monkeypatch.syspath_prepend(empty_folder)
    page = "```python\n# one.py\nONE = 1\n```\n\n```python\nfrom one import ONE\n```\n"
    assert follow(page + "```python\ntwo = ONE + 1\n```\n", empty_folder)["two"] == 2


def test_a_block_that_fails_is_named_by_its_line_in_the_page(empty_folder):
    with pytest.raises(ZeroDivisionError) as failed:
        follow("A page.\n\n```python\nx = 1\nx / 0\n```\n", empty_folder)
    last = failed.traceback[-1]
    assert (last.frame.code.raw.co_filename, last.lineno + 1) == (str(empty_folder / "page.md"), 5)


def test_a_command_that_fails_and_a_foreign_one_fail(empty_folder):
    with pytest.raises(AssertionError, match=r"page\.md, block of line 2: tabletop show nowhere"):
        follow("```bash\npip install torch\ntabletop show \\\n    nowhere  # missing\n```\n", empty_folder)
    with pytest.raises(AssertionError, match=r"rm -rf x; recipes run `tabletop`"):
        follow("```bash\nrm -rf x\n```\n", empty_folder)
    follow("```text\nrm -rf x\n```\n", empty_folder)
