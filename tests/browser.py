"""Pages in a real browser, Debian's chromium without a window: do pictures load, do scripts fail, does all fit?

`python tests/browser.py PAGE ...` opens pages at the widths of a desktop and of a telephone and prints what is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHROMIUM = Path("/usr/bin/chromium")
WIDTHS_PX = (1100, 390)

_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Pictures that are loaded late are loaded now.
_BROKEN_PICTURES = """async () => {
  const pictures = [...document.images]
  pictures.forEach(each => each.loading = "eager")
  await Promise.all(pictures.map(each => each.decode().catch(() => null)))
  return pictures.filter(each => !each.naturalWidth).map(each => each.alt || each.src.slice(0, 60))
}"""
_WIDTH = """() => {
  const root = document.documentElement
  return Math.ceil(Math.max(root.scrollWidth, root.getBoundingClientRect().width))
}"""
_WITHOUT_WORDS = "() => [...document.images].filter(each => !each.alt.trim()).length"


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium, until the block ends."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=_FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, width: int, **options: Any) -> Iterator[tuple[Any, list[str]]]:
    """A page of a file at a width of the window, and the list to which the errors of its scripts and requests go."""
    page = browser.new_page(viewport={"width": width, "height": 900}, **options)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(f"script: {error}"))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("requestfailed", lambda request: errors.append(f"not loaded: {request.url[:80]}"))
    page.goto(path.resolve().as_uri(), wait_until="load")
    yield page, errors
    page.close()


def problems_of(browser: Browser, path: Path) -> list[str]:
    """What is wrong with a page at any of the widths, a line each."""
    problems = []
    for width in WIDTHS_PX:
        with opened(browser, path, width) as (page, errors):
            if path.suffix == ".html":
                errors += [f"picture without pixels: {each}" for each in page.evaluate(_BROKEN_PICTURES)]
                if count := page.evaluate(_WITHOUT_WORDS):
                    errors.append(f"{count} pictures without a text that stands for them")
            if (wide := page.evaluate(_WIDTH)) > width:
                errors.append(f"{wide} px wide")
            problems += [f"{path.name} at {width} px: {error}" for error in errors]
    return problems


def main(paths: list[str]) -> int:
    """Print what is wrong with pages, or that nothing is; 1 if anything is."""
    with open_browser() as browser:
        problems = [problem for path in paths for problem in problems_of(browser, Path(path))]
    print(*(problems or [f"{path}: pictures load, nothing fails, all fits" for path in paths]), sep="\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
