"""Faults of arm, gripper and cameras: each is an error within its bound; the arm holds and waits for the operator."""

import signal
import time
from dataclasses import replace

import numpy as np
import pytest

from tabletop_interaction.benchmarks.ground_truth import grasp_from_truth
from tabletop_interaction.envs import RecordInteractions, TabletopInteraction, read_interactions
from tabletop_interaction.errors import CameraFault, RobotFault
from tabletop_interaction.real.arm.arm import SawyerArm
from tabletop_interaction.real.arm.driver import COLLISION_TOPIC, FORCE_TOPIC, JOINT_STATES_TOPIC, ROBOT_TOPIC
from tabletop_interaction.real.arm.obstacles import BoxInArena, obstacles_of
from tabletop_interaction.real.cameras.frames import Frame, LatestFrame
from tabletop_interaction.sawyer.kinematics import forward


@pytest.fixture
def laid(table):
    """The table with the scene of seed 4, the twin healthy before and after."""
    _heal(table)
    table.backend.reset(np.random.default_rng(4), new_scene=True)
    yield table
    _heal(table)


def _heal(table):
    robot = table.twin.robot
    robot.faults.__init__()
    robot._due.clear()
    robot.state.__init__()
    robot.stay()
    if table.backend._arm._fault is not None:
        table.twin.clock.sleep(0.1)
        table.backend.acknowledge()


def _grasp(table):
    grasp = grasp_from_truth(table.twin.table.object_states()[0])
    return grasp.x, grasp.y, grasp.angle


def _pick_with(table, seconds, **faults):
    """Start a pick and switch on faults after so many seconds; returns the error and its delay."""
    robot = table.twin.robot
    start = robot.time_s
    robot.at(seconds, lambda: vars(robot.faults).update(faults))
    with pytest.raises(RobotFault) as caught:
        table.backend.pick(*_grasp(table))
    return caught.value, robot.time_s - start - seconds


def _assert_holds(table):
    """Check that the arm stands still and that every further call is refused without motion."""
    robot, backend = table.twin.robot, table.backend
    table.twin.clock.sleep(0.1)
    before = robot.arm.joint_angles()
    for call in (backend.observe, lambda: backend.pick(0, 0, 0), lambda: backend.reset(None, new_scene=False)):
        with pytest.raises(RobotFault, match="acknowledge"):
            call()
    table.twin.clock.sleep(0.4)
    assert robot.arm.joint_angles() == pytest.approx(before, abs=0.005)


@pytest.mark.parametrize(
    ("faults", "message", "bound_s"),
    [
        ({"silent": {JOINT_STATES_TOPIC}}, "joint states stopped arriving", 0.55),
        ({"blocked_joint": 0}, "lags too far behind", 0.6),
        ({"collided": True}, "reports a collision", 0.03),
        ({"extra_force": np.array([0.0, 0.0, 25.0])}, "force at the gripper's tip", 0.03),
    ],
)
def test_a_fault_during_a_move_holds_the_arm_and_raises_its_error(laid, faults, message, bound_s):
    error, seconds = _pick_with(laid, 0.8, **faults)
    assert message in str(error)
    assert not error.recoverable
    assert seconds < bound_s
    _assert_holds(laid)


def test_the_arm_continues_after_acknowledgement(laid):
    _pick_with(laid, 0.8, collided=True)
    laid.twin.robot.faults.collided = False
    laid.backend.acknowledge()
    assert laid.backend.pick(*_grasp(laid)).held
    laid.backend.place(0.1, 0.1)


def test_a_fault_that_is_still_there_is_not_acknowledged(laid):
    _pick_with(laid, 0.8, collided=True)
    with pytest.raises(RobotFault, match="leaving after a fault: the robot reports a collision"):
        laid.backend.acknowledge()
    _assert_holds(laid)


def test_the_stop_button_stops_a_move_at_once_and_only_the_operator_enables_the_robot(laid):
    robot, backend = laid.twin.robot, laid.backend
    robot.at(0.8, robot.press_estop)
    with pytest.raises(RobotFault, match="stop button was pressed"):
        backend.pick(*_grasp(laid))
    _assert_holds(laid)
    with pytest.raises(RobotFault, match="stop button"):
        backend.acknowledge()
    robot.release_estop()
    with pytest.raises(RobotFault, match="stopped or was disabled"):
        backend.acknowledge()
    assert not robot.state.enabled
    backend.enable()
    backend.acknowledge()
    assert backend.pick(*_grasp(laid)).held
    backend.place(0.1, 0.1)


