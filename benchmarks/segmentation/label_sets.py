"""The benchmark's labelled pictures: rendered from fixed seeds, one settled scene and one view a picture.

The paper's section "Evaluation" gives the sizes of test, validation and training sets and the four kinds of
generalisation; which view and how many objects a picture shows is our choice. A picture depends on its set's
seed and its own number alone: neither the order nor the process in which it is made changes it. No scene is
rejected. A set's folder:

```
set.json                what is in it and what rendered it
images/000000.png       RGB pictures
instances/000000.png    8-bit, 0 for the table, n for the scene's n-th object
labels.json             COCO JSON; file names start from images/
```
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, overload

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from tabletop_interaction.envs.records.folder import write_whole
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.segmentation.coco import LabelSet, load_label_set, write_label_set
from tabletop_interaction.sim_assets import background_names, object_names
from tabletop_interaction.simulation import SimulationConfig, open_simulation

SCHEMA_VERSION = 1
_DESCRIPTION = "set.json"
_VIEWS = 4
_FEW = 25
_PICTURES_A_PROCESS = 200


@dataclass(frozen=True)
class SetSpec:
    """What a set shows.

    Attributes:
        name: of the set and its folder.
        seed: of its pictures; no two sets share one.
        pictures: how many.
        objects: the split whose objects it shows.
        backgrounds: the split whose table tops it shows, each equally often, to within one picture.
    """

    name: str
    seed: int
    pictures: int
    objects: str
    backgrounds: str

    def background(self, index: int) -> str:
        """The table top of picture `index`."""
        names = background_names(self.backgrounds)
        return names[index % len(names)]

    def view(self, index: int) -> str:
        """The camera of picture `index`; each table top is seen by all of them in turn."""
        rounds, position = divmod(index, len(background_names(self.backgrounds)))
        return f"view_{(rounds + position) % _VIEWS}"


SETS = {
    spec.name: spec
    for spec in (
        SetSpec("test", 2018_060_001, 200, "test", "test"),
        SetSpec("val", 2018_060_002, 30, "val", "val"),
        SetSpec("train", 2018_060_003, 1470, "train", "train"),
        SetSpec("generalisation-A", 2018_060_004, 100, "train", "train"),
        SetSpec("generalisation-B", 2018_060_005, 100, "train", "test"),
        SetSpec("generalisation-C", 2018_060_006, 100, "test", "train"),
        SetSpec("generalisation-D", 2018_060_007, 100, "test", "test"),
    )
}
"""By name. A change to any of them needs another seed and new checksums."""


@dataclass(frozen=True)
class SetFolder:
    """Where a set is, finished or not."""

    spec: SetSpec
    path: Path

    @property
    def images(self) -> Path:
        """Folder of the pictures."""
        return self.path / "images"

    @property
    def labels(self) -> Path:
        """The COCO JSON; there once the set is finished."""
        return self.path / "labels.json"

    def picture(self, index: int) -> Path:
        """File of a picture."""
        return self.images / f"{index:06d}.png"

    def instances(self, index: int) -> Path:
        """File of its instance map."""
        return self.path / "instances" / f"{index:06d}.png"

    def load(self) -> LabelSet:
        """The finished set, its pictures checked to be there. Raises InvalidLabelSet."""
        return load_label_set(self.labels, self.images)

    @cached_property
    def description(self) -> dict[str, Any]:
        """What set.json says: seed, counts, splits, renderer, versions."""
        return dict(json.loads((self.path / _DESCRIPTION).read_text(encoding="utf-8")))

    @property
    def renderer(self) -> str:
        """Name of the renderer and the versions of what it stands on."""
        versions = (f"{name} {number}" for name, number in self.description["versions"].items())
        return f"{self.description['renderer']} ({', '.join(versions)})"


def spec_of(name: str) -> SetSpec:
    """The set of that name. Raises InvalidConfiguration for any other."""
    if name not in SETS:
        raise InvalidConfiguration(f"no set is called {name!r}; choose from {', '.join(SETS)}")
    return SETS[name]


def make_set(spec: SetSpec, sets_dir: Path, workers: int = 1) -> SetFolder:
    """Make a set below `sets_dir`, or what is missing of it; its files appear whole or not at all.

    Pictures that are there and whole are kept, so that an interrupted run goes on where it stopped.

    Args:
        spec: one of `SETS`, or one's own.
        sets_dir: the set's folder, named after it, is made in here.
        workers: processes that render; 1 renders a few pictures in this one.

    Raises:
        InvalidConfiguration: workers is below 1; nothing was written.
        ForeignFolder: the set's folder holds something else or another renderer's set; nothing was written.
    """
    if workers < 1:
        raise InvalidConfiguration(f"{workers} workers came; at least 1 is needed")
    folder = SetFolder(spec, sets_dir / spec.name)
    _claim(folder)
    missing = [index for index in range(spec.pictures) if not _is_whole(folder, index)]
    if missing:
        for _ in track(_rendered(folder, missing, workers), f"{spec.name} pictures", total=len(missing)):
            pass
    if not folder.labels.exists():
        names = [folder.picture(index).name for index in range(spec.pictures)]
        write_label_set(folder.labels, names, _StoredMasks(folder))
    return folder


def render(spec: SetSpec, index: int) -> tuple[NDArray[np.uint8], NDArray[np.int32]]:
    """Picture `index` of a set, uint8 (350, 430, 3) RGB, and who is seen where, int32 (350, 430), 0 for the table."""
    config = SimulationConfig(object_names=object_names(spec.objects), backgrounds=(spec.background(index),))
    view = spec.view(index)
    # A world of its own for each picture: nothing is left over from the one before.
    with open_simulation(spec.objects, config) as backend:
        backend.reset(np.random.default_rng(np.random.SeedSequence([spec.seed, index])), new_scene=True)
        return backend.observe()[view], backend.instance_maps()[view]


def masks_of(instances: NDArray[np.integer[Any]]) -> NDArray[np.bool_]:
    """Visible masks (N, H, W) of an instance map, object n at n - 1; hidden objects have no pixel."""
    return instances[None] == np.arange(1, int(instances.max()) + 1)[:, None, None]


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture of a set, uint8 (H, W, 3)."""
    return np.asarray(cv2.imread(str(path), cv2.IMREAD_COLOR_RGB), np.uint8)


