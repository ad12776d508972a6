"""Errors of an inverse model in centimetres and degrees, and a fixed prior's."""

from dataclasses import replace

import numpy as np
import pytest

from tabletop_interaction.agents.inverse.errors import action_errors, chance_errors
from tabletop_interaction.agents.inverse.examples import InverseExample
from tabletop_interaction.agents.inverse.picture_actions import picture_actions

SIZE = (176, 216)


@pytest.fixture
def examples(painted_table):
    view = painted_table().views[0]
    done = [[0.1, 0.1, 0.2, -0.1, 0.0], [-0.1, -0.1, 0.2, 0.1, 0.0]]
    return [InverseExample("a", "b", picture_actions(one, view, SIZE)[0], view, "scene") for one in done]


def test_the_action_itself_has_no_error(examples):
    errors = action_errors(np.array([one.action for one in examples]), examples, SIZE)
    assert (errors.examples, errors.both_near) == (2, 1.0)
    assert errors.pick_cm == pytest.approx(0, abs=1e-6)
    assert errors.angle_deg == pytest.approx(0, abs=1e-6)


def test_errors_are_centimetres_on_the_table_and_degrees_between_lines(examples):
    off = [[0.13, 0.14, 0.2 + np.pi, -0.1, 0.01], [-0.1, -0.1, 0.2 + np.pi / 2, 0.1, 0.0]]
    actions = np.array([picture_actions(one, examples[0].view, SIZE)[0] for one in off])
    errors = action_errors(actions, examples, SIZE)
    assert errors.pick_cm == pytest.approx(2.5, abs=1e-3)
    assert errors.place_cm == pytest.approx(0.5, abs=1e-3)
    assert errors.angle_deg == pytest.approx(45, abs=0.1)
    assert errors.both_near == 0.5


def test_chance_is_the_mean_of_what_was_learned_from(examples):
    errors = chance_errors(examples, examples, SIZE)
    assert errors.pick_cm == pytest.approx(100 * np.hypot(0.1, 0.1), abs=0.05)
    assert errors.place_cm == pytest.approx(10, abs=0.05)
    assert errors.angle_deg == pytest.approx(0, abs=0.1)


def test_chances_angle_is_a_mean_of_lines_not_of_numbers(examples):
    actions = [one.action.copy() for one in examples]
    actions[0][2], actions[1][2] = 1.5, -1.5
    turned = [replace(one, action=action) for one, action in zip(examples, actions, strict=True)]
    assert chance_errors(turned, turned, SIZE).angle_deg == pytest.approx(np.rad2deg(np.pi / 2 - 1.5), abs=0.3)
