"""TabletopRearrangement: bring the table to what a goal's pictures show, one pick-and-place a step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium.utils import EzPickle

from tabletop_interaction.arrays import Floats, Floats32, Picture
from tabletop_interaction.envs.backend import Arranging, Backend, Pictures
from tabletop_interaction.envs.goals import (
    MOST_DISPLACED,
    ArrangingBackend,
    Goal,
    GoalPaths,
    lay_goal,
    load_goal,
)
from tabletop_interaction.envs.judges import JUDGES, WITHIN_PX, Judge, JudgeMaker, Verdict
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

_OPTIONS = ("displaced", "goal")
_NO_VERDICT = Verdict(False, 0.0, 1.0, np.zeros(0), np.zeros(0))


class TabletopRearrangement(PickPlaceEnv, EzPickle):
    """## Description
    The table, cameras and gripper of `TabletopInteraction`, and pictures of a goal in which 1 to 3 of the objects
    stand elsewhere than now. One step is one pick-and-place. The task of Pathak et al. 2018, "Learning Instance
    Segmentation by Interaction", section 5: every displaced object within 15 px of its goal, in at most 10 steps.

    ## Action Space
    `Box(-1, 1, (5,), float32)`, as `TabletopInteraction`: pick x, pick y, gripper angle, place x, place y.

    ## Observation Space
    `Dict` of `Box(0, 255, (350, 430, 3), uint8)` RGB pictures: `view_0` to `view_3`, the table now, the arm out of
    sight; `goal_0` to `goal_3`, the goal as the same cameras see it, the same all episode. A view of which a goal from
    files has no picture is black.

    ## Info
    The same keys after `reset` and `step`: those of `TabletopInteraction`, and what the judge says. An agent that is to
    work on a robot must not read the latter.

    | key | type | meaning |
    |---|---|---|
    | `displaced` | int | how many objects shall stand elsewhere; 0 where only a picture says so |
    | `occupied` | bool | whether one of them shall stand where another of them stands at the start |
    | `is_success` | bool | the judge's verdict |
    | `fraction_done` | float | share of the displaced objects within 15 px of their goal; pictures: see `PictureJudge` |
    | `displaced_undisturbed` | float | `fraction_done`, but 0 for the rest of the episode once any other object has been seen more than 15 px from its start; -1 if unknown |
    | `goal_distance_px` | float32 (3,) | of each displaced object to its goal in view_0, in order of ids; then -1 |
    | `goal_distance_m` | float32 (3,) | the same on the table, metres |
    | `others_moved_px` | float | the farthest that any other object is from its start in view_0; -1 if unknown |
    | `others_moved_m` | float | the same on the table, metres |

    Distances are between positions (centres of mass), turns do not count.

    ## Rewards
    Progress: what the displaced objects have come nearer to their goals in this step, summed in pixels of view_0, over
    what they had to go at the start. An episode that brings each exactly to its goal earns 1 in all, success within
    15 px nearly as much; putting one farther away costs as much as it earned. Moving others costs nothing but success.
    With the judge `"pictures"`: the decrease of the area that differs from the goal, over that at the start. Without a
    judge: 0.

    ## Starting State
    `reset(seed=s)` draws a scene and a goal from `s`, every later `reset()` others from the running generator: each
    episode has a new scene. Displaced objects have 0.08 m or more to go, keep their orientation, and shall stand 0.03 m
    or more clear of everything else, inside the arena. In a third of the goals with two or more displaced objects, one
    shall stand where another stands at the start, so that the other must go first. The goal's pictures are other
    exposures, with noise of their own. On a robot the table stays as the operator laid it.

    `options` of `reset`: `displaced` (1, 2, 3) and `goal` (as the argument below), for this episode.

    ## Episode End
    Terminates on success: every displaced object within 15 px of its goal in view_0, and no other more than 15 px
    from its start, or what another judge says. Truncates after 10 steps (`max_episode_steps` of the registration).

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `backend` | `"simulation"` | a backend's name, or an object with the `Backend` protocol; goals are drawn on one with `Arranging` as well |
    | `split` | `"train"` | what a simulation opened by name draws: `"train"`, `"val"` or `"test"` objects and tables |
    | `config` | `None` | the backend's configuration, e.g. a `SimulationConfig` |
    | `displaced` | `None` | how many objects a goal displaces: 1, 2, 3, or None for any of them, equally likely |
    | `goal` | `None` | None draws goals; else a picture file of the goal in view_0, or files of the first views in order |
    | `judge` | `"auto"` | `"truth"`, `"pictures"`, None for none, or a `JudgeMaker`; `"auto"`: truth for a goal that was drawn, else pictures |
    | `render_mode` | `None` | `"rgb_array"`: view_0 now, and to its right the goal |

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
    ) -> None:
        EzPickle.__init__(self, backend, split, config, displaced, goal, judge, render_mode)
        _check_displaced(displaced)
        _check_judge(judge)
        PickPlaceEnv.__init__(self, backend, split, config, render_mode)
        self.displaced = displaced
        self.goal = goal
        self.judge = judge
        spaces = picture_spaces(self.views)
        goals = {goal_key(number): space for number, space in enumerate(spaces.values())}
        # Gymnasium types a Dict space by Any, an environment by its observation.
        self.observation_space = cast(Any, gym.spaces.Dict({**spaces, **goals}))
        self._scene = -1
        self._returned = 0
        self._goal = Goal({})
        self._judge: Judge | None = None
        self._verdict = _NO_VERDICT
        self._undisturbed = True

    @property
    def metadata_for_records(self) -> dict[str, Any]:
        """Plain JSON that says what made the pictures."""
        return {**super().metadata_for_records, "task": "rearrangement", "displaced": self.displaced}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Observation, Info]:
        """Begin an episode with a new scene and goal; see Starting State above.

        Raises:
            InvalidConfiguration: an unknown option, a goal that cannot be read or drawn, or a judge that cannot judge
                it.
        """
        super().reset(seed=seed)
        displaced, files = self._wishes(options or {})
        loaded = load_goal(files, self.views) if files is not None else None
        self._pictures = {}
        self._scene = 0 if seed is not None else self._scene + 1
        if loaded is None:
            self._goal, self._returned = lay_goal(self._arranging(), self.np_random, displaced), 0
        else:
            self._goal, self._returned = loaded, self.backend.reset(self.np_random, new_scene=True)
        self._pictures = self._look()
        self._judge = self._judge_of_episode()
        self._undisturbed = True
        self._verdict = self._judged(self._pictures)
        return self._observation(), self._info(at_rest(self._pictures))

    def step(self, action: Floats32) -> tuple[Observation, float, bool, bool, Info]:
        """One pick-and-place, and the judge's verdict on it.

        Raises:
            InvalidAction: the action is no point of the action space; nothing was moved.
            RobotFault: the arm stopped; what it holds it keeps. After this or any later error a reset is needed.
            BlankPicture: a camera shows nothing.
        """
        interacted = self._interact(action)
        before, self._verdict = self._verdict, self._judged(interacted.after)
        reward = before.remaining - self._verdict.remaining
        return self._observation(), reward, self._verdict.success, False, self._info(interacted)

    def render(self) -> Picture | None:
        """uint8 (H, 2 W, 3): the first view now, and to its right the goal."""
        if self.render_mode is None:
            return None
        if not self._pictures:
            raise gym.error.ResetNeeded("render was called before reset; call reset first")
        name = self.views[0].name
        return np.hstack([self._pictures[name], self._goal.pictures[name]])

    def _wishes(self, options: Mapping[str, Any]) -> tuple[int | None, GoalPaths | None]:
        """How many objects this episode displaces, and the files that show its goal."""
        if unknown := [name for name in options if name not in _OPTIONS]:
            raise InvalidConfiguration(f"unknown option {unknown[0]!r}; accepted are {', '.join(_OPTIONS)}")
        displaced = options.get("displaced", self.displaced)
        _check_displaced(displaced)
        return displaced, options.get("goal", self.goal)

    def _arranging(self) -> ArrangingBackend:
        if not isinstance(self.backend, Arranging):
            raise InvalidConfiguration(
                f"{type(self.backend).__name__} cannot arrange objects, so no goal can be drawn on it; give goal= "
                "picture files that its cameras took, or use the simulation"
            )
        return cast(ArrangingBackend, self.backend)

    def _judge_of_episode(self) -> Judge | None:
        judge = self.judge
        if judge == "auto":
            judge = "pictures" if self._goal.arrangement is None else "truth"
        if judge is None:
            return None
        make = JUDGES[judge] if isinstance(judge, str) else judge
        return make(self.backend, self._goal, self._pictures)

    def _judged(self, pictures: Pictures) -> Verdict:
        verdict = _NO_VERDICT if self._judge is None else self._judge(pictures)
        self._undisturbed = self._undisturbed and verdict.others_px <= WITHIN_PX
        return verdict

    def _observation(self) -> Observation:
        # Copies: whoever keeps one observation may change it without changing the next.
        goals = {goal_key(number): self._goal.pictures[view.name].copy() for number, view in enumerate(self.views)}
        return {**self._pictures, **goals}

    def _info(self, interacted: Interacted) -> Info:
        verdict, wanted = self._verdict, self._goal.arrangement
        undisturbed = verdict.fraction_done if self._undisturbed else 0.0
        return {
            **interaction_info(interacted, self.views),
            "scene": self._scene,
            "returned": self._returned,
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
    """The observation's key of the goal as the view of that number sees it."""
    return f"goal_{number}"


def _padded(distances: Floats) -> Floats32:
    """float32 (3,): the distances, then -1."""
    padded = np.full(MOST_DISPLACED, -1.0, np.float32)
    padded[: len(distances)] = distances
    return padded


def _check_displaced(displaced: Any) -> None:
    if displaced is not None and displaced not in range(1, MOST_DISPLACED + 1):
        raise InvalidConfiguration(f"displaced is {displaced!r}; accepted are 1 to {MOST_DISPLACED} and None")


def _check_judge(judge: Any) -> None:
    if not (judge is None or judge == "auto" or judge in JUDGES or callable(judge)):
        raise InvalidConfiguration(
            f"unknown judge {judge!r}; accepted are 'auto', {', '.join(map(repr, JUDGES))}, None and a JudgeMaker"
        )