def _claim(folder: SetFolder) -> None:
    """Make the set's folder, or check that it is this set's."""
    with open_simulation(folder.spec.objects, None) as backend:
        made_by = {key: backend.metadata[key] for key in ("renderer", "versions")}
    wanted = {"schema_version": SCHEMA_VERSION, **asdict(folder.spec), **made_by}
    description = folder.path / _DESCRIPTION
    if description.is_file():
        _check_same_set(folder, wanted)
    elif folder.path.exists() and any(folder.path.iterdir()):
        raise ForeignFolder(f"{folder.path} holds no benchmark set and is not empty; name another folder")
    for path in (folder.images, folder.instances(0).parent):
        path.mkdir(parents=True, exist_ok=True)
    if not description.is_file():
        write_whole(description, json.dumps(wanted, indent=2) + "\n")


def _check_same_set(folder: SetFolder, wanted: dict[str, Any]) -> None:
    try:
        found = folder.description
    except ValueError as error:
        raise ForeignFolder(f"{folder.path / _DESCRIPTION} is no JSON ({error}); name another folder") from error
    # Versions of packages may differ: the checksums tell whether that matters.
    for key in wanted.keys() - {"versions"}:
        if found.get(key) != wanted[key]:
            raise ForeignFolder(
                f"{folder.path} holds a set with {key} {found.get(key)!r}, not {wanted[key]!r}; "
                "remove it or name another folder"
            )


def _is_whole(folder: SetFolder, index: int) -> bool:
    return all(
        path.is_file() and cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None
        for path in (folder.picture(index), folder.instances(index))
    )


def _rendered(folder: SetFolder, indices: Sequence[int], workers: int) -> Iterator[None]:
    """Render and store pictures, yielding after each."""
    store = partial(_render_to_disk, folder)
    if workers == 1 and len(indices) <= _FEW:
        yield from map(store, indices)
        return
    # PyBullet keeps 2 MiB of textures a scene for as long as its process lives: each process gets a share and ends.
    share = workers * _PICTURES_A_PROCESS
    for start in range(0, len(indices), share):
        # Forked children would share this process's PyBullet and OpenCV state; spawned ones start clean.
        pool = ProcessPoolExecutor(workers, get_context("spawn"), initializer=_start_worker)
        try:
            yield from pool.map(store, indices[start : start + share])
        finally:
            pool.shutdown(cancel_futures=True)


def _start_worker() -> None:
    cv2.setNumThreads(1)
    # Ctrl-C is the parent's to handle; a worker finishes its picture.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _render_to_disk(folder: SetFolder, index: int) -> None:
    picture, instances = render(folder.spec, index)
    _write_png(folder.instances(index), instances.astype(np.uint8))
    _write_png(folder.picture(index), picture[:, :, ::-1])


def _write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    done, encoded = cv2.imencode(".png", pixels)
    assert done, "OpenCV encodes every uint8 picture"
    write_whole(path, encoded.tobytes())


class _StoredMasks(Sequence[NDArray[np.bool_]]):
    """Masks of each picture of a set, read when asked for: those of 1,470 pictures would fill the memory."""

    def __init__(self, folder: SetFolder) -> None:
        self._folder = folder

    def __len__(self) -> int:
        return self._folder.spec.pictures

    @overload
    def __getitem__(self, index: int) -> NDArray[np.bool_]: ...

    @overload
    def __getitem__(self, index: slice) -> Sequence[NDArray[np.bool_]]: ...

    def __getitem__(self, index: int | slice) -> NDArray[np.bool_] | Sequence[NDArray[np.bool_]]:
        if isinstance(index, slice):
            return [self[number] for number in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"picture {index} of {len(self)}")
        stored = cv2.imread(str(self._folder.instances(index)), cv2.IMREAD_UNCHANGED)
        return masks_of(np.asarray(stored, np.uint8))
