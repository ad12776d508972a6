"""Frame difference: the mask of what changed between two pictures of a table, around a clicked pixel.

Algorithm 1 of Pathak et al. 2018, "Learning Instance Segmentation by Interaction": the difference of two pictures
inside a 240 x 240 px square around the click, one connected mask, an object if it has more than 1,000 px. The paper
does not say how the difference is computed. Ours:

1. Match the exposures and measure the noise on the whole pictures.
2. A pixel is evidence of an object if it changed by more than noise, by more than a shift by one pixel explains (a
   nudged neighbour shows little but its rim), and by more than a shadow explains: a shadow multiplies the table by one
   smooth factor for all channels, so that texture and hue of the table survive.
3. Close the evidence to blobs, take the blob with most pixels near the click, and fill its holes.
4. Move its rim to where the picture with the object turns from the object's colour into the table of the other one.

Pictures are uint8 (H, W, 3) RGB; pixels are (x, y) with integer coordinates at pixel centres.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import cv2
import numpy as np
from numpy.typing import ArrayLike

from tabletop_interaction.arrays import Bytes, FloatPicture, Floats, Mask, Picture
from tabletop_interaction.errors import InvalidPicturePair
from tabletop_interaction.exposure import Exposure, relative_exposure
from tabletop_interaction.ranges import Range, check_fields, check_picture
from tabletop_interaction.working_size import at_longer_side, resized_mask, resized_points, size_scale

Blob = Bytes
"""(h, w), 1 inside and 0 outside: OpenCV's morphology does not accept bool."""


@dataclass(frozen=True)
class FrameDifferenceConfig:
    """Settings of the frame difference; the first two are the paper's.

    Attributes:
        window: side of the square around the click, pixels, even.
        min_area: a mask of more pixels is an object.
        change_z: threshold of a change, in standard deviations of the noise.
        shift_z: as `change_z`, for the change that a shift by one pixel does not explain.
        shadow_misfit: threshold of the mean squared misfit to a shadowed table, in units of its expectation.
        shadow_slack: tolerance of a shadowed table's brightness, as a share.
        darkest_shadow: least share of the light that a shadow leaves.
        close_px: widest gap in the evidence that is closed.
        open_px: parts of the evidence narrower than this are dropped.
        reach_px: standard deviation of a pixel's weight over its distance from the click.
        rim_px: search range of the rim inwards; outwards it is one pixel more.
        least_noise: least noise of a difference, grey levels.
    """

    window: Annotated[int, Range(2, 10**5)] = 240
    min_area: Annotated[int, Range(0, 10**9)] = 1000
    change_z: Annotated[float, Range(0, 1000)] = 4.0
    shift_z: Annotated[float, Range(0, 1000)] = 2.0
    shadow_misfit: Annotated[float, Range(0, 10**9, above=True)] = 3.0
    shadow_slack: Annotated[float, Range(0, 1000)] = 0.03
    darkest_shadow: Annotated[float, Range(1e-3, 1 - 1e-3)] = 0.33
    close_px: Annotated[int, Range(1, 10**4)] = 7
    open_px: Annotated[int, Range(1, 10**4)] = 5
    reach_px: Annotated[float, Range(0, 10**9, above=True)] = 45.0
    rim_px: Annotated[int, Range(1, 10**4)] = 2
    least_noise: Annotated[float, Range(0, 1000, above=True)] = 1.5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.window % 2:
            raise ValueError(f"window is {self.window}; accepted is an even number of pixels, 2 or more")


@dataclass(frozen=True, eq=False)
class FrameDifference:
    """The mask of a changed object.

    Attributes:
        mask: bool (H, W), one connected region without holes inside the window, or empty.
        moved: whether an object was found; otherwise the mask is empty.
    """

    mask: Mask
    moved: bool


