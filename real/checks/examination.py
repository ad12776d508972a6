"""Measure the parts of a laboratory, each within a time limit, and judge them by the checks of `diagnosis`.

Only `go_away` and `measure` move the arm; connecting sets its speed limit and command timeout, and moves no finger.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from time import monotonic

from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import GripperNotReady, InvalidConfiguration, PreflightFailed, TabletopError
from tabletop_interaction.extras import install_command
from tabletop_interaction.files import claimed_folder, write_file
from tabletop_interaction.findings import MAX_AGE_DAYS, Finding, found_by, refusal
from tabletop_interaction.real.arm.arm import SawyerArm
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.driver import ArmState, SawyerDriver
from tabletop_interaction.real.arm.intera_connection import CONNECT_S, open_intera_driver
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.safety import check_level
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.calibration.arm_measuring import MEASURING_RATIO, measure_arm
from tabletop_interaction.real.calibration.arm_response import ArmResponse
from tabletop_interaction.real.calibration.stop_button import Assistant, by_person, try_stop_button
from tabletop_interaction.real.cameras.array import CameraArray, open_camera_array, wait_until_still
from tabletop_interaction.real.checks import diagnosis
from tabletop_interaction.real.lab.lab import Lab, load_lab
from tabletop_interaction.real.ros.master import check_master
from tabletop_interaction.real.waiting import within

CAMERA_S = 15.0
"""Time allowed for one camera to open and to give two equal pictures."""

ROBOT_S = CONNECT_S + 15.0
"""Time allowed to connect and to close the connection."""

SLOW_RATIO = 0.1
"""Fraction of the rated joint speeds in `go_away`."""

_MASTER_S = 10.0
_SLOW_M_S = 0.04


@dataclass(frozen=True, eq=False)
class Equipment:
    """How to open the camera of a view and the driver, the driver's clock, and whether all of it is simulated: a twin
    needs no ROS master, and its calibration does not age. `assistant` stands beside the robot."""

    open_camera: Callable[[View], CameraArray]
    open_driver: Callable[[SawyerSettings], SawyerDriver]
    clock: Clock
    simulated: bool
    assistant: Assistant = by_person


@contextmanager
def opened_equipment(lab: Lab) -> Iterator[Equipment]:
    """The equipment of the robot or of the twin, by the lab file's driver."""
    if lab.driver == "twin":
        # A robot does not need the simulation: only a twin imports it.
        from tabletop_interaction.real.twin import open_twin

        with closing(open_twin("train", lab.views)) as twin:
            yield Equipment(twin.camera_of, twin.connect, twin.clock, simulated=True, assistant=twin.assistant)
        return
    yield Equipment(
        lambda view: open_camera_array({view.name: lab.cameras[view.name]}, (view,), lab.crops),
        open_intera_driver,
        MonotonicClock(),
        simulated=False,
    )


def examine(
    path: Path, now: datetime, max_age_days: float = MAX_AGE_DAYS, drawings: Path | None = None
) -> Iterator[Finding]:
    """Check the laboratory of a lab file at the time `now` in UTC, and draw it into the folder `drawings`, if any.

    A wrong file is the only finding.
    """
    try:
        lab = load_lab(path)
    except InvalidConfiguration as error:
        yield refusal("lab file", error)
        return
    arena = f"{lab.arena.x_max - lab.arena.x_min:.2f} x {lab.arena.y_max - lab.arena.y_min:.2f} m"
    yield Finding("lab file", True, f"{path}: driver {lab.driver}, {len(lab.views)} views, arena {arena}")
    with opened_equipment(lab) as equipment:
        yield from examine_lab(lab, equipment, now, max_age_days)
    yield from found_by("obstacles", lambda: [diagnosis.judge_obstacles(lab.moves)])
    if drawings is not None:
        yield from found_by("drawing", lambda: [_drawing(lab, drawings)])


def examine_lab(lab: Lab, equipment: Equipment, now: datetime, max_age_days: float) -> Iterator[Finding]:
    """Check calibration, the arm's measured response, reach, cameras, ROS master, robot and gripper, in this order."""
    settings, moves = lab.settings, lab.moves
    yield from found_by("table level", lambda: [_level(lab)])
    oldest = None if equipment.simulated else max_age_days
    yield from found_by("calibration", lambda: diagnosis.judge_calibrations(lab.calibrations, now, oldest))
    yield from found_by("arm response", lambda: [diagnosis.judge_response(lab.measured, settings, equipment.simulated)])
    yield from found_by("reach", lambda: [_reach(lab, moves)])
    for view in lab.views:
        yield from found_by(f"camera {view.name}", partial(_camera, view, equipment))
    yield from found_by("robot", lambda: _robot(settings, moves, equipment))


