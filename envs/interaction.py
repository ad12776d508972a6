"""TabletopInteraction: a table, four cameras and a gripper; one step is one pick-and-place.

The environment turns actions into metres once, asks a backend to move and to look, and reports what it saw. What
moved is for the agent to judge.
"""

from __future__ import annotations

from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils import EzPickle

from tabletop_interaction.arrays import Floats32
from tabletop_interaction.envs.backend import Arena, Backend, PickOutcome
from tabletop_interaction.envs.pick_place_env import (
    Info,
    Interacted,
    Observation,
    PickPlaceEnv,
    at_rest,
    interaction_info,
    picture_spaces,
)
from tabletop_interaction.errors import InvalidConfiguration

SWEEP_POINTS = 8


class TabletopInteraction(PickPlaceEnv, EzPickle):
    """## Description
    A parallel gripper hangs straight down above a flat table on which 4 to 8 unknown objects stand; four fixed
    cameras look at it. One step is one whole interaction: the gripper comes down open at the pick point, closes by a
    fixed amount, lifts, leaves every view, and puts down at the place point what it holds (Pathak et al. 2018,
    "Learning Instance Segmentation by Interaction", section 3).

    ## Action Space
    `Box(-1, 1, (5,), float32)`

    | index | meaning | -1 | 1 |
    |---|---|---|---|
    | 0 | pick x | left border of the arena | right border |
    | 1 | pick y | border nearest the robot | farthest border |
    | 2 | gripper angle (of the axis along which the fingers close, counter-clockwise from x) | -pi/2 | pi/2 |
    | 3 | place x | left border | right border |
    | 4 | place y | nearest border | farthest border |

    ## Observation Space
    `Dict`, one `Box(0, 255, (350, 430, 3), uint8)` RGB picture a view, keys `view_0` to `view_3`: the table now, the
    arm out of sight.

    ## Info
    The same keys after `reset` and `step`.

    | key | type | meaning |
    |---|---|---|
    | `held` | dict of pictures | what was seen between pick and place, same keys as the observation |
    | `grasped` | bool | the gripper's own belief that it held something |
    | `pick_outcome` | int | why, a `PickOutcome` |
    | `pick_xy`, `place_xy` | float32 (views, 2) | pixel x, y of the two points in each view; -1 after a reset |
    | `pick_place` | float64 (5,) | what was asked, or done instead, metres and radians, as `PickPlace.to_array` |
    | `scene` | int | number of the scene since the last seeded reset |
    | `returned` | int | objects that the last reset brought back from outside the arena |

    ## Rewards
    1 when the gripper holds something after the pick, else 0.

    ## Starting State
    `reset(seed=s)` draws objects, background and light anew from `s` and restarts all counters. `reset()` sweeps the
    table with the gripper, from 8 points evenly spaced on the border to the centre, puts back what fell off, and
    every `episodes_per_scene` episodes draws a new scene instead. `options={"new_scene": True}` asks for one.

    ## Episode End
    Never terminates; truncates after 25 steps (`max_episode_steps` of the registration).

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `backend` | `"simulation"` | a backend's name, or an object with the `Backend` protocol |
    | `split` | `"train"` | what a simulation opened by name draws: `"train"`, `"val"` or `"test"` objects and tables |
    | `config` | `None` | the backend's configuration, e.g. a `SimulationConfig` |
    | `episodes_per_scene` | 2 | episodes before a new scene is drawn |
    | `render_mode` | `None` | `"rgb_array"`: a third-person picture that shows the arm, where the backend has one |

    ## Version History
    * v0: first version.
    """

    def __init__(
        self,
        backend: str | Backend = "simulation",
        split: str = "train",
        config: Any = None,
        episodes_per_scene: int = 2,
        render_mode: str | None = None,
    ) -> None:
        EzPickle.__init__(self, backend, split, config, episodes_per_scene, render_mode)
        if episodes_per_scene < 1:
            raise InvalidConfiguration(f"episodes_per_scene is {episodes_per_scene}; it must be 1 or more")
        PickPlaceEnv.__init__(self, backend, split, config, render_mode)
        self.episodes_per_scene = episodes_per_scene
        # Gymnasium types a Dict space by Any, an environment by its observation.
        self.observation_space = cast(Any, gym.spaces.Dict(picture_spaces(self.views)))
        self._episode = -1
        self._scene = -1
        self._returned = 0

    @property
    def metadata_for_records(self) -> dict[str, Any]:
        """Plain JSON that says what made the pictures."""
        return {**super().metadata_for_records, "episodes_per_scene": self.episodes_per_scene}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin an episode; see Starting State above."""
        super().reset(seed=seed)
        if seed is not None:
            self._episode, self._scene = -1, -1
        episode = self._episode + 1
        asked = bool(options and options.get("new_scene"))
        new_scene = asked or self._scene < 0 or episode % self.episodes_per_scene == 0
        self._pictures = {}
        if not new_scene:
            self.backend.place(*self.arena.centre)
            self._sweep_table()
        self._returned = self.backend.reset(self.np_random, new_scene=new_scene)
        # Counted once it is done: after a fault on the way the next reset is to ask for the same.
        self._episode, self._scene = episode, self._scene + new_scene
        self._pictures = self._look()
        return dict(self._pictures), self._info(at_rest(self._pictures))

    def step(self, action: Floats32) -> tuple[Observation, float, bool, bool, Info]:
        """One pick-and-place.

        Raises:
            InvalidAction: the action is no point of the action space; nothing was moved.
            RobotFault: the arm stopped; what it holds it keeps. After this or any later error a reset is needed.
            BlankPicture: a camera shows nothing.
        """
        interacted = self._interact(action)
        reward = float(interacted.outcome is PickOutcome.HELD)
        return dict(interacted.after), reward, False, False, self._info(interacted)

    def _sweep_table(self) -> None:
        for point in border_points(self.arena, SWEEP_POINTS):
            self.backend.sweep(point, self.arena.centre)

    def _info(self, interacted: Interacted) -> Info:
        return {**interaction_info(interacted, self.views), "scene": self._scene, "returned": self._returned}


def border_points(arena: Arena, count: int) -> list[tuple[float, float]]:
    """`count` points (x, y), metres, evenly spaced along the arena's border, from its first corner."""
    width, depth = arena.x_max - arena.x_min, arena.y_max - arena.y_min
    corners_at = np.cumsum([0.0, width, depth, width, depth])
    corners = np.array(
        [
            (arena.x_min, arena.y_min),
            (arena.x_max, arena.y_min),
            (arena.x_max, arena.y_max),
            (arena.x_min, arena.y_max),
            (arena.x_min, arena.y_min),
        ]
    )
    at = np.arange(count) * corners_at[-1] / count
    return [
        (float(np.interp(t, corners_at, corners[:, 0])), float(np.interp(t, corners_at, corners[:, 1]))) for t in at
    ]
