"""`tabletop doctor` at the twin's node reports the true state of each part."""

import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tabletop_interaction.cli.doctor import Doctor
from tabletop_interaction.errors import ChecksFailed
from tabletop_interaction.findings import Finding
from tabletop_interaction.real.checks import examination
from tabletop_interaction.real.checks.examination import examine_lab, opened_equipment
from tabletop_interaction.real.twin import open_twin
from tabletop_interaction.real.twin.stand_ins import MESSAGES, intera_stand_in, io_stand_in

pytest.importorskip("rospy", reason="needs Debian's ROS 1, see `make test-ros`")


@pytest.fixture(autouse=True)
def quick_reach(monkeypatch):
    monkeypatch.setattr(examination.diagnosis, "ANGLES", (0.0,))


@pytest.fixture
def sdk(ros_lab, other_topics, monkeypatch):
    """A stand-in for Rethink's SDK, with its robot at rest in the posture of the node's."""
    twin = open_twin("train", ros_lab.views)
    monkeypatch.setitem(sys.modules, "intera_interface", intera_stand_in(twin.robot))
    monkeypatch.setitem(sys.modules, "intera_core_msgs.msg", MESSAGES)
    monkeypatch.setitem(sys.modules, "intera_io", io_stand_in(twin.robot))
    yield
    twin.close()


@pytest.fixture
def no_sdk(monkeypatch):
    monkeypatch.setitem(sys.modules, "intera_interface", None)


@pytest.mark.usefixtures("ros_lab", "sdk")
def test_all_checks_pass_with_a_node_and_an_sdk(lab_file, master, capsys):
    Doctor(config=lab_file, out=lab_file.parent / "drawn").run()
    told = capsys.readouterr().out
    assert "all 24 checks passed" in told
    assert f"ok  ROS master: {master.uri}" in told.replace("ok    ", "ok  ")
    assert "camera view_3: still and new, 430 x 350 px" in told
    assert "robot: enabled" in told


@pytest.mark.usefixtures("ros_lab", "no_sdk")
def test_without_the_sdk_only_robot_and_gripper_fail(lab_file, capsys):
    with pytest.raises(ChecksFailed, match=r"2 of 16 checks failed: robot, gripper;"):
        Doctor(config=lab_file, out=lab_file.parent / "drawn").run()
    assert "FAIL  robot: Rethink's SDK cannot be imported" in capsys.readouterr().out


def _findings(lab):
    with opened_equipment(lab) as equipment:
        return {each.name: each for each in examine_lab(lab, equipment, datetime.now(UTC), 30)}


@pytest.mark.usefixtures("no_sdk")
def test_a_frozen_node_fails_as_a_camera_without_new_pictures(ros_lab, twin_node):
    with twin_node.frozen():
        found = _findings(replace(ros_lab, views=ros_lab.views[:1]))
    assert not found["camera view_0"].ok
    assert "gave no new picture within" in found["camera view_0"].said
    assert "rostopic hz" in found["camera view_0"].remedy
    assert found["ROS master"].ok


@pytest.mark.usefixtures("no_sdk")
def test_without_a_master_cameras_and_robot_fail_at_once_with_its_address(ros_lab, monkeypatch):
    monkeypatch.setenv("ROS_MASTER_URI", "http://localhost:1")
    # The time limit concerns master and cameras; planning the reach takes seconds on a busy machine.
    monkeypatch.setattr(examination.diagnosis, "judge_reach", lambda arena, moves: Finding("reach", True, ""))
    start = datetime.now(UTC)
    found = _findings(replace(ros_lab, views=ros_lab.views[:2]))
    assert (datetime.now(UTC) - start).total_seconds() < 10
    wrong = [name for name, finding in found.items() if not finding.ok]
    assert wrong == ["camera view_0", "camera view_1", "ROS master", "robot", "gripper"]
    assert "no ROS master answers at http://localhost:1" in found["camera view_0"].said
