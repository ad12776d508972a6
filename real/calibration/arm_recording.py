"""A driver that passes every call on and keeps what was commanded and reported, with times."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.findings import Finding
from tabletop_interaction.real.arm.clock import Clock
from tabletop_interaction.real.arm.driver import ArmState, GripperState, SawyerDriver
from tabletop_interaction.real.calibration.arm_response import Arrivals, arrivals_of


@dataclass(eq=False)
class RecordingDriver:
    """`driver` with a record of its states and commands since the last `begin`."""

    driver: SawyerDriver
    clock: Clock
    states: list[ArmState] = field(default_factory=list)
    sent: list[tuple[float, Floats]] = field(default_factory=list)

    def begin(self) -> None:
        """Begin a new record."""
        self.states, self.sent = [], []

    @property
    def commands(self) -> tuple[Floats, Floats]:
        """Times (T,) and joint angles (T, 7) of the commands."""
        return np.array([at for at, _ in self.sent]), np.array([q for _, q in self.sent])

    @property
    def joints(self) -> tuple[Floats, Floats]:
        """Times (N,) and joint angles (N, 7) of the joint states, each once."""
        stamps, first = np.unique([state.stamp for state in self.states], return_index=True)
        return stamps, np.array([self.states[at].positions for at in first])

    @property
    def forces(self) -> Floats:
        """(T, 3) force at the tip in every state, N."""
        return np.array([state.tip_force for state in self.states])

    def arrivals(self) -> dict[str, Arrivals]:
        """Rate and longest gap of the messages, by topic."""
        return {
            topic: arrivals_of(np.array([state.heard[topic].stamp for state in self.states]))
            for topic in self.states[0].heard
        }

    @property
    def name(self) -> str:
        """See `SawyerDriver.name`."""
        return self.driver.name

    @property
    def findings(self) -> Sequence[Finding]:
        """See `SawyerDriver.findings`."""
        return self.driver.findings

    def state(self) -> ArmState:
        """See `SawyerDriver.state`."""
        state = self.driver.state()
        self.states.append(state)
        return state

    def command(self, positions: Floats) -> None:
        """See `SawyerDriver.command`."""
        self.driver.command(positions)
        self.sent.append((self.clock.now(), positions))

    def hold(self) -> None:
        """See `SawyerDriver.hold`."""
        self.driver.hold()

    def gripper(self) -> GripperState:
        """See `SawyerDriver.gripper`."""
        return self.driver.gripper()

    def move_fingers(self, opening: float) -> None:
        """See `SawyerDriver.move_fingers`."""
        self.driver.move_fingers(opening)

    def enable(self) -> None:
        """See `SawyerDriver.enable`."""
        self.driver.enable()

    def check_connection(self) -> None:
        """See `SawyerDriver.check_connection`."""
        self.driver.check_connection()

    def close(self) -> None:
        """See `SawyerDriver.close`."""
        self.driver.close()
