"""Every page runs as it stands, in an empty folder, its blocks in their order; what it names exists."""

import io
import re
import runpy
import shlex
import shutil
import sys
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from loading import load_module

from tabletop_interaction.cli.main import COMMANDS, command_class, main

markdown = load_module(Path(__file__).with_name("markdown.py"))
ROOT, name_of = markdown.ROOT, markdown.name_of
TEXTS = {page: page.read_text() for page in markdown.PAGES}
RUN = [page for page in TEXTS if {"python", "bash"} & {block.language for block in markdown.blocks(TEXTS[page])}]

# What stands in a page, and what runs instead: the same command with fewer interactions, steps and pictures.
# Two picks at random would give no mask to learn from: the shipped network starts.
LEARN = "--model default --steps-per-interaction 1 --set val --pictures 2"
SMALLER = {
    "README.md": {
        "collect --policy hypothesis --interactions 200": "collect --policy hypothesis --interactions 3",
        "learn --interactions 200": f"learn --interactions 2 {LEARN}",
        "--steps 1000": "--steps 2",
        "--agents mine:Agent full --episodes 20": "--agents mine:Agent --episodes 1",
        "--config twin --interactions 20": "--config twin --interactions 1",
    },
    "docs/first-ten-minutes.md": {
        "--interactions 40": "--interactions 3",
        "learn --interactions 200": f"learn --interactions 2 {LEARN}",
    },
    "docs/learning.md": {
        "learn --interactions 200": f"learn --interactions 2 {LEARN}",
        "collect --interactions 200": "collect --interactions 3",
        "learning --seeds 5": f"learning --seeds 2 --interactions 2 {LEARN}",
        "--steps 1000": "--steps 2",
        "evaluate --model": "evaluate --set val --model",
        "--pushes 150 --steps 400": "--pushes 3 --steps 2",
    },
    "docs/default-model.md": {
        "--interactions 5000 --steps-per-interaction 1 --evaluate-every 200 --set test --pictures 60": (
            f"--interactions 2 {LEARN}"
        ),
    },
    "docs/rearrangement.md": {"full oracle random --episodes 20": "random --episodes 1"},
    "docs/recipes/own-agent.md": {"--episodes 20": "--episodes 1"},
    "docs/recipes/pushes.md": {
        "learn --primitive push --interactions 200": f"learn --primitive push --interactions 2 {LEARN}"
    },
}
# Files that a page takes from elsewhere, and where they are.
GIVEN = {
    "README.md": {"photo.jpg": "docs/pictures/interactions.jpg"},
    "docs/recipes/own-backend.md": {"example_backend.py": "docs/example_backend.py"},
}


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    """The current folder, empty; modules that a page saves there are forgotten afterwards."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture(scope="session")
def sets(tmp_path_factory):
    """The benchmark's sets, which the pages share: each is made once."""
    return tmp_path_factory.mktemp("sets")


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_a_page_runs_as_it_stands(page, empty_folder, sets, one_thread):
    Path("runs").mkdir()
    Path("runs/sets").symlink_to(sets)
    smaller = SMALLER.get(name_of(page), {})
    for file, source in GIVEN.get(name_of(page), {}).items():
        shutil.copy(ROOT / source, file)
    reader = markdown.Reader(page, smaller)
    for block in markdown.blocks(TEXTS[page]):
        reader.follow(block)
    assert reader.replaced == set(smaller), "the page no longer has what SMALLER replaces"


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "docs" / "index.md"], ids=name_of)
def test_the_output_of_the_first_code_is_what_it_prints(page, capsys):
    code, output = list(markdown.blocks(TEXTS[page]))[:2]
    assert (code.language, output.language) == ("python", "text")
    markdown.Reader(page).follow(code)
    assert capsys.readouterr().out == output.text


def test_the_readme_is_short():
    assert len(TEXTS[ROOT / "README.md"].splitlines()) <= 130


def test_every_recipe_runs_something():
    recipes = {page for page in TEXTS if page.parent.name == "recipes" and page.name != "index.md"}
    assert len(recipes) > 8
    assert recipes <= set(RUN)


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_every_command_of_a_page_is_accepted(page, empty_folder, monkeypatch):
    for line in markdown.shown_commands(TEXTS[page]):
        words = shlex.split(line)
        if words[0] != "tabletop":
            continue
        assert words[1] in COMMANDS, line
        monkeypatch.setattr(command_class(words[1]), "run", lambda _: None)
        assert main(words[1:]) == 0, line


def command_with_help(words):
    """The words of a `tabletop` command, or of a module with options, that print its help; None for others."""
    if words[:2] == ["python", "-m"] and words[2].startswith("tabletop_interaction."):
        return *words[:3], "--help"
    if words[0] != "tabletop" or words[1] not in COMMANDS:
        return None
    within = [word for word in words[2:3] if words[1] in ("benchmark", "calibrate") and word[0] != "-"]
    return *words[:2], *within, "--help"


def run(words):
    """Run a `tabletop` command, or a module of `python -m`, in this process."""
    if words[0] == "tabletop":
        main(list(words[1:]))
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "argv", list(words[2:]))
            runpy.run_module(words[2], run_name="__main__")


@pytest.fixture(scope="session")
def printed_help():
    """The help that a command prints; each is printed once."""

    @cache
    def printed(words):
        said = io.StringIO()
        with redirect_stdout(said), pytest.raises(SystemExit) as ended:
            run(words)
        assert ended.value.code == 0, words
        return said.getvalue()

    return printed


@pytest.mark.filterwarnings("ignore:.*found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_every_option_that_a_page_names_is_one(page, printed_help):
    for line in [*markdown.shown_commands(TEXTS[page]), *markdown.inline_commands(TEXTS[page])]:
        words = line.replace("...", "").split()
        if (with_help := command_with_help(words)) is None:
            assert words[0] != "tabletop" or words[1].startswith("--"), line
            continue
        known = printed_help(with_help)
        named = {word.partition("=")[0].replace("--no-", "--") for word in words if word.startswith("--")}
        assert [option for option in named if option not in known] == [], line


def test_every_target_that_a_page_names_is_one_of_the_makefile():
    made = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    for page, text in TEXTS.items():
        for line in [*markdown.shown_commands(text), *markdown.inline_commands(text)]:
            if line.startswith("make "):
                assert line.split()[1] in made, (name_of(page), line)


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_python_that_is_only_shown_compiles(page):
    for block in markdown.blocks(TEXTS[page]):
        if block.language == "py":
            compile(block.text, name_of(page), "exec")


@pytest.mark.parametrize("page", TEXTS, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(page):
    for link in markdown.links(TEXTS[page]):
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        # Anchors of classes are made from their docstrings, on the site; its build checks them.
        if anchor and not anchor.startswith("tabletop_interaction."):
            assert anchor in markdown.anchors(target.read_text()), link


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_place_in_the_docs(command):
    assert f"`tabletop {command}" in TEXTS[ROOT / "docs" / "commands.md"]


def follow(text, folder):
    reader = markdown.Reader(folder / "page.md")
    for block in markdown.blocks(text):
        reader.follow(block)
    return reader.names


def test_blocks_share_names_and_files(empty_folder):
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
    with pytest.raises(AssertionError, match=r"rm -rf x; pages run `tabletop`"):
        follow("```bash\nrm -rf x\n```\n", empty_folder)
    follow("```text\nrm -rf x\n```\n", empty_folder)
