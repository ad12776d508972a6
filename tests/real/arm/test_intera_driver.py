"""The driver reports what the SDK reports, holds only at recent joint angles, and finds joints by name."""

import math
from types import SimpleNamespace

import pytest

from tabletop_interaction.errors import RobotFault
from tabletop_interaction.real.arm.intera_connection import connect
from tabletop_interaction.real.arm.intera_driver import JointStates
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.sawyer.kinematics import forward
from tabletop_interaction.sawyer.model import ARM_JOINT_NAMES


def test_a_connected_driver_reports_the_arms_state(twin):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    state, grip = driver.state(), driver.gripper()
    assert state.positions == pytest.approx(twin.robot.arm.joint_angles())
    assert forward(state.positions)[:3, 3] == pytest.approx(twin.robot.tip_position(), abs=1e-4)
    assert (state.enabled, state.stopped, state.error, state.estop_pressed, state.collided) == (True, *[False] * 4)
    assert state.stamp <= twin.clock.now() < state.stamp + 0.1
    assert grip.opening == pytest.approx(0.0417, abs=1e-3)
    driver.close()
    driver.close()


def test_enable_clears_a_stop_once_the_button_is_up(twin):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    twin.robot.press_estop()
    with pytest.raises(RobotFault, match=r"cannot be enabled .*E-Stop"):
        driver.enable()
    twin.robot.release_estop()
    assert not driver.state().enabled
    driver.enable()
    assert driver.state().enabled
    twin.robot.halt()
    assert driver.state().stopped
    driver.enable()
    assert not driver.state().stopped
    driver.close()


def test_holding_commands_the_measured_joints_but_never_old_ones(twin, monkeypatch):
    driver, commanded = connect(twin.modules, twin.clock, SawyerSettings(), "robot"), []
    monkeypatch.setattr(twin.robot, "command", commanded.append)
    driver.hold()
    assert commanded[0] == pytest.approx(driver.state().positions)
    twin.robot.faults.states_stall = True
    twin.clock.sleep(0.5)
    driver.hold()
    assert len(commanded) == 1


def test_closing_holds_only_an_arm_that_was_commanded(twin, monkeypatch):
    commanded = []
    monkeypatch.setattr(twin.robot, "command", commanded.append)
    connect(twin.modules, twin.clock, SawyerSettings(), "robot").close()
    assert commanded == []
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    driver.command(driver.state().positions)
    driver.close()
    assert len(commanded) == 2


def test_a_gripper_without_signals_reports_an_error(twin, monkeypatch):
    driver = connect(twin.modules, twin.clock, SawyerSettings(), "robot")
    monkeypatch.setattr(driver._gripper, "get_position", lambda: None)
    assert driver.gripper().error
    assert math.isnan(driver.gripper().opening)
    driver.close()


def _message(seconds, names, values):
    stamp = SimpleNamespace(to_sec=lambda: seconds)
    return SimpleNamespace(header=SimpleNamespace(stamp=stamp), name=names, position=values, velocity=values)


def test_joints_are_found_by_name_and_repetitions_stay_old(sawyer):
    handlers = []
    rospy = SimpleNamespace(Subscriber=lambda topic, kind, callback, **options: handlers.append(callback))
    states = JointStates(rospy, None, sawyer.clock)
    handlers[0](_message(1.0, ["head_pan"], [9.0]))
    assert states.newest is None
    handlers[0](_message(1.1, ["head_pan", *reversed(ARM_JOINT_NAMES)], [9.0, *range(7)]))
    assert states.newest.positions.tolist() == [6, 5, 4, 3, 2, 1, 0]
    assert states.newest.head == 9.0
    came = states.newest.stamp
    sawyer.clock.sleep(1.0)
    handlers[0](_message(1.1, list(ARM_JOINT_NAMES), [0.0] * 7))
    assert states.newest.stamp == came
