"""What is put into a fake arm or the twin is measured back; motions are small, slow, checked and end at a fault."""

from dataclasses import replace

import numpy as np
import pytest

from tabletop_interaction.errors import CalibrationRejected, RobotFault, UnreachableTarget
from tabletop_interaction.real.arm.moves import Moves
from tabletop_interaction.real.arm.settings import RATE_HZ, SafetySettings, SawyerSettings
from tabletop_interaction.real.calibration.arm_measuring import MEASURING_RATIO, measure_arm, swing
from tabletop_interaction.real.calibration.arm_response import Arrivals
from tabletop_interaction.real.calibration.stop_button import Task, try_stop_button
from tabletop_interaction.real.checks.examination import slowed
from tabletop_interaction.sawyer.kinematics import MAX_SPEED

SETTINGS = slowed(SawyerSettings(), MEASURING_RATIO)


class _Follower:
    """Makes a fake arm follow its commands like a robot: late, with an offset, limited in speed, noisy."""

    def __init__(self, sawyer, lag_s=0.05, error=0.003, noise_n=0.4, timeout_s=0.2):
        self.sawyer, self.lag_s, self.error, self.noise_n, self.timeout_s = sawyer, lag_s, error, noise_n, timeout_s
        self.rng, self.sent = np.random.default_rng(0), [(-1e9, sawyer.positions)]
        self.target, self.time = sawyer.positions, sawyer.clock.time
        self.state_of, sawyer.state = sawyer.state, self.state
        sawyer.command = self.command

    def command(self, positions):
        self.sent.append((self.sawyer.clock.time, positions))

    def state(self):
        clock, limit = self.sawyer.clock.time, 1.2 * MEASURING_RATIO * MAX_SPEED
        while self.time < clock - 1e-9:
            self.time = min(self.time + 0.002, clock)
            sent_at, goal = next(each for each in reversed(self.sent) if each[0] <= self.time - self.lag_s)
            if self.time - self.lag_s - sent_at < self.timeout_s:
                self.target = self.target + np.clip(goal - self.target, -0.002 * limit, 0.002 * limit)
        force = self.rng.normal((0, 0, 4.6), self.noise_n)
        self.sawyer.positions = self.target + self.error
        return replace(self.state_of(), tip_force=force)


@pytest.fixture
def moves(quick_lab):
    return Moves(quick_lab.base_from_arena, SETTINGS.motion, SETTINGS.safety)


def _measure(sawyer, moves, settings=SETTINGS, joints=(0, 6)):
    return measure_arm(sawyer, sawyer.clock, moves, settings, rest_s=2.0, joints=joints)


def test_the_known_figures_of_an_arm_are_measured(sawyer, moves):
    _Follower(sawyer, lag_s=0.08, error=0.004, noise_n=0.5, timeout_s=0.2)
    measured = _measure(sawyer, moves)
    assert measured.lag_s[0] == pytest.approx(0.08, abs=0.01)
    assert measured.lag_s[6] == pytest.approx(0.08, abs=0.01)
    assert measured.steady_error_rad[0] == pytest.approx(0.004, abs=0.0005)
    assert measured.force_at_rest.rms_n == pytest.approx(0.5 * np.sqrt(3), rel=0.1)
    assert measured.force_moving.rms_n == pytest.approx(0.5 * np.sqrt(3), rel=0.1)
    assert measured.command_timeout_s == pytest.approx(0.2, abs=0.03)
    assert len(measured.topics) == 4
    assert measured.topics["/robot/joint_states"].rate_hz == pytest.approx(200, rel=0.05)


def test_a_topic_that_is_slow_is_recorded(sawyer, moves):
    follower = _Follower(sawyer)
    reported = follower.state_of

    def slow():
        stamp = np.floor(sawyer.clock.time / 0.1) * 0.1
        sawyer.reported["stamps"] = {"/robot/limb/right/endpoint_state": stamp}
        return reported()

    follower.state_of = slow
    topics = _measure(sawyer, moves, joints=(0,)).topics
    assert topics["/robot/limb/right/endpoint_state"] == Arrivals(pytest.approx(10, abs=0.5), pytest.approx(0.1))


def test_an_arm_without_a_command_timeout_is_reported(sawyer, moves):
    _Follower(sawyer, timeout_s=np.inf)
    assert _measure(sawyer, moves, joints=(0,)).command_timeout_s is None


def test_each_joint_that_is_not_moved_gets_the_worst_figure(sawyer, moves):
    _Follower(sawyer)
    measured = _measure(sawyer, moves, joints=(0,))
    assert len(set(measured.lag_s)) == 1


def test_noise_above_the_limit_is_refused_before_anything_moves(sawyer, moves):
    follower = _Follower(sawyer, noise_n=4.0)
    with pytest.raises(CalibrationRejected, match=r"the force at the tip changes by .* N while the arm holds still"):
        _measure(sawyer, moves)
    assert len(follower.sent) == 1


def test_a_stop_while_measuring_is_a_fault_and_nothing_is_sent_after_it(sawyer, moves):
    follower = _Follower(sawyer)
    sawyer.clock.at(4.0, lambda: sawyer.reported.update(estop_pressed=True, stopped=True, enabled=False))
    with pytest.raises(RobotFault, match="measuring the arm: the stop button was pressed"):
        _measure(sawyer, moves)
    sent = len(follower.sent)
    assert follower.sent[-1][0] <= 104.03
    sawyer.clock.sleep(1.0)
    assert len(follower.sent) == sent


