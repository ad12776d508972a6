"""TabletopInteraction: a table, four cameras and a gripper; one step is one pick-and-place.

The environment converts actions to metres, lets a backend move and take pictures, and reports the pictures. It does
not decide what moved: that is the agent's task.
"""

from collections.abc import Sequence
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils import EzPickle

from tabletop_interaction.arrays import Floats32
from tabletop_interaction.envs.backend import Arena, Backend, PickOutcome
from tabletop_interaction.envs.observations import Extra, Kind, Observation
from tabletop_interaction.envs.pick_place_env import Info, PickPlaceEnv
from tabletop_interaction.ranges import Count, check_value

SWEEP_POINTS = 8


class TabletopInteraction(PickPlaceEnv, EzPickle):
    """## Description
    A parallel gripper points straight down above a flat table with unknown objects; four fixed cameras observe
    the table. One step is one whole interaction: the gripper descends open at the pick point, closes by a fixed amount,
    lifts, leaves every view, and puts down the held object at the place point (Pathak et al. 2018, "Learning Instance
    Segmentation by Interaction", section 3).

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
    `Dict` with one `Box(0, 255, (350, 430, 3), uint8)` RGB picture per view, keys `view_0` to `view_3`: the current
    table, without the arm. Other keys on request; they are ground truth, which only a simulation has:

    | argument | key | space | meaning |
    |---|---|---|---|
    | `observation="both"`, or `"state"` instead of pictures | `ground_truth_state` | `Box(-1, 1, (slots, 13), float32)` | poses and sizes of the objects, see `state_array`; as many slots as a scene can have objects |
    | `extras=("depth",)` | `view_0_depth` ... | `Box(0, 65.535, (350, 430), float32)` | metres along the camera's z axis; 0 where nothing is seen |
    | `extras=("instances",)` | `view_0_instances` ... | `Box(0, 65535, (350, 430), int32)` | id of the object in each pixel, 0 for the table |

    Object `i` of the instance maps has row `i - 1` of the state. A scene's objects keep their ids; the next scene
    numbers its own in random order. With `observation="state"` and no extras nothing is rendered.

    ## Info
    The same keys after `reset` and `step`.

    | key | type | meaning |
    |---|---|---|
    | `held` | dict of arrays | what was observed between pick and place, same keys as the observation |
    | `grasped` | bool | whether the gripper measured that it held something |
    | `pick_outcome` | int | outcome of the pick, a `PickOutcome` |
    | `pick_xy`, `place_xy` | float32 (views, 2) | pixel x, y of the two points in each view; -1 after a reset |
    | `pick_place` | float64 (5,) | the executed pick-and-place, metres and radians, as `PickPlace.to_array` |
    | `scene` | int | scenes since the last seeded reset, from 0 |
    | `returned` | int | objects that the last reset returned from outside the arena |

    ## Rewards
    1 when the gripper holds something after the pick, else 0.

    ## Starting State
    `reset(seed=s)` draws objects, background and light from `s` and restarts all counters. `reset()` sweeps the table
    with the gripper from 8 points, evenly spaced on the border, to the centre, and returns objects that left the arena;
    every `episodes_per_scene` episodes it draws a new scene instead, as does `options={"new_scene": True}`.

    ## Episode End
    Never terminates; truncates after 25 steps (`max_episode_steps` of the registration).

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `backend` | `"simulation"` | a backend's name, or an object with the `Backend` protocol |
    | `split` | `"train"` | objects and tables of a simulation opened by name: `"train"`, `"val"`, `"test"` or `"dev"` |
    | `config` | `None` | the backend's configuration: a `SimulationConfig`, or its fields as a dict |
    | `episodes_per_scene` | 2 | episodes before a new scene is drawn |
    | `render_mode` | `None` | `"rgb_array"`: a third-person picture with the arm, or view_0 if the backend has none |
    | `observation` | `"pictures"` | `"pictures"`, `"state"` or `"both"` |
    | `extras` | `()` | `"depth"` and `"instances"`, observed besides |

    ## Version History
    * v0: first version.
    """  # noqa: E501 (rows of tables)

    def __init__(
        self,
        backend: str | Backend = "simulation",
        split: str = "train",
        config: Any = None,
        episodes_per_scene: int = 2,
        render_mode: str | None = None,
        observation: Kind = "pictures",
        extras: Sequence[Extra] = (),
    ) -> None:
        EzPickle.__init__(self, backend, split, config, episodes_per_scene, render_mode, observation, extras)
        check_value("episodes_per_scene", episodes_per_scene, Count)
        PickPlaceEnv.__init__(self, backend, split, config, render_mode, observation, extras)
        self.episodes_per_scene = episodes_per_scene
        # Gymnasium annotates a Dict space with Any, but an environment with its observation type.
        self.observation_space = cast(Any, gym.spaces.Dict(self._observer.spaces()))
        self._episode = -1

    @property
    def metadata_for_records(self) -> dict[str, Any]:
        """Plain JSON: backend, settings, split and episodes per scene."""
        return {**super().metadata_for_records, "episodes_per_scene": self.episodes_per_scene}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode; see Starting State.

        Raises:
            InvalidConfiguration: a seed that is no whole number from 0 to 2**63 - 1, or a wrong option; nothing was
                moved.
        """
        options = self._begin(seed, options, {"new_scene": bool})
        if seed is not None:
            self._episode, self._scene = -1, -1
        episode = self._episode + 1
        new_scene = options.get("new_scene", False) or self._scene < 0 or episode % self.episodes_per_scene == 0
        self._observed = {}
        if not new_scene:
            self.backend.place(*self.arena.centre)
            for point in border_points(self.arena, SWEEP_POINTS):
                self.backend.sweep(point, self.arena.centre)
        self._returned = self.backend.reset(self.np_random, new_scene=bool(new_scene))
        # Counted after success: if the backend raises, the next reset repeats the same request.
        self._episode, self._scene = episode, self._scene + int(new_scene)
        rested = self._rested()
        return dict(rested.after), self._info(rested)

    def step(self, action: Floats32) -> tuple[Observation, float, bool, bool, Info]:
        """One pick-and-place.

        Raises:
            InvalidAction: the action is not in the action space; nothing was moved.
            RobotFault: the arm stopped and keeps the held object. Reset before the next step, as after any error below.
            BlankPicture: a camera's picture is uniform.
        """
        interacted = self._interact(action)
        reward = float(interacted.outcome is PickOutcome.HELD)
        return dict(interacted.after), reward, False, False, self._info(interacted)


def border_points(arena: Arena, count: int) -> list[tuple[float, float]]:
    """`count` points (x, y), metres, evenly spaced along the arena's border, from its first corner."""
    width, depth = arena.x_max - arena.x_min, arena.y_max - arena.y_min
    corners_at = np.cumsum([0.0, width, depth, width, depth])
    x = [arena.x_min, arena.x_max, arena.x_max, arena.x_min, arena.x_min]
    y = [arena.y_min, arena.y_min, arena.y_max, arena.y_max, arena.y_min]
    at = np.arange(count) * corners_at[-1] / count
    return list(zip(np.interp(at, corners_at, x).tolist(), np.interp(at, corners_at, y).tolist(), strict=True))
