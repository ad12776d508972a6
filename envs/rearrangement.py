"""TabletopRearrangement: bring the table to the state of a goal's pictures, one pick-and-place per step."""

import os
from collections.abc import Sequence
from typing import Annotated, Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils import EzPickle

from tabletop_interaction.arrays import Floats, Floats32, Picture
from tabletop_interaction.envs.backend import Arranging, Backend
from tabletop_interaction.envs.goals import MAX_DISPLACED, Goal, GoalPaths, lay_goal, load_goal
from tabletop_interaction.envs.judges import JUDGES, Judge, JudgeMaker, Verdict, tolerance_px
from tabletop_interaction.envs.observations import GOAL_STATE_KEY, Extra, Kind, Observation, check_observation
from tabletop_interaction.envs.pick_place_env import Info, Interacted, PickPlaceEnv
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import Range, check_value, shown

_DISPLACED = Annotated[int, Range(1, MAX_DISPLACED)] | None
_GOAL = str | os.PathLike[str] | tuple[str | os.PathLike[str], ...] | None
_NO_VERDICT = Verdict(False, 0.0, 1.0, np.zeros(0), np.zeros(0))


class TabletopRearrangement(PickPlaceEnv, EzPickle):
    """## Description
    The table, cameras and gripper of `TabletopInteraction`, and pictures of a goal in which 1 to 3 of the objects are
    displaced. One step is one pick-and-place. The task of Pathak et al. 2018, "Learning Instance Segmentation by
    Interaction", section 5: every displaced object within 15 px of its goal, in at most 10 steps.

    ## Action Space
    `Box(-1, 1, (5,), float32)`, as `TabletopInteraction`: pick x, pick y, gripper angle, place x, place y.

    ## Observation Space
    `Dict` of `Box(0, 255, (350, 430, 3), uint8)` RGB pictures: `view_0` to `view_3`, the current table without the
    arm; `goal_0` to `goal_3`, the goal in the same cameras, constant during an episode. A goal read from files is black
    in views without a file.

    `observation` and `extras` add or replace keys as in `TabletopInteraction`. With a state there is also
    `ground_truth_goal`, `Box(-1, 1, (slots, 13), float32)`: the same objects in the same rows at the goal. It shows
    which objects are displaced, and needs a drawn goal.

    ## Info
    The same keys after `reset` and `step`: those of `TabletopInteraction` and the judge's values. Do not use the
    judge's values in a policy: a real robot does not have them.

    | key | type | meaning |
    |---|---|---|
    | `displaced` | int | number of displaced objects; 0 if only pictures are known |
    | `occupied` | bool | whether the goal of one of them is the start of another |
    | `is_success` | bool | the judge's verdict |
    | `fraction_done` | float | share of the displaced objects within 15 px of their goal (of 350 x 430, see `tolerance_px`); pictures: see `PictureJudge` |
    | `displaced_undisturbed` | float | `fraction_done`, but 0 for the rest of the episode once any other object is more than 15 px from its start; -1 if unknown |
    | `goal_distance_px` | float32 (3,) | distance of each displaced object to its goal in view_0, in order of ids, padded with -1 |
    | `goal_distance_m` | float32 (3,) | the same on the table, metres |
    | `others_moved_px` | float | largest distance of any other object from its start in view_0; -1 if unknown |
    | `others_moved_m` | float | the same on the table, metres |

    Distances are between centres of mass; rotations do not count.

    ## Rewards
    Progress: by how much the step reduced the summed distance of the displaced objects to their goals, in pixels of
    view_0, divided by that distance at the start. The rewards of an episode that brings every object exactly to its
    goal sum to 1; moving an object away costs what moving it closer earns. Moving other objects prevents success, but
    costs no reward. With the judge `"pictures"`: the decrease of the area that differs from the goal, divided by that
    area at the start. Without a judge: 0.

    ## Starting State
    Every episode has a new scene and goal: `reset(seed=s)` draws them from `s`, a later `reset()` from the current
    generator. Goals lie 0.08 m or more from the start, inside the arena, 0.03 m or more clear of every other object;
    objects keep their orientation. In a third of the goals with two or more displaced objects, the goal of one is the
    start of another, which must be moved first. The goal's pictures are separate exposures with their own noise. On a
    robot the table stays as the operator arranged it.

    `options` of `reset`: `displaced` (1, 2, 3) and `goal` (as the argument below), for this episode.

    ## Episode End
    Terminates on success: every displaced object within 15 px of its goal in view_0 and no other object more than
    15 px from its start, or as another judge decides. Truncates after 10 steps (`max_episode_steps` of the registration).

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `backend` | `"simulation"` | a backend's name, or an object with the `Backend` protocol; drawn goals need `Arranging` |
    | `split` | `"train"` | objects and tables of a simulation opened by name: `"train"`, `"val"`, `"test"` or `"dev"` |
    | `config` | `None` | the backend's configuration: a `SimulationConfig`, or its fields as a dict |
    | `displaced` | `None` | number of displaced objects: 1, 2, 3, or None for a uniform draw |
    | `goal` | `None` | None for drawn goals, or a picture file of the goal in view_0, or files of the first views in order |
    | `judge` | `"auto"` | `"truth"`, `"pictures"`, None, or a `JudgeMaker`; `"auto"`: truth for a drawn goal, else pictures |
    | `render_mode` | `None` | `"rgb_array"`: view_0 and, to its right, its goal |
    | `observation` | `"pictures"` | `"pictures"`, `"state"` or `"both"`; a `JudgeMaker` gets no pictures with `"state"` |
    | `extras` | `()` | `"depth"` and `"instances"`, observed besides |

    ## Version History
    * v0: first version.
    """  # noqa: E501 (rows of tables)

    def __init__(
        self,
        backend: str | Backend = "simulation",
        split: str = "train",
        config: Any = None,
        displaced: int | None = None,
        goal: GoalPaths | None = None,
        judge: str | JudgeMaker | None = "auto",
        render_mode: str | None = None,
        observation: Kind = "pictures",
        extras: Sequence[Extra] = (),
    ) -> None:
        EzPickle.__init__(self, backend, split, config, displaced, goal, judge, render_mode, observation, extras)
        check_value("displaced", displaced, _DISPLACED)
        check_value("goal", goal, _GOAL)
        if not (judge is None or callable(judge) or (isinstance(judge, str) and judge in ("auto", *JUDGES))):
            raise InvalidConfiguration(
                f"unknown judge {shown(judge)}; accepted are 'auto', {', '.join(map(repr, JUDGES))}, None and a "
                "JudgeMaker"
            )
        check_observation(observation, extras)
        if observation == "state" and judge == "pictures":
            raise InvalidConfiguration(
                "the judge 'pictures' came with observation 'state', which has none; use the judge 'truth' or the "
                "observation 'both'"
            )
        if observation != "pictures":
            _check_is_drawn(goal)
        PickPlaceEnv.__init__(self, backend, split, config, render_mode, observation, extras)
        self.displaced = displaced
        self.goal = goal
        self.judge = judge
        # Gymnasium annotates a Dict space with Any, but an environment with its observation type.
        self.observation_space = cast(Any, gym.spaces.Dict(self._spaces()))
        self._goal = Goal({})
        self._judge: Judge | None = None
        self._verdict = _NO_VERDICT
        self._undisturbed = True

    def _spaces(self) -> dict[str, gym.Space[Any]]:
        """Spaces of the observation and of the goal."""
        spaces = dict(self._observer.spaces())
        if self._observer.has_pictures:
            spaces.update({goal_key(number): spaces[view.name] for number, view in enumerate(self.views)})
        if self._observer.has_state:
            spaces[GOAL_STATE_KEY] = self._observer.state_space()
        return spaces

    @property
    def metadata_for_records(self) -> dict[str, Any]:
        """Plain JSON: backend, settings, split and task."""
        return {**super().metadata_for_records, "task": "rearrangement", "displaced": self.displaced}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Start an episode with a new scene and goal; see Starting State.

        Raises:
            InvalidConfiguration: a seed that is no whole number from 0 to 2**63 - 1, a wrong option, or a goal that
                cannot be read, drawn or judged.
        """
        options = self._begin(seed, options, {"displaced": _DISPLACED, "goal": _GOAL})
        displaced, files = options.get("displaced", self.displaced), options.get("goal", self.goal)
        if self._observer.has_state:
            _check_is_drawn(files)
        loaded = load_goal(files, self.views) if files is not None else None
        self._observed = {}
        self._scene = 0 if seed is not None else self._scene + 1
        if loaded is None:
            with_pictures = self._observer.has_pictures or self.render_mode is not None
            drawn = lay_goal(self._arranging(), self.np_random, displaced, with_pictures=with_pictures)
            self._goal, self._returned = drawn, 0
        else:
            self._goal, self._returned = loaded, self.backend.reset(self.np_random, new_scene=True)
        rested = self._rested()
        self._judge = self._judge_of_episode()
        self._undisturbed = True
        self._verdict = self._judged(rested.after)
        return self._observation(), self._info(rested)

    def step(self, action: Floats32) -> tuple[Observation, float, bool, bool, Info]:
        """One pick-and-place and the judge's verdict; errors as `TabletopInteraction.step`."""
        interacted = self._interact(action)
        before, self._verdict = self._verdict, self._judged(interacted.after)
        reward = before.remaining - self._verdict.remaining
        return self._observation(), reward, self._verdict.success, False, self._info(interacted)

    def render(self) -> Picture | None:
        """uint8 (H, 2 W, 3): the first view and, to its right, its goal."""
        if self.render_mode is None:
            return None
        now = self._first_picture()
        return np.hstack([now, self._goal.pictures[self.views[0].name]])

    def _arranging(self) -> Arranging:
        if not isinstance(self.backend, Arranging):
            raise InvalidConfiguration(
                f"{type(self.backend).__name__} cannot arrange objects, so no goal can be drawn; pass goal= with "
                "picture files taken by its cameras, or use the simulation"
            )
        return self.backend

    def _judge_of_episode(self) -> Judge | None:
        judge = self.judge
        if judge == "auto":
            judge = "pictures" if self._goal.arrangement is None else "truth"
        if judge is None:
            return None
        make = JUDGES[judge] if isinstance(judge, str) else judge
        return make(self.backend, self._goal, self._observer.pictures_of(self._observed))

    def _judged(self, observed: Observation) -> Verdict:
        verdict = _NO_VERDICT if self._judge is None else self._judge(self._observer.pictures_of(observed))
        self._undisturbed = self._undisturbed and verdict.others_px <= tolerance_px(self.views[0])
        return verdict

    def _observation(self) -> Observation:
        observation = dict(self._observed)
        if self._observer.has_pictures:
            for number, view in enumerate(self.views):
                # A copy, so that a changed observation does not change the next one.
                observation[goal_key(number)] = self._goal.pictures[view.name].copy()
        if self._observer.has_state:
            assert self._goal.arrangement is not None, "a goal from files was refused"
            observation[GOAL_STATE_KEY] = self._observer.state(self._goal.arrangement.goal)
        return observation

    def _info(self, interacted: Interacted) -> Info:
        verdict, wanted = self._verdict, self._goal.arrangement
        undisturbed = verdict.fraction_done if self._undisturbed else 0.0
        return {
            **super()._info(interacted),
            "displaced": len(wanted.displaced) if wanted else 0,
            "occupied": wanted.occupied if wanted else False,
            "is_success": verdict.success,
            "fraction_done": verdict.fraction_done,
            "displaced_undisturbed": undisturbed if verdict.others_px >= 0 else -1.0,
            "goal_distance_px": _padded(verdict.distances_px),
            "goal_distance_m": _padded(verdict.distances_m),
            "others_moved_px": verdict.others_px,
            "others_moved_m": verdict.others_m,
        }


def goal_key(number: int) -> str:
    """The observation's key of the goal in the view of that number."""
    return f"goal_{number}"


def _check_is_drawn(goal: GoalPaths | None) -> None:
    """Raise InvalidConfiguration for a goal from files."""
    if goal is not None:
        raise InvalidConfiguration(
            f"the goal {shown(goal)} came, but the state of a goal from picture files is unknown; use the observation "
            "'pictures', or no goal to have one drawn"
        )


def _padded(distances: Floats) -> Floats32:
    """float32 (3,) distances, padded with -1."""
    padded = np.full(MAX_DISPLACED, -1.0, np.float32)
    padded[: len(distances)] = distances
    return padded