def test_an_arm_over_the_table_is_not_measured(sawyer, moves):
    sawyer.positions = sawyer.positions + 0.3
    with pytest.raises(RobotFault, match="not away from the table"):
        _measure(sawyer, moves)
    assert sawyer.commands == []


def test_every_command_was_checked_before(sawyer, moves, monkeypatch):
    follower, checked = _Follower(sawyer), []
    check = Moves.check
    monkeypatch.setattr(Moves, "check", lambda self, commands: (checked.extend(commands), check(self, commands)))
    _measure(sawyer, moves, joints=(0,))
    known = {tuple(q) for q in checked}
    assert len(follower.sent) > 1000
    assert all(tuple(q) in known for _, q in follower.sent[1:])


def test_a_motion_outside_the_workspace_is_refused(sawyer, moves):
    narrow = replace(moves, safety=SafetySettings(workspace_low=(-0.9, 0.4, 0.006)))
    with pytest.raises(RobotFault) as caught:
        _measure(sawyer, narrow)
    assert isinstance(caught.value.__cause__, UnreachableTarget)


@pytest.mark.parametrize("joint", range(7))
def test_every_swing_is_small_slow_and_smooth(joint, sawyer):
    commands = swing(sawyer.positions, joint)
    path = np.vstack([sawyer.positions, commands]) - sawyer.positions
    speed, acceleration = (np.diff(path, n, axis=0) * RATE_HZ**n for n in (1, 2))
    assert np.abs(path).max() <= 0.04
    assert np.abs(speed[:, joint]).max() < MEASURING_RATIO * MAX_SPEED[joint]
    assert np.abs(acceleration).max() < 0.2
    assert np.array_equal(path[-1], np.zeros(7))
    assert not np.delete(path, joint, axis=1).any()


def test_the_twin_gives_back_a_lag_that_is_put_into_it(open_twin_table, moves):
    table = open_twin_table()
    robot, commanded = table.twin.robot, table.twin.robot.command
    with table.backend:
        driver = table.twin.connect(SETTINGS)
        prompt = measure_arm(driver, table.twin.clock, moves, SETTINGS, rest_s=0.2, joints=(4,))
        robot.command = lambda q: robot.at(0.05, lambda: commanded(q))
        late = measure_arm(driver, table.twin.clock, moves, SETTINGS, rest_s=0.2, joints=(4,))
    assert late.lag_s[4] - prompt.lag_s[4] == pytest.approx(0.05, abs=0.01)
    assert prompt.command_timeout_s == pytest.approx(0.2, abs=0.02)


class _Beside:
    """Does the tasks on a fake arm; `drops_at` is the task after which the gripper has opened."""

    def __init__(self, sawyer, drops_at=None, gives=True):
        self.sawyer, self.drops_at, self.gives, self.tasks = sawyer, drops_at, gives, []
        self.moved = sawyer.move_fingers
        sawyer.move_fingers = self.move

    def move(self, opening):
        self.moved(max(opening, 0.02) if self.gives else opening)
        self.sawyer.grip = {"gripping": self.gives and opening < 0.02, "force": 12.0}

    def __call__(self, task):
        self.tasks.append(task)
        if task is Task.PRESS:
            pressed = {"estop_pressed": True, "stopped": True, "enabled": False}
            self.sawyer.clock.at(0.5, lambda: self.sawyer.reported.update(pressed))
        if task is self.drops_at:
            self.sawyer.clock.at(1.0, lambda: self.sawyer.grip.update(gripping=False, opening=0.03))


def test_the_stop_button_is_tried_with_a_held_object_and_no_command_to_the_arm(sawyer):
    person = _Beside(sawyer)
    tried = try_stop_button(sawyer, sawyer.clock, SETTINGS, person)
    assert person.tasks == [Task.GIVE, Task.PRESS, Task.RELEASE, Task.TAKE]
    for grip in (tried.held, tried.stopped, tried.enabled):
        assert (grip.opening_m, grip.force_n, grip.gripping) == (0.02, 12.0, True)
    assert sawyer.commands == []


@pytest.mark.parametrize(("drops_at", "kept"), [(Task.PRESS, (False, False)), (Task.RELEASE, (True, False))])
def test_an_object_that_is_dropped_is_recorded(sawyer, drops_at, kept):
    tried = try_stop_button(sawyer, sawyer.clock, SETTINGS, _Beside(sawyer, drops_at))
    assert (tried.stopped.gripping, tried.enabled.gripping) == kept


def test_a_gripper_that_gets_nothing_is_rejected_after_three_tries(sawyer):
    person = _Beside(sawyer, gives=False)
    with pytest.raises(CalibrationRejected, match="held nothing after 3 tries"):
        try_stop_button(sawyer, sawyer.clock, SETTINGS, person)
    assert person.tasks == [Task.GIVE] * 3


def test_a_button_that_is_not_reported_is_rejected(sawyer):
    person = _Beside(sawyer)
    sawyer.clock.at = lambda *_: None
    with pytest.raises(CalibrationRejected, match="no stop within 120 s"):
        try_stop_button(sawyer, sawyer.clock, SETTINGS, person)