def test_a_stop_during_the_question_needs_a_question_of_its_own(laid, monkeypatch):
    robot, asked = laid.twin.robot, []

    def answered(fault):
        asked.append((str(fault), robot.state.enabled))
        robot.faults.collided = False
        if len(asked) == 1:
            robot.press_estop()
            robot.release_estop()
        return True

    monkeypatch.setattr(laid.backend._operator, "may_continue", answered)
    error, _ = _pick_with(laid, 0.8, collided=True)
    assert error.recoverable
    (first, was_on), (second, was_on_again) = asked
    assert "reports a collision" in first
    assert was_on
    assert "stopped or was disabled" in second
    assert not was_on_again


def test_an_arm_that_failed_to_hold_does_not_move_again(laid, monkeypatch):
    def gone():
        raise OSError("publish() to a closed topic")

    monkeypatch.setattr(laid.driver, "hold", gone)
    laid.twin.robot.at(0.8, lambda: setattr(laid.twin.robot.faults, "collided", True))
    with pytest.raises(OSError, match="closed topic"):
        laid.backend.pick(*_grasp(laid))
    monkeypatch.undo()
    _assert_holds(laid)


def test_a_held_object_is_kept_through_a_stop_and_can_be_placed(laid):
    robot, backend = laid.twin.robot, laid.backend
    assert backend.pick(*_grasp(laid)).held
    robot.at(0.8, robot.press_estop)
    with pytest.raises(RobotFault):
        backend.place(0.1, -0.1)
    assert robot.gripping
    robot.release_estop()
    backend.enable()
    backend.acknowledge()
    assert robot.gripping
    backend.place(0.1, -0.1)
    assert np.linalg.norm(laid.twin.table.object_states()[0].position[:2] - (0.1, -0.1)) < 0.03


def test_after_a_stop_low_over_the_table_the_arm_rises_straight(laid):
    robot, moves = laid.twin.robot, laid.backend._arm.moves
    stopped = []

    def stop_when_low():
        if moves.height_of(robot.arm.joint_angles()) < 0.06:
            robot.faults.collided = True
            stopped.append(robot.arm.joint_angles())
        else:
            robot.at(0.01, stop_when_low)

    stop_when_low()
    with pytest.raises(RobotFault, match="collision"):
        laid.backend.pick(0.0, 0.0, 0.3)
    robot.faults.collided = False
    heights, tip = [], moves.height_of
    advance = robot.advance
    robot.advance = lambda seconds: (advance(seconds), heights.append(tip(robot.arm.joint_angles())))
    try:
        laid.backend.acknowledge()
    finally:
        del robot.advance
    assert stopped
    assert min(heights) > 0.04
    assert robot.arm.joint_angles() == pytest.approx(moves.away_q, abs=0.03)


def test_ctrl_c_holds_the_arm_and_reaches_the_caller(laid):
    robot = laid.twin.robot

    def interrupt():
        raise KeyboardInterrupt

    robot.at(0.8, interrupt)
    with pytest.raises(KeyboardInterrupt):
        laid.backend.pick(*_grasp(laid))
    assert np.abs(robot.arm.joint_angles() - laid.backend._arm.moves.away_q).max() > 0.1
    _assert_holds(laid)
    laid.backend.acknowledge()
    laid.backend.observe()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_would_end_the_process_lets_the_arm_slow_down_and_hold(laid, number):
    sent = []
    # Ray leaves a handler of its own in a process that used it.
    earlier = signal.signal(number, signal.SIG_DFL)
    command = laid.twin.robot.command
    laid.twin.robot.command = lambda q: (sent.append(q), command(q))
    laid.twin.robot.at(0.8, lambda: signal.raise_signal(number))
    try:
        with pytest.raises(SystemExit) as ended:
            laid.backend.pick(*_grasp(laid))
        assert signal.getsignal(number) is signal.SIG_DFL
    finally:
        del laid.twin.robot.command
        signal.signal(number, earlier)
    assert ended.value.code == 128 + number
    assert np.abs(sent[-1] - sent[-2]).max() < 1e-3
    _assert_holds(laid)


@pytest.mark.parametrize("topic", [FORCE_TOPIC, COLLISION_TOPIC, ROBOT_TOPIC])
def test_a_topic_that_fell_silent_at_rest_is_named_before_anything_moves(laid, topic):
    before = laid.twin.robot.arm.joint_angles()
    laid.twin.robot.faults.silent = {topic}
    with pytest.raises(RobotFault, match=f"stopped arriving .{topic} is"):
        laid.backend.pick(*_grasp(laid))
    assert laid.twin.robot.arm.joint_angles() == pytest.approx(before, abs=0.005)


