"""The Sawyer behind the Backend protocol: pick, place, sweep and reset.

Every path is planned and checked before the arm moves. After a fault the arm holds until the operator confirms: either
the backend's operator answers yes, or the caller calls `enable` (after a stop) and `acknowledge`. The interrupted
action is lost in both cases; after a yes, the fault reaches the caller as recoverable.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Self

from numpy.random import Generator

from tabletop_interaction.arrays import Floats32, Ids
from tabletop_interaction.envs.backend import Grasp, GroundTruth, ObjectState, PickOutcome, Pictures
from tabletop_interaction.envs.targets import check_angle, check_inside
from tabletop_interaction.errors import AlreadyHolding, NotReset, RobotFault
from tabletop_interaction.installation import installed_versions
from tabletop_interaction.real.arm.arm import SawyerArm
from tabletop_interaction.real.cameras.array import CameraArray, wait_until_still
from tabletop_interaction.real.lab.lab import Lab
from tabletop_interaction.real.operator import Operator

_PACKAGES = ("tabletop-interaction", "numpy", "opencv-python-headless", "ruckig")


class SawyerBackend:
    """A Sawyer, its gripper and the cameras around its table.

    Every call that moves the arm raises UnreachableTarget or, if a camera gives no new pictures, CameraFault before it
    moves, or RobotFault if the arm stopped; the arm then holds and keeps what it grips.

    The cameras have the names of the lab's views. `about` is plain JSON for the records: driver and calibration.
    `release` closes arm and cameras.
    """

    def __init__(
        self,
        lab: Lab,
        arm: SawyerArm,
        cameras: CameraArray,
        operator: Operator,
        about: Mapping[str, Any],
        release: Callable[[], None],
    ) -> None:
        self.arena = lab.arena
        self.views = lab.views
        self._settings = lab.settings
        self._arm = arm
        self._cameras = cameras
        self._operator = operator
        self._about = dict(about)
        self._ready = False
        self._held = False
        self._held_angle = 0.0
        self._held_turn = 0.0
        self._release = release
        self._closed = False

    @property
    def background(self) -> str:
        """Name of the table's surface."""
        return self._operator.background

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Backend, driver, calibration, versions and settings."""
        return {
            "backend": "sawyer",
            **self._about,
            "operator": type(self._operator).__name__,
            "versions": installed_versions(*_PACKAGES),
            "settings": asdict(self._settings),
        }

    def observe(self) -> Pictures:
        """RGB pictures without motion, all taken after the last motion of the arm.

        Raises:
            NotReset: before the first reset.
            RobotFault: a fault is not acknowledged, so the arm may be in view.
            CameraFault: a camera gives no new picture in time, or something still moves.
            BlankPicture: a camera gives a picture of one colour only.
        """
        self._check_ready("observe")
        return wait_until_still(self._cameras, newer_than=self._arm.stopped_at, clock=self._arm.clock)

    def pick(self, x: float, y: float, angle: float) -> Grasp:
        """See `Backend.pick`. The gripper has no contact sensor: the outcome is never PUSHED_AWAY.

        Raises:
            AlreadyHolding: an object is held; nothing was moved.
        """
        self._check_free("pick")
        check_inside(self.arena, "pick", (x, y))
        arm, moves = self._arm, self._arm.moves
        above = moves.above(arm.here, x, y, angle)
        down = moves.down(x, y, angle, self._settings.motion.grasp_m)
        moves.carrying.leave(down[-1])
        self._cameras.check()
        with self._acting("picking"):
            arm.open()
            arm.follow(above)
            blocked = not arm.press(down)
            between = arm.close()
            self._held, self._held_angle, self._held_turn = between, angle, moves.half_turn(down[-1], angle)
            arm.leave()
            self._held = arm.holds(held=between)
        return Grasp(_outcome(held=self._held, between=between, blocked=blocked))

    def place(self, x: float, y: float, angle: float | None = None) -> None:
        """See `Backend.place`.

        Raises:
            RobotFault: the object was lost; the arm has left the table and the fault is recoverable.
        """
        self._check_ready("place")
        check_inside(self.arena, "place", (x, y))
        if angle is not None:
            check_angle("place", angle)
        if self._held and not self._put_down(x, y, angle):
            raise RobotFault(
                "placing: the gripper no longer reports the object that it held; the arm is out of every view with an "
                "empty gripper; look for the object and put it back on the table; if this comes again, grip another "
                "part of it or a harder object, then reset the environment",
                recoverable=True,
            )

    def _put_down(self, x: float, y: float, angle: float | None) -> bool:
        """Put down what is held; returns whether the gripper held it until it was there."""
        arm, moves, motion = self._arm, self._arm.moves, self._settings.motion
        exact, angle = angle is not None, self._held_angle if angle is None else angle + self._held_turn
        above = moves.carrying.above(arm.here, x, y, angle, exact=exact)
        down = moves.carrying.down(x, y, angle, motion.grasp_m + motion.release_above_m, exact=exact)
        moves.leave(down[-1])
        self._cameras.check()
        with self._acting("placing"):
            arm.check_gripper()
            if held := arm.holds(held=True):
                arm.follow(above)
                held = arm.holds(held=True)
            if held:
                arm.press(down)
                held = not arm.holds_nothing()
            arm.open()
            self._held = False
            arm.leave()
        return held

    def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
        """See `Backend.sweep`; it ends if the gripper presses on something too heavy to push.

        Raises:
            AlreadyHolding: an object is held; nothing was moved.
        """
        self._check_free("sweep")
        check_inside(self.arena, "sweep", start_xy)
        check_inside(self.arena, "sweep", end_xy)
        arm = self._arm
        above, down, along = arm.moves.sweep(arm.here, start_xy, end_xy)
        self._cameras.check()
        with self._acting("sweeping"):
            arm.close()
            arm.follow(above)
            if arm.press(down):
                arm.press(along)
            arm.leave()
            arm.open()

    def reset(self, rng: Generator, *, new_scene: bool) -> int:
        """See `Backend.reset`; the operator lays new scenes and puts back objects that left the arena."""
        self._arm.check()
        self._cameras.check()
        if not self._ready:
            with self._acting("leaving the table"):
                self._arm.leave()
            self._ready, self._held = True, self._arm.grips()
        if self._held:
            self._put_down(*self.arena.centre, None)
        with self._acting("opening"):
            self._arm.open()
        if new_scene:
            self._operator.lay_table(rng)
            return 0
        return self._operator.bring_back(rng)

    def enable(self) -> None:
        """Enable the motors after a stop, on the operator's word; nothing moves."""
        self._arm.enable()

    def acknowledge(self) -> None:
        """Continue after a fault, on the operator's word: the arm rises and leaves the views with what it grips."""
        self._arm.acknowledge()
        self._ready, self._held = True, self._arm.holds(held=self._held)

    def close(self) -> None:
        """Hold, and release robot and cameras; a second call does nothing."""
        if self._closed:
            return
        self._closed = True
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @contextmanager
    def _acting(self, action: str) -> Iterator[None]:
        """Move in this block; see `SawyerArm.acting`. After a fault the operator is asked.

        Raises:
            RobotFault: recoverable if the operator agreed and the arm has left the table; otherwise the arm holds.
        """
        try:
            with self._arm.acting(action):
                yield
        except RobotFault as fault:
            self._leave_if_operator_agrees(fault)
            raise RobotFault(f"{fault}; the operator allowed it to continue", recoverable=True) from fault

    def _leave_if_operator_agrees(self, fault: RobotFault) -> None:
        """Ask until the arm is out of every view; if the answer is no, raise the last fault."""
        while True:
            was_off = self._arm.needs_enabling()
            if not self._operator.may_continue(fault):
                raise fault
            try:
                # A stop after the question needs a question of its own before it is cleared.
                if was_off and self._arm.needs_enabling():
                    self.enable()
                self.acknowledge()
                return
            except RobotFault as newer:
                fault = newer

    def _check_ready(self, what: str) -> None:
        self._arm.check()
        if not self._ready:
            raise NotReset(f"{what} was called before reset; call reset first")

    def _check_free(self, what: str) -> None:
        self._check_ready(what)
        if self._held:
            raise AlreadyHolding(f"{what} was called while an object is held; nothing was moved; call place first")


class SawyerWithTruth(SawyerBackend):
    """The backend on a twin: it also offers `GroundTruth`, for benchmarks and judges, never for agents."""

    def __init__(self, *parts: Any, truth: GroundTruth) -> None:
        super().__init__(*parts)
        self._truth = truth

    def object_states(self) -> tuple[ObjectState, ...]:
        """See `GroundTruth.object_states`."""
        return self._truth.object_states()

    @property
    def max_objects(self) -> int:
        """See `GroundTruth.max_objects`."""
        return self._truth.max_objects

    def instance_maps(self) -> dict[str, Ids]:
        """See `GroundTruth.instance_maps`."""
        return self._truth.instance_maps()

    def depth_maps(self) -> dict[str, Floats32]:
        """See `GroundTruth.depth_maps`."""
        return self._truth.depth_maps()


def _outcome(*, held: bool, between: bool, blocked: bool) -> PickOutcome:
    if held:
        return PickOutcome.HELD
    if between:
        return PickOutcome.SLIPPED
    return PickOutcome.BLOCKED if blocked else PickOutcome.NOTHING_THERE
