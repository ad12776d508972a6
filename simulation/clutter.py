"""Heaps: objects that are dropped near the middle of the arena, one after another, and may lie on each other."""

from collections.abc import Mapping
from dataclasses import replace

from tabletop_interaction.envs.backend import Arena
from tabletop_interaction.simulation.scene import Placement
from tabletop_interaction.simulation.world import World

_ROUNDS = 6


def gather(world: World, placements: Mapping[int, Placement], arena: Arena) -> None:
    """Drop the objects that rolled out of the arena again, each time half as far from its middle."""
    for _ in range(_ROUNDS):
        strayed = world.strayed(arena)
        if not strayed:
            return
        placements = {id_: _nearer(placements[id_], arena) for id_ in strayed}
        world.drop(placements)


def _nearer(placement: Placement, arena: Arena) -> Placement:
    x, y = arena.centre
    return replace(placement, x=(placement.x + x) / 2, y=(placement.y + y) / 2)
