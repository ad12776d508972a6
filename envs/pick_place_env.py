"""Base of both environments: a backend, its cameras, and one pick-and-place per step.

Episodes, rewards and ends are defined by each environment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from tabletop_interaction.arrays import Floats, Floats32, Picture
from tabletop_interaction.envs.actions import ACTION_SIZE, PickPlace, pick_place_from_action
from tabletop_interaction.envs.backend import Arena, Backend, PickOutcome, Primitive, ThirdPerson, open_backend
from tabletop_interaction.envs.gripper import Gripper, gripper_of
from tabletop_interaction.envs.observations import Extra, Kind, Observation, Observer, check_observation
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget
from tabletop_interaction.files import plain
from tabletop_interaction.ranges import check_choice, check_seed, check_value

_PLAIN_ARGUMENTS = ("config", "goal", "extras")

Info = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Interacted:
    """Actions and observations of one step.

    Attributes:
        held: what was observed between pick and place.
        after: what was observed at the end; the same as `held` when nothing was held.
        done: the pick-and-place as executed; None after a reset.
        outcome: of the pick.
    """

    held: Observation
    after: Observation
    done: PickPlace | None
    outcome: PickOutcome


class PickPlaceEnv(gym.Env[Observation, Floats32]):
    """An open backend with spaces, rendering and one interaction; subclasses implement `reset` and `step`.

    Attributes:
        interactions: how many were begun since the environment was made.

    Arguments are those of `TabletopInteraction`. `spec` holds a configuration in its plain form, so that it can be
    written as JSON.

    Raises:
        InvalidConfiguration: unknown render mode or observation, or as `open_backend`; nothing was opened. Or the
            backend has not what is to be observed; if it was opened by name, it is closed again.
    """

    primitive: ClassVar[Primitive] = "pick"
    """What one step is."""

    _action_size: ClassVar[int] = ACTION_SIZE
    _spec: EnvSpec | None = None

    metadata = {"render_modes": ["rgb_array"], "render_fps": 2}  # noqa: RUF012 (Gymnasium's convention)

    def __init__(
        self,
        backend: str | Backend,
        split: str,
        config: Any,
        render_mode: str | None,
        observation: Kind = "pictures",
        extras: Sequence[Extra] = (),
    ) -> None:
        check_value("render_mode", render_mode, Literal["rgb_array"] | None)
        check_observation(observation, extras)
        self.render_mode = render_mode
        self.backend = open_backend(backend, split=split, config=config)
        try:
            self._observer = Observer(self.backend, observation, extras)
        except InvalidConfiguration:
            if isinstance(backend, str):
                self.backend.close()
            raise
        # A Backend object has its own split, which recorded rows must state.
        self.split = str(self.backend.metadata.get("split", split))
        self.action_space = gym.spaces.Box(-1.0, 1.0, (self._action_size,), np.float32)
        self.interactions = 0
        self._observed: Observation = {}
        self._scene = -1
        self._returned = 0

    @property
    def spec(self) -> EnvSpec | None:
        """What `gym.make` made the environment from; None without `gym.make`."""
        return self._spec

    @spec.setter
    def spec(self, spec: EnvSpec | None) -> None:
        if spec is not None:
            described = {name: plain(spec.kwargs[name]) for name in _PLAIN_ARGUMENTS if name in spec.kwargs}
            spec = replace(spec, kwargs={**spec.kwargs, **described})
        self._spec = spec

    @property
    def views(self) -> tuple[View, ...]:
        """The cameras, in a fixed order."""
        return self.backend.views

    @property
    def arena(self) -> Arena:
        """The rectangle that the action space spans, metres."""
        return self.backend.arena

    @property
    def gripper(self) -> Gripper:
        """The gripper, for planning which grasps fit."""
        return gripper_of(self.backend)

    @property
    def background(self) -> str:
        """Name of the current table top."""
        return self.backend.background

    @property
    def metadata_for_records(self) -> dict[str, Any]:
        """Plain JSON: backend, settings and split."""
        return {**self.backend.metadata, "split": self.split}

    def render(self) -> Picture | None:
        """uint8 (H, W, 3) third-person picture, or the first view where the backend has none."""
        if self.render_mode is None:
            return None
        if isinstance(self.backend, ThirdPerson):
            return self.backend.third_person_picture()
        return self._first_picture()

    def close(self) -> None:
        """Close the backend."""
        self.backend.close()

    def _begin(
        self, seed: int | None, options: Mapping[str, Any] | None, accepted: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Check the arguments of `reset`, then seed the generator; returns the options.

        Args:
            accepted: the type of each option, by its name.

        Raises:
            InvalidConfiguration: a seed or an option of a wrong type or value, or an unknown option; nothing was moved.
        """
        seed = check_seed(seed)
        check_value("options", options, Mapping | None)
        for name, value in (options or {}).items():
            check_choice("option", name, accepted)
            check_value(f"option {name}", value, accepted[name])
        super().reset(seed=seed)
        return dict(options or {})

    def _first_picture(self) -> Picture:
        """The first view's picture now, taken for this where no pictures are observed."""
        if not self._observed:
            raise gym.error.ResetNeeded("render was called before reset; call reset first")
        pictures = self._observer.pictures_of(self._observed) or self.backend.observe()
        return pictures[self.views[0].name]

    def _rested(self) -> Interacted:
        """The result of a reset: a new observation, and no pick."""
        self._observed = self._observer.observe()
        return Interacted(self._observed, self._observed, None, PickOutcome.NO_PICK)

    def _interact(self, action: Floats32) -> Interacted:
        """Pick, observe, place, observe."""
        if not self._observed:
            raise gym.error.ResetNeeded("step was called before reset; call reset first")
        done = pick_place_from_action(action, self.arena)
        # After an error, the earlier observation no longer shows the table.
        self._observed = {}
        self.interactions += 1
        outcome = self._pick(done)
        held = self._observer.observe()
        after = held
        if outcome is PickOutcome.HELD:
            done = self._place(done)
            after = self._observer.observe()
        self._observed = after
        return Interacted(held, after, done, outcome)

    def _pick(self, wanted: PickPlace) -> PickOutcome:
        try:
            return self.backend.pick(wanted.pick_x, wanted.pick_y, wanted.angle).outcome
        except UnreachableTarget:
            return PickOutcome.UNREACHABLE

    def _place(self, wanted: PickPlace) -> PickPlace:
        """Place as requested, or else back at the pick point, which is known to be reachable."""
        try:
            self.backend.place(wanted.place_x, wanted.place_y)
        except UnreachableTarget:
            self.backend.place(wanted.pick_x, wanted.pick_y)
            return PickPlace(wanted.pick_x, wanted.pick_y, wanted.angle, wanted.pick_x, wanted.pick_y)
        return wanted

    def _info(self, interacted: Interacted) -> Info:
        """The keys of `info` that both environments have; see `TabletopInteraction`."""
        done = interacted.done
        if done is None:
            values, pick_xy, place_xy = np.zeros(ACTION_SIZE), *np.full((2, len(self.views), 2), -1.0)
        else:
            values = done.to_array()
            pick_xy = pixels_of(self.views, done.pick_x, done.pick_y)
            place_xy = pixels_of(self.views, done.place_x, done.place_y)
        return {
            "held": dict(interacted.held),
            "grasped": interacted.outcome is PickOutcome.HELD,
            "pick_outcome": int(interacted.outcome),
            "pick_xy": pick_xy.astype(np.float32),
            "place_xy": place_xy.astype(np.float32),
            "pick_place": values,
            "scene": self._scene,
            "returned": self._returned,
        }


def pixels_of(views: Sequence[View], x: float, y: float) -> Floats:
    """(views, 2) pixels x, y of a point of the table, metres, in each view."""
    return np.concatenate([view.project(np.array([[x, y, 0.0]])) for view in views])
