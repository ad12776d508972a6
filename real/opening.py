"""Opens the Sawyer of a lab file: cameras first, then the robot; where one fails, what was opened is closed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabletop_interaction.envs.backend import GroundTruth
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.arm import Arm
from tabletop_interaction.real.arm.clock import Clock, MonotonicClock
from tabletop_interaction.real.arm.driver import SawyerDriver
from tabletop_interaction.real.arm.intera_driver import open_intera_driver
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.safety import check_level
from tabletop_interaction.real.arm.settings import SawyerSettings, settings_of
from tabletop_interaction.real.backend import SawyerBackend
from tabletop_interaction.real.cameras.array import CameraArray, open_camera_array
from tabletop_interaction.real.lab.config import Lab, load_lab
from tabletop_interaction.real.operator import BesideTwin, Operator, Unattended
from tabletop_interaction.real.truth import SawyerWithTruth

TWIN_LAB = Path(__file__).parent / "twin" / "lab.yaml"
"""A lab file for a simulated robot: the simulation's table and cameras as if they had been calibrated."""

TWIN = "twin"
"""Stands for `TWIN_LAB` wherever the path of a lab file is asked for."""


def open_sawyer(split: str, config: str | Path | Lab | None, operator: Operator | None = None) -> SawyerBackend:
    """The Sawyer that a lab file describes, connected; nothing moves before the first reset.

    Args:
        split: which objects a twin draws; a real table ignores it.
        config: a lab file, what was read from one, or "twin" for the laboratory that comes with the package.
        operator: who lays the table and is asked after a fault; None for nobody. A twin lays its own table.

    Raises:
        InvalidConfiguration: no lab file, a wrong one, or ruckig is missing; nothing was opened.
        CameraFault: a camera cannot be opened; nothing stays open.
        RobotUnavailable: the robot is not there; nothing stays open.
        RobotFault: it is not enabled, or stopped; nothing stays open.
    """
    lab = lab_of(config)
    settings = settings_of(lab.settings)
    check_level(lab.base_from_arena, settings.safety)
    _check_ruckig()
    opened = ExitStack()
    try:
        if lab.driver == "twin":
            parts = _twin_parts(split, lab, settings, opened)
        else:
            parts = _robot_parts(lab, settings, opened)
        return assemble(lab, settings, parts, _operator_of(lab, parts, operator), opened.close)
    except BaseException:
        opened.close()
        raise


def lab_of(config: str | Path | Lab | None) -> Lab:
    """The laboratory that `open_sawyer` would open.

    Raises:
        InvalidConfiguration: no lab file, or a wrong one.
    """
    if isinstance(config, Lab):
        return config
    if config in (TWIN, Path(TWIN)):
        return load_lab(TWIN_LAB)
    if isinstance(config, str | Path):
        return load_lab(Path(config))
    raise InvalidConfiguration(
        f"config is {config!r}; the Sawyer takes the path of a lab file: make one with `tabletop calibrate start`, or "
        "give 'twin' for a simulated robot"
    )


@dataclass(frozen=True, eq=False)
class Parts:
    """What a backend is made from.

    Attributes:
        driver: connected.
        clock: the driver's.
        cameras: open.
        operator: lays the table where nobody else is named.
        about: plain JSON for the records.
        truth: where the objects of a twin truly are.
    """

    driver: SawyerDriver
    clock: Clock
    cameras: CameraArray
    operator: Operator
    about: Mapping[str, Any]
    truth: GroundTruth | None = None


def assemble(
    lab: Lab, settings: SawyerSettings, parts: Parts, operator: Operator, release: Callable[[], None]
) -> SawyerBackend:
    """A backend from open parts; `release` closes them."""
    moves = Moves(lab.base_from_arena, settings.motion, settings.safety)
    arm = Arm(parts.driver, parts.clock, moves, settings)
    about = {**parts.about, "base_from_arena": lab.base_from_arena.tolist(), "calibrations": _calibrations(lab)}
    made_from = (lab.arena, lab.views, arm, parts.cameras, operator, settings, about, release)
    return SawyerBackend(*made_from) if parts.truth is None else SawyerWithTruth(*made_from, truth=parts.truth)


def _robot_parts(lab: Lab, settings: SawyerSettings, opened: ExitStack) -> Parts:
    cameras = open_camera_array(lab.cameras, lab.views)
    opened.callback(cameras.close)
    driver = open_intera_driver(settings)
    opened.callback(driver.close)
    return Parts(driver, MonotonicClock(), cameras, Unattended(), {"driver": lab.driver, "robot": driver.name})


def _twin_parts(split: str, lab: Lab, settings: SawyerSettings, opened: ExitStack) -> Parts:
    # The simulation is no part of a laboratory: it is imported for a twin alone.
    from tabletop_interaction.real.twin import open_twin

    twin = open_twin(split, lab.views)
    opened.callback(twin.close)
    driver = twin.connect(settings)
    opened.callback(driver.close)
    simulation = dict(twin.table.metadata)
    about = {
        "driver": lab.driver,
        "robot": driver.name,
        "split": split,
        "renderer": simulation["renderer"],
        "simulation": simulation,
    }
    return Parts(driver, twin.clock, twin.cameras, twin.operator, about, twin.table)


def _operator_of(lab: Lab, parts: Parts, person: Operator | None) -> Operator:
    if person is None:
        return parts.operator
    return BesideTwin(parts.operator, person) if lab.driver == "twin" else person


def _calibrations(lab: Lab) -> list[dict[str, Any]]:
    return [{**asdict(each), "calibrated_at": each.calibrated_at.isoformat()} for each in lab.calibrations]


def _check_ruckig() -> None:
    if find_spec("ruckig") is None:
        raise InvalidConfiguration(
            "the Sawyer backend needs ruckig; nothing was opened; install it with "
            "`pip install 'tabletop-interaction[sawyer]'`"
        )
