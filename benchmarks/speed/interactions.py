"""Interactions a second with everything rendered, encoded and written, against plain TinyRenderer pictures.

Every pick is aimed at an object by ground truth, so that nearly every interaction holds an object and takes both
pictures: the slow case. Physics is simulated at 240 Hz in all rows.

Run: python -m tabletop_interaction.benchmarks.speed.interactions
"""

import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import gymnasium as gym
import numpy as np
from rich.console import Console
from rich.table import Table

from tabletop_interaction.benchmarks.figures import figures_table
from tabletop_interaction.benchmarks.ground_truth import AimedAgent
from tabletop_interaction.benchmarks.results.measured import ResultOptions
from tabletop_interaction.benchmarks.results.result import Figure
from tabletop_interaction.envs import RecordInteractions, TabletopInteraction
from tabletop_interaction.envs.records.folder import list_shards
from tabletop_interaction.envs.records.png import encode_picture
from tabletop_interaction.envs.views import View
from tabletop_interaction.processes import do_in_processes
from tabletop_interaction.program import run_module
from tabletop_interaction.progress import track
from tabletop_interaction.ranges import Count, Range, Seed, check_range
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.arm import load_arm
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.cameras import top_down
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.renderer import CleanPicture, ComposedRenderer, gl_matrices
from tabletop_interaction.simulation.scene import Light, Poses, Scene, catalogue_of
from tabletop_interaction.simulation.third_person import TABLE_SIZE_M
from tabletop_interaction.simulation.world import World

# isort: split
# The simulation, which comes first, imports it without its message.
import pybullet

_EPISODE = 25
_EARLY = 500
_SMALL = SimulationConfig(views=(top_down("view_0", picture_size=(128, 128)),))


@dataclass(frozen=True)
class InteractionSpeedOptions(ResultOptions):
    """Options of the benchmark of interactions a second."""

    interactions: Count = 60
    """Interactions to time in each row."""
    memory_interactions: Annotated[int, Range(0, 10**8)] = 0
    """Interactions of the run that measures memory, 0 for none; 10000 take about half an hour and 4 GB of disk."""
    seed: Seed = 0
    """Seed of the random numbers."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.memory_interactions:
            check_range("memory_interactions", self.memory_interactions, _EARLY + 1)


@dataclass(frozen=True)
class Timing:
    """Seconds for a number of interactions, in total and by part."""

    interactions: int
    seconds: float
    parts: dict[str, float]

    @property
    def rate(self) -> float:
        """Interactions a second."""
        return self.interactions / self.seconds

    def milliseconds(self, part: str) -> float:
        """Time of a part in one interaction."""
        return 1e3 * self.parts.get(part, 0.0) / self.interactions


class PlainRenderer:
    """A `Renderer` that draws each view by TinyRenderer, with table, arm and shadows, as PyBullet's users do."""

    name = "plain-tinyrenderer"

    def __init__(self, views: tuple[View, ...]) -> None:
        self._views = views
        self._client = BulletClient()
        load_arm(self._client)
        self._looks = VisualBodies(self._client)
        self._bodies: dict[int, int] = {}
        self._light: Light | None = None

    def show_scene(self, scene: Scene) -> None:
        """Load the scene's table and objects."""
        self._looks.clear()
        self._looks.add_table_top(scene.table, TABLE_SIZE_M)
        self._light = scene.light
        self._bodies = {
            id_: self._looks.add_object(placement.model) for id_, placement in enumerate(scene.placements, start=1)
        }

    def render(self, poses: Poses) -> tuple[CleanPicture, ...]:
        """One picture for each view."""
        for id_, (position, quaternion) in poses.items():
            self._client.resetBasePositionAndOrientation(self._bodies[id_], position, quaternion)
        return tuple(self._picture(view) for view in self._views)

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        self._client.close()

    def _picture(self, view: View) -> CleanPicture:
        assert self._light is not None, "render before show_scene"
        _, _, rgba, depth, segmentation = self._client.getCameraImage(
            view.width,
            view.height,
            *gl_matrices(view),
            lightDirection=self._light.position.tolist(),
            shadow=1,
            renderer=pybullet.ER_TINY_RENDERER,
        )
        shape = (view.height, view.width)
        bodies = np.asarray(segmentation, np.int32).reshape(shape)
        instances = np.zeros(shape, np.int32)
        for id_, body in self._bodies.items():
            instances[bodies == body] = id_
        rgb = np.asarray(rgba, np.uint8).reshape(*shape, 4)[:, :, :3].copy()
        return CleanPicture(rgb, instances, np.asarray(depth, np.float32).reshape(shape))


