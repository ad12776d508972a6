"""Make the tables of README and docs again from docs/results.

Run: python -m tabletop_interaction.benchmarks.results
"""

from dataclasses import dataclass
from pathlib import Path

from tabletop_interaction.benchmarks.results.tables import FOLDER, pages, rendered
from tabletop_interaction.files import write_file
from tabletop_interaction.program import run_module
from tabletop_interaction.ranges import check_fields


@dataclass(frozen=True)
class TableOptions:
    """Options of the tables."""

    root: Path = Path(".")
    """Root of the repository."""
    check: bool = False
    """Write nothing; end with 1 if a page differs from its files."""

    def __post_init__(self) -> None:
        check_fields(self)


def main(options: TableOptions) -> int:
    """Render every page, and write those that change."""
    changed = False
    for page in pages(options.root):
        text = page.read_text(encoding="utf-8")
        again = rendered(text, options.root / FOLDER)
        if again == text:
            continue
        changed = True
        print(f"{page} {'differs from its files' if options.check else 'is made again'}")
        if not options.check:
            write_file(page, again)
    return int(options.check and changed)


if __name__ == "__main__":
    run_module(main, TableOptions, __doc__)
