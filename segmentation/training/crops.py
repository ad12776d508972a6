"""From examples to training crops: where objects are centred, where none is, and what their masks are.

A crop is a part of a picture, rescaled so that its object has the size that the network is made for (`object_px`),
rotated, mirrored and recoloured. It holds many score positions: those nearest to the object's centre are positive,
those far from it are negative, those between are ignored. One affine map warps pixels, masks and centres.

The object's centre is the centre of its mask's box, as in DeepMask. Ours, where the paper has:

- single patches of 192 px, 32 a step: several positions a crop (one costs a fraction of a patch), 12 crops a step;
- no pasting: labelled objects are cut out and pasted into other crops (after Liu, Chen, Abbeel 2023,
  "Self-Supervised Instance Segmentation by Grasping"), with a soft shadow;
- no other tables or colours: `prints` and `augmentation` make them;
- no rotation: crops are rotated, and some have the wrong scale; hard negatives begin at 40 px instead of 64.

Where not every object of a picture is labelled, a position far from every labelled one is negative, as in the paper,
although an unlabelled object may be there. Some positions over objects are thus learned as background. The balanced
loss tolerates this (`docs/decisions/0004-prints.md` has figures), and pasted objects outnumber them. Negatives are
certain right at clicks where nothing was found, under a print, and in sets with all objects labelled: there a false
object costs more (`trainer.balanced_score_loss`).
"""

from collections import OrderedDict
from dataclasses import dataclass

import cv2
import numpy as np

from tabletop_interaction.arrays import Bools, Bytes, FloatPicture, Floats, Ints, Mask, Masks, Picture
from tabletop_interaction.errors import NoExamples
from tabletop_interaction.segmentation.config import STRIDE, MaskGrid
from tabletop_interaction.segmentation.rle import Rle, mask_from_rle
from tabletop_interaction.segmentation.training.augmentation import (
    affine,
    cut_out_opacity,
    filled,
    position_grid,
    recoloured,
    shadowed,
    warped_picture,
    warped_piece,
    warped_point,
    with_other_colours,
)
from tabletop_interaction.segmentation.training.batches import (
    CERTAIN_NEGATIVE,
    IGNORED,
    NEGATIVE,
    POSITIVE,
    Batch,
    TrainingCrop,
    batch_of,
)
from tabletop_interaction.segmentation.training.config import CropConfig
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.prints import printed

_LEAST_VISIBLE = 0.75
_PASTE_ATTEMPTS = 6
# The other crops show the border of the picture at any place.
_FILLED_SHARE = 0.75
_MASKS_KEPT = 20_000


@dataclass(frozen=True, eq=False)
class _Seen:
    """An object in a crop: its visible mask (S, S), the centre x, y of its whole box, and the longer side of that."""

    mask: Mask
    centre_xy: Floats
    side: float
    hidden: bool = False


@dataclass(frozen=True, eq=False)
class _Cutout:
    """The tight part of a mask: x, y of its first pixel, and uint8 (h, w) of 0 and 255 with a rim of one pixel."""

    corner_xy: Floats
    mask: Bytes

    @property
    def centre_xy(self) -> Floats:
        return self.corner_xy + (np.array(self.mask.shape[::-1]) - 1) / 2

    @property
    def side(self) -> int:
        return max(self.mask.shape) - 2


