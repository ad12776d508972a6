"""The passive bootstrap's examples: pushes are watched, and what moved in them becomes masks on disk.

Algorithm 1 of Pathak et al. 2018 begins with a network that was trained on such masks. Two kinds of examples come of a
clip (`envs.pushing`) in a view:

- objects: each mask of `segmentation.motion`, in the frame in which it was seen.
- background: the middle of a stroke around which nothing changed in this view. That a pixel never changes is no
  evidence, since it may well show an object that nobody touched; but whoever watches sees the hand go through there,
  and a thing in its way would have moved. Such clicks are taken from frames that have a mask anyway, and from one view
  of each clip in which nothing moved. The sampler (`segmentation.crops`) judges only the click's surroundings, where
  a neighbour that the hand just missed is now and then taken for table.

```
passive.json               what was asked for; the folder goes on with the same only
scenes/scene-00000.json    the examples of one scene, written when all its pushes have been segmented
pictures/                  their pictures, decoded (`segmentation.pictures`), 0.45 MB each
```
Files are whole or absent; after a kill the next call goes on with the first scene that is missing.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Picture
from tabletop_interaction.envs.backend import Backend, Split, open_backend
from tabletop_interaction.envs.records.folder import sync_folder, write_whole
from tabletop_interaction.envs.views import View
from tabletop_interaction.envs.watched_pushes import Clip, PushingConfig, check_fits, watch_pushes
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords
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
    """What is watched and how it is segmented.

    Attributes:
        pushes: Pushes to watch.
        seed: Seed of scenes and pushes.
        split: Split of the objects and table tops that a simulation draws.
        pushing: How pushes are made, see `PushingConfig`.
        motion: How moving objects are segmented, see `MotionConfig`.
    """

    pushes: int = 150
    seed: int = 0
    split: Split = "train"
    pushing: PushingConfig = field(default_factory=PushingConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)

    def __post_init__(self) -> None:
        if self.pushes < 1:
            raise InvalidConfiguration(f"pushes is {self.pushes}; it must be 1 or more")
        if self.seed < 0:
            raise InvalidConfiguration(f"seed is {self.seed}; it must not be negative")

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
) -> ExampleSet:
    """Watch pushes, segment what moves, and hand out the examples; what an earlier call finished is read from disk.

    Args:
        backend: a name for `open_backend`, or an open Backend, which stays open.
        out: folder of the examples; new, empty, or one that was begun with the same configuration.
        config: see `PassiveConfig`.
        on_pushes: called with the pushes that are done, all pushes, and the masks so far.

    Returns:
        objects and at most as many background examples; without any objects when no push moved anything.

    Raises:
        ForeignFolder: `out` holds something else or was begun with another configuration; nothing was written.
        UnreadableRecords: a file of examples is damaged.
        InvalidConfiguration: as `open_backend`, or a push is longer than the arena; nothing was written.
    """
    out, config = Path(out), config or PassiveConfig()
    named = backend if isinstance(backend, str) else type(backend).__name__
    begun = _check_folder(out, _request(named, config))
    examples: list[Example] = []
    paths = [out / "scenes" / f"scene-{number:05d}.json" for number in range(len(config.scenes))]
    with ExitStack() as stack:
        opened: Backend | None = None
        for number, path in enumerate(paths):
            if not path.exists():
                if opened is None:
                    opened = _opened(backend, config, stack)
                    begun = begun or _begin(out, _request(named, config))
                _write_scene(path, _watched_scene(opened, number, config, out / "pictures"))
            examples += _read_scene(path)
            if on_pushes is not None:
                masks = sum(example.mask is not None for example in examples)
                on_pushes(sum(config.scenes[: number + 1]), config.pushes, masks)
    objects = [example for example in examples if example.mask is not None]
    background = [example for example in examples if example.mask is None]
    return ExampleSet((*objects, *_spread(background, len(objects))), open_pictures(out / "pictures"))


def clip_examples(
    clip: Clip, view: View, motion: Motion, name: str, *, keep_empty: bool = False
) -> list[tuple[Example, Picture]]:
    """What a clip says in one view, each example with its picture.

    Args:
        clip: the push.
        view: one of its cameras.
        motion: what moves in this view.
        name: that the pictures' keys begin with.
        keep_empty: take background from the last frame when nothing has a mask.
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
    """The backend, closed with the stack when it was opened here."""
    opened = open_backend(backend, split=config.split)
    if isinstance(backend, str):
        stack.enter_context(opened)
    check_fits(opened.arena, config.pushing)
    return opened


