"""The file of a picture in a folder, by the name that a label file has for it.

Labelling tools write names for other systems: with backslashes, %20, another composition of accents, another case, or
with the folder in front of the name that already holds the picture.
"""

import os
import posixpath
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import unquote

Names = Mapping[str, tuple[str, ...]]
"""The names in a folder by their `folded` form."""


def find_picture(name: str, folder: str, names_in: Callable[[str], Names]) -> tuple[str, ...]:
    """Return the files in a folder that a name fits: one if all is well, none if it is missing.

    The file with exactly this name fits alone, if it is there; otherwise files with exactly another spelling of it;
    otherwise those that differ from a spelling in case or composition. A file outside the folder never fits.

    Args:
        name: as in the label file.
        folder: absolute path of the pictures' folder, with slashes.
        names_in: the names in a folder, which is given relative to `folder`; none where there is no folder.
    """
    spellings = list(dict.fromkeys(_spellings(name, folder)))
    files = {spelling: _files(spelling, names_in) for spelling in spellings}
    exact = tuple(spelling for spelling in spellings if spelling in files[spelling])
    if exact:
        return exact[:1] if exact[0] == name else exact
    return tuple(dict.fromkeys(found for each in files.values() for found in each))


def names_below(folder: Path) -> Callable[[str], Names]:
    """Return a function for `find_picture` that reads each folder below `folder` once."""

    @cache
    def names_in(relative: str) -> Names:
        """Names in a folder below `folder`; none if it cannot be read."""
        try:
            names = os.listdir(folder / relative)
        except OSError:
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for name in sorted(names):
            found[folded(name)] = (*found.get(folded(name), ()), name)
        return found

    return names_in


def folded(name: str) -> str:
    """Return the form in which names are equal that differ in case or in the composition of characters only."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _spellings(name: str, folder: str) -> Iterator[str]:
    """Yield the relative paths that a name may mean, as named first."""
    slashed = name.replace("\\", "/")
    for spelled in (name, slashed, unquote(name), unquote(slashed)):
        path = posixpath.relpath(posixpath.join(folder, spelled), folder)
        if path == "." or path.split("/")[0] == ".." or "\0" in spelled:
            continue
        yield path
        parts, ends = path.split("/"), folder.strip("/").split("/")
        for count in range(1, len(parts)):
            if list(map(folded, parts[:count])) == list(map(folded, ends[-count:])):
                yield "/".join(parts[count:])


def _files(path: str, names_in: Callable[[str], Names]) -> list[str]:
    """Return the files whose path has the same folded form."""
    found = [""]
    for part in path.split("/"):
        found = [posixpath.join(parent, name) for parent in found for name in names_in(parent).get(folded(part), ())]
    return found
