"""The twin's node without a master: its messages, switches, options and lab file."""

import sys
from datetime import UTC, datetime
from queue import SimpleQueue
from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.real.cameras.topic import rgb_from_message
from tabletop_interaction.real.lab.lab import load_lab
from tabletop_interaction.real.twin.node import (
    MARK,
    RosModules,
    TwinNode,
    act,
    advertise,
    check_no_robot,
    disable,
    enable,
    listen,
    main,
    reset,
    set_parameters,
    stop,
    write_ros_lab,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


class _Message(SimpleNamespace):
    def __init__(self, **fields):
        super().__init__(header=SimpleNamespace(stamp=None, frame_id=""), **fields)


@pytest.fixture
def ros():
    """A fake ROS that records publications, subscriptions and parameters."""
    published, callbacks, parameters = {}, {}, {}
    rospy = SimpleNamespace(
        Publisher=lambda topic, kind, queue_size: SimpleNamespace(
            publish=lambda message: published.__setitem__(topic, message)
        ),
        Subscriber=lambda topic, kind, callback, queue_size: callbacks.__setitem__(topic, callback),
        Time=SimpleNamespace(now=lambda: 7.5),
        has_param=parameters.__contains__,
        set_param=parameters.__setitem__,
        published=published,
        callbacks=callbacks,
        parameters=parameters,
    )
    sensors = SimpleNamespace(Image=_Message, JointState=_Message)
    return RosModules(rospy, sensors, SimpleNamespace(Bool=None, Empty=None))


def test_a_published_picture_is_read_back_unchanged(ros, quick_lab):
    picture = np.random.default_rng(0).integers(0, 256, (350, 430, 3), dtype=np.uint8)
    advertise(ros, quick_lab.views).publish_pictures({"view_2": picture}, 4.25)
    message = ros.rospy.published["/cameras/view_2/image_raw"]
    assert (rgb_from_message(message) == picture).all()
    assert (message.header.stamp, message.header.frame_id) == (4.25, "view_2")


def test_joints_are_published_after_the_heads(ros, quick_lab):
    q, speed, effort = np.arange(21.0).reshape(3, 7)
    advertise(ros, quick_lab.views).publish_joints((q, speed, effort))
    message = ros.rospy.published["/robot/joint_states"]
    assert message.name[:2] == ["head_pan", "right_j0"]
    assert (message.position[1:], message.effort[-1]) == (q.tolist(), effort[-1])
    assert message.header.stamp == 7.5


def test_a_robots_master_is_refused_and_a_twins_accepted(ros):
    check_no_robot(ros.rospy)
    set_parameters(ros.rospy)
    check_no_robot(ros.rospy)
    del ros.rospy.parameters[MARK]
    with pytest.raises(InvalidConfiguration, match="belongs to a robot"):
        check_no_robot(ros.rospy)


def test_switches_wait_until_the_node_acts(ros, table):
    state, waiting = table.twin.robot.state, listen(ros)
    ros.rospy.callbacks["/robot/set_super_stop"](_Message())
    ros.rospy.callbacks["/robot/set_super_enable"](_Message(data=True))
    assert not state.stopped
    said = act(waiting, table.twin.robot)
    assert next(said) == "stopped"
    assert state.stopped
    assert next(said).startswith("stays disabled: it is stopped")
    assert list(said) == []
    ros.rospy.callbacks["/robot/set_super_reset"](_Message())
    ros.rospy.callbacks["/robot/set_super_enable"](_Message(data=True))
    assert list(act(waiting, table.twin.robot)) == ["reset", "enabled"]
    assert state.enabled


def test_a_reset_of_what_is_not_stopped_is_refused(table):
    assert list(act(SimpleQueue(), table.twin.robot)) == []
    assert "Failed to Reset" in reset(table.twin.robot)
    assert disable(table.twin.robot) == "disabled"
    assert not table.twin.robot.moves
    assert enable(table.twin.robot) == "enabled"
    assert stop(table.twin.robot) == "stopped"
    assert (reset(table.twin.robot), enable(table.twin.robot)) == ("reset", "enabled")


def test_the_lab_file_is_the_twins_behind_topics(tmp_path):
    write_ros_lab(tmp_path / "new" / "lab.yaml", NOW)
    lab, twin = load_lab(tmp_path / "new" / "lab.yaml"), load_lab(TWIN_LAB)
    assert lab.driver == "intera"
    assert lab.cameras["view_1"].kind == "ros"
    assert lab.cameras["view_1"].source == "/cameras/view_1/image_raw"
    assert all(each.calibrated_at == NOW for each in lab.calibrations)
    assert [view.name for view in lab.views] == [view.name for view in twin.views]
    assert (lab.views[3].camera_from_arena == twin.views[3].camera_from_arena).all()


def test_no_lab_file_is_overwritten(tmp_path):
    (tmp_path / "lab.yaml").write_text("schema_version: 1\n")
    with pytest.raises(InvalidConfiguration, match="may be a calibrated laboratory"):
        write_ros_lab(tmp_path / "lab.yaml", NOW)
    assert (tmp_path / "lab.yaml").read_text() == "schema_version: 1\n"


@pytest.mark.parametrize("rate", [0.0, -1.0, 101.0, float("nan")])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(InvalidConfiguration, match="accepted is more than 0 and up to 100 Hz"):
        TwinNode(rate=rate).run()


def test_without_ros_the_node_names_the_packages_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rospy", None)
    assert main(["--rate", "5"]) == 1
    assert "install python3-rospy" in capsys.readouterr().err


def test_its_help_has_an_example(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "Example: python -m tabletop_interaction.real.twin.node" in " ".join(capsys.readouterr().out.split())
