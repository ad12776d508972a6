"""A page of HTML, read for tests."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """A page's element names, its words without style sheets, and the addresses of what it shows or links."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[str] = []
        self.words: list[str] = []
        self.addresses: list[str] = []
        self._hidden = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self._hidden = tag == "style"
        addresses = [value or "" for name, value in attrs if name in ("src", "href")]
        # Charts refer to shapes of their own by "#...".
        self.addresses += [address for address in addresses if not address.startswith("#")]

    def handle_data(self, data: str) -> None:
        self.words += [] if self._hidden else data.split()

    @property
    def text(self) -> str:
        return " ".join(self.words)
