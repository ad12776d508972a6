"""What the robot received and did: limits, smoothness, time to stop and silence after a stop.

Commands are judged per tick of 10 ms, as they are planned: if a tick is late, all later ones are late, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.real.arm.settings import RATE_HZ
from tabletop_interaction.sawyer.kinematics import MAX_ACCELERATION, MAX_SPEED
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES

TIMEOUT_S = 0.2
"""Command timeout of the robot; after a longer gap the arm is at rest."""

INTRUDER = "sawyer_intruder"
"""Name of the node that is not ours."""

_AT_REST = 0.01


@dataclass(frozen=True, eq=False)
class Rates:
    """Largest speed and acceleration of the commands as fractions of the rated values, and jerk, rad/s^3."""

    speed: float
    acceleration: float
    jerk: float


@dataclass(frozen=True, eq=False)
class Recording:
    """Commands and motion of the arm between two moments.

    Attributes:
        times: (n,) arrival of each command, `time.monotonic()` seconds.
        sent: (n,) when it was sent, as its header says.
        numbers: (n,) of the command, as the sender counts them.
        commands: (n, 7) radians.
        measured: (n, 7) where the arm was when it came.
        senders: the node that sent each.
        trace_times: (m,) seconds.
        trace: (m, 7) where the arm was.
        opening: of the gripper at the end, metres.
        holds: whether the gripper holds an object at the end.
        opened: how often the object has been released.
        enabled: whether the motors are on at the end.
    """

    times: Floats
    sent: Floats
    numbers: Floats
    commands: Floats
    measured: Floats
    senders: tuple[str, ...]
    trace_times: Floats
    trace: Floats
    opening: float
    holds: bool
    opened: int
    enabled: bool

    @classmethod
    def from_log(cls, log: dict[str, Any]) -> Recording:
        """The node's answer to `log`."""
        commands, trace = log["commands"], log["trace"]
        by_name = [dict(zip(each["names"], each["position"], strict=True)) for each in commands]
        return cls(
            times=np.array([each["time"] for each in commands]),
            sent=np.array([each["sent"] for each in commands]),
            numbers=np.array([each["number"] for each in commands]),
            commands=np.array([[each[name] for name in ARM_JOINT_NAMES] for each in by_name]).reshape(-1, 7),
            measured=np.array([each["q"] for each in commands]).reshape(-1, 7),
            senders=tuple(each["from"] for each in commands),
            trace_times=np.array([time for time, _ in trace]),
            trace=np.array([values[:7] for _, values in trace]).reshape(-1, 7),
            **{name: log[name] for name in ("opening", "holds", "opened", "enabled")},
        )

    def before(self, time: float) -> Recording:
        """The part before a time."""
        here, there = self.times < time, self.trace_times < time
        return replace(
            self,
            **{name: getattr(self, name)[here] for name in ("times", "sent", "numbers", "commands", "measured")},
            senders=self.senders[: int(here.sum())],
            trace_times=self.trace_times[there],
            trace=self.trace[there],
        )

    def travel(self) -> float:
        """Largest distance of a joint from where it began, radians."""
        return float(np.abs(self.trace - self.trace[:1]).max(initial=0.0))

    def stopped_after(self, since: float) -> float:
        """Seconds from `since` until the arm rests for good; 0 if it never moved."""
        speeds = np.abs(np.diff(self.trace, axis=0)).max(axis=1) / np.maximum(np.diff(self.trace_times), 1e-3)
        moving = self.trace_times[1:][speeds > _AT_REST]
        return float(max(moving[-1] - since, 0.0)) if len(moving) else 0.0

    def commands_after(self, since: float) -> int:
        """Number of our commands that came later than `since`."""
        ours = np.array([INTRUDER not in sender for sender in self.senders], bool)
        return int((ours & (self.times > since)).sum())

    def step_back(self, since: float) -> float:
        """How far a joint turned back after `since` against its direction of motion before, radians."""
        before = self.trace[(self.trace_times > since - 0.1) & (self.trace_times <= since)]
        if len(before) < 2:
            return 0.0
        along = (self.trace[self.trace_times > since] - before[-1]) * np.sign(before[-1] - before[0])
        return float((np.maximum.accumulate(along, axis=0) - along).max(initial=0.0))

    def rates(self) -> Rates:
        """Of all commands of one sender, in runs without a gap longer than the command timeout."""
        speed = acceleration = jerk = 0.0
        for run in self._runs():
            velocities = np.diff(run, axis=0) * RATE_HZ
            accelerations = np.diff(velocities, axis=0) * RATE_HZ
            speed = max(speed, float(np.abs(velocities / MAX_SPEED).max(initial=0.0)))
            acceleration = max(acceleration, float(np.abs(accelerations / MAX_ACCELERATION).max(initial=0.0)))
            jerk = max(jerk, float(np.abs(np.diff(accelerations, axis=0) * RATE_HZ).max(initial=0.0)))
        return Rates(speed, acceleration, jerk)

    def jumps(self) -> float:
        """Largest distance between the arm and the first command after a gap, when it has come to rest, radians."""
        starts = np.flatnonzero(np.diff(self.sent) > TIMEOUT_S) + 1
        return float(np.abs(self.commands[starts] - self.measured[starts]).max(initial=0.0))

    def _runs(self) -> list[Floats]:
        """Runs of commands: a run ends at a gap, and where the sender's queue lost a command."""
        ends = (np.diff(self.sent) > TIMEOUT_S) | (np.diff(self.numbers) != 1)
        return np.split(self.commands, np.flatnonzero(ends) + 1)
