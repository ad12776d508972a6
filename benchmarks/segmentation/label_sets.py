"""The benchmark's labelled pictures: rendered from fixed seeds, each from its own settled scene and in one view.

The paper's section "Evaluation" gives the sizes of test, validation and training sets and the four kinds of
generalisation; the development set is ours (docs/decisions/0008-development-set.md), and so are the view and the number
of objects of a picture. A picture depends only on its set's seed and its own number, not on the order or the process in
which it is made. No scene is rejected. A set's folder:

```
set.json                the set's specification and what rendered it; written first
images/000000.png       RGB pictures
instances/000000.png    8 bits: 0 for the table, n for the scene's n-th object
labels.json             COCO JSON; file names start from images/; written last
```
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.arrays import Bytes, Ids, Masks, Picture
from tabletop_interaction.envs.backend import Split
from tabletop_interaction.errors import FolderInUse, ForeignFolder, InvalidConfiguration
from tabletop_interaction.files import check_request, lock_file, nearest_existing, read_json, write_file, write_json
from tabletop_interaction.processes import do_in_processes
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import check_range
from tabletop_interaction.segmentation.coco import LabelSet, label_set_of, load_label_set, write_label_set
from tabletop_interaction.sim_assets import background_names, object_names
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig, arena_views, open_simulation
from tabletop_interaction.simulation.renderer import ComposedRenderer, Renderer
from tabletop_interaction.simulation.scene import catalogue_of
from tabletop_interaction.simulation.world import World

SCHEMA_VERSION = 1
_DESCRIPTION = "set.json"
# PyBullet keeps 2 MiB of textures a scene until its process ends, so that only few pictures are rendered in this one.
_FEW = 25


@dataclass(frozen=True)
class SetSpec:
    """Content of a set."""

    name: str
    """Name of the set and of its folder."""
    seed: int
    """Seed of the pictures; every set has its own."""
    pictures: int
    """Number of pictures."""
    objects: Split
    """Split of the objects."""
    backgrounds: Split
    """Split of the table tops; the numbers of pictures on each differ by one at most."""

    def background(self, index: int) -> str:
        """The table top of picture `index`."""
        names = background_names(self.backgrounds)
        return names[index % len(names)]

    def view_number(self, index: int) -> int:
        """Number of the default camera of picture `index`; each table top is seen by all cameras in turn."""
        rounds, position = divmod(index, len(background_names(self.backgrounds)))
        return (rounds + position) % len(arena_views())


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
        SetSpec("dev", 2018_060_008, 60, "dev", "dev"),
    )
}
"""The sets by name. A changed set needs another seed and new checksums.