def main(options: InteractionSpeedOptions) -> None:
    """Measure and print the tables."""
    kinds: dict[str, dict[str, Any]] = {
        "composed": {"plain": False},
        "composed, one camera of 128 x 128": {"plain": False, "config": _SMALL},
        "plain TinyRenderer, nothing reused": {"plain": True},
    }
    with one_core():
        rows = {
            name: measure(options.interactions, options.seed, **kind) for name, kind in track(kinds.items(), "rows")
        }
    composed, small, plain = rows.values()
    Console().print(_rates_table(rows))
    print(f"composed over plain: {composed.rate / plain.rate:.1f} times")
    print(f"one camera of 128 x 128 over the default four of 350 x 430: {small.rate / composed.rate:.1f} times")
    one, two = (workers_rate(number, options) for number in track((1, 2), "runs with workers"))
    print(f"workers: one {one:.2f}/s, two {two:.2f}/s, ratio {two / one:.2f}")
    figures = {name: {"rate": _rate(timing.rate)} for name, timing in rows.items()}
    figures |= {"composed over plain": {"ratio": Figure(composed.rate / plain.rate)}}
    figures |= {"one worker": {"rate": _rate(one)}, "two workers": {"rate": _rate(two)}}
    figures |= {"two workers over one": {"ratio": Figure(two / one, decimals=2)}}
    if options.memory_interactions:
        figures |= {f"after {number:,} interactions": {"memory": used} for number, used in _memory(options).items()}
    options.keep(figures, seeds=(options.seed,))


def _memory(options: InteractionSpeedOptions) -> dict[int, Figure]:
    """Print the resident memory and its growth; give it by the number of interactions."""
    marks = {}
    for number, resident in memory_marks(options.memory_interactions, options.seed):
        print(f"resident memory after {number} interactions: {resident:.0f} MB", flush=True)
        marks[number] = resident
    first, *_, last = marks.values()
    print(f"growth after the first {_EARLY}: {last - first:+.0f} MB")
    return {number: Figure(resident, "MB", decimals=0) for number, resident in marks.items()}


def _rate(rate: float) -> Figure:
    return Figure(rate, "/s", decimals=2)


def measure(interactions: int, seed: int, *, plain: bool, config: SimulationConfig | None = None) -> Timing:
    """Time recorded interactions; `plain` uses the plain renderer and reuses no picture."""
    parts: defaultdict[str, float] = defaultdict(float)
    with _recording(plain, config=config) as env:
        steps = _steps(env, interactions, seed)
        next(steps)
        _add_time(env.get_wrapper_attr("backend"), "observe", "rendering", parts)
        _add_time(env, "_encoded", "encoding", parts)
        _add_time(env._writer, "append", "writing", parts)
        start = time.perf_counter()
        for grasped in steps:
            if plain:
                _render_reused_pictures(env, 4 if grasped else 8, parts)
        seconds = time.perf_counter() - start
    parts["physics"] = seconds - sum(parts.values())
    return Timing(interactions, seconds, dict(parts))


def workers_rate(workers: int, options: InteractionSpeedOptions) -> float:
    """Interactions a second of several processes together, each on a core of its own."""
    cores = sorted(os.sched_getaffinity(0))
    jobs = [(options.seed + number, cores[number % len(cores)]) for number in range(workers)]
    return sum(do_in_processes(partial(_open_rate, options.interactions), jobs, workers))


