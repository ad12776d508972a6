"""TabletopPushing: the table of TabletopInteraction; one step is one push of the closed gripper."""

from typing import ClassVar

import gymnasium as gym
import numpy as np

from tabletop_interaction.arrays import Floats32
from tabletop_interaction.envs.actions import PUSH_SIZE, Push, push_from_action
from tabletop_interaction.envs.backend import Pictures, Primitive
from tabletop_interaction.envs.interaction import TabletopInteraction
from tabletop_interaction.envs.observations import Observation
from tabletop_interaction.envs.pick_place_env import Info, Interacted, pixels_of
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import UnreachableTarget
from tabletop_interaction.push_difference import push_difference


class TabletopPushing(TabletopInteraction):
    """## Description
    A parallel gripper points straight down above a flat table with 4 to 8 unknown objects; four fixed cameras observe
    the table. One step is one push: the closed gripper descends at the start, moves along a straight line to the end,
    lifts, and leaves every view. Objects that are too wide or too flat for a grasp can be pushed.

    ## Action Space
    `Box(-1, 1, (4,), float32)`

    | index | meaning | -1 | 1 |
    |---|---|---|---|
    | 0 | start x | left border of the arena + 0.02 m | right border - 0.02 m |
    | 1 | start y | border nearest the robot + 0.02 m | farthest border - 0.02 m |
    | 2 | direction (counter-clockwise from x, seen from above) | -pi | pi |
    | 3 | length | 0.02 m | 0.25 m |

    Every action is valid. A push that would leave the arena ends at its border; since it starts at least 0.02 m away
    from the border, 0.02 m of it remain. `Push.to_action` converts metres and radians.

    ## Observation Space
    That of `TabletopInteraction`, with the same arguments: the current table, without the arm.

    ## Info
    The same keys after `reset` and `step`.

    | key | type | meaning |
    |---|---|---|
    | `before` | dict of arrays | what was observed before the push, same keys as the observation |
    | `moved` | bool | whether the pictures show that something moved |
    | `came_down` | bool | False if the arm cannot follow the push; nothing was moved then |
    | `push` | float64 (4,) | the executed push, metres and radians, as `Push.to_array`; 0 after a reset |
    | `start_xy`, `end_xy` | float32 (views, 2) | pixel x, y of start and end in each view; -1 after a reset |
    | `scene` | int | scenes since the last seeded reset, from 0 |
    | `returned` | int | objects that the last reset returned from outside the arena |

    ## Rewards
    1 when the pictures of a view show that something moved, else 0. The rule is that of the labels, `push_difference`:
    more than 1,000 connected pixels near the push changed by more than noise, a shadow or a shift by one pixel explain.
    Pictures are therefore taken with `observation="state"`, too.

    ## Starting State
    That of `TabletopInteraction`, as are the options of `reset`.

    ## Episode End
    Never terminates; truncates after 25 steps (`max_episode_steps` of the registration).

    ## Arguments
    Those of `TabletopInteraction`.

    ## Version History
    * v0: first version.
    """

    primitive: ClassVar[Primitive] = "push"
    _action_size: ClassVar[int] = PUSH_SIZE

    def step(self, action: Floats32) -> tuple[Observation, float, bool, bool, Info]:
        """One push.

        Raises:
            InvalidAction: the action is not in the action space; nothing was moved.
            RobotFault: the arm stopped. Reset before the next step, as after any error below.
            BlankPicture: a camera's picture is uniform.
        """
        if not self._observed:
            raise gym.error.ResetNeeded("step was called before reset; call reset first")
        push = push_from_action(action, self.arena)
        # After an error, the earlier observation no longer shows the table.
        before, pictures_before, self._observed = self._before, self._pictures, {}
        self.interactions += 1
        came_down = self._push(push)
        after = self._rested().after
        moved = came_down and something_moved(pictures_before, self._pictures, push, self.views)
        info = self._push_info(before, push, came_down=came_down, moved=moved)
        return dict(after), float(moved), False, False, info

    def _rested(self) -> Interacted:
        rested = super()._rested()
        # The next push is compared with these, whatever a user does to the observation.
        self._before = copied(rested.after)
        self._pictures = self._observer.pictures_of(self._before) or self.backend.observe()
        return rested

    def _push(self, push: Push) -> bool:
        """Make a push; False if the arm cannot follow it."""
        (x, y), arena = push.end_xy, self.arena
        # Rounding may leave the end a hair outside.
        end = min(max(x, arena.x_min), arena.x_max), min(max(y, arena.y_min), arena.y_max)
        try:
            self.backend.sweep(push.start_xy, end)
        except UnreachableTarget:
            return False
        return True

    def _info(self, interacted: Interacted) -> Info:
        """Of a reset."""
        return self._push_info(copied(interacted.after), None, came_down=False, moved=False)

    def _push_info(self, before: Observation, push: Push | None, *, came_down: bool, moved: bool) -> Info:
        if push is None:
            values, start_xy, end_xy = np.zeros(PUSH_SIZE), *np.full((2, len(self.views), 2), -1.0)
        else:
            values = push.to_array()
            start_xy, end_xy = (pixels_of(self.views, *point) for point in (push.start_xy, push.end_xy))
        return {
            "before": before,
            "moved": moved,
            "came_down": came_down,
            "push": values,
            "start_xy": start_xy.astype(np.float32),
            "end_xy": end_xy.astype(np.float32),
            "scene": self._scene,
            "returned": self._returned,
        }


def copied(observation: Observation) -> Observation:
    """An observation in arrays of its own."""
    return {name: array.copy() for name, array in observation.items()}


def something_moved(before: Pictures, after: Pictures, push: Push, views: tuple[View, ...]) -> bool:
    """Whether the pictures of a view show that a push moved something."""
    path = np.array([[*push.start_xy, 0.0], [*push.end_xy, 0.0]])
    return any(push_difference(before[view.name], after[view.name], view.project(path)).moved for view in views)
