"""A scene: which objects stand where, on what table, in what light. Drawn whole from one random generator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction import sim_assets
from tabletop_interaction.envs.backend import SPLITS, Arena
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.simulation.config import SimulationConfig

_BORDER_M = 0.05
_GAP_M = 0.012
_TRIES = 200


@dataclass(frozen=True, eq=False)
class Light:
    """One lamp and the light of the room.

    Attributes:
        position: (3,) float64, metres, arena frame.
        colour: (3,) float64 RGB gains around 1.
        ambient: share of the light that reaches shadows, 0 to 1.
        diffuse: share that the lamp adds.
        softness: standard deviation of the shadow's edge, metres on the table.
    """

    position: NDArray[np.float64]
    colour: NDArray[np.float64]
    ambient: float
    diffuse: float
    softness: float


@dataclass(frozen=True)
class Placement:
    """An object's name with the point (metres) and yaw (radians) at which it is set down."""

    name: str
    x: float
    y: float
    yaw: float


@dataclass(frozen=True, eq=False)
class Scene:
    """What `reset` lays on the table; `noise_seed` starts the cameras' noise."""

    background: str
    light: Light
    placements: tuple[Placement, ...]
    noise_seed: int


def draw_scene(rng: np.random.Generator, split: str, arena: Arena, config: SimulationConfig) -> Scene:
    """Draw background, light, and 4 to 8 different objects that stand apart; names as `check_names` accepts them."""
    names, backgrounds = _names(split, config)
    background = str(rng.choice(backgrounds))
    light = draw_light(rng)
    count = int(rng.integers(config.objects_min, config.objects_max + 1))
    chosen = [str(name) for name in rng.choice(np.array(names), count, replace=False)]
    placements: list[Placement] = []
    for name in chosen:
        placements.append(free_placement(rng, name, arena, placements))
    return Scene(background, light, tuple(placements), int(rng.integers(2**31)))


def check_names(split: str, config: SimulationConfig) -> None:
    """Refuse names that nothing has, doubles, and fewer names than a scene wants.

    Raises:
        InvalidConfiguration: says which names, and what is accepted.
    """
    names, backgrounds = _names(split, config)
    for what, given, all_names in (
        ("object_names", names, sim_assets.object_names),
        ("backgrounds", backgrounds, sim_assets.background_names),
    ):
        known = {name for each in SPLITS for name in all_names(each)}
        if unknown := sorted(set(given) - known):
            raise InvalidConfiguration(f"{what} has {unknown[0]!r}, which there is not; accepted are {sorted(known)}")
    if len(set(names)) < config.objects_max or len(set(names)) < len(names) or not backgrounds:
        raise InvalidConfiguration(
            f"a scene draws up to {config.objects_max} different objects and a background, but {len(set(names))} "
            f"different ones of {len(names)} names and {len(backgrounds)} backgrounds are there; lower objects_max, "
            "name more, and each once"
        )


def _names(split: str, config: SimulationConfig) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of the objects and of the backgrounds to draw from."""
    names = sim_assets.object_names(split) if config.object_names is None else config.object_names
    backgrounds = sim_assets.background_names(split) if config.backgrounds is None else config.backgrounds
    return names, backgrounds


def draw_light(rng: np.random.Generator) -> Light:
    """A lamp 1.0 to 1.7 m from the table's centre, 8 to 45 degrees off the vertical, warm to cold, dim to bright."""
    azimuth, tilt = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(8, 45))
    distance = rng.uniform(1.0, 1.7)
    direction = np.array([np.sin(tilt) * np.cos(azimuth), np.sin(tilt) * np.sin(azimuth), np.cos(tilt)])
    warmth = rng.uniform(-0.08, 0.08)
    strength = rng.uniform(0.85, 1.15)
    ambient = rng.uniform(0.45, 0.75)
    return Light(
        position=direction * distance,
        colour=np.array([1 + warmth, 1.0, 1 - warmth]),
        ambient=ambient * strength,
        diffuse=(1 - ambient) * strength,
        softness=rng.uniform(0.003, 0.014),
    )


def free_placement(
    rng: np.random.Generator, name: str, arena: Arena, others: list[Placement] | tuple[Placement, ...]
) -> Placement:
    """A random place for an object; clear of the others, or after many tries the clearest that was found."""
    radius = object_radius(name)
    inset = _BORDER_M
    best, best_gap = None, -np.inf
    for _ in range(_TRIES):
        x = float(rng.uniform(arena.x_min + inset, arena.x_max - inset))
        y = float(rng.uniform(arena.y_min + inset, arena.y_max - inset))
        yaw = float(rng.uniform(-np.pi, np.pi))
        gaps = [np.hypot(x - o.x, y - o.y) - radius - object_radius(o.name) for o in others]
        gap = min(gaps, default=np.inf)
        if gap > best_gap:
            best, best_gap = Placement(name, x, y, yaw), gap
        if gap > _GAP_M:
            break
    assert best is not None
    return best


def object_radius(name: str) -> float:
    """Largest horizontal distance of an object's surface from its centre of mass, metres."""
    vertices = sim_assets.load_object(name).vertices
    return float(np.hypot(vertices[:, 0], vertices[:, 1]).max())
