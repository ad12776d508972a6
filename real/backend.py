"""The Sawyer at a table behind the Backend protocol: what a pick, a place and a sweep are made of.

Every way is planned and checked before the arm moves. After a fault the arm holds until the operator says that it may
go on: when the backend's own operator says yes, or by `enable` after a stop and `acknowledge` always. What was being
done is lost even so: the fault then reaches the caller as one that is recoverable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from importlib.metadata import version
from types import TracebackType
from typing import Any, Self

from numpy.random import Generator

from tabletop_interaction.envs.backend import Arena, Grasp, PickOutcome, Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import AlreadyHolding, NotReset, RobotFault
from tabletop_interaction.real.arm.arm import Arm
from tabletop_interaction.real.arm.safety import check_inside
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.cameras.array import CameraArray, wait_until_still
from tabletop_interaction.real.operator import Operator

_PACKAGES = ("tabletop-interaction", "numpy", "opencv-python-headless", "ruckig")


class SawyerBackend:
    """A Sawyer, its gripper and the cameras around its table.

    Args:
        arena: the reachable rectangle of the table.
        views: the calibrated cameras.
        arm: moves.
        cameras: see; of the same names as `views`.
        operator: lays the table, and is asked after a fault.
        settings: heights and limits.
        about: plain JSON for the records: which driver, which calibration.
        release: closes arm and cameras.
    """

    def __init__(
        self,
        arena: Arena,
        views: tuple[View, ...],
        arm: Arm,
        cameras: CameraArray,
        operator: Operator,
        settings: SawyerSettings,
        about: Mapping[str, Any],
        release: Callable[[], None],
    ) -> None:
        self._arena = arena
        self._views = views
        self._arm = arm
        self._cameras = cameras
        self._operator = operator
        self._settings = settings
        self._about = dict(about)
        self._ready = False
        self._held = False
        self._held_angle = 0.0
        self._release = release
        self._closed = False

    @property
    def arena(self) -> Arena:
        """The reachable rectangle of the table."""
        return self._arena

    @property
    def views(self) -> tuple[View, ...]:
        """The calibrated cameras."""
        return self._views

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
            "versions": {name: version(name) for name in _PACKAGES},
            "settings": asdict(self._settings),
        }

    def observe(self) -> Pictures:
        """RGB pictures in which nothing moves any more, all taken since the arm stood still.

        Raises:
            NotReset: before the first reset.
            RobotFault: a fault is not acknowledged: the arm may be in view.
            CameraFault: a camera gives no new picture in time, or something keeps moving.
            BlankPicture: a camera gives a picture of one colour.
        """
        self._check_ready("observe")
        return wait_until_still(self._cameras, newer_than=self._arm.stopped_at, clock=self._arm.clock)

    def pick(self, x: float, y: float, angle: float) -> Grasp:
        """See `Backend.pick`. A gripper feels no nudge: the outcome is never PUSHED_AWAY.

        Raises:
            UnreachableTarget: nothing was moved.
            AlreadyHolding: something is held; nothing was moved.
            RobotFault: the arm stopped; it holds, and keeps what it grips.
        """
        self._check_free("pick")
        check_inside(self._arena, "pick", x, y)
        arm, moves = self._arm, self._arm.moves
        above = moves.above(arm.here, x, y, angle)
        down = moves.down(x, y, angle, self._settings.motion.grasp_m)
        with self._acting("picking"):
            arm.open()
            arm.follow(above)
            blocked = not arm.press(down)
            between = arm.close()
            self._held, self._held_angle = between, angle
            arm.leave()
            self._held = arm.grips()
        return Grasp(_outcome(held=self._held, between=between, blocked=blocked))

    def place(self, x: float, y: float) -> None:
        """See `Backend.place`.

        Raises:
            UnreachableTarget: nothing was moved.
            RobotFault: the arm stopped; it holds, and keeps what it grips.
        """
        self._check_ready("place")
        check_inside(self._arena, "place", x, y)
        if not self._held:
            return
        arm, moves, motion = self._arm, self._arm.moves, self._settings.motion
        above = moves.above(arm.here, x, y, self._held_angle)
        down = moves.down(x, y, self._held_angle, motion.grasp_m + motion.release_above_m)
        with self._acting("placing"):
            arm.follow(above)
            arm.press(down)
            arm.open()
            self._held = False
            arm.leave()

    def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
        """See `Backend.sweep`; it ends where the gripper presses on something too heavy to push.

        Raises:
            UnreachableTarget: nothing was moved.
            AlreadyHolding: something is held; nothing was moved.
            RobotFault: the arm stopped; it holds.
        """
        self._check_free("sweep")
        check_inside(self._arena, "sweep", *start_xy)
        check_inside(self._arena, "sweep", *end_xy)
        arm = self._arm
        above, down, along = arm.moves.sweep(arm.here, start_xy, end_xy)
        with self._acting("sweeping"):
            arm.close()
            arm.follow(above)
            if arm.press(down):
                arm.press(along)
            arm.leave()
            arm.open()

    def reset(self, rng: Generator, *, new_scene: bool) -> int:
        """See `Backend.reset`; the operator lays new scenes and brings back what left the arena.

        Raises:
            RobotFault: the arm stopped, or a fault is not acknowledged; it holds.
        """
        self._arm.check()
        if not self._ready:
            with self._acting("leaving the table"):
                self._arm.leave()
            self._ready, self._held = True, self._arm.grips()
        self.place(*self._arena.centre)
        with self._acting("opening"):
            self._arm.open()
        if new_scene:
            self._operator.lay_table(rng)
            return 0
        return self._operator.bring_back(rng)

    def enable(self) -> None:
        """The operator's word that the motors may be enabled after a stop; nothing moves yet.

        Raises:
            RobotFault: the robot cannot be enabled.
        """
        self._arm.enable()

    def acknowledge(self) -> None:
        """The operator's word that the arm may go on after a fault: it rises and leaves the views with what it grips.

        Raises:
            RobotFault: the robot is not fit to move, or was stopped again.
        """
        self._arm.acknowledge()
        self._ready, self._held = True, self._arm.grips()

    def close(self) -> None:
        """Hold, and let go of robot and cameras; calling it again does nothing."""
        if self._closed:
            return
        self._closed = True
        self._release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    @contextmanager
    def _acting(self, doing: str) -> Iterator[None]:
        """Move in this block; see `Arm.acting`. After a fault the operator is asked.

        Raises:
            RobotFault: recoverable when the arm has left the table by the operator's word; else it holds.
        """
        try:
            with self._arm.acting(doing):
                yield
        except RobotFault as fault:
            self._leave_by_the_operators_word(fault)
            raise RobotFault(f"{fault}; the operator let it go on", recoverable=True) from fault

    def _leave_by_the_operators_word(self, fault: RobotFault) -> None:
        """Ask until the arm is out of every view, or the answer is no: then the last fault is raised."""
        while True:
            was_off = self._arm.needs_enabling()
            if not self._operator.may_go_on(fault):
                raise fault
            try:
                # A stop that came after the question is asked about before it is cleared.
                if was_off and self._arm.needs_enabling():
                    self.enable()
                self.acknowledge()
                return
            except RobotFault as still:
                fault = still

    def _check_ready(self, what: str) -> None:
        self._arm.check()
        if not self._ready:
            raise NotReset(f"{what} was called before reset; call reset first")

    def _check_free(self, what: str) -> None:
        self._check_ready(what)
        if self._held:
            raise AlreadyHolding(f"{what} was called while something is held; nothing was moved; call place first")


def _outcome(*, held: bool, between: bool, blocked: bool) -> PickOutcome:
    if held:
        return PickOutcome.HELD
    if between:
        return PickOutcome.SLIPPED
    return PickOutcome.BLOCKED if blocked else PickOutcome.NOTHING_THERE
