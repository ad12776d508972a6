"""The checks before the first move find each fault, name it, and say what to do."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest

from tabletop_interaction.errors import PreflightFailed
from tabletop_interaction.real.arm.driver import GripperState
from tabletop_interaction.real.arm.preflight import Measured, judge, require
from tabletop_interaction.sawyer.kinematics import forward

LIMITS = {"/joints": 0.25, "/force": 0.1}
JOINTS = np.zeros(7)
HEALTHY = Measured(
    seconds=1.0,
    arrivals={"/joints": np.arange(0.01, 1, 0.01), "/force": np.arange(0.02, 1, 0.02)},
    refused={},
    clock_difference_s=0.01,
    others="",
    joints=JOINTS,
    tip=forward(JOINTS)[:3, 3],
    head=0.0,
    gripper=GripperState(0.04, 0.0, gripping=False, error=False),
    holds=False,
)


def _failed(measured):
    return {each.name: each for each in judge(measured, LIMITS, 0.25) if not each.ok}


def test_a_healthy_robot_passes_every_check():
    findings = judge(HEALTHY, LIMITS, 0.25)
    assert [each.name for each in findings] == ["/joints", "/force", "clocks", "commanders", "tip", "head", "gripper"]
    assert _failed(HEALTHY) == {}
    assert findings[0].said == "99 messages/s, 10 ms apart at most; 250 ms are accepted"
    require(findings, "robot")


def test_what_the_gripper_holds_is_reported():
    assert "holds something" in judge(replace(HEALTHY, holds=True), LIMITS, 0.25)[-1].said
    assert "holds" not in judge(HEALTHY, LIMITS, 0.25)[-1].said


@pytest.mark.parametrize(
    ("change", "name", "said"),
    [
        ({"arrivals": {"/joints": HEALTHY.arrivals["/joints"]}}, "/force", "0 messages/s, 1000 ms apart"),
        ({"arrivals": HEALTHY.arrivals | {"/force": np.arange(0.01, 0.89, 0.01)}}, "/force", "120 ms apart"),
        ({"arrivals": HEALTHY.arrivals | {"/force": np.arange(0.09, 1, 0.09)}}, "/force", "11 messages/s"),
        ({"refused": {"/joints": "position is not finite"}}, "/joints", "unusable: position is not finite"),
        ({"clock_difference_s": -0.3}, "clocks", "-0.300 s"),
        ({"clock_difference_s": math.nan}, "clocks", "nan"),
        ({"others": "/teleop"}, "commanders", "/teleop commands the arm"),
        ({"tip": None}, "tip", "does not know right_gripper_tip"),
        ({"tip": np.add(HEALTHY.tip, (0, 0, 0.006))}, "tip", "6.0 mm apart, more than 5 mm apart"),
        ({"tip": np.full(3, math.nan)}, "tip", "nan"),
        ({"head": -0.11}, "head", "turned by -0.11 rad"),
        ({"head": math.nan}, "head", "nan"),
        ({"head": None}, "head", "not reported"),
        ({"gripper": GripperState(math.nan, 0.0, gripping=False, error=False)}, "gripper", "nan"),
        ({"gripper": GripperState(0.02, 0.0, gripping=False, error=True)}, "gripper", "error True"),
        ({"gripper": GripperState(0.05, 0.0, gripping=False, error=False)}, "gripper", "50.0 mm open"),
        ({"gripper": GripperState(-0.01, 0.0, gripping=False, error=False)}, "gripper", "-10.0 mm open"),
    ],
)
def test_each_fault_fails_its_check_alone_with_a_remedy(change, name, said):
    failed = _failed(replace(HEALTHY, **change))
    assert list(failed) == [name]
    assert said in failed[name].said
    assert failed[name].remedy


def test_the_error_lists_every_failed_check_and_survives_a_process_border():
    with pytest.raises(
        PreflightFailed,
        match=r"^commanders: /teleop.*; head: .*turn it ahead.*; nothing was moved; 2 of 7 checks of robot",
    ) as caught:
        require(judge(replace(HEALTHY, head=0.5, others="/teleop"), LIMITS, 0.25), "robot")
    assert not caught.value.recoverable
    assert "\n" not in str(caught.value)
    assert [each.ok for each in pickle.loads(pickle.dumps(caught.value)).findings].count(False) == 2