Choose between methods and settings on `dev`; `test` is for final figures only."""

HELD_OUT_SETS = ("dev", "val", "test")
"""Sets on which a learning run is evaluated, the default first."""
ABOUT_TEST = "the test set is for final figures only: choose between methods and settings on the set dev"
"""What is printed where somebody chooses the set `test`."""


@dataclass(frozen=True)
class SetFolder:
    """The folder of a set, finished or not."""

    spec: SetSpec
    path: Path

    @property
    def images(self) -> Path:
        """Folder of the pictures."""
        return self.path / "images"

    @property
    def labels(self) -> Path:
        """The COCO JSON; a finished set has it."""
        return self.path / "labels.json"

    def picture(self, index: int) -> Path:
        """File of a picture."""
        return self.images / f"{index:06d}.png"

    def instances(self, index: int) -> Path:
        """File of its instance map."""
        return self.path / "instances" / f"{index:06d}.png"

    def load(self) -> LabelSet:
        """Load the finished set and check that its pictures exist. Raises InvalidLabelSet."""
        return load_label_set(self.labels, self.images)

    def load_first(self, count: int) -> LabelSet:
        """The first pictures of a set with their labels; the set need not be finished. Raises InvalidLabelSet."""
        if count >= self.spec.pictures:
            return self.load()
        return label_set_of(*self._named_masks(count), self.images)

    def write_labels(self) -> None:
        """Write the labels of a set whose pictures are all there."""
        write_label_set(self.labels, *self._named_masks(self.spec.pictures))

    def _named_masks(self, count: int) -> tuple[list[str], Iterator[Masks]]:
        """File names and masks (N, H, W) of the first pictures."""
        maps = (cv2.imread(str(self.instances(index)), cv2.IMREAD_UNCHANGED) for index in range(count))
        names = [self.picture(index).name for index in range(count)]
        return names, (masks_of(np.asarray(instances)) for instances in maps)

    @cached_property
    def description(self) -> dict[str, Any]:
        """The content of set.json: specification, renderer, versions."""
        return read_json(self.path / _DESCRIPTION, dict[str, Any])

    @property
    def renderer(self) -> str:
        """Name of the renderer and versions of the libraries that it uses."""
        versions = (f"{name} {number}" for name, number in self.description["versions"].items())
        return f"{self.description['renderer']} ({', '.join(versions)})"


def spec_of(name: str) -> SetSpec:
    """The set with this name. Raises InvalidConfiguration if there is none."""
    if name not in SETS:
        raise InvalidConfiguration(f"no set is called {name!r}; choose from {', '.join(SETS)}")
    return SETS[name]


def make_set(spec: SetSpec, sets_dir: Path, workers: int = 1, *, first: int | None = None) -> SetFolder:
    """Make a set, or the missing part of it: whole pictures are kept, so that the call resumes an interrupted one.

    The set's folder is made in `sets_dir` and named after the set. `workers` processes render; with 1, up to 25
    pictures are rendered in this process. While another process makes the set, this one waits.

    Args:
        first: make only as many pictures, and no labels unless these are all; `load_first` reads them.

    Raises:
        InvalidConfiguration: workers is below 1; nothing was written.
        ForeignFolder: the set's folder holds something else, or a set by another renderer, or the set is not whole and
            its folder cannot be written; nothing was written.
    """
    check_range("workers", workers, 1)
    folder = SetFolder(spec, sets_dir / spec.name)
    count = spec.pictures if first is None else min(first, spec.pictures)
    with open_simulation(spec.objects, None) as backend:
        made_by = {key: backend.metadata[key] for key in ("renderer", "versions")}
    # A finished set may be read-only, and a foreign folder gets no lock.
    if _has_begun(folder, made_by) and _is_made(folder, count):
        return folder
    if not os.access(above := nearest_existing(folder.path), os.W_OK):
        raise ForeignFolder(
            f"the set {spec.name} is not whole in {sets_dir}, and {above} cannot be written; name another folder"
        )
    with _only_maker(folder):
        _make(folder, made_by, workers, count)
    return folder


def _is_made(folder: SetFolder, count: int) -> bool:
    return not _missing(folder, count) and (count < folder.spec.pictures or folder.labels.exists())


def _make(folder: SetFolder, made_by: Mapping[str, Any], workers: int, count: int) -> None:
    spec = folder.spec
    if not _has_begun(folder, made_by):
        write_json(folder.path / _DESCRIPTION, {"schema_version": SCHEMA_VERSION, **asdict(spec), **made_by})
    if missing := _missing(folder, count):
        for _ in track(_rendered(folder, missing, workers), f"{spec.name} pictures", total=len(missing)):
            pass
    if count == spec.pictures and not folder.labels.exists():
        folder.write_labels()


class SetRenderer:
    """Renders pictures of a set in any order, each from a scene in an emptied world; made by `open_renderer`.

    PyBullet keeps the textures of a client's objects, so that a later picture need not load them again.
    """

    def __init__(self, spec: SetSpec, world: World, renderers: Sequence[Renderer]) -> None:
        self._spec = spec
        self._world = world
        self._renderers = renderers

    def render(self, index: int) -> tuple[Picture, Ids]:
        """Picture `index` of the set (350, 430, 3), and its instance map (350, 430), 0 for the table."""
        spec, number = self._spec, self._spec.view_number(index)
        views = (arena_views()[number],)
        config = SimulationConfig(
            views=views, object_names=object_names(spec.objects), backgrounds=(spec.background(index),)
        )
        backend = SimulationBackend(
            spec.objects, config, catalogue_of(config), self._world, self._renderers[number], views
        )
        backend.reset(np.random.default_rng(np.random.SeedSequence([spec.seed, index])), new_scene=True)
        # The sensor exposes the views in turn: the exposures of those before this one, which are not rendered.
        for _ in range(number):
            backend.observe()
        (picture,), (instances,) = backend.observe().values(), backend.instance_maps().values()
        return picture, instances


@contextmanager
def open_renderer(spec: SetSpec) -> Iterator[SetRenderer]:
    """Open the world and a renderer for each default camera."""
    with ExitStack() as opened:
        world = opened.enter_context(closing(World()))
        renderers = [opened.enter_context(closing(ComposedRenderer((view,)))) for view in arena_views()]
        yield SetRenderer(spec, world, renderers)


def masks_of(instances: NDArray[np.integer[Any]]) -> Masks:
    """Visible masks (N, H, W) of an instance map (H, W), object n at n - 1; hidden objects have no pixel."""
    return instances[None] == np.arange(1, int(instances.max()) + 1)[:, None, None]


@contextmanager
def _only_maker(folder: SetFolder) -> Iterator[None]:
    """Be the only process that makes a set: another one waits, and then finds it finished."""
    lock = folder.path / ".lock"
    with ExitStack() as held:
        try:
            held.enter_context(lock_file(lock, blocking=False))
        except FolderInUse:
            print(f"another process makes {folder.path}: waiting for it")
            held.enter_context(lock_file(lock))
        yield


def _has_begun(folder: SetFolder, made_by: Mapping[str, Any]) -> bool:
    """Whether set.json is there; it must describe this set, but versions of libraries may differ."""
    request = {"schema_version": SCHEMA_VERSION, **asdict(folder.spec), "renderer": made_by["renderer"]}
    return check_request(folder.path / _DESCRIPTION, request, "a benchmark set") is not None


def _missing(folder: SetFolder, count: int) -> list[int]:
    return [index for index in range(count) if not _is_whole(folder, index)]


def _is_whole(folder: SetFolder, index: int) -> bool:
    return all(
        path.is_file() and cv2.imread(str(path), cv2.IMREAD_UNCHANGED) is not None
        for path in (folder.picture(index), folder.instances(index))
    )


def _rendered(folder: SetFolder, indices: Sequence[int], workers: int) -> Iterator[None]:
    """Render and store pictures, yielding after each."""
    if workers == 1 and len(indices) <= _FEW:
        with _open_store(folder) as store:
            yield from map(store, indices)
    else:
        yield from do_in_processes(partial(_open_store, folder), indices, workers)


@contextmanager
def _open_store(folder: SetFolder) -> Iterator[Callable[[int], None]]:
    """A function that renders and stores the picture with a number."""

    with open_renderer(folder.spec) as renderer:

        def store(index: int) -> None:
            picture, instances = renderer.render(index)
            _write_png(folder.instances(index), instances.astype(np.uint8))
            _write_png(folder.picture(index), picture[:, :, ::-1])

        yield store


def _write_png(path: Path, pixels: Bytes) -> None:
    done, encoded = cv2.imencode(".png", pixels)
    assert done, "OpenCV encodes every uint8 picture"
    write_file(path, encoded.tobytes())