@dataclass(frozen=True, eq=False)
class MatchedPair:
    """A crop of both pictures, float32 (h, w, 3), with matched exposures; `noise` of their difference, grey levels."""

    before: FloatPicture
    after: FloatPicture
    noise: float

    def crop(self, rows: slice, columns: slice) -> MatchedPair:
        return MatchedPair(self.before[rows, columns], self.after[rows, columns], self.noise)


_DEFAULTS = FrameDifferenceConfig()
_CONTEXT_PX = 12
_BLUR_PX = 0.8
# Share of the noise's standard deviation that this blur leaves.
_BLURRED_NOISE = 0.36
_DIFFERING_Z, _DIFFERING_BLUR_PX, _DIFFERING_BLURRED_NOISE = 6.0, 1.2, 0.24
_SAMPLE_STRIDE = 5
_USUAL_NOISE = 3.0
_NEIGHBOURHOOD = (11, 11)
# A little above one half: lens and pixel spread an object's rim outwards.
_MAJORITY = 0.55


def frame_difference(
    before: Picture, after: Picture, click_xy: ArrayLike, config: FrameDifferenceConfig | None = None
) -> FrameDifference:
    """Return the mask of what vanished or appeared around a clicked pixel.

    Of several objects that moved in the window, those that touch each other become one mask; otherwise the one with
    most pixels near the click is returned.

    Args:
        before: uint8 (H, W, 3) RGB, before the change.
        after: as `before`; exchanging the two hardly changes the mask.
        click_xy: (2,) pixel x, y; it may lie outside the picture if the window overlaps the picture.
        config: lengths in it are pixels of these pictures. None uses the default one at the working size: pictures of
            another size are resized to it, and the mask back.

    Raises:
        InvalidPicturePair: pictures of another type or of different shapes, a click that is not two finite numbers, or
            a window outside the picture.
    """
    check_pair(before, after)
    click = _checked_click(click_xy)
    if config is None:
        height, width = before.shape[:2]
        _window(height, width, click, round(_DEFAULTS.window * size_scale(height, width)))
        one, other = at_longer_side(before), at_longer_side(after)
        found = frame_difference(one, other, resized_points(click, before.shape, one.shape), _DEFAULTS)
        if one is before:
            return found
        mask = resized_mask(found.mask, before.shape)
        return FrameDifference(mask, bool(mask.any()))
    nothing = FrameDifference(np.zeros(before.shape[:2], bool), False)
    rows, columns = _window(before.shape[0], before.shape[1], click, config.window)
    pair = matched_pair(before, after, rows, columns, config)

    changed = changed_blob(pair, config)
    if int(changed.sum()) * 2 <= config.min_area:
        return nothing
    rows, columns, changed, pair = cut_to_blob(rows, columns, changed, pair)

    evidence = object_evidence(pair, config) & changed
    blob = _blob_near(evidence, click - (columns.start, rows.start), config)
    if not blob.any():
        return nothing
    rows, columns, blob, pair = cut_to_blob(rows, columns, blob, pair)

    mask = np.zeros(before.shape[:2], bool)
    mask[rows, columns] = snapped_rim(pair, blob, config)
    return FrameDifference(mask, True) if int(mask.sum()) > config.min_area else nothing


def changed_pixels(before: Picture, after: Picture, config: FrameDifferenceConfig = _DEFAULTS) -> Mask:
    """Return pixels bool (H, W) whose change neither noise, nor a shadow, nor a shift by one pixel explains.

    A moved object changes both its places; a small shift changes little but the rims. Pictures are uint8 (H, W, 3) RGB;
    exchanging the two hardly changes the pixels.

    Raises:
        InvalidPicturePair: pictures of another type or of different shapes.
    """
    check_pair(before, after)
    pair = matched_pair(before, after, slice(0, before.shape[0]), slice(0, before.shape[1]), config)
    changed = changed_blob(pair, config)
    if not changed.any():
        return changed.astype(bool)
    rows, columns, changed, pair = cut_to_blob(slice(0, before.shape[0]), slice(0, before.shape[1]), changed, pair)
    pixels = np.zeros(before.shape[:2], bool)
    pixels[rows, columns] = changed & object_evidence(pair, config)
    return pixels


