"""Contact sheets: pictures in rows, with crosses and outlined masks, as JPEG.

`write_interaction_sheets` shows recorded interactions, `write_passive_sheet` the clips of the passive bootstrap.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import cv2
import imageio.v3 as iio
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Floats32, Ids, Picture
from tabletop_interaction.envs.backend import Primitive
from tabletop_interaction.envs.records.reading import InteractionTable
from tabletop_interaction.envs.records.row import Interaction, PushRow
from tabletop_interaction.files import atomic_path
from tabletop_interaction.frame_difference import frame_difference
from tabletop_interaction.progress import track
from tabletop_interaction.push_difference import Place, push_difference
from tabletop_interaction.reports.outcomes import outcome_of
from tabletop_interaction.segmentation.lettering import INK, Colour, fitting, write_words
from tabletop_interaction.segmentation.overlays import distinct_colours, outlined, tinted
from tabletop_interaction.segmentation.rle import mask_from_rle, rle_from_mask
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet

PICK_COLOUR, PLACE_COLOUR = (255, 221, 51), (51, 221, 119)
"""RGB of what belongs to the pick and to the place, or to the old and the new place of what was pushed."""
REGION_COLOURS: Mapping[Place, Colour] = {"old": PICK_COLOUR, "new": PLACE_COLOUR, "both": (240, 40, 40)}
"""RGB of the regions that a push moved."""

Pixel = NDArray[np.floating] | Sequence[float]

CAPTION_PX = 24
"""Height of the strip of `with_caption`."""

_PANEL_TITLES: Mapping[Primitive, tuple[str, ...]] = {
    "pick": ("before", "between pick and place", "after", "masks"),
    "push": ("before", "after", "masks"),
}
_HEADERS: Mapping[Primitive, tuple[str, ...]] = {
    "pick": (
        "before; cross: the pick",
        "between pick and place",
        "after; cross: the place of what was held",
        "masks; yellow: where it was, green: where it is",
    ),
    "push": ("before; arrow: the push", "after", "masks; yellow: where it was, green: where it is, red: both"),
}
_PASSIVE_TITLE = "observed pushes, one clip per row in time order; outlines: what moved together, crosses: background"
_HEADER_PX, _LETTERS_PX = 28, 16
_GAP_PX = 4
_COLUMNS = 6
_WHITE = (255, 255, 255)

T = TypeVar("T")


def write_sheet(path: Path, rows: Sequence[Sequence[Picture]], *, quality: int = 88) -> Path:
    """Write pictures in rows as JPEG; shorter rows end in white.

    Pictures are uint8 (H, W, 3), those of a row have the same height; the quality is per cent.
    """
    strips = [np.hstack(row) for row in rows]
    width = max(strip.shape[1] for strip in strips)
    sheet = np.vstack([with_margin(strip, right=width - strip.shape[1]) for strip in strips])
    with atomic_path(path) as temporary:
        iio.imwrite(temporary, sheet, quality=quality)
    return path


def write_interaction_sheets(
    table: InteractionTable, numbers: Sequence[int], view: str, out: Path, *, rows: int, sheets: int
) -> list[Path]:
    """Write sheets with one interaction a row, as `interaction_panels`, below a row of headers.

    Above each row stand the number of the interaction and its outcome. Interactions that held or moved something
    come first.

    Args:
        table: interactions with all pictures of the view.
        numbers: the interactions to choose from, one or more.
        view: name of the camera.
        out: the folder for the files sheet_00.jpg, sheet_01.jpg, ..., which are returned.
        rows: interactions a sheet.
        sheets: most sheets; their interactions are spread over `numbers`.
    """
    chosen = sorted(evenly_chosen(numbers, rows * sheets), key=lambda index: not _succeeded(table[index]))
    paths = []
    for number, start in enumerate(track(range(0, len(chosen), rows), "sheets")):
        strips = [_interaction_strip(table[index], index, view) for index in chosen[start : start + rows]]
        first = table[chosen[start]]
        headers = _HEADERS[first.primitive]
        # Depths and true masks, where they are recorded, have no header but their title.
        others = [panel.title for panel in interaction_panels(first, view)][len(headers) :]
        header = header_row([*headers, *others], strips[0].shape[1])
        paths.append(write_sheet(out / f"sheet_{number:02d}.jpg", [[header], *([strip] for strip in strips)]))
    return paths


def header_row(titles: Sequence[str], width: int) -> Picture:
    """A white strip with the titles of columns of equal width."""
    strip = np.full((_HEADER_PX, width, 3), 255, np.uint8)
    column = width // len(titles)
    for number, title in enumerate(titles):
        words = fitting(title, _LETTERS_PX, column - 2 * _GAP_PX)
        write_words(strip, words, (number * column + _GAP_PX, _HEADER_PX - 8), _LETTERS_PX, colour=INK, rim=None)
    return strip


def with_caption(picture: Picture, words: str) -> Picture:
    """A picture (H, W, 3) below a white strip with words, shortened to its width."""
    captioned = with_margin(picture, top=CAPTION_PX)
    words = fitting(words, _LETTERS_PX, picture.shape[1] - 2 * _GAP_PX)
    write_words(captioned, words, (_GAP_PX, CAPTION_PX - 7), _LETTERS_PX, colour=INK, rim=None)
    return captioned


@dataclass(frozen=True, eq=False)
class SheetPicture:
    """A picture (H, W, 3) of an interaction, and what it shows."""

    title: str
    picture: Picture


def interaction_panels(interaction: Interaction, view: str) -> Iterator[SheetPicture]:
    """Yield the pictures of an interaction: before, held, after, and after with the masks of what moved.

    Crosses mark the pick and the place. A push, an arrow, has no picture between. The depth and the instances before
    follow, where they are recorded.
    """
    number = [v.name for v in interaction.views].index(view)
    pushed = interaction.pushed
    pictures = _pick_panels(interaction, number) if pushed is None else _push_panels(interaction, pushed, number)
    for title, picture in zip(_PANEL_TITLES[interaction.primitive], pictures, strict=True):
        yield SheetPicture(title, picture)
    if view in interaction.before.depth:
        depth = _depth_picture(interaction.before.depth[view])
        yield SheetPicture("depth before; yellow: near", depth)
    if view in interaction.before.instances:
        objects = _tinted_instances(interaction.before[view], interaction.before.instances[view])
        yield SheetPicture("true objects before", objects)


def _depth_picture(depth: Floats32) -> Picture:
    """Colours, uint8 (H, W, 3), of depths (H, W): yellow for the nearest, blue for the farthest, black for 0."""
    seen = depth > 0
    near, far = (depth[seen].min(), depth[seen].max()) if seen.any() else (0.0, 1.0)
    levels = np.clip(255 * (far - depth) / max(far - near, 1e-6), 0, 255).astype(np.uint8)
    coloured = cv2.applyColorMap(levels, cv2.COLORMAP_VIRIDIS)[:, :, ::-1]
    return np.where(seen[:, :, None], coloured, 0).astype(np.uint8)


def _tinted_instances(picture: Picture, instances: Ids) -> Picture:
    """The picture (H, W, 3) with the objects of an instance map (H, W) tinted, each in a colour of its own."""
    ids = [int(id_) for id_ in np.unique(instances) if id_]
    colours = distinct_colours(max(ids, default=0))
    return tinted(picture, [rle_from_mask(instances == id_) for id_ in ids], [colours[id_ - 1] for id_ in ids])


def _pick_panels(interaction: Interaction, number: int) -> Iterator[Picture]:
    view = interaction.views[number].name
    before, held, after = (getattr(interaction, moment)[view] for moment in ("before", "held", "after"))
    pick, place = interaction.pick_xy[number], interaction.place_xy[number]
    yield with_cross(before, pick, PICK_COLOUR)
    yield held
    yield with_cross(after, place, PLACE_COLOUR) if interaction.grasped else after
    masked = before
    if interaction.grasped:
        masked = outlined(after, frame_difference(held, after, place).mask, PLACE_COLOUR, 2)
    yield outlined(masked, frame_difference(before, held, pick).mask, PICK_COLOUR, 2)


def _push_panels(interaction: Interaction, pushed: PushRow, number: int) -> Iterator[Picture]:
    """Yield three pictures: before with the push, after, and after with what moved, where it was and where it is."""
    name = interaction.views[number].name
    before, after = interaction.before[name], interaction.after[name]
    path = pushed.start_xy[number], pushed.end_xy[number]
    yield with_arrow(before, *path, PICK_COLOUR)
    yield after
    masked = after
    for region in push_difference(before, after, path).regions if pushed.came_down else ():
        masked = outlined(masked, region.mask, REGION_COLOURS[region.place], 2)
    yield masked


def _interaction_strip(interaction: Interaction, index: int, view: str) -> Picture:
    panels = [with_margin(panel.picture, right=_GAP_PX) for panel in interaction_panels(interaction, view)]
    words = f"interaction {index + 1:,}: {outcome_of(interaction)}   (table {interaction.background})"
    return with_margin(with_caption(np.hstack(panels), words), bottom=_GAP_PX)


def _succeeded(interaction: Interaction) -> bool:
    return interaction.grasped or (interaction.pushed is not None and interaction.pushed.moved)


def write_passive_sheet(examples: ExampleSet, path: Path, rows: int = 10) -> Path:
    """Write a JPEG with a clip in a view a row: its labelled frames, at most six; `rows` clips that have an object.

    Masks are outlined, background clicks are crosses; a header says so. The examples of `passive_examples` have one
    object or more.
    """
    clips: dict[str, dict[str, list[Example]]] = {}
    for example in examples.examples:
        clip = example.picture.rsplit("/", 1)[0]
        clips.setdefault(clip, {}).setdefault(example.picture, []).append(example)
    with_object = [frames for frames in clips.values() if any(one.mask for frame in frames.values() for one in frame)]
    clip_rows = [_clip_panels(examples, frames) for frames in evenly_chosen(with_object, rows)]
    header = header_row([_PASSIVE_TITLE], max(sum(panel.shape[1] for panel in row) for row in clip_rows))
    return write_sheet(path, [[header], *clip_rows])


def evenly_chosen(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, evenly spread, the first and the last among them."""
    at = np.linspace(0, len(items) - 1, min(len(items), most)).astype(int)
    return [items[number] for number in at]