class CropSampler:
    """Draws crops from examples; they depend on the arguments only, and several threads may draw.

    Args:
        examples: at least one of them an object.
        config: how crops are made.
        grid: the network's `mask_grid`.

    Raises:
        NoExamples: no example shows an object.
    """

    def __init__(self, examples: ExampleSet, config: CropConfig, grid: MaskGrid) -> None:
        if not examples.objects:
            raise NoExamples(
                f"none of the {len(examples.examples)} examples shows an object; collect interactions that grasp one"
            )
        self.config = config
        self._examples = examples
        self._grid = grid
        self._cutouts: OrderedDict[Rle, _Cutout] = OrderedDict()
        self._typical_side = float(np.median([max(one.mask.box_xywh[2:]) for one in examples.objects if one.mask]))

    def batch(self, seed: int, number: int, size: int) -> Batch:
        """Return batch `number`, of `size` crops, of the run with this seed."""
        streams = np.random.SeedSequence([seed, number]).spawn(size)
        return batch_of([self.crop(np.random.default_rng(stream)) for stream in streams], self._grid)

    def crop(self, rng: np.random.Generator) -> TrainingCrop:
        """Draw one crop."""
        config, examples = self.config, self._examples
        is_background = bool(examples.background) and rng.random() < config.background_share
        pool = examples.background if is_background else examples.objects
        example = pool[int(rng.integers(len(pool)))]
        crop_from_picture = self._drawn_map(example, rng)
        picture = examples.pictures[example.picture]
        image = warped_picture(picture, crop_from_picture, config.crop_px)
        here = examples.objects_by_picture.get(example.picture, ())
        seen = [one for known in here if known.mask and (one := self._seen(known.mask, crop_from_picture)).mask.any()]
        judged = self._judged(picture.shape, crop_from_picture)
        certain = np.full(judged.shape, examples.complete)
        only_click = is_background and not examples.complete
        if only_click:
            click = warped_point(crop_from_picture, example.click_xy)
            judged &= _near(judged.shape, click, config.negative_px)
            # Farther away an object may be centred that the gripper missed.
            certain = _near(judged.shape, click, config.negative_px / 2)
        # What the network took for an object at the click stays visible.
        if not only_click and rng.random() < config.print_share:
            # A print hides the objects that nobody has labelled.
            certain[:] = True
            image = printed(image, _union([one.mask for one in seen], config.crop_px), self._two_pictures(rng), rng)
        if rng.random() < config.paste_share:
            image, seen, judged = self._pasted(image, seen, judged, rng)
        if rng.random() < config.colour_share:
            image = with_other_colours(image, rng)
        unknown = self._unknown(example.picture, crop_from_picture)
        negatives = np.where(judged & ~unknown, np.where(certain, CERTAIN_NEGATIVE, NEGATIVE), IGNORED).astype(np.int8)
        scores, positions, masks = self._targets(seen, judged, negatives)
        return TrainingCrop(recoloured(image, rng, 0.2, 0.06), scores, positions, masks)

    def _two_pictures(self, rng: np.random.Generator) -> tuple[Picture, Picture]:
        """Draw the pictures of two examples."""
        examples = self._examples
        first, second = (examples.examples[int(number)] for number in rng.integers(len(examples.examples), size=2))
        return examples.pictures[first.picture], examples.pictures[second.picture]

    def _drawn_map(self, example: Example, rng: np.random.Generator) -> Floats:
        """Draw the affine map (2, 3) from the picture to the crop."""
        config = self.config
        cutout = self._cutout(example.mask) if example.mask else None
        centre = cutout.centre_xy if cutout else np.array(example.click_xy)
        side = cutout.side if cutout else self._typical_side
        scale = config.object_px / side * 2 ** rng.uniform(-config.scale_jitter, config.scale_jitter)
        if rng.random() < config.off_scale_share:
            scale *= 2 ** (float(rng.choice([-1, 1])) * config.off_scale_octaves * rng.uniform(1, 2))
        turn = np.deg2rad(rng.uniform(-config.turn_deg, config.turn_deg))
        target = config.crop_px / 2 + rng.uniform(-config.reach_px, config.reach_px, 2)
        drawn = affine(scale, turn, rng.random() < 0.5, centre, target)
        shape = self._examples.pictures[example.picture].shape
        return filled(drawn, shape, target, config.crop_px, config.margin_px) if rng.random() < _FILLED_SHARE else drawn

    def _seen(self, mask: Rle, crop_from_picture: Floats) -> _Seen:
        cutout = self._cutout(mask)
        soft = warped_piece(cutout.mask, crop_from_picture, cutout.corner_xy, self.config.crop_px)
        scale = float(np.hypot(*crop_from_picture[:, 0]))
        return _Seen(soft >= 128, warped_point(crop_from_picture, cutout.centre_xy), cutout.side * scale)

    def _judged(self, shape: tuple[int, ...], crop_from_picture: Floats) -> Bools:
        """(P, P): positions inside the picture and inside the margins of the crop."""
        centres = position_grid(self.config.crop_px)
        inverse = cv2.invertAffineTransform(crop_from_picture)
        at = centres @ inverse[:, :2].T + inverse[:, 2]
        return np.asarray(((at >= 0) & (at <= [shape[1] - 1, shape[0] - 1])).all(-1) & self._inside())

    def _unknown(self, picture: str, crop_from_picture: Floats) -> Bools:
        """(P, P): positions in or near regions that the examples ignore."""
        masks = [self._seen(mask, crop_from_picture).mask for mask in self._examples.ignored.get(picture, ())]
        away = np.where(_union(masks, self.config.crop_px), 0, 1).astype(np.uint8)
        distance = cv2.distanceTransform(away, cv2.DIST_L1, 3)[::STRIDE, ::STRIDE]
        return np.asarray((distance <= self.config.negative_px) & (not away.all()))

    def _pasted(
        self, image: Picture, seen: list[_Seen], judged: Bools, rng: np.random.Generator
    ) -> tuple[Picture, list[_Seen], Bools]:
        """Paste labelled objects of any picture into the crop."""
        canvas = image.astype(np.float32)
        for _ in range(int(rng.integers(1, self.config.most_pasted + 1))):
            target = self._free_place([one.centre_xy for one in seen], rng)
            example = self._examples.objects[int(rng.integers(len(self._examples.objects)))]
            if target is None:
                continue
            alpha, colours, laid = self._paste_piece(example, target, rng)
            if rng.random() < self.config.shadow_share:
                canvas = shadowed(canvas, laid.mask, rng)
            canvas += alpha[..., None] * (colours - canvas)
            seen = [covered for one in seen if (covered := _less(one, laid.mask)) is not None]
            seen.append(laid)
            # The crop is known on and around a pasted object, even where the picture is not.
            judged = judged | (_near(judged.shape, target, self.config.negative_px) & self._inside())
        return np.clip(canvas + 0.5, 0, 255).astype(np.uint8), seen, judged

    def _inside(self) -> Bools:
        centres = position_grid(self.config.crop_px)
        margin, last = self.config.margin_px, self.config.crop_px - self.config.margin_px
        return np.asarray(((centres >= margin) & (centres <= last)).all(-1))

    def _free_place(self, taken: list[Floats], rng: np.random.Generator) -> Floats | None:
        """Draw a point that leaves every known object mostly uncovered; None if a few draws find none."""
        config = self.config
        for _ in range(_PASTE_ATTEMPTS):
            target = rng.uniform(config.margin_px, config.crop_px - config.margin_px, 2)
            if all(float(np.hypot(*(target - other))) > 0.8 * config.object_px for other in taken):
                return target
        return None

    def _paste_piece(
        self, example: Example, target: Floats, rng: np.random.Generator
    ) -> tuple[FloatPicture, FloatPicture, _Seen]:
        """Return alpha (S, S) in 0..1, colours (S, S, 3) and the pasted object itself, centred at `target`."""
        assert example.mask is not None, "only objects are pasted"
        config = self.config
        cutout = self._cutout(example.mask)
        scale = config.object_px / cutout.side * 2 ** rng.uniform(-config.scale_jitter, config.scale_jitter)
        to_crop = affine(scale, rng.uniform(-np.pi, np.pi), rng.random() < 0.5, cutout.centre_xy, target)
        soft = warped_piece(cutout.mask, to_crop, cutout.corner_xy, config.crop_px)
        mask = soft >= 128
        ys, xs = np.nonzero(mask)
        # A rotated object has another box.
        box = np.array([xs.min(), ys.min(), xs.max(), ys.max()]) if len(xs) else np.tile(target, 2)
        picture = self._examples.pictures[example.picture]
        colours = recoloured(warped_picture(picture, to_crop, config.crop_px), rng, 0.15, 0.04).astype(np.float32)
        alpha = cut_out_opacity(soft.astype(np.float32) / np.float32(255))
        side = float(max(box[2] - box[0], box[3] - box[1]) + 1)
        return alpha, colours, _Seen(mask, (box[:2] + box[2:]) / 2, side)

    def _targets(self, seen: list[_Seen], judged: Bools, negatives: np.ndarray) -> tuple[np.ndarray, Ints, Masks]:
        """Return score targets (P, P), `negatives` around the objects, and the positive positions with their masks."""
        config = self.config
        centres = position_grid(config.crop_px)
        scores = negatives.copy()
        positive: list[tuple[int, int]] = []
        masks: list[Mask] = []
        octaves = [abs(float(np.log2(one.side / config.object_px))) for one in seen]
        for one, off in zip(seen, octaves, strict=True):
            near = _near(scores.shape, one.centre_xy, config.negative_px)
            # An object far off in scale belongs to another scale: here its centre is negative.
            is_negative = off >= config.off_scale_octaves and not one.hidden
            scores[near & (scores != IGNORED)] = NEGATIVE if is_negative else IGNORED
        for one, off in zip(seen, octaves, strict=True):
            if off > config.scale_jitter + 0.1 or one.hidden or not _whole(one, config):
                continue
            distance = np.linalg.norm(centres - one.centre_xy, axis=-1)
            hits = judged & ((distance <= config.positive_px) | (distance == distance.min()))
            scores[hits] = POSITIVE
            rows_columns = np.argwhere(hits)
            positive += [(int(row), int(column)) for row, column in rows_columns]
            masks += [one.mask] * len(rows_columns)
        side = config.crop_px
        return scores, np.array(positive, np.int64).reshape(-1, 2), np.array(masks, bool).reshape(-1, side, side)

    def _cutout(self, mask: Rle) -> _Cutout:
        """Cache the cut-outs of masks: decoding one costs more than warping it."""
        found = self._cutouts.get(mask)
        if found is None:
            found = self._cutouts[mask] = _cut_out(mask)
            while len(self._cutouts) > _MASKS_KEPT:
                self._cutouts.popitem(last=False)
        return found