def differing_pixels(before: Picture, after: Picture, z: float = _DIFFERING_Z) -> Mask:
    """Find pixels bool (H, W) that differ by more than exposure and noise; shadows and shifts count as differences.

    A difference is more than `z` standard deviations of the noise, which is measured where the pictures are smooth.
    """
    gain, noise = _exposure(before, after, least_samples=1) or (np.ones(3, np.float32), 0.0)
    difference = cv2.GaussianBlur(after - before.astype(np.float32) * gain, (0, 0), _DIFFERING_BLUR_PX)
    limit = z * _DIFFERING_BLURRED_NOISE * max(_DEFAULTS.least_noise, noise)
    return np.asarray(np.abs(difference).max(2) > limit)


def morphed(operation: int, blob: Blob, diameter: int) -> Blob:
    """Apply an OpenCV morphology operation with a disc; `diameter` in pixels."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (diameter, diameter))
    return np.asarray(cv2.morphologyEx(blob, operation, disc), np.uint8)


def matched_pair(
    before: Picture, after: Picture, rows: slice, columns: slice, config: FrameDifferenceConfig
) -> MatchedPair:
    """Crop both pictures to a window, with `before` brought to the exposure and white balance of `after`."""
    gain, noise = _exposure(before, after) or (np.ones(3, np.float32), _USUAL_NOISE)
    return MatchedPair(
        before[rows, columns].astype(np.float32) * gain,
        after[rows, columns].astype(np.float32),
        max(noise, config.least_noise),
    )


def _exposure(before: Picture, after: Picture, least_samples: int = 100) -> Exposure | None:
    one, other = (picture[::_SAMPLE_STRIDE, ::_SAMPLE_STRIDE].astype(np.float32) for picture in (before, after))
    return relative_exposure(one, other, least_samples=least_samples)


def changed_blob(pair: MatchedPair, config: FrameDifferenceConfig) -> Blob:
    """Return pixels that changed, without specks."""
    difference = _smoothed(pair.after - pair.before, 5)
    limit = config.change_z * _BLURRED_NOISE * pair.noise
    changed = (_dot(difference, difference) > 3 * limit**2).astype(np.uint8)
    kept = morphed(cv2.MORPH_OPEN, changed, config.open_px)
    return changed & morphed(cv2.MORPH_DILATE, kept, config.open_px)


def object_evidence(pair: MatchedPair, config: FrameDifferenceConfig) -> Blob:
    """Return pixels that neither a shadow nor a shift by one pixel explains."""
    beyond_shift = np.maximum(_beyond_shift(pair.before, pair.after), _beyond_shift(pair.after, pair.before))
    return _no_shadow(pair, config) & (beyond_shift > config.shift_z * pair.noise).astype(np.uint8)


def _no_shadow(pair: MatchedPair, config: FrameDifferenceConfig) -> Blob:
    """Return pixels around which `after` is not `before` times one factor that a shadow may have.

    The factor is the least-squares fit over 5 x 5 px and all channels. The misfit, averaged over 3 x 3 px, is compared
    with its expectation from sensor noise and slack.
    """
    before, after = pair.before, pair.after
    energy = cv2.boxFilter(_dot(before, before), -1, (5, 5))
    factor = cv2.boxFilter(_dot(before, after), -1, (5, 5)) / np.maximum(energy, 1)
    residual = after - (factor[..., None] * before).astype(np.float32)
    slack = config.shadow_slack * after.mean(2)
    expected = pair.noise**2 / 2 * (1 + factor**2) + slack**2
    misfit = cv2.boxFilter(_dot(residual, residual) / (3 * expected), -1, (3, 3))
    too_dark = (factor < config.darkest_shadow) | (factor > 1 / config.darkest_shadow)
    return ((misfit > config.shadow_misfit) | too_dark).astype(np.uint8)


def _beyond_shift(one: FloatPicture, other: FloatPicture) -> FloatPicture:
    """(h, w): grey levels by which `one` lies outside the values of `other` within a pixel, over channels."""
    one, other = _smoothed(one, 3), _smoothed(other, 3)
    around = np.ones((3, 3), np.uint8)
    above = cv2.subtract(one, cv2.dilate(other, around))
    below = cv2.subtract(cv2.erode(other, around), one)
    return np.asarray(cv2.max(above, below).max(2))


def _blob_near(evidence: Blob, click: Floats, config: FrameDifferenceConfig) -> Blob:
    """Return the connected part of the evidence with most weight; weights fall with the distance from the click."""
    closed = morphed(cv2.MORPH_CLOSE, evidence, config.close_px)
    opened = morphed(cv2.MORPH_OPEN, closed, config.open_px)
    count, labels = cv2.connectedComponents(opened)
    if count == 1:
        return opened
    y, x = np.nonzero(labels)
    weights = np.exp(-0.5 * ((x - click[0]) ** 2 + (y - click[1]) ** 2) / config.reach_px**2)
    # The added weight decides between blobs far from the click.
    totals = np.bincount(labels[y, x], weights + 1e-6, minlength=count)
    return _filled(labels == int(totals.argmax()))


def snapped_rim(pair: MatchedPair, blob: Blob, config: FrameDifferenceConfig) -> Blob:
    """Move the rim of a blob to where the object's colour turns into the table's.

    One picture shows the object O, the other the bare table B. With the object's mean colour F and the shade s nearby,
    the share of F in a rim pixel is (O - sB) . (F - sB) / |F - sB|^2; the object has pixels from about one half on.
    """
    inside, outside, rim = _around_rim(blob, config)
    shown, bare = _shown_and_bare(pair, inside, outside, rim)
    shade = _mean_near(_dot(shown, bare), outside) / np.maximum(_mean_near(_dot(bare, bare), outside), 1)
    table = (bare * np.clip(shade, config.darkest_shadow, 1.1)[..., None]).astype(np.float32)
    contrast = _mean_near(shown, inside) - table
    strength = _dot(contrast, contrast)
    share = _dot(shown - table, contrast) / np.maximum(strength, 1)
    known = _any_near(inside) & _any_near(outside) & (strength > (2 * pair.noise) ** 2)
    share = np.where(known, np.clip(share, 0, 1), blob)
    share = np.where(outside > 0, 0, np.maximum(share, inside))
    return _filled(_smoothed(share.astype(np.float32), 3) > _MAJORITY)


def share_before(pair: MatchedPair, blob: Blob, config: FrameDifferenceConfig) -> float:
    """How much of a blob's contrast to its surroundings is in the first picture, 0 to 1: 1 if it shows the object."""
    regions = _around_rim(blob, config)
    before, after = (_contrast(picture, *regions) for picture in (pair.before, pair.after))
    return before / max(before + after, 1e-9)