def with_margin(picture: Picture, top: int = 0, bottom: int = 0, left: int = 0, right: int = 0) -> Picture:
    """A copy of a picture (H, W, 3) with white margins, px."""
    return np.asarray(
        cv2.copyMakeBorder(picture, top, bottom, left, right, cv2.BORDER_CONSTANT, value=_WHITE), np.uint8
    )


def with_cross(
    picture: Picture,
    xy: Pixel,
    colour: Colour,
    *,
    size: int = 20,
    thickness: int = 2,
    marker: int = cv2.MARKER_CROSS,
) -> Picture:
    """A copy of a picture (H, W, 3) with a cross at pixel x, y, dark around it."""
    marked = picture.copy()
    centre = (round(float(xy[0])), round(float(xy[1])))
    cv2.drawMarker(marked, centre, (0, 0, 0), marker, size + 2, 2 * thickness, cv2.LINE_AA)
    cv2.drawMarker(marked, centre, colour, marker, size, thickness, cv2.LINE_AA)
    return marked


def with_arrow(picture: Picture, start_xy: Pixel, end_xy: Pixel, colour: Colour, *, thickness: int = 2) -> Picture:
    """A copy of a picture (H, W, 3) with an arrow between two pixels x, y, dark around it."""
    marked = picture.copy()
    start, end = ((round(float(xy[0])), round(float(xy[1]))) for xy in (start_xy, end_xy))
    cv2.arrowedLine(marked, start, end, (0, 0, 0), 2 * thickness, cv2.LINE_AA, tipLength=0.2)
    cv2.arrowedLine(marked, start, end, colour, thickness, cv2.LINE_AA, tipLength=0.2)
    return marked


def _clip_panels(examples: ExampleSet, frames: dict[str, list[Example]]) -> list[Picture]:
    """The frames of a clip, in the order of time, with their examples."""
    ordered = sorted(frames, key=lambda key: int(key.rsplit("/", 1)[1].split("-")[0]))[:_COLUMNS]
    drawn = [_with_examples(examples.pictures[key], frames[key]) for key in ordered]
    return [with_margin(picture, bottom=_GAP_PX, right=_GAP_PX) for picture in drawn]


def _with_examples(picture: Picture, examples: Sequence[Example]) -> Picture:
    drawn = np.array(picture)
    for example, colour in zip(examples, distinct_colours(len(examples)), strict=True):
        if example.mask is not None:
            drawn = outlined(drawn, mask_from_rle(example.mask), colour, 2)
        else:
            drawn = with_cross(drawn, example.click_xy, _WHITE, size=12, marker=cv2.MARKER_TILTED_CROSS)
    return drawn
