"""Hooks of MkDocs: pages from files of the root, links to files of the checkout, and packages as setup.cfg maps them.

Links in the pages are those of the checkout, so that the pages can be read without the site too.
"""

import os
import re
from configparser import ConfigParser
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import unquote

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
ROOT_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md", "README.md": "index.md"}
"""Pages of the site by the file of the root that they show, or stand for."""

_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<path>[^)\s#:]+)(?P<anchor>#[^)\s]*)?\)")
_CODE = re.compile(r"^```.*?^```$|`[^`\n]*`(?!\])", re.MULTILINE | re.DOTALL)

_packages = TemporaryDirectory(prefix="tabletop-docs-")


# mkdocstrings reads its paths once, when it is configured.
@event_priority(100)
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Lay the packages out as they are imported, where mkdocstrings looks for them."""
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    for line in setup["options"]["package_dir"].split("\n")[1:]:
        package, _, folder = (part.strip() for part in line.partition("="))
        laid = Path(_packages.name, *package.split("."))
        laid.mkdir(parents=True, exist_ok=True)
        for source in (ROOT / folder).glob("*.py"):
            if not (laid / source.name).exists():
                (laid / source.name).symlink_to(source)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [_packages.name]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the root that are pages."""
    for name, page in ROOT_PAGES.items():
        if files.get_file_from_path(page) is None:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links between files of the checkout into links between pages; what the site does not have is only named."""
    source = Path(page.file.abs_src_path or page.file.src_uri)
    code = [range(*found.span()) for found in _CODE.finditer(markdown)]

    def linked(found: re.Match[str]) -> str:
        if any(found.start() in span for span in code):
            return found[0]
        return _on_site(found, source, page.file.src_uri)

    return _LINK.sub(linked, markdown)


def _on_site(link: re.Match[str], source: Path, page: str) -> str:
    target = Path(os.path.normpath(source.parent / unquote(link["path"])))
    if not target.exists() or not target.is_relative_to(ROOT):
        # MkDocs reports it.
        return link[0]
    if target.is_relative_to(ROOT / "docs"):
        target = target / "index.md" if target.is_dir() else target
        if not target.exists():
            return link["text"]
        uri = target.relative_to(ROOT / "docs")
    elif (name := target.relative_to(ROOT).as_posix()) in ROOT_PAGES:
        uri = Path(ROOT_PAGES[name])
    else:
        return link["text"]
    return f"[{link['text']}]({os.path.relpath(uri, Path(page).parent)}{link['anchor'] or ''})"
