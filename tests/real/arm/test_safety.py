"""Checks before the arm moves name the place and the reason; nothing is clipped."""

import numpy as np
import pytest

from tabletop_interaction.envs import Arena
from tabletop_interaction.errors import InvalidConfiguration, UnreachableTarget
from tabletop_interaction.real.arm.safety import check_clearance, check_commands, check_level, thinned
from tabletop_interaction.real.arm.settings import SafetySettings
from tabletop_interaction.sawyer.kinematics import HIGHEST, HOME, LOWEST, inverse_down

SAFETY = SafetySettings()
ARENA = Arena(-0.3, 0.3, -0.245, 0.245)
BASE_FROM_ARENA = np.array([[0, 1, 0, 0.575], [-1, 0, 0, 0], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])


def test_a_posture_over_the_table_is_allowed():
    check_commands(HOME[None], BASE_FROM_ARENA, SAFETY)


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("limit", [LOWEST, HIGHEST])
def test_a_joint_that_comes_within_its_margin_is_refused(joint, limit):
    q = HOME.copy()
    q[joint] = limit[joint] - np.sign(limit[joint]) * 0.04
    with pytest.raises(UnreachableTarget, match=f"right_j{joint} would turn to"):
        check_commands(np.array([HOME, q]), BASE_FROM_ARENA, SAFETY)


def test_a_command_that_is_not_finite_is_refused():
    with pytest.raises(UnreachableTarget):
        check_commands(np.full((1, 7), np.nan), BASE_FROM_ARENA, SAFETY)


def test_a_short_dip_below_the_workspace_is_refused():
    low = inverse_down(0.6, 0.0, -0.1, 0.0, HOME)
    way = np.concatenate([np.linspace(HOME, low, 50), np.linspace(low, HOME, 50)])
    with pytest.raises(UnreachableTarget, match=r"right_gripper_tip would come to .* outside the workspace"):
        check_commands(way, BASE_FROM_ARENA, SAFETY)


def test_an_elbow_outside_the_workspace_is_refused():
    with pytest.raises(UnreachableTarget, match="right_l3 would come to"):
        check_commands(HOME[None], BASE_FROM_ARENA, SafetySettings(workspace_high=(0.9, 0.45, 0.75)))


def test_a_hand_too_near_the_arms_own_column_is_refused():
    folded = inverse_down(0.24, 0.0, 0.1, 0.0, HOME)
    with pytest.raises(UnreachableTarget, match=r"within 0\.240 m of the arm's own column"):
        check_commands(folded[None], BASE_FROM_ARENA, SAFETY)


def test_a_path_below_its_clearance_is_refused():
    low = inverse_down(0.6, 0.0, 0.0, 0.0, HOME)
    check_clearance(np.array([HOME, low]), BASE_FROM_ARENA, 0.09)
    with pytest.raises(UnreachableTarget, match=r"down to 0\.100 m; at least 0\.110 m is accepted"):
        check_clearance(np.array([HOME, low, HOME]), BASE_FROM_ARENA, 0.11)


def test_a_tilted_table_is_refused():
    check_level(BASE_FROM_ARENA, SAFETY)
    tilt = np.eye(4)
    tilt[1:3, 1:3] = [[np.cos(0.03), -np.sin(0.03)], [np.sin(0.03), np.cos(0.03)]]
    with pytest.raises(InvalidConfiguration, match=r"tilts the table by 0\.030 rad"):
        check_level(BASE_FROM_ARENA @ tilt, SAFETY)


def test_thinning_keeps_both_ends_and_no_gap_above_its_step():
    commands = np.linspace(np.zeros(7), np.arange(7.0), 1000)
    kept = thinned(commands)
    assert (kept[[0, -1]] == commands[[0, -1]]).all()
    assert len(kept) < 300
    assert np.abs(np.diff(kept, axis=0)).max() < 0.04