def _around_rim(blob: Blob, config: FrameDifferenceConfig) -> tuple[Blob, Blob, Blob]:
    """The inside of a blob, its outside, and the rim between them."""
    inside = morphed(cv2.MORPH_ERODE, blob, 2 * config.rim_px + 1)
    reach = morphed(cv2.MORPH_DILATE, blob, 2 * config.rim_px + 3)
    return inside, np.asarray(1 - reach, np.uint8), np.asarray(reach - inside, np.uint8)


def _shown_and_bare(pair: MatchedPair, inside: Blob, outside: Blob, rim: Blob) -> tuple[FloatPicture, FloatPicture]:
    """Return the picture with the object first: its colour changes more across the rim."""
    before, after = (_contrast(picture, inside, outside, rim) for picture in (pair.before, pair.after))
    return (pair.before, pair.after) if before > after else (pair.after, pair.before)


def _contrast(picture: FloatPicture, inside: Blob, outside: Blob, rim: Blob) -> float:
    """Sum over a rim of the squared difference of the colours on both sides."""
    step = _mean_near(picture, inside) - _mean_near(picture, outside)
    known = (rim > 0) & _any_near(inside) & _any_near(outside)
    return float(_dot(step, step)[known].sum())


def _mean_near(values: FloatPicture, where: Blob) -> FloatPicture:
    """Average values, (h, w) or (h, w, 3), over the neighbours that lie in `where`."""
    chosen = where.astype(np.float32)
    share = np.maximum(cv2.boxFilter(chosen, -1, _NEIGHBOURHOOD), 1e-3)
    if values.ndim == 3:
        chosen, share = chosen[..., None], share[..., None]
    return np.asarray(cv2.boxFilter(values * chosen, -1, _NEIGHBOURHOOD) / share)