def memory_marks(interactions: int, seed: int) -> Iterator[tuple[int, float]]:
    """Interactions so far and resident memory, MB: after 500, after every 1,000 and at the end.

    Every episode of 25 interactions has a new scene. Shards are removed at every mark, which bounds the disk.
    """
    with _recording(plain=False, episodes_per_scene=1) as env:
        steps = track(_steps(env, interactions, seed), "interactions", interactions + 1)
        for number, _ in enumerate(steps):
            if number in (_EARLY, interactions) or (number and number % 1000 == 0):
                yield number, resident_mb()
                for _, _, shard in list_shards(env.folder):
                    shard.unlink()


def resident_mb() -> float:
    """Resident memory of this process now, MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def one_core(core: int | None = None) -> Iterator[None]:
    """Keep this process, its threads included, on one core."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed) if core is None else core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


@contextmanager
def _recording(
    plain: bool, episodes_per_scene: int = 2, config: SimulationConfig | None = None
) -> Iterator[RecordInteractions]:
    """An environment that records to a temporary folder."""
    config = config or SimulationConfig()
    views = config.cameras
    renderer = PlainRenderer(views) if plain else ComposedRenderer(views)
    backend = SimulationBackend("train", config, catalogue_of(config), World(), renderer, views)
    env = gym.wrappers.TimeLimit(TabletopInteraction(backend, episodes_per_scene=episodes_per_scene), _EPISODE)
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(RecordInteractions(env, Path(folder) / "records")) as recording,
    ):
        yield recording


def _steps(env: RecordInteractions, interactions: int, seed: int) -> Iterator[bool]:
    """Reset, then interact; False for the reset, then whether each interaction held something."""
    agent = AimedAgent(env.get_wrapper_attr("backend"), np.random.default_rng(seed))
    observation, info = env.reset(seed=seed)
    yield False
    for number in range(interactions):
        if number and number % _EPISODE == 0:
            observation, info = env.reset()
        yield bool(env.step(agent.act(observation, info))[4]["grasped"])


def _render_reused_pictures(env: RecordInteractions, pictures: int, parts: defaultdict[str, float]) -> None:
    """Render and encode the pictures that the recording reuses: the one before, and those of a miss."""
    backend = env.get_wrapper_attr("backend")
    for _ in range(pictures // len(backend.views)):
        start = time.perf_counter()
        rendered = backend._renderer.render(backend._world.poses())
        parts["rendering"] += time.perf_counter() - start
        start = time.perf_counter()
        for picture in rendered:
            encode_picture(picture.rgb)
        parts["encoding"] += time.perf_counter() - start


def _add_time(owner: object, name: str, part: str, parts: defaultdict[str, float]) -> None:
    """Replace a method by one that adds its time to a part."""
    plain: Callable[..., Any] = getattr(owner, name)

    def timed(*args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return plain(*args, **kwargs)
        finally:
            parts[part] += time.perf_counter() - start

    setattr(owner, name, timed)


@contextmanager
def _open_rate(interactions: int) -> Iterator[Callable[[tuple[int, int]], float]]:
    """A function of a seed and a core that gives the rate on that core."""

    def rate(seed_and_core: tuple[int, int]) -> float:
        seed, core = seed_and_core
        with one_core(core):
            return measure(interactions, seed, plain=False).rate

    yield rate


def _rates_table(timings: Mapping[str, Timing]) -> Table:
    parts = ("physics", "rendering", "encoding", "writing")
    rows = [
        (name, f"{timing.rate:.2f}", *(f"{timing.milliseconds(part):.1f}" for part in parts))
        for name, timing in timings.items()
    ]
    title = "one core, every pick aimed at an object, everything encoded and written"
    return figures_table(title, ("pictures", "interactions/s", *(f"{part} ms" for part in parts)), rows)


if __name__ == "__main__":
    run_module(main, InteractionSpeedOptions, __doc__)
