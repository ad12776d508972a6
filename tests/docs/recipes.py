"""Runs a page of docs/recipes as its reader does: the blocks in their order, in one folder."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabletop_interaction.cli.main import main

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FILE = re.compile(r"# ([\w-]+\.\w+)\n")


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


@dataclass(frozen=True)
class Reader:
    """Runs the blocks of one page; all its Python shares the names.

    Attributes:
        page: the page's file, which tracebacks name.
    """

    page: Path
    names: dict[str, Any] = field(default_factory=lambda: {"__name__": "recipe"})

    def follow(self, block: Block) -> None:
        """Save a block that names a file in the current folder, run other Python and commands, pass over the rest."""
        if block.file:
            Path(block.file).write_text(block.text)
        elif block.language == "python":
            # The lines are those of the page.
            exec(compile("\n" * (block.line - 1) + block.text, str(self.page), "exec", dont_inherit=True), self.names)
        elif block.language == "bash":
            for words in block.commands:
                self._run(words, block.line)

    def _run(self, words: list[str], line: int) -> None:
        if words[:2] == ["pip", "install"]:
            return
        where = f"{self.page.name}, block of line {line}: {shlex.join(words)}"
        assert words[0] == "tabletop", f"{where}; recipes run `tabletop`, and `pip install`, which is passed over"
        assert main(words[1:]) == 0, where
