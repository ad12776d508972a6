"""Examples of the passive bootstrap: watch random pushes and segment what moves (Pathak et al. 2018, Algorithm 1).

A clip (`envs.watched_pushes`) gives two kinds of examples in each view:

- objects: each mask of `segmentation.motion`, in the frame in which it was found.
- background: the middle of a stroke around which nothing changed in this view. A pixel that never changes is no
  evidence alone, since an object that nobody touched may be there; but the gripper passed here and would have moved it.
  Such clicks are taken from frames that have a mask, and from one view of each clip in which nothing moved. The
  sampler (`segmentation.training.crops`) uses only the click's surroundings as background; now and then they contain
  a neighbour that the gripper just missed.

```
passive.json               the request; written first, it claims the folder
scenes/scene-00000.json    the examples of one scene, written when all its pushes are segmented
pictures/                  their pictures, decoded (`segmentation.training.pictures`), 0.45 MB each
```
Files are whole or absent; after a kill the next call resumes with the first missing scene. All carry the id of their
run (`seals`). A scene whose pictures are missing is observed again.
"""

import os
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np

from tabletop_interaction.agents.labelling.examples import spread
from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.backend import Backend, Split, open_backend
from tabletop_interaction.envs.views import View
from tabletop_interaction.envs.watched_pushes import Clip, PushingConfig, check_fits, watch_pushes
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.files import read_json
from tabletop_interaction.ranges import Range, Seed, check_fields
from tabletop_interaction.seals import (
    check_run_id,
    check_sealed_request,
    new_run_id,
    run_id_of,
    unsealed,
    write_sealed,
)
from tabletop_interaction.segmentation.motion.masks import Motion, MotionConfig, segment_motion
from tabletop_interaction.segmentation.rle import Rle, rle_from_mask
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet
from tabletop_interaction.segmentation.training.pictures import add_pictures, open_pictures

OnPushes = Callable[[int, int, int], None]

_SCHEMA_VERSION = 1
_REQUEST = "passive.json"
_UNTOUCHED_PX = 40


@dataclass(frozen=True)
class PassiveConfig:
    """Which pushes are made, and how moving objects are segmented.

    Attributes:
        pushes: Random pushes.
        seed: Seed of scenes and pushes.
        split: Split of the objects and table tops.
        simulation: Plain form of a simulation's `SimulationConfig`; None for the default one.
        pushing: How pushes are made, see `PushingConfig`.
        motion: How moving objects are segmented, see `MotionConfig`.
    """

    pushes: Annotated[int, Range(1, 10**7)] = 150
    seed: Seed = 0
    split: Split = "train"
    simulation: dict[str, Any] | None = None
    pushing: PushingConfig = field(default_factory=PushingConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)

    def __post_init__(self) -> None:
        check_fields(self)

    @property
    def scenes(self) -> list[int]:
        """Pushes of each scene."""
        each = self.pushing.pushes_per_scene
        return [min(each, self.pushes - start) for start in range(0, self.pushes, each)]


def passive_examples(
    backend: str | Backend,
    out: str | os.PathLike[str],
    config: PassiveConfig | None = None,
    on_pushes: OnPushes | None = None,
    run: str | None = None,
) -> ExampleSet:
    """Watch pushes, segment what moves, and return the examples; finished scenes are read from disk.

    Args:
        backend: a name for `open_backend`, or an open Backend, which stays open.
        out: folder of the examples; new, empty, or begun with the same configuration.
        on_pushes: called with the number of finished pushes, of all pushes, and of masks so far.
        run: id of the run that learns from them; by default they get an id of their own.

    Returns:
        objects and at most as many background examples; no objects when no push moved anything.

    Raises:
        ForeignFolder: `out` holds something else, was begun with another configuration, or has files of another run;
            nothing was written.
        UnreadableRecords: a file of examples is damaged.
        InvalidConfiguration: as `open_backend`, or a push is longer than the arena; nothing was written.
    """
    out, config = Path(out), config or PassiveConfig()
    name = backend if isinstance(backend, str) else type(backend).__name__
    request = {"schema_version": _SCHEMA_VERSION, "backend": name, **asdict(config)}
    begun = check_sealed_request(out / _REQUEST, request, "observed pushes", whole=("simulation",)) is not None
    found_run = run_id_of(out / _REQUEST) if begun else run or new_run_id()
    if run is not None:
        check_run_id(found_run, run, out / _REQUEST)
    store = open_pictures(out / "pictures", found_run)
    examples: list[Example] = []
    with ExitStack() as stack:
        opened: Backend | None = None
        for number, pushes in enumerate(config.scenes):
            path = out / "scenes" / f"scene-{number:05d}.json"
            scene = _read_scene(path, number, found_run) if path.exists() else None
            if scene is None or any(example.picture not in store for example in scene):
                opened = opened or _opened(backend, config, stack)
                if not begun:
                    write_sealed(out / _REQUEST, request, found_run)
                    begun = True
                scene = _watched_scene(opened, number, pushes, config, out / "pictures", found_run)
                write_sealed(path, {"scene": number, "examples": scene}, found_run, indent=None)
            examples += scene
            if on_pushes is not None:
                masks = sum(example.mask is not None for example in examples)
                on_pushes(sum(config.scenes[: number + 1]), config.pushes, masks)
    objects = [example for example in examples if example.mask is not None]
    background = [example for example in examples if example.mask is None]
    return ExampleSet((*objects, *spread(background, len(objects))), open_pictures(out / "pictures", found_run))


