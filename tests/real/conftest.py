"""Fixtures of the robot's tests: a fake arm, and a twin."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from loading import load_module

from tabletop_interaction.arrays import Floats
from tabletop_interaction.real import TWIN_LAB, InteraDriver, SawyerBackend
from tabletop_interaction.real.arm.driver import (
    COLLISION_TOPIC,
    FORCE_TOPIC,
    JOINT_STATES_TOPIC,
    ROBOT_TOPIC,
    ArmState,
    GripperState,
    Heard,
)
from tabletop_interaction.real.arm.settings import FULL_OPENING_M, MotionSettings, SawyerSettings
from tabletop_interaction.real.lab.lab import Lab, load_lab
from tabletop_interaction.real.opening import assemble
from tabletop_interaction.real.twin import Twin, open_twin
from tabletop_interaction.real.twin.robot import AssemblyState, TwinFaults

TOPICS = (JOINT_STATES_TOPIC, FORCE_TOPIC, COLLISION_TOPIC, ROBOT_TOPIC)


class FakeClock:
    """A clock that advances in `sleep`; `at` calls an action at its time."""

    def __init__(self) -> None:
        self.time = 100.0
        self._due: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(seconds, 0.0)
        due = [action for time, action in self._due if time <= self.time]
        self._due = [(time, action) for time, action in self._due if time > self.time]
        for action in due:
            action()

    def at(self, seconds: float, action: Callable[[], None]) -> None:
        self._due.append((self.time + seconds, action))


class FakeSawyer:
    """A driver whose arm jumps to each command; `reported` and `grip` replace what it reports.

    `reported["stamps"]` are the arrivals of some topics.
    """

    name = "fake"
    findings = ()

    def __init__(self, clock: FakeClock) -> None:
        self.clock = clock
        self.positions = np.array(MotionSettings().away)
        self.opening = FULL_OPENING_M
        self.reported: dict[str, Any] = {}
        self.grip: dict[str, Any] = {}
        self.commands: list[Floats] = []
        self.holds = 0
        self.deaf = False

    def state(self) -> ArmState:
        reported = dict(self.reported)
        stamps = dict.fromkeys(TOPICS, self.clock.time) | reported.pop("stamps", {})
        heard = {topic: Heard(stamp) for topic, stamp in stamps.items()}
        healthy = ArmState(self.positions, np.zeros(7), np.zeros(3), True, False, False, False, False, heard)
        return replace(healthy, **reported)

    def command(self, positions: Floats) -> None:
        self.positions = positions
        self.commands.append(positions)

    def hold(self) -> None:
        self.holds += 1

    def gripper(self) -> GripperState:
        return replace(GripperState(self.opening, 0.0, False, False, self.clock.time), **self.grip)

    def move_fingers(self, opening: float) -> None:
        if not self.deaf:
            self.opening = opening

    def enable(self) -> None:
        self.reported = {}

    def check_connection(self) -> None:
        pass

    def close(self) -> None:
        self.hold()


@pytest.fixture
def sawyer() -> FakeSawyer:
    """A healthy arm, away from the table, with a clock that does not wait."""
    return FakeSawyer(FakeClock())


@pytest.fixture(scope="session")
def quick_lab() -> Lab:
    """The twin's laboratory with the arm at its rated speeds: fewer steps to simulate."""
    quick = MotionSettings(speed_ratio=0.95, acceleration_ratio=1.0, ramp_s=0.05, descent_m_s=0.25, sweep_m_s=0.4)
    return replace(load_lab(TWIN_LAB), settings=SawyerSettings(quick))


@dataclass(frozen=True)
class TwinTable:
    """A backend on a twin, and the twin itself."""

    backend: SawyerBackend
    twin: Twin
    driver: InteraDriver


@pytest.fixture(scope="session")
def open_twin_table(quick_lab: Lab) -> Callable[..., TwinTable]:
    """Opens a backend on a new twin, as `open_sawyer` does, and returns both."""

    def opened() -> TwinTable:
        twin = open_twin("train", quick_lab.views)
        driver = twin.connect(quick_lab.settings)
        parts = (driver, twin.clock, twin.cameras, twin.operator, {"driver": "twin"}, twin.close)
        return TwinTable(assemble(quick_lab, *parts), twin, driver)

    return opened


@pytest.fixture(scope="module")
def table(open_twin_table: Callable[..., TwinTable]) -> Iterator[TwinTable]:
    """One twin for a module's tests; each lays its own scene."""
    with (opened := open_twin_table()).backend:
        yield opened


@pytest.fixture
def twin(table: TwinTable) -> Iterator[Twin]:
    """The module's twin, healthy before and after each test."""

    def heal() -> None:
        table.twin.robot.faults = TwinFaults()
        table.twin.robot.state = AssemblyState()
        table.twin.robot.speed_ratio = 0.95

    heal()
    yield table.twin
    heal()


@pytest.fixture(scope="session")
def rendered() -> Any:
    """The module rendered_boards.py: boards and a laboratory, photographed by the simulation's renderer."""
    return load_module(Path(__file__).parent / "rendered_boards.py")


@pytest.fixture(scope="session")
def rendered_lab(rendered: Any) -> Any:
    """One laboratory for all tests: its pictures are taken once."""
    return rendered.RenderedLab()
