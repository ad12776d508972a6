"""The label that one pair of pictures gives in one view; the rules are those of `frame_labels` and `push_labels`."""

from dataclasses import dataclass, replace
from typing import Literal

from tabletop_interaction.segmentation.rle import Rle

Pair = Literal["pick", "place", "old", "new"]
LabelKind = Literal["object", "nudged", "background", "unknown"]

# The same object seen at two places and turned differs by up to about this factor.
_LIKE_AREA = 1.6


@dataclass(frozen=True)
class PairLabel:
    """The label that one pair of pictures gives in one view.

    Attributes:
        pair: "pick", or "old" for a push, labels the picture before; "place", or "new", the picture after.
        label: see `frame_labels`.
        click_xy: pixel x, y of the pick or place point; of a push, the centre of the mask or the middle of the path.
        mask: what moved; None if nothing did.
        labeller: version of the rules and of their settings.
    """

    interaction_id: str
    view: str
    pair: Pair
    label: LabelKind
    click_xy: tuple[float, float]
    mask: Rle | None
    labeller: str

    @property
    def moved(self) -> bool:
        """Whether the difference of the pictures shows something."""
        return self.mask is not None

    @property
    def moment(self) -> Literal["before", "after"]:
        """Which of the interaction's pictures is labelled."""
        return "before" if self.pair in ("pick", "old") else "after"


def of_one_object(before: PairLabel, after: PairLabel) -> tuple[PairLabel, PairLabel]:
    """Both labels; the larger one becomes "nudged" if they cannot show the same object."""
    if before.mask is None or after.mask is None:
        return before, after
    ratio = after.mask.area / before.mask.area
    if ratio > _LIKE_AREA:
        return before, replace(after, label="nudged")
    if ratio < 1 / _LIKE_AREA:
        return replace(before, label="nudged"), after
    return before, after
