"""One episode of the rearrangement benchmark: how it is run, and the row and the picture that are kept of it."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
import torch

from tabletop_interaction.agents.agent import Observation
from tabletop_interaction.agents.rearranging.rearranger import Decision
from tabletop_interaction.arrays import Picture, Points
from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, MakesAgent, agent_maker
from tabletop_interaction.benchmarks.rearrangement.failure_causes import cause_of_failure
from tabletop_interaction.benchmarks.rearrangement.oracle_parts import RememberingSimulation
from tabletop_interaction.benchmarks.rearrangement.setting import EpisodeKey, Scenes, Setting
from tabletop_interaction.envs import PickOutcome, TabletopRearrangement
from tabletop_interaction.envs.judges import WITHIN_PX
from tabletop_interaction.envs.rearrangement import goal_key
from tabletop_interaction.errors import InvalidConfiguration, TabletopError
from tabletop_interaction.named_classes import reason_of
from tabletop_interaction.reports.page import encode_jpeg
from tabletop_interaction.simulation.scene import catalogue_of, config_from_plain
from tabletop_interaction.working_size import at_longer_side, size_scale

PICTURE_WIDTH_PX, PICTURE_HEIGHT_PX = 1298, 350

_PANEL_WIDTH_PX, _GAP_PX, _QUALITY = 430, 4, 80
_MARK, _DARK, _GREY = (255, 221, 51), (0, 0, 0), (128, 128, 128)
_FINE = 4
_INFO_FOR_AGENTS = ("held", "grasped", "pick_outcome", "pick_xy", "place_xy", "pick_place")


@dataclass(frozen=True, eq=False)
class Step:
    """What the environment gives at the start of an episode, or at the end of one of its interactions.

    The agent's decision is None at the start, and for an agent that does not expose it.
    """

    observation: Observation
    info: dict[str, Any]
    decision: Decision | None = None


@dataclass(frozen=True)
class Episode:
    """A row of the result.

    Attributes:
        objects, tables: splits of the objects and of the table top.
        seed: of scene, goal and agent.
        displaced, occupied: number of displaced objects, and whether one's goal was occupied by another.
        success: all displaced objects within 15 px, and no other object moved by more.
        fraction_done: share of the displaced objects within 15 px at the end ("Fixed").
        fixed_strict: the same, but 0 if any other object was moved by more than 15 px ("Fixed Strict").
        mean_px, max_px: distances of the displaced objects from their goals at the end, pixels of the first view,
            resized to a longer side of 430 px.
        max_m: largest of these distances on the table, metres.
        others_px: largest displacement of another object.
        seconds, processor_seconds: wall-clock and processor time, with rendering and physics.
        cause: why it failed, a `failure_causes.Cause`; empty for a success.
    """

    agent: str
    objects: str
    tables: str
    seed: int
    displaced: int
    occupied: bool
    success: bool
    fraction_done: float
    fixed_strict: float
    mean_px: float
    max_px: float
    max_m: float
    others_px: float
    interactions: int
    seconds: float
    processor_seconds: float
    cause: str

    @property
    def key(self) -> EpisodeKey:
        """Identity of the episode."""
        return EpisodeKey(self.agent, Scenes(self.objects, self.tables), self.seed)


PlayedEpisode = tuple[Episode, bytes]
"""An episode's row, and its picture as JPEG."""


def open_table(
    scenes: Scenes, displaced: int | None = None, simulation: Mapping[str, Any] | None = None
) -> tuple[TabletopRearrangement, RememberingSimulation]:
    """The environment, and the simulation behind it, which knows the truth.

    Args:
        simulation: plain form of the simulation's `SimulationConfig`; `backgrounds` are those of the scenes' split.
    """
    config = config_from_plain(simulation or {})
    config = replace(config, backgrounds=catalogue_of(config).table_names(scenes.tables))
    world = RememberingSimulation(scenes.objects, config)
    try:
        return TabletopRearrangement(world, displaced=displaced, judge=world.judge), world
    except InvalidConfiguration:
        world.close()
        raise


def try_agents(names: Sequence[str], scenes: Scenes, setting: Setting, parts: LearnedParts) -> None:
    """Load what agents need and make each once, so that what is missing is reported before the first episode.

    Raises:
        InvalidConfiguration, CheckpointError, FeaturesUnavailable: an agent cannot be made.
    """
    with ExitStack() as opened:
        env, world = open_table(scenes, setting.displaced, setting.simulation)
        opened.callback(env.close)
        for name in names:
            try_agent(name, agent_maker(name, world, parts, env.gripper), env)


def try_agent(name: str, make: MakesAgent, env: TabletopRearrangement) -> None:
    """Make an agent once and discard it; errors as `try_agents`."""
    try:
        make(env.views, env.arena, np.random.default_rng(0))
    except TabletopError:
        raise
    except Exception as error:  # The class may raise anything.
        raise InvalidConfiguration(
            f"the agent {name!r} cannot be made ({reason_of(error)}); it is called with (views, arena, rng) for each "
            "episode"
        ) from error


