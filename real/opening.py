"""Opens the Sawyer of a lab file: cameras first, then the robot; where one fails, what was opened is closed again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from tabletop_interaction.envs.errors import InvalidConfiguration
from tabletop_interaction.real.arm import Arm
from tabletop_interaction.real.backend import SawyerBackend
from tabletop_interaction.real.cameras import CameraArray, open_camera_array
from tabletop_interaction.real.clock import Clock, MonotonicClock
from tabletop_interaction.real.driver import SawyerDriver
from tabletop_interaction.real.intera_driver import open_intera_driver
from tabletop_interaction.real.lab_config import Lab, load_lab
from tabletop_interaction.real.moves import Moves
from tabletop_interaction.real.operator import Operator, Unattended
from tabletop_interaction.real.safety import check_level
from tabletop_interaction.real.settings import SawyerSettings, settings_of


def open_sawyer(split: str, config: str | Path | Lab | None, operator: Operator | None = None) -> SawyerBackend:
    """The Sawyer that a lab file describes, connected; nothing moves before the first reset.

    Args:
        split: which objects a twin draws; a real table ignores it.
        config: a lab file or what was read from one.
        operator: who lays the table; None for nobody (a twin lays its own).

    Raises:
        InvalidConfiguration: no lab file, a wrong one, or ruckig is missing; nothing was opened.
        CameraFault: a camera cannot be opened; nothing stays open.
        RobotUnavailable: the robot is not there; nothing stays open.
        RobotFault: it is not enabled, or stopped; nothing stays open.
    """
    lab = _lab_of(config)
    settings = settings_of(lab.settings)
    check_level(lab.base_from_arena, settings.safety)
    _check_ruckig()
    opened = ExitStack()
    try:
        if lab.driver == "twin":
            parts = _twin_parts(split, lab, settings, opened)
        else:
            parts = _robot_parts(lab, settings, opened)
        return assemble(lab, settings, parts, operator or parts.operator, opened.close)
    except BaseException:
        opened.close()
        raise


@dataclass(frozen=True, eq=False)
class Parts:
    """What a backend is made from.

    Attributes:
        driver: connected.
        clock: the driver's.
        cameras: open.
        operator: who lays the table where nobody else is named.
        about: plain JSON for the records.
    """

    driver: SawyerDriver
    clock: Clock
    cameras: CameraArray
    operator: Operator
    about: Mapping[str, Any]


def assemble(
    lab: Lab, settings: SawyerSettings, parts: Parts, operator: Operator, release: Callable[[], None]
) -> SawyerBackend:
    """A backend from open parts; `release` closes them."""
    moves = Moves(lab.base_from_arena, settings.motion, settings.safety)
    arm = Arm(parts.driver, parts.clock, moves, settings)
    about = {**parts.about, "base_from_arena": lab.base_from_arena.tolist(), "calibrations": _calibrations(lab)}
    return SawyerBackend(lab.arena, lab.views, arm, parts.cameras, operator, settings, about, release)


def _robot_parts(lab: Lab, settings: SawyerSettings, opened: ExitStack) -> Parts:
    cameras = open_camera_array(lab.cameras, lab.views)
    opened.callback(cameras.close)
    driver = open_intera_driver(settings)
    opened.callback(driver.close)
    return Parts(driver, MonotonicClock(), cameras, Unattended(), {"driver": driver.name})


def _twin_parts(split: str, lab: Lab, settings: SawyerSettings, opened: ExitStack) -> Parts:
    # The simulation is no part of a laboratory: it is imported for a twin alone.
    from tabletop_interaction.real.twin import open_twin

    twin = open_twin(split, lab.views)
    opened.callback(twin.close)
    driver = twin.connect(settings)
    opened.callback(driver.close)
    about = {"driver": driver.name, "split": split, "simulation": dict(twin.table.metadata)}
    return Parts(driver, twin.clock, twin.cameras, twin.operator, about)


def _lab_of(config: str | Path | Lab | None) -> Lab:
    if isinstance(config, Lab):
        return config
    if isinstance(config, str | Path):
        return load_lab(Path(config))
    raise InvalidConfiguration(
        f"config is {config!r}; the Sawyer takes the path of a lab file: make one with `tabletop calibrate start`, or "
        "give `tabletop_interaction.real.TWIN_LAB` for a simulated robot"
    )


def _calibrations(lab: Lab) -> list[dict[str, Any]]:
    return [{**asdict(each), "calibrated_at": each.calibrated_at.isoformat()} for each in lab.calibrations]


def _check_ruckig() -> None:
    if find_spec("ruckig") is None:
        raise InvalidConfiguration(
            "the Sawyer backend needs ruckig; nothing was opened; install it with "
            "`pip install 'tabletop-interaction[sawyer]'`"
        )