def _watched_scene(backend: Backend, scene: int, config: PassiveConfig, pictures_folder: Path) -> list[Example]:
    """Watch the pushes of one scene and keep the pictures of their examples."""
    rng = np.random.default_rng(np.random.SeedSequence([config.seed, scene]))
    examples: list[Example] = []
    for number, clip in enumerate(watch_pushes(backend, rng, config.scenes[scene], config.pushing)):
        pictures: dict[str, Picture] = {}
        for index, view in enumerate(backend.views):
            motion = segment_motion(clip.frames[view.name], config.motion)
            name = f"{scene}/{number}/{view.name}"
            chosen = index == number % len(backend.views)
            for example, picture in clip_examples(clip, view, motion, name, keep_empty=chosen):
                examples.append(example)
                pictures[example.picture] = picture
        if pictures:
            add_pictures(pictures_folder, pictures.items())
    return examples


def _untouched(clip: Clip, view: View, motion: Motion, number: int) -> Iterator[tuple[float, float]]:
    """Middles, as pixels x, y, of the strokes right before and after a frame that changed nothing around them."""
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


def _example(
    name: str, number: int, picture: NDArray[np.uint8], click_xy: tuple[float, float], mask: Rle | None
) -> Example:
    # A robot shows other pictures when a scene that a kill cut short is watched again: the key tells them apart.
    return Example(f"{name}/{number}-{zlib.crc32(np.ascontiguousarray(picture).data):08x}", click_xy, mask)


def _spread(examples: Sequence[Example], most: int) -> list[Example]:
    """At most `most` of them, evenly."""
    count = min(most, len(examples))
    return [examples[index * len(examples) // count] for index in range(count)]


def _request(backend: str, config: PassiveConfig) -> dict[str, Any]:
    asked = {"schema_version": _SCHEMA_VERSION, "backend": backend, **asdict(config)}
    return dict(json.loads(json.dumps(asked)))


def _check_folder(out: Path, asked: dict[str, Any]) -> bool:
    """Whether the folder was begun; it may be new, empty, or begun with the same request."""
    path = out / _REQUEST
    if not path.exists():
        if out.exists() and (not out.is_dir() or any(not file.name.startswith(".") for file in out.iterdir())):
            raise ForeignFolder(f"{out} holds something else than watched pushes; give a new or empty folder")
        return False
    try:
        there = dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise ForeignFolder(f"{path} describes no watched pushes ({error}); give a new folder") from error
    different = [f"{key} {there.get(key)!r}, not {asked[key]!r}" for key in asked if there.get(key) != asked[key]]
    if different:
        raise ForeignFolder(f"{out} holds pushes with {'; '.join(different[:2])}; give a new folder")
    return True


def _begin(out: Path, asked: dict[str, Any]) -> bool:
    (out / "scenes").mkdir(parents=True, exist_ok=True)
    write_whole(out / _REQUEST, json.dumps(asked, indent=2) + "\n")
    sync_folder(out)
    return True


def _write_scene(path: Path, examples: Sequence[Example]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, json.dumps([asdict(example) for example in examples]) + "\n")
    sync_folder(path.parent)


def _read_scene(path: Path) -> list[Example]:
    try:
        return [
            Example(
                row["picture"], (row["click_xy"][0], row["click_xy"][1]), Rle(**row["mask"]) if row["mask"] else None
            )
            for row in json.loads(path.read_text(encoding="utf-8"))
        ]
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise UnreadableRecords(f"{path} is damaged ({error!r}); remove it, the scene will be watched again") from error