def play(env: TabletopRearrangement, make: MakesAgent, seed: int, most_interactions: int) -> Iterator[Step]:
    """Play one episode with a new agent: the start, then the end of each interaction.

    The agent gets the entries of `info` that a robot would know, and none of the judge.
    """
    # The scene is drawn from the seed alone: with the same random numbers, the agent would repeat those draws.
    agent = make(env.views, env.arena, np.random.default_rng([seed, 1]))
    observation, info = env.reset(seed=seed)
    yield Step(observation, info)
    for _ in range(most_interactions):
        observation, _, terminated, _, info = env.step(
            agent.act(observation, {name: info[name] for name in _INFO_FOR_AGENTS})
        )
        decision = getattr(agent, "decision", None)
        yield Step(observation, info, decision if isinstance(decision, Decision) else None)
        if terminated:
            return


def score(key: EpisodeKey, steps: Sequence[Step], times: tuple[float, float], world: RememberingSimulation) -> Episode:
    """The row of an episode that has just ended, from the steps of `play`, wall-clock and processor time, seconds, and
    the simulation as the episode left it.
    """
    info = steps[-1].info
    pixels, metres = (info[name][info[name] >= 0] for name in ("goal_distance_px", "goal_distance_m"))
    scale = size_scale(world.views[0].height, world.views[0].width)
    history = [(s.decision, PickOutcome(s.info["pick_outcome"])) for s in steps if s.decision is not None]
    return Episode(
        agent=key.agent,
        objects=key.scenes.objects,
        tables=key.scenes.tables,
        seed=key.seed,
        displaced=info["displaced"],
        occupied=info["occupied"],
        success=info["is_success"],
        fraction_done=info["fraction_done"],
        fixed_strict=info["displaced_undisturbed"],
        mean_px=float(pixels.mean()) / scale,
        max_px=float(pixels.max()) / scale,
        max_m=float(metres.max()),
        others_px=info["others_moved_px"] / scale,
        interactions=len(steps) - 1,
        seconds=times[0],
        processor_seconds=times[1],
        cause="" if info["is_success"] else str(cause_of_failure(world, history)),
    )


def episode_jpeg(first: Observation, last: Observation, world: RememberingSimulation) -> bytes:
    """A JPEG of 1298 x 350 px with start, goal and end of an episode in the first view.

    Lines lead from the displaced objects to their goals; rings of 15 px around the goals show the tolerance.
    """
    wanted, name = world.arrangement, world.views[0].name
    pictures = [at_longer_side(each) for each in (first[name], first[goal_key(0)], last[name])]
    view = world.views[0].resized(*pictures[0].shape[:2])
    starts, goals = (
        view.project(np.array([state.position for state in states if state.id in wanted.displaced]))
        for states in (wanted.start, wanted.goal)
    )
    start, goal, end = pictures
    panels = [_ringed(picture, goals) for picture in (_joined(start, starts, goals), goal, end)]
    size = (_PANEL_WIDTH_PX, PICTURE_HEIGHT_PX)
    small = [cv2.resize(panel, size, interpolation=cv2.INTER_AREA) for panel in panels]
    small[1] = cv2.copyMakeBorder(small[1], 0, 0, _GAP_PX, _GAP_PX, cv2.BORDER_CONSTANT, value=_GREY)
    return encode_jpeg(np.hstack(small), _QUALITY)


@contextmanager
def open_player(
    setting: Setting, make_parts: Callable[[], LearnedParts]
) -> Iterator[Callable[[EpisodeKey], PlayedEpisode]]:
    """A function that runs an episode; the simulation stays open while the kind of scene is the same."""
    parts = make_parts()
    scenes: Scenes | None = None
    env: TabletopRearrangement
    world: RememberingSimulation

    def play_episode(key: EpisodeKey) -> PlayedEpisode:
        """Play one episode; open another simulation first where the kind of scene differs."""
        nonlocal scenes, env, world
        if key.scenes != scenes:
            opened.close()
            env, world = open_table(key.scenes, setting.displaced, setting.simulation)
            opened.callback(env.close)
            scenes = key.scenes
        make = agent_maker(key.agent, world, parts, env.gripper)
        with _one_thread():
            wall, processor = time.perf_counter(), time.process_time()
            steps = list(play(env, make, key.seed, setting.most_interactions))
            times = time.perf_counter() - wall, time.process_time() - processor
        return score(key, steps, times, world), episode_jpeg(steps[0].observation, steps[-1].observation, world)

    with ExitStack() as opened:
        yield play_episode


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread of torch: with another number, sums differ in their last digits, and with them masks and episodes."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _joined(picture: Picture, starts: Points, ends: Points) -> Picture:
    drawn = picture.copy()
    for colour, width in ((_DARK, 4), (_MARK, 2)):
        for start, end in zip(starts, ends, strict=True):
            ring = end - WITHIN_PX * (end - start) / np.linalg.norm(end - start)
            cv2.line(drawn, _fine(start), _fine(ring), colour, width, cv2.LINE_AA, _FINE)
            cv2.circle(drawn, _fine(start), 3 << _FINE, colour, width, cv2.LINE_AA, _FINE)
    return drawn


def _ringed(picture: Picture, centres: Points) -> Picture:
    drawn = picture.copy()
    for colour, width in ((_DARK, 4), (_MARK, 2)):
        for centre in centres:
            cv2.circle(drawn, _fine(centre), round(WITHIN_PX) << _FINE, colour, width, cv2.LINE_AA, _FINE)
    return drawn


def _fine(xy: Points) -> tuple[int, int]:
    """In sixteenths of a pixel, for OpenCV's `shift`."""
    x, y = np.round(xy * 2**_FINE).astype(int).tolist()
    return x, y
