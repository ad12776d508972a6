"""Open the Sawyer of a lab file: cameras first, then the robot; if one fails, everything opened before is closed."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabletop_interaction.envs.backend import GroundTruth
from tabletop_interaction.errors import InvalidConfiguration, MissingPackage
from tabletop_interaction.extras import install_command
from tabletop_interaction.ranges import shown
from tabletop_interaction.real.arm.arm import SawyerArm
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.intera_connection import open_intera_driver
from tabletop_interaction.real.arm.safety import check_level
from tabletop_interaction.real.backend import SawyerBackend, SawyerWithTruth
from tabletop_interaction.real.calibration.arm_response import check_response
from tabletop_interaction.real.cameras.array import CameraArray, open_camera_array
from tabletop_interaction.real.lab.lab import Lab, lab_from_plain, load_lab
from tabletop_interaction.real.operator import BesideTwin, Operator, Unattended


def open_sawyer(
    split: str, config: str | Path | Lab | Mapping[str, Any] | None, operator: Operator | None = None
) -> SawyerBackend:
    """The connected Sawyer of a lab file; nothing moves before the first reset.

    Args:
        split: the objects that a twin draws; a real table ignores it.
        config: a lab file, a `Lab`, its fields as JSON reads them, or "twin" for the twin's own lab file.
        operator: lays the table and answers after a fault; None if nobody is there. A twin lays its own table.

    Raises:
        InvalidConfiguration: no lab file, a wrong one, or settings that contradict what was measured on the arm;
            nothing was opened.
        MissingPackage: ruckig is not installed; nothing was opened.
        CameraFault: a camera cannot be opened; nothing stays open.
        RobotUnavailable: the robot is not found, another program uses it, its gripper is not ready and the operator did
            not agree to calibrate it, or checks before the first move failed; nothing stays open.
        NoAnswer: the robot stopped answering while it was connected.
        RobotFault: the robot is not enabled, or stopped; nothing stays open.
    """
    lab = lab_of(config)
    check_level(lab.base_from_arena, lab.settings.safety)
    check_response(lab.measured, lab.settings)
    _check_ruckig()
    opened = ExitStack()
    try:
        return _open_twin(split, lab, operator, opened) if lab.driver == "twin" else _open_robot(lab, operator, opened)
    except BaseException:
        opened.close()
        raise


def lab_of(config: str | Path | Lab | Mapping[str, Any] | None) -> Lab:
    """The laboratory that `open_sawyer` opens for `config`; InvalidConfiguration if there is none."""
    if isinstance(config, Lab):
        return config
    if isinstance(config, Mapping):
        return lab_from_plain(config)
    if isinstance(config, str | Path):
        return load_lab(config)
    raise InvalidConfiguration(
        f"config is {shown(config)}; the Sawyer takes the path of a lab file: make one with `tabletop calibrate "
        "start`, or give 'twin' for a simulated robot"
    )


def assemble(
    lab: Lab,
    driver: SawyerDriver,
    clock: Clock,
    cameras: CameraArray,
    operator: Operator,
    about: Mapping[str, Any],
    release: Callable[[], None],
    truth: GroundTruth | None = None,
) -> SawyerBackend:
    """A backend from a connected driver and open cameras; `release` closes all parts.

    `about` is plain JSON for the records; `truth` is the true state of a twin's objects, None for a robot.
    """
    settings = lab.settings
    arm = SawyerArm(driver, clock, lab.moves, settings)
    calibrations = [{**asdict(each), "calibrated_at": each.calibrated_at.isoformat()} for each in lab.calibrations]
    about = {**about, "base_from_arena": lab.base_from_arena.tolist(), "calibrations": calibrations}
    if lab.obstacles:
        about["obstacles"] = {name: asdict(box) for name, box in lab.obstacles.items()}
    parts = (lab, arm, cameras, operator, about, release)
    return SawyerBackend(*parts) if truth is None else SawyerWithTruth(*parts, truth=truth)


def _open_robot(lab: Lab, operator: Operator | None, opened: ExitStack) -> SawyerBackend:
    cameras = open_camera_array(lab.cameras, lab.views, lab.crops)
    opened.callback(cameras.close)
    operator = operator or Unattended()
    driver = open_intera_driver(lab.settings, operator.may_calibrate)
    opened.callback(driver.close)
    about = {"driver": lab.driver, "robot": driver.name}
    return assemble(lab, driver, MonotonicClock(), cameras, operator, about, opened.close)


def _open_twin(split: str, lab: Lab, person: Operator | None, opened: ExitStack) -> SawyerBackend:
    # A robot does not need the simulation: only a twin imports it.
    from tabletop_interaction.real.twin import open_twin

    twin = open_twin(split, lab.views)
    opened.callback(twin.close)
    operator = twin.operator if person is None else BesideTwin(twin.operator, person)
    driver = twin.connect(lab.settings, operator.may_calibrate)
    opened.callback(driver.close)
    simulation = dict(twin.table.metadata)
    about = {
        "driver": lab.driver,
        "robot": driver.name,
        "split": split,
        "renderer": simulation["renderer"],
        "simulation": simulation,
    }
    return assemble(lab, driver, twin.clock, twin.cameras, operator, about, opened.close, twin.table)


def _check_ruckig() -> None:
    if find_spec("ruckig") is None:
        raise MissingPackage(
            f"the Sawyer backend needs ruckig; nothing was opened; install it with `{install_command('sawyer')}`"
        )