def go_away(lab: Lab, equipment: Equipment) -> bool:
    """Move the arm out of every view at a tenth of its rated speed, with all checks of a pick; the fingers stay.

    Returns:
        whether it had to move. RobotUnavailable and RobotFault are raised as by `open_driver` and `SawyerArm`.
    """
    lab = replace(lab, settings=slowed(lab.settings))
    check_level(lab.base_from_arena, lab.settings.safety)
    with closing(equipment.open_driver(lab.settings)) as driver:
        arm = SawyerArm(driver, equipment.clock, lab.moves, lab.settings)
        if arm.is_away():
            return False
        with arm.acting("moving away"):
            arm.leave()
    return True


def measure(lab: Lab, equipment: Equipment, *, stop_button: bool) -> ArmResponse:
    """Move the arm away as `go_away`, measure how it responds, and try the stop button if asked.

    Raises:
        InvalidConfiguration, RobotUnavailable, RobotFault: as for `go_away`.
        CalibrationRejected: the result would be useless.
    """
    go_away(lab, equipment)
    settings = slowed(lab.settings, MEASURING_RATIO)
    moves = replace(lab, settings=settings).moves
    with closing(equipment.open_driver(settings)) as driver:
        measured = measure_arm(driver, equipment.clock, moves, settings)
        if not stop_button:
            return measured
        return replace(measured, stop_button=try_stop_button(driver, equipment.clock, settings, equipment.assistant))


def slowed(settings: SawyerSettings, speed_ratio: float = SLOW_RATIO) -> SawyerSettings:
    """The settings with the speeds limited to `speed_ratio` of the rated joint speeds and to those of a first run."""
    motion = settings.motion
    slow = replace(
        motion,
        speed_ratio=min(speed_ratio, motion.speed_ratio),
        descent_m_s=min(_SLOW_M_S, motion.descent_m_s),
        sweep_m_s=min(_SLOW_M_S, motion.sweep_m_s),
    )
    return replace(settings, motion=slow)


def _drawing(lab: Lab, drawings: Path) -> Finding:
    # matplotlib takes a second to import.
    from tabletop_interaction.real.checks.drawing import draw_surroundings

    path = drawings / "laboratory.png"
    with claimed_folder(drawings, "doctor"):
        write_file(path, draw_surroundings(lab.moves, lab.arena))
    remedy = "look at it: add what the arm could meet and is not drawn to the section obstacles of the lab file"
    return Finding("drawing", True, f"{path}: arm, obstacles and arena from above and from the side", remedy)


def _level(lab: Lab) -> Finding:
    check_level(lab.base_from_arena, lab.settings.safety)
    return Finding("table level", True, f"within {lab.settings.safety.max_table_tilt_rad} rad of the arm's base")


def _reach(lab: Lab, moves: Moves) -> Finding:
    if find_spec("ruckig") is None:
        remedy = f"install it with `{install_command('sawyer')}`"
        return Finding("reach", False, "not checked: ruckig, which times every move, is not installed", remedy)
    return diagnosis.judge_reach(lab.arena, moves)


def _camera(view: View, equipment: Equipment) -> Iterator[Finding]:
    name = f"camera {view.name}"

    def look() -> float:
        with closing(equipment.open_camera(view)) as camera:
            start = monotonic()
            picture = wait_until_still(camera, newer_than=start)[view.name]
            assert picture.shape == (view.height, view.width, 3), "a camera array gives pictures of its views' size"
            return monotonic() - start

    took = within(CAMERA_S, name, look)
    yield Finding(name, True, f"still and new, {view.width} x {view.height} px, after {took:.1f} s")


def _robot(settings: SawyerSettings, moves: Moves, equipment: Equipment) -> Iterator[Finding]:
    if not equipment.simulated:
        try:
            yield Finding("ROS master", True, within(_MASTER_S, "the ROS master", check_master))
        except TabletopError as error:
            yield refusal("ROS master", error)
            yield from _not_checked("the ROS master does not answer", "robot", "gripper")
            return
    try:
        findings, arm, now = within(ROBOT_S, "the robot", lambda: _read(settings, equipment))
    except PreflightFailed as error:
        yield from error.findings
        yield from _not_checked("it must not move before the checks above pass", "robot")
        return
    except GripperNotReady as error:
        yield refusal("gripper", error)
        yield from _not_checked("its gripper is not ready", "robot")
        return
    except TabletopError as error:
        yield refusal("robot", error)
        yield from _not_checked("the robot is not connected", "gripper")
        return
    yield from findings
    yield diagnosis.judge_arm(arm, now, settings.safety, moves)


def _read(settings: SawyerSettings, equipment: Equipment) -> tuple[Sequence[Finding], ArmState, float]:
    with closing(equipment.open_driver(settings)) as driver:
        return driver.findings, driver.state(), equipment.clock.now()


def _not_checked(why: str, *names: str) -> Iterator[Finding]:
    for name in names:
        yield Finding(name, False, f"not checked: {why}", "solve the findings above first")