def _cut_out(mask: Rle) -> _Cutout:
    x, y, width, height = (int(value) for value in mask.box_xywh)
    tight = mask_from_rle(mask)[y : y + height, x : x + width]
    return _Cutout(np.array([x - 1.0, y - 1.0]), np.pad(tight.astype(np.uint8) * 255, 1))


def _less(one: _Seen, cover: Mask) -> _Seen | None:
    """Return what stays visible of an object under another one; None if nothing does."""
    mask = one.mask & ~cover
    if not mask.any():
        return None
    hidden = one.hidden or bool(mask.sum() < _LEAST_VISIBLE * one.mask.sum())
    return _Seen(mask, one.centre_xy, one.side, hidden)


def _whole(one: _Seen, config: CropConfig) -> bool:
    """Return whether the object's box lies in the crop, judged by its centre."""
    return bool((np.abs(one.centre_xy - config.crop_px / 2) < config.crop_px / 2 - config.object_px / 4).all())


def _union(masks: list[Mask], side: int) -> Bools:
    """(S, S) bool: pixels of any of the masks."""
    return np.logical_or.reduce(masks) if masks else np.zeros((side, side), bool)


def _near(shape: tuple[int, ...], xy: Floats, reach_px: float) -> Bools:
    """(P, P): positions at most `reach_px` from a point, in L1."""
    return np.asarray(np.abs(position_grid(shape[0] * STRIDE) - xy).sum(-1) <= reach_px)
