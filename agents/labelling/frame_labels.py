"""Label the pictures of interactions by frame difference (Pathak et al. 2018, Algorithm 1).

Two pairs of pictures are compared for each interaction and view: before and held around the pick pixel, which labels
the picture before; held and after around the place pixel, which labels the picture after.

| label | condition | use as an example |
|---|---|---|
| object | something moved and the gripper held it | positive, with its mask |
| nudged | something moved but nothing was held, or much more moved than was held | not used |
| background | nothing moved and the fingers closed on nothing | no object at the click |
| unknown | nothing moved, but the gripper touched or held something, or never came down | none |

In the paper every movement is an object and everything else is background. Ours also uses the gripper's report of the
outcome: the mask of a nudge covers two places, and a pick that slipped off an object is no evidence of background. What
is held is one object at both ends of its way: of two masks that differ much in size the larger one also covers a
neighbour that was knocked or hidden (a fifth of the masks at random places). The place pair is compared only after a
grasp: otherwise held and after are the same pictures, and an object that nobody touched may be at the place pixel.
"""

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import chain, islice
from typing import Literal

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.frame_difference import FrameDifferenceConfig, frame_difference
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

Pair = Literal["pick", "place"]
LabelKind = Literal["object", "nudged", "background", "unknown"]

_RULES_VERSION = 2
# Other settings of the difference give another version, so that no table mixes them.
LABELLER = f"difference-{_RULES_VERSION}-{zlib.crc32(repr(FrameDifferenceConfig()).encode()):08x}"
"""Version of the labeller: of its rules and of the frame difference's settings."""

# The same object seen at two places and turned differs by up to about this factor.
_LIKE_AREA = 1.6
_THREADS = 2
_CHUNK = 8


@dataclass(frozen=True)
class PairLabel:
    """The label that one pair of pictures gives in one view.

    Attributes:
        pair: "pick" labels the picture before, "place" the picture after.
        label: see the module.
        click_xy: pixel x, y of the pick or place point.
        mask: what moved; None if nothing did.
    """

    interaction_id: str
    view: str
    pair: Pair
    label: LabelKind
    click_xy: tuple[float, float]
    mask: Rle | None
    labeller: str = LABELLER

    @property
    def moved(self) -> bool:
        """Whether the frame difference found something."""
        return self.mask is not None

    @property
    def moment(self) -> Literal["before", "after"]:
        """Which of the interaction's pictures is labelled."""
        return "before" if self.pair == "pick" else "after"


def label_interaction(interaction: Interaction) -> list[PairLabel]:
    """The labels of an interaction with all its pictures: one for each view, two if something was held.

    Raises:
        UnreadableRecords: a picture is damaged.
    """
    came_down = interaction.pick_outcome not in (PickOutcome.NO_PICK, PickOutcome.UNREACHABLE)
    labels: list[PairLabel] = []
    for number, view in enumerate(interaction.views):
        held = interaction.held[view.name] if came_down else None
        picked = _labelled(interaction, number, "pick", held)
        if interaction.grasped:
            labels += _of_one_object(picked, _labelled(interaction, number, "place", held))
        else:
            labels.append(picked)
    return labels


def label_interactions(interactions: Iterable[Interaction]) -> Iterator[PairLabel]:
    """The labels of interactions, in their order; errors as `label_interaction`."""
    waiting = iter(interactions)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="label") as pool:
        while chunk := list(islice(waiting, _CHUNK)):
            yield from chain.from_iterable(pool.map(label_interaction, chunk))


def _labelled(interaction: Interaction, number: int, pair: Pair, held: Picture | None) -> PairLabel:
    name = interaction.views[number].name
    xy = (interaction.pick_xy if pair == "pick" else interaction.place_xy)[number]
    mask = None
    if held is not None:
        other = (interaction.before if pair == "pick" else interaction.after)[name]
        difference = frame_difference(*((other, held) if pair == "pick" else (held, other)), xy)
        mask = rle_from_mask(difference.mask) if difference.moved else None
    click_xy = (float(xy[0]), float(xy[1]))
    return PairLabel(interaction.interaction_id, name, pair, _label(interaction, mask), click_xy, mask)


def _label(interaction: Interaction, mask: Rle | None) -> LabelKind:
    if mask is not None:
        return "object" if interaction.grasped else "nudged"
    return "background" if interaction.pick_outcome is PickOutcome.NOTHING_THERE else "unknown"


def _of_one_object(picked: PairLabel, placed: PairLabel) -> tuple[PairLabel, PairLabel]:
    """Both labels; the larger one becomes "nudged" if they cannot show the same object."""
    if picked.mask is None or placed.mask is None:
        return picked, placed
    ratio = placed.mask.area / picked.mask.area
    if ratio > _LIKE_AREA:
        return picked, replace(placed, label="nudged")
    if ratio < 1 / _LIKE_AREA:
        return replace(picked, label="nudged"), placed
    return picked, placed
