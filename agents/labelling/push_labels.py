"""Label the pictures before and after a push (`push_difference`), by the rules of `frame_labels` where they apply.

A push gives up to two labels a view: "old" of the picture before, "new" of the picture after.

| label | condition | use as an example |
|---|---|---|
| object | a region holds an object in one of the two pictures, the table in the other | positive, with its mask |
| nudged | what moved overlaps its old place, or the other mask is of another size | not used |
| background | the gripper passed, and nothing changed along its path in any view | no object on the path |
| unknown | no mask in this view, but a change in one of the views; or the gripper never came down | none |

Of several regions the largest is taken: it is the object that was hit, or objects that touch and moved together, which
become one mask as in a pick. As for picks, what moved is one object at both ends of its way: of two masks that differ
much in size the larger one also covers a neighbour. A push moves neighbours more often than a pick does. It has no
report of the gripper: instead, that no view shows a change is evidence of background.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from tabletop_interaction.agents.labelling.pair_label import LabelKind, Pair, PairLabel, of_one_object
from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.records.row import Interaction, PushRow
from tabletop_interaction.frame_difference import FrameDifferenceConfig
from tabletop_interaction.push_difference import OTHER_COLOURS, MovedRegion, Place, PushDifference, push_difference
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

_RULES_VERSION = 2
PUSH_LABELLER = f"pushes-{_RULES_VERSION}-{zlib.crc32(repr((FrameDifferenceConfig(), OTHER_COLOURS)).encode()):08x}"
"""Version of the labeller: of its rules and of the difference's settings."""


def label_push(interaction: Interaction, pushed: PushRow) -> list[PairLabel]:
    """The labels of a push with all its pictures: one or two for each view.

    Raises:
        UnreadableRecords: a picture is damaged.
    """
    found = [_difference(interaction, pushed, number) for number in range(len(interaction.views))]
    is_free = pushed.came_down and not any(one.changed for one in found)
    labels: list[PairLabel] = []
    for number, (view, difference) in enumerate(zip(interaction.views, found, strict=True)):
        path = _path(pushed, number)
        labels += _labels(interaction.interaction_id, view.name, difference, path, is_free=is_free)
    return labels


def _difference(interaction: Interaction, pushed: PushRow, number: int) -> PushDifference:
    if not pushed.came_down:
        return PushDifference((), changed=False)
    name = interaction.views[number].name
    return push_difference(interaction.before[name], interaction.after[name], _path(pushed, number))


def _path(pushed: PushRow, number: int) -> Floats:
    """(2, 2) pixels x, y of start and end in a view."""
    return np.array([pushed.start_xy[number], pushed.end_xy[number]], np.float64)


def _labels(
    interaction_id: str, view: str, difference: PushDifference, path: Floats, *, is_free: bool
) -> Sequence[PairLabel]:
    def of_region(pair: Pair, region: MovedRegion) -> PairLabel:
        mask: Rle = rle_from_mask(region.mask)
        label: LabelKind = "nudged" if region.place == "both" else "object"
        return PairLabel(interaction_id, view, pair, label, mask.centre_xy, mask, PUSH_LABELLER)

    old, new = _largest(difference, "old"), _largest(difference, "new")
    if old is not None and new is not None:
        return of_one_object(of_region("old", old), of_region("new", new))
    if old is not None:
        return [of_region("old", old)]
    if new is not None:
        return [of_region("new", new)]
    if difference.moved:
        return [of_region("old", difference.regions[0])]
    x, y = path.mean(0).tolist()
    return [PairLabel(interaction_id, view, "old", "background" if is_free else "unknown", (x, y), None, PUSH_LABELLER)]


def _largest(difference: PushDifference, place: Place) -> MovedRegion | None:
    """The largest region of a kind: regions come largest first."""
    return next((region for region in difference.regions if region.place == place), None)
