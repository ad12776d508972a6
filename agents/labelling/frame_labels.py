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

`push_labels` has the rules for pushes, which have no picture without the object.
"""

import zlib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice

from tabletop_interaction.agents.labelling.pair_label import LabelKind, Pair, PairLabel, of_one_object
from tabletop_interaction.agents.labelling.push_labels import label_push
from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.row import Interaction
from tabletop_interaction.frame_difference import FrameDifferenceConfig, frame_difference
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask

_RULES_VERSION = 3
# Other settings of the difference give another version, so that no table mixes them.
LABELLER = f"difference-{_RULES_VERSION}-{zlib.crc32(repr(FrameDifferenceConfig()).encode()):08x}"
"""Version of the labeller: of its rules and of the frame difference's settings."""

_THREADS = 2
_CHUNK = 8


def label_interaction(interaction: Interaction) -> list[PairLabel]:
    """The labels of an interaction with all its pictures: one for each view, two if something was held or pushed away.

    Raises:
        UnreadableRecords: a picture is damaged.
    """
    if interaction.pushed is not None:
        return label_push(interaction, interaction.pushed)
    came_down = interaction.pick_outcome not in (PickOutcome.NO_PICK, PickOutcome.UNREACHABLE)
    labels: list[PairLabel] = []
    for number, view in enumerate(interaction.views):
        held = interaction.held[view.name] if came_down else None
        picked = _labelled(interaction, number, "pick", held)
        if interaction.grasped:
            labels += of_one_object(picked, _labelled(interaction, number, "place", held))
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
    return PairLabel(interaction.interaction_id, name, pair, _label(interaction, mask), click_xy, mask, LABELLER)


def _label(interaction: Interaction, mask: Rle | None) -> LabelKind:
    if mask is not None:
        return "object" if interaction.grasped else "nudged"
    return "background" if interaction.pick_outcome is PickOutcome.NOTHING_THERE else "unknown"
