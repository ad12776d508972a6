"""The pages of the documentation: their blocks, commands and links, and a reader who follows the blocks in order.

`python` and `bash` blocks run, a block that opens with a comment with a file's name is saved under that name, and
blocks of other languages are only shown: `sh` for commands that need a robot, the network or hours.
"""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabletop_interaction.cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w-]+\.\w+)\n")
_INLINE = re.compile(r"`((?:tabletop|python|make) [^`]+)`")
_LINK = re.compile(r"!?\[[^\]]*\]\((?!https?:|mailto:)([^)\s]+)\)")
_SHELL = ("bash", "sh")


def name_of(page: Path) -> str:
    """The page's path in the checkout."""
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """A fenced block of a page.

    Attributes:
        language: what follows the opening fence.
        text: its lines.
        line: number of its first line in the page.
    """

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        """The file's name, if the block opens with it as a comment: `# mine.py`."""
        found = _FILE.match(self.text)
        return found and found[1]

    @property
    def commands(self) -> list[list[str]]:
        """The words of each command; a backslash at the end of a line continues it."""
        lines = (shlex.split(line, comments=True) for line in self.text.replace("\\\n", " ").splitlines())
        return [words for words in lines if words]


def blocks(page: str) -> Iterator[Block]:
    """The fenced blocks of a page in Markdown that name a language."""
    for found in _BLOCK.finditer(page):
        yield Block(found[1], found[2], page.count("\n", 0, found.start()) + 2)


def shown_commands(page: str) -> list[str]:
    """Commands of the page's shell blocks, a line each."""
    return [shlex.join(words) for block in blocks(page) if block.language in _SHELL for words in block.commands]


def inline_commands(page: str) -> list[str]:
    """Commands within the page's text and tables, which may be unfinished."""
    return [found[1] for found in _INLINE.finditer(_BLOCK.sub("", page))]


def links(page: str) -> list[str]:
    """Targets of the page's links and pictures within the checkout, as they are written."""
    return [found[1] for found in _LINK.finditer(_BLOCK.sub("", page))]


def anchors(page: str) -> set[str]:
    """The anchors of the page's headings, as code hosts and the site make them."""
    headings = re.findall(r"^#+ (.+)$", _BLOCK.sub("", page), re.MULTILINE)
    words = (re.sub(r"[^\w\s-]", "", heading.lower()) for heading in headings)
    return {re.sub(r"\s+", "-", heading.strip()) for heading in words}


@dataclass(frozen=True)
class Reader:
    """Runs the blocks of one page; all its Python shares the names.

    Attributes:
        page: the page's file, which tracebacks name.
        smaller: what stands in a block, and what runs instead, so that the page takes less time.
        replaced: the entries of `smaller` that were found.
    """

    page: Path
    smaller: Mapping[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "page"})
    replaced: set[str] = field(default_factory=set)

    def follow(self, block: Block) -> None:
        """Save a block that names a file in the current folder, run other Python and commands, pass over the rest."""
        if block.file:
            Path(block.file).write_text(block.text)
        elif block.language == "python":
            # The lines are those of the page.
            code = "\n" * (block.line - 1) + self._small(block.text)
            exec(compile(code, str(self.page), "exec", dont_inherit=True), self.names)
        elif block.language == "bash":
            for words in Block("bash", self._small(block.text), block.line).commands:
                self._run(words, block.line)

    def _small(self, text: str) -> str:
        for stands, runs in self.smaller.items():
            if stands in text:
                self.replaced.add(stands)
                text = text.replace(stands, runs)
        return text

    def _run(self, words: list[str], line: int) -> None:
        if words[:2] == ["pip", "install"]:
            return
        where = f"{self.page.name}, block of line {line}: {shlex.join(words)}"
        assert words[0] == "tabletop", f"{where}; pages run `tabletop`, and `pip install`, which is passed over"
        assert main(words[1:]) == 0, where