@pytest.mark.parametrize("seconds", [0.0, 0.8])
def test_an_object_that_is_lost_before_it_is_placed_is_a_recoverable_fault(laid, seconds):
    assert laid.backend.pick(*_grasp(laid)).held
    if seconds:
        laid.twin.robot.at(seconds, lambda: _take_away(laid))
    else:
        _take_away(laid)
        laid.twin.clock.sleep(0.5)
    with pytest.raises(RobotFault, match="placing: the gripper no longer reports the object") as caught:
        laid.backend.place(0.1, -0.1)
    assert caught.value.recoverable
    assert laid.backend._arm.is_away()
    laid.backend.observe()
    laid.backend.pick(0.25, 0.2, 0.0)
    laid.backend.place(0.0, 0.0)


def test_a_gripper_whose_report_flickers_keeps_its_object_until_it_is_put_down(laid, monkeypatch):
    assert laid.backend.pick(*_grasp(laid)).held
    gripper = laid.driver.gripper
    monkeypatch.setattr(laid.driver, "gripper", lambda: replace(gripper(), gripping=False))
    laid.backend.place(0.1, -0.1)
    assert np.linalg.norm(laid.twin.table.object_states()[0].position[:2] - (0.1, -0.1)) < 0.03


def test_an_object_that_is_lost_before_a_reset_is_no_fault(laid):
    assert laid.backend.pick(*_grasp(laid)).held
    _take_away(laid)
    laid.twin.clock.sleep(0.5)
    laid.backend.reset(np.random.default_rng(4), new_scene=True)


def _take_away(table):
    """Lay the gripped object on the table; the fingers close."""
    world = table.twin.table.world
    position, quaternion = world.poses()[1]
    world.put(1, (np.array([-0.2, -0.15, position[2] - 0.15]), quaternion))


def test_a_gripper_in_error_is_reported_before_a_place_moves_the_arm(laid):
    assert laid.backend.pick(*_grasp(laid)).held
    before = laid.twin.robot.arm.joint_angles()
    laid.twin.robot.faults.gripper_error = True
    with pytest.raises(RobotFault, match=r"placing: the gripper reports an error.*start it again.*restart the robot"):
        laid.backend.place(0.1, -0.1)
    assert laid.twin.robot.arm.joint_angles() == pytest.approx(before, abs=0.005)
    assert laid.twin.robot.gripping


@pytest.mark.parametrize("move", ["pick", "place", "sweep", "reset"])
def test_a_dead_camera_is_a_fault_before_anything_moves(laid, move):
    if move == "place":
        assert laid.backend.pick(*_grasp(laid)).held
    laid.twin.robot.faults.unplugged_views.add("view_3")
    start = laid.twin.clock.now()
    calls = {
        "pick": lambda: laid.backend.pick(0.0, 0.0, 0.0),
        "place": lambda: laid.backend.place(0.0, 0.0),
        "sweep": lambda: laid.backend.sweep((0.1, 0.1), (0.0, 0.0)),
        "reset": lambda: laid.backend.reset(np.random.default_rng(0), new_scene=False),
    }
    with pytest.raises(CameraFault, match="view_3"):
        calls[move]()
    assert laid.twin.clock.now() == start


def test_a_gripper_that_never_acknowledges_is_a_fault_in_time(laid):
    error, seconds = _pick_with(laid, 2.0, gripper_deaf=True)
    assert "closing the gripper: the fingers did not reach their goal" in str(error)
    assert seconds < 7
    _assert_holds(laid)


def test_an_arm_moved_by_hand_does_not_follow_paths_from_its_old_position(laid):
    laid.twin.robot.arm.jump(laid.twin.robot.arm.joint_angles() + 0.2 * np.eye(7)[0])
    laid.twin.robot.stay()
    laid.twin.clock.sleep(0.02)
    with pytest.raises(RobotFault, match="no longer where the last motion ended"):
        laid.backend.pick(0.0, 0.0, 0.0)
    laid.backend.acknowledge()
    laid.backend.pick(0.25, 0.2, 0.0)
    laid.backend.place(0.0, 0.0)


def test_an_arm_that_is_moved_by_hand_while_its_fingers_close_is_not_led_back_with_a_jump(laid, monkeypatch):
    robot, sent = laid.twin.robot, []
    command, move_fingers = robot.command, laid.driver.move_fingers

    def guide():
        robot.arm.jump(robot.arm.joint_angles() + 0.1 * np.eye(7)[0])
        robot.stay()
        monkeypatch.setattr(robot, "command", lambda q: (sent.append(q), command(q)))

    def close(opening):
        if opening < 0.01:
            robot.at(0.1, guide)
        move_fingers(opening)

    monkeypatch.setattr(laid.driver, "move_fingers", close)
    with pytest.raises(RobotFault, match="no longer where the last motion ended"):
        laid.backend.pick(0.25, 0.2, 0.0)
    assert sent == []
    monkeypatch.undo()
    laid.backend.acknowledge()
    laid.backend.place(0.0, 0.0)


