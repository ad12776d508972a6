"""Open the Sawyer of a lab file: cameras first, then the robot; if one fails, everything opened before is closed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabletop_interaction.envs.backend import GroundTruth
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.arm import SawyerArm
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.intera_connection import open_intera_driver
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.safety import check_level
from tabletop_interaction.real.backend import SawyerBackend, SawyerWithTruth
from tabletop_interaction.real.cameras.array import CameraArray, open_camera_array
from tabletop_interaction.real.lab.lab import Lab, load_lab
from tabletop_interaction.real.operator import BesideTwin, Operator, Unattended


def open_sawyer(split: str, config: str | Path | Lab | None, operator: Operator | None = None) -> SawyerBackend:
    """The connected Sawyer of a lab file; nothing moves before the first reset.

    Args:
        split: the objects that a twin draws; a real table ignores it.
        config: a lab file, a `Lab`, or "twin" for the twin's own lab file.
        operator: lays the table and answers after a fault; None if nobody is there. A twin lays its own table.

    Raises:
        InvalidConfiguration: no lab file, a wrong one, or ruckig is missing; nothing was opened.
        CameraFault: a camera cannot be opened; nothing stays open.
        RobotUnavailable: the robot is not found; nothing stays open.
        RobotFault: the robot is not enabled, or stopped; nothing stays open.
    """
    lab = lab_of(config)
    check_level(lab.base_from_arena, lab.settings.safety)
    _check_ruckig()
    opened = ExitStack()
    try:
        parts = _twin_parts(split, lab, opened) if lab.driver == "twin" else _robot_parts(lab, opened)
        return assemble(lab, parts, _operator_of(lab, parts, operator), opened.close)
    except BaseException:
        opened.close()
        raise


def lab_of(config: str | Path | Lab | None) -> Lab:
    """The laboratory that `open_sawyer` opens for `config`.

    Raises:
        InvalidConfiguration: no lab file, or a wrong one.
    """
    if isinstance(config, Lab):
        return config
    if isinstance(config, str | Path):
        return load_lab(config)
    raise InvalidConfiguration(
        f"config is {config!r}; the Sawyer takes the path of a lab file: make one with `tabletop calibrate start`, or "
        "give 'twin' for a simulated robot"
    )


@dataclass(frozen=True, eq=False)
class OpenedParts:
    """The opened parts of a backend.

    Attributes:
        driver: connected.
        clock: of the driver.
        cameras: open.
        operator: lays the table if no person is named.
        about: plain JSON for the records.
        truth: true state of a twin's objects; None for a robot.
    """

    driver: SawyerDriver
    clock: Clock
    cameras: CameraArray
    operator: Operator
    about: Mapping[str, Any]
    truth: GroundTruth | None = None


def assemble(lab: Lab, parts: OpenedParts, operator: Operator, release: Callable[[], None]) -> SawyerBackend:
    """A backend from open parts; `release` closes them."""
    settings = lab.settings
    moves = Moves(lab.base_from_arena, settings.motion, settings.safety)
    arm = SawyerArm(parts.driver, parts.clock, moves, settings)
    calibrations = [{**asdict(each), "calibrated_at": each.calibrated_at.isoformat()} for each in lab.calibrations]
    about = {**parts.about, "base_from_arena": lab.base_from_arena.tolist(), "calibrations": calibrations}
    made_from = (lab.arena, lab.views, arm, parts.cameras, operator, settings, about, release)
    return SawyerBackend(*made_from) if parts.truth is None else SawyerWithTruth(*made_from, truth=parts.truth)


def _robot_parts(lab: Lab, opened: ExitStack) -> OpenedParts:
    cameras = open_camera_array(lab.cameras, lab.views, lab.crops)
    opened.callback(cameras.close)
    driver = open_intera_driver(lab.settings)
    opened.callback(driver.close)
    return OpenedParts(driver, MonotonicClock(), cameras, Unattended(), {"driver": lab.driver, "robot": driver.name})


def _twin_parts(split: str, lab: Lab, opened: ExitStack) -> OpenedParts:
    # A robot does not need the simulation: only a twin imports it.
    from tabletop_interaction.real.twin import open_twin

    twin = open_twin(split, lab.views)
    opened.callback(twin.close)
    driver = twin.connect(lab.settings)
    opened.callback(driver.close)
    simulation = dict(twin.table.metadata)
    about = {
        "driver": lab.driver,
        "robot": driver.name,
        "split": split,
        "renderer": simulation["renderer"],
        "simulation": simulation,
    }
    return OpenedParts(driver, twin.clock, twin.cameras, twin.operator, about, twin.table)


def _operator_of(lab: Lab, parts: OpenedParts, person: Operator | None) -> Operator:
    if person is None:
        return parts.operator
    return BesideTwin(parts.operator, person) if lab.driver == "twin" else person


def _check_ruckig() -> None:
    if find_spec("ruckig") is None:
        raise InvalidConfiguration(
            "the Sawyer backend needs ruckig; nothing was opened; install it with "
            "`pip install 'tabletop-interaction[sawyer]'`"
        )
