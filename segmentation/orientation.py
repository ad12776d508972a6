"""The orientation in which labels were drawn: on the picture as stored, or turned upright by its EXIF orientation.

Browsers and most labelling tools turn pictures upright; pycocotools and older tools do not. The size that a label set
states decides wherever the two differ in it.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Literal

from tabletop_interaction.picture_files import PictureHeader

Orientation = Literal["stored", "upright"]


@dataclass(frozen=True)
class Orientations:
    """How the pictures of a label set are read.

    Attributes:
        upright: ids of the pictures that are turned upright; the others are read as stored.
        undecided: number of pictures that would fit their labels both ways.
        chosen: how these are read.
    """

    upright: frozenset[int] = frozenset()
    undecided: int = 0
    chosen: Orientation = "upright"

    def note(self) -> str | None:
        """Return a line for the user if the sizes did not decide everything."""
        if not self.undecided:
            return None
        other = "stored" if self.chosen == "upright" else "upright"
        return (
            f"pictures with an EXIF orientation that fit their labels both as stored and upright: {self.undecided}; "
            f"read {'as ' if self.chosen == 'stored' else ''}{self.chosen}; if their masks are misplaced, "
            f"give --orientation {other}"
        )


def fitting_orientations(header: PictureHeader, size: tuple[int, int]) -> frozenset[Orientation]:
    """Return the orientations in which a picture has this height and width; none, one or both."""
    sizes: dict[Orientation, tuple[int, int]] = {
        "stored": header.size(upright=False),
        "upright": header.size(upright=True),
    }
    return frozenset(orientation for orientation, found in sizes.items() if found == size)


def choose_orientations(fitting: Mapping[int, Set[Orientation]], wanted: Orientation | None) -> Orientations:
    """Choose how the pictures with an EXIF orientation are read.

    Args:
        fitting: by picture id, the orientations that fit its labels, at least one.
        wanted: for pictures that fit both ways. Without it they are read as the others if these agree, and otherwise
            upright.
    """
    undecided = {key for key, orientations in fitting.items() if len(orientations) > 1}
    upright = {key for key, orientations in fitting.items() if orientations == {"upright"}}
    are_stored = not upright and len(fitting) > len(undecided)
    chosen: Orientation = wanted or ("stored" if are_stored else "upright")
    if chosen == "upright":
        upright |= undecided
    return Orientations(frozenset(upright), len(undecided), chosen)