def test_an_arm_that_is_guided_by_hand_is_acknowledged_once_it_rests(laid):
    robot = laid.twin.robot
    _pick_with(laid, 0.8, collided=True)
    robot.faults.collided = False
    start, sent, command = robot.time_s, [], robot.command

    def guide():
        if robot.time_s - start < 0.5:
            robot.arm.jump(robot.arm.joint_angles() + 0.01 * np.eye(7)[0])
            robot.stay()
            robot.at(0.05, guide)

    guide()
    robot.command = lambda q: (sent.append(robot.time_s - start), command(q))
    try:
        laid.backend.acknowledge()
    finally:
        del robot.command
    assert min(sent) > 0.5
    assert laid.backend._arm.is_away()


def test_an_unplugged_camera_is_named_and_works_once_plugged_in(laid):
    laid.twin.robot.faults.unplugged_views.add("view_2")
    with pytest.raises(CameraFault, match="view_2") as caught:
        laid.backend.observe()
    assert caught.value.recoverable
    laid.twin.robot.faults.unplugged_views.clear()
    assert len(laid.backend.observe()) == 4


def test_a_frozen_camera_is_a_fault_within_the_time_limit(laid, monkeypatch):
    frozen = LatestFrame("view_1", "check its cable")
    frozen.put(Frame(np.zeros((350, 430, 3), np.uint8), time.monotonic()))
    cameras = laid.twin.cameras
    read = frozen.read
    monkeypatch.setattr(frozen, "read", lambda newer_than, timeout_s: read(newer_than, min(timeout_s, 0.5)))
    monkeypatch.setitem(cameras._cameras, "view_1", frozen)
    # On a busy machine the frame may be old before the pick is planned.
    monkeypatch.setattr(laid.backend._cameras, "check", lambda: None)
    laid.backend.pick(0.25, 0.2, 0.0)
    start = time.monotonic()
    with pytest.raises(CameraFault, match=r"view_1 gave no new picture within 0\.\d s"):
        laid.backend.observe()
    assert time.monotonic() - start < 5
    monkeypatch.undo()
    laid.backend.place(0.0, 0.0)


def test_observing_waits_for_moving_objects(laid):
    world, id_ = laid.twin.table.world, 1
    position, quaternion = world.poses()[id_]
    world.put(id_, (position + np.array([0, 0, 0.15]), quaternion))
    laid.backend.observe()
    assert abs(world.poses()[id_][0][2] - position[2]) < 0.03


def test_a_fault_that_ends_an_episode_leaves_complete_records(open_twin_table, tmp_path):
    table = open_twin_table()
    robot = table.twin.robot
    with RecordInteractions(TabletopInteraction(table.backend), tmp_path / "records") as env:
        env.reset(seed=4)
        env.step(np.array([0.3, 0.2, 0.1, 0.0, 0.0], np.float32))
        robot.at(0.8, robot.press_estop)
        with pytest.raises(RobotFault):
            env.step(np.array([-0.3, 0.2, 0.1, 0.0, 0.0], np.float32))
        with pytest.raises(RobotFault, match="acknowledge"):
            env.reset()
        robot.release_estop()
        table.backend.enable()
        table.backend.acknowledge()
        env.reset(options={"new_scene": True})
        env.step(np.array([0.3, 0.2, 0.1, 0.0, 0.0], np.float32))
    assert len(list(read_interactions(tmp_path / "records"))) == 2


def test_closing_after_a_fault_releases_everything_and_moves_nothing(open_twin_table):
    table = open_twin_table()
    table.backend.reset(np.random.default_rng(4), new_scene=True)
    _pick_with(table, 0.8, collided=True)
    before = table.twin.robot.arm.joint_angles()
    table.backend.close()
    table.backend.close()
    assert table.twin.robot._command == pytest.approx(before, abs=0.05)


def test_after_a_stall_the_way_back_to_the_path_keeps_clear_of_boxes(sawyer, quick_lab):
    way = quick_lab.moves.above(sawyer.positions, 0.0, 0.0, 0.0)
    beside = way[100] + 0.12 * np.eye(7)[1]
    post = BoxInArena(
        centre=tuple((np.linalg.inv(quick_lab.base_from_arena) @ forward(beside))[:3, 3].tolist()),
        size=(0.01, 0.01, 0.01),
        clearance_m=0.005,
    )
    moves = replace(quick_lab.moves, obstacles=obstacles_of({"post": post}, quick_lab.base_from_arena))
    arm = SawyerArm(sawyer, sawyer.clock, moves, quick_lab.settings)

    def stall():
        sawyer.positions = beside
        sawyer.clock.time += 0.4

    sawyer.clock.at(1.0, stall)
    moves.check(way)
    with pytest.raises(RobotFault, match=r"after a stall.* m from post in command"), arm.acting("testing"):
        arm.follow(way)