def clip_examples(
    clip: Clip, view: View, motion: Motion, name: str, *, keep_empty: bool = False
) -> list[tuple[Example, Picture]]:
    """The examples of a clip in one view, each with its picture.

    Args:
        name: beginning of the pictures' keys.
        keep_empty: take background from the last frame if no frame has a mask.
    """
    frames = clip.frames[view.name]
    seen = [number for number, masks in enumerate(motion.masks) if masks]
    found = [
        (_example(name, number, frames[number], rle.centre_xy, rle), frames[number])
        for number in seen
        for rle in map(rle_from_mask, motion.masks[number])
    ]
    for number in seen or ([len(frames) - 1] if keep_empty and not motion.moving.any() else []):
        for click in _untouched(clip, view, motion, number):
            found.append((_example(name, number, frames[number], click, None), frames[number]))
    return found


def _opened(backend: str | Backend, config: PassiveConfig, stack: ExitStack) -> Backend:
    """The backend, closed with the stack if it was opened here."""
    opened = open_backend(backend, split=config.split, config=config.simulation if isinstance(backend, str) else None)
    if isinstance(backend, str):
        stack.enter_context(opened)
    check_fits(opened.arena, config.pushing)
    return opened


def _watched_scene(
    backend: Backend, scene: int, pushes: int, config: PassiveConfig, pictures_folder: Path, run: str | None
) -> list[Example]:
    """Watch the pushes of one scene and store the pictures of their examples."""
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, scene]))
    examples: list[Example] = []
    for number, clip in enumerate(watch_pushes(backend, rng, pushes, config.pushing)):
        pictures: dict[str, Picture] = {}
        for index, view in enumerate(backend.views):
            motion = segment_motion(clip.frames[view.name], config.motion)
            name = f"{scene}/{number}/{view.name}"
            chosen = index == number % len(backend.views)
            for example, picture in clip_examples(clip, view, motion, name, keep_empty=chosen):
                examples.append(example)
                pictures[example.picture] = picture
        if pictures:
            add_pictures(pictures_folder, pictures.items(), run)
    return examples


def _untouched(clip: Clip, view: View, motion: Motion, number: int) -> Iterator[tuple[float, float]]:
    """Middles, pixels x, y, of the strokes before and after a frame, if nothing around them changed."""
    height, width = motion.moving.shape[1:]
    for stroke in range(max(0, number - 1), min(number + 1, len(motion.moving))):
        middle = clip.path_xy[stroke : stroke + 2].mean(0)
        x, y = view.project(np.array([[*middle, 0.0]]))[0].tolist()
        if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
            continue
        rows = slice(max(0, round(y) - _UNTOUCHED_PX), round(y) + _UNTOUCHED_PX + 1)
        columns = slice(max(0, round(x) - _UNTOUCHED_PX), round(x) + _UNTOUCHED_PX + 1)
        if not motion.moving[stroke, rows, columns].any():
            yield x, y


def _example(name: str, number: int, picture: Picture, click_xy: tuple[float, float], mask: Rle | None) -> Example:
    # A robot sees other pictures when a scene is observed again after a kill: their checksums differ.
    return Example(f"{name}/{number}-{zlib.crc32(np.ascontiguousarray(picture).data):08x}", click_xy, mask)


def _read_scene(path: Path, number: int, run: str | None) -> list[Example]:
    remedy = "remove it, and its scene is pushed again"
    try:
        content = read_json(path)
    except UnreadableRecords as error:
        raise UnreadableRecords(f"{path} is damaged ({error.__cause__}); {remedy}") from error
    # Earlier versions wrote the list of the examples alone.
    content, found = ({"examples": content}, None) if isinstance(content, list) else unsealed(content, path, remedy)
    try:
        examples = [
            Example(row["picture"], tuple(row["click_xy"]), Rle(**row["mask"]) if row["mask"] else None)
            for row in content["examples"]
        ]
    except (KeyError, TypeError) as error:
        raise UnreadableRecords(f"{path} is damaged ({error!r}); {remedy}") from error
    check_run_id(found, run, path)
    if content.get("scene", number) != number:
        raise ForeignFolder(f"{path} holds scene {content['scene']}; {remedy}")
    return examples