def _any_near(where: Blob) -> Mask:
    return np.asarray(cv2.boxFilter(where.astype(np.float32), -1, _NEIGHBOURHOOD) > 0.02)


def _filled(region: np.ndarray) -> Blob:
    """Return the largest connected part of a region, with holes filled."""
    filled = np.zeros(region.shape, np.uint8)
    outlines, _ = cv2.findContours(region.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if outlines:
        cv2.drawContours(filled, [max(outlines, key=cv2.contourArea)], -1, 1, cv2.FILLED)
    return filled


def cut_to_blob(rows: slice, columns: slice, blob: Blob, pair: MatchedPair) -> tuple[slice, slice, Blob, MatchedPair]:
    """Crop a blob and its pictures to the blob's box and some context; rows and columns are the picture's."""
    x, y, width, height = cv2.boundingRect(blob)
    x0, y0 = max(0, x - _CONTEXT_PX), max(0, y - _CONTEXT_PX)
    x1, y1 = min(blob.shape[1], x + width + _CONTEXT_PX), min(blob.shape[0], y + height + _CONTEXT_PX)
    cut = np.s_[y0:y1, x0:x1]
    return (
        slice(rows.start + y0, rows.start + y1),
        slice(columns.start + x0, columns.start + x1),
        blob[cut],
        pair.crop(*cut),
    )


def _dot(one: FloatPicture, other: FloatPicture) -> FloatPicture:
    """(h, w): scalar product of two pictures' colours."""
    return np.asarray(cv2.transform(cv2.multiply(one, other), np.ones((1, 3), np.float32)))


def _smoothed(values: FloatPicture, side: int) -> FloatPicture:
    return np.asarray(cv2.GaussianBlur(values, (side, side), _BLUR_PX), np.float32)


def _window(height: int, width: int, click: Floats, side: int) -> tuple[slice, slice]:
    """Return rows and columns of the picture in the square around the click."""
    x, y = (round(float(value)) for value in click)
    x0, x1 = max(0, x - side // 2), min(width, x + side // 2)
    y0, y1 = max(0, y - side // 2), min(height, y + side // 2)
    if x0 >= x1 or y0 >= y1:
        raise InvalidPicturePair(
            f"the {side} px window around the click ({click[0]:.1f}, {click[1]:.1f}) lies outside the picture of "
            f"{width} x {height} px; give the click as x, y in pixels of this picture"
        )
    return slice(y0, y1), slice(x0, x1)


def check_pair(before: Picture, after: Picture) -> None:
    check_picture("before", before, error=InvalidPicturePair)
    check_picture("after", after, error=InvalidPicturePair)
    if before.shape != after.shape:
        raise InvalidPicturePair(
            f"before has shape {before.shape} and after {after.shape}; give two pictures of one view"
        )


def _checked_click(click_xy: ArrayLike) -> Floats:
    try:
        click = np.asarray(click_xy, np.float64)
    except (TypeError, ValueError):
        click = np.empty(0)
    if click.shape != (2,) or not np.isfinite(click).all():
        raise InvalidPicturePair(f"click {click_xy!r} is not two finite numbers; give pixel x, y")
    return click
