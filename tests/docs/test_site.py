"""The documentation site builds without a warning, its links lead somewhere, and it loads nothing from elsewhere."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from tests.browser import CHROMIUM, open_browser, problems_of

ROOT = Path(__file__).parents[2]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Elements that a browser loads without a click, and the attribute with the address."""
NOT_LOADED = {"canonical", "next", "prev", "alternate"}
"""Relations of `link` that only name a page."""


class Page(HTMLParser):
    """The addresses that a page of the site loads and links to, and the names of its places."""

    def __init__(self, html):
        super().__init__()
        self.loaded, self.linked, self.places = [], [], set()
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.places |= {values[name] for name in ("id", "name") if values.get(name)}
        address = values.get(LOADED.get(tag, ""))
        if address and values.get("rel") not in NOT_LOADED:
            self.loaded.append(address)
        if tag == "a" and values.get("href"):
            self.linked.append(values["href"])


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The built site."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site):
    """Each page of the site by its file."""
    return {path: Page(path.read_text()) for path in site.rglob("*.html")}


def is_outside(address):
    return re.match(r"(https?:)?//", address) is not None


def test_every_link_and_picture_of_the_site_is_there(site, pages):
    assert len(pages) > 25
    lost = []
    for path, page in pages.items():
        for address in [*page.loaded, *page.linked]:
            if (
                is_outside(address)
                or address.startswith(("mailto:", "data:", "javascript:"))
                or path.name == "404.html"
            ):
                continue
            file, _, place = unquote(address).partition("#")
            target = (path.parent / file.partition("?")[0]).resolve() if file else path
            target = target / "index.html" if target.is_dir() else target
            if not target.is_file() or (place and target in pages and place not in pages[target].places):
                lost.append(f"{path.relative_to(site)}: {address}")
    assert lost == []


def test_the_site_loads_nothing_from_elsewhere(site, pages):
    assert {address for page in pages.values() for address in page.loaded if is_outside(address)} == set()
    for sheet in site.rglob("*.css"):
        assert re.findall(r"(?:url\(|@import)\s*['\"]?(?:https?:)?//[^)]*", sheet.read_text()) == []


def test_the_manuals_of_the_environments_are_those_of_their_docstrings(site):
    manual = (site / "environments.html").read_text()
    assert manual.count("Action Space") >= 3
    assert "counter-clockwise from x" in manual


def test_a_link_to_a_file_that_the_site_does_not_have_is_text(site):
    assert "docs/hooks.py" not in (site / "contributing.html").read_text()
    assert not list(site.rglob("hooks.py"))


@pytest.mark.skipif(not CHROMIUM.exists(), reason=".ci/install_chromium installs the browser")
def test_every_page_of_the_site_fits_a_telephone_and_loads_whole(pages):
    pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]' brings playwright")
    # 404.html names its files from the server's root.
    with open_browser() as browser:
        problems = [problem for path in pages if path.name != "404.html" for problem in problems_of(browser, path)]
    assert problems == []
