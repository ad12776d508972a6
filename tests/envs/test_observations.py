"""Observations: the state's rows, their spaces, and what is refused."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from tabletop_interaction.envs import STATE_FEATURES, ObjectState, TabletopInteraction, TabletopRearrangement
from tabletop_interaction.envs.observations import state_array
from tabletop_interaction.errors import InvalidConfiguration

COLUMN = {name: number for number, name in enumerate(STATE_FEATURES)}
SIZE = np.array([0.1, 0.05, 0.03])


def _state(id_, x, y, z=0.02, yaw=0.0, pitch=0.0):
    turn = Rotation.from_euler("ZY", [yaw, pitch]).as_quat()
    corners = np.array([-SIZE / 2, SIZE / 2], np.float32)
    return ObjectState(id_, f"thing_{id_}", np.array([x, y, z]), turn, corners)


@pytest.fixture
def true_table(painted_table):
    """The painted table with a `GroundTruth` of two objects; it cannot be seen."""

    class TrueTable(painted_table):
        max_objects = 3
        closed = False

        def observe(self):
            raise AssertionError("a picture was taken")

        def object_states(self):
            return _state(1, *self._square), _state(2, -0.25, 0.2, yaw=np.pi / 2)

        def instance_maps(self):
            return {"view_0": np.full((350, 430), 2, np.int32)}

        def depth_maps(self):
            return {"view_0": np.array([[0.5, 70.0]], np.float32).repeat(350, 0).repeat(215, 1)}

        def close(self):
            self.closed = True

    return TrueTable()


def test_a_row_holds_presence_position_rotation_and_size():
    first, second = state_array([_state(1, 0.1, -0.2, yaw=np.pi / 2), _state(2, 0.0, 0.1)], 3)[:2]
    np.testing.assert_allclose(first, [1, 0.1, -0.2, 0.02, 0, 1, 0, -1, 0, 0, *SIZE], atol=1e-7)
    np.testing.assert_allclose(second, [1, 0.0, 0.1, 0.02, 1, 0, 0, 0, 1, 0, *SIZE], atol=1e-7)


def test_empty_slots_are_zero():
    rows = state_array([_state(1, 0.1, 0.1)], 4)
    assert rows.shape == (4, len(STATE_FEATURES))
    assert rows.dtype == np.float32
    assert not rows[1:].any()


@given(st.floats(-np.pi, np.pi), st.floats(-1.5, 1.5))
def test_the_rotation_can_be_read_back(yaw, pitch):
    (row,) = state_array([_state(1, 0, 0, yaw=yaw, pitch=pitch)], 1)
    first, second = row[4:7].astype(float), row[7:10].astype(float)
    matrix = np.column_stack([first, second, np.cross(first, second)])
    np.testing.assert_allclose(matrix, Rotation.from_euler("ZY", [yaw, pitch]).as_matrix(), atol=1e-6)


@given(st.floats(-np.pi, np.pi), st.floats(0, 1e-3))
def test_a_small_turn_changes_little_across_every_angle(yaw, turn):
    before, after = (state_array([_state(1, 0, 0, yaw=each)], 1) for each in (yaw, yaw + turn))
    assert np.abs(after - before).max() <= turn + 1e-6


def test_a_fallen_object_stays_within_the_space():
    (row,) = state_array([_state(1, 0.4, 0.0, z=-11.0)], 1)
    assert (row[COLUMN["present"]], row[COLUMN["z"]]) == (1.0, -1.0)


def test_more_objects_than_slots_are_refused():
    with pytest.raises(InvalidConfiguration, match="2 objects; accepted are the backend's 1"):
        state_array([_state(1, 0, 0), _state(2, 0, 0)], 1)


def test_the_state_alone_takes_no_picture(true_table):
    env = TabletopInteraction(true_table, observation="state")
    assert list(env.observation_space.spaces) == ["ground_truth_state"]
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space
    assert observation["ground_truth_state"][:, 0].tolist() == [1, 1, 0]
    assert list(info["held"]) == ["ground_truth_state"]
    square = true_table._square.copy()
    then, *_ = env.step(np.array([*(square / env.arena.half_size), 0, 0.5, 0.5]))
    np.testing.assert_allclose(then["ground_truth_state"][0, 1:3], [0.15, 0.1225], atol=1e-6)


def test_extras_are_observed_besides(true_table):
    env = TabletopInteraction(true_table, observation="state", extras=["instances", "depth"])
    observation, info = env.reset(seed=0)
    assert observation in env.observation_space
    assert set(observation) == set(info["held"]) == {"ground_truth_state", "view_0_depth", "view_0_instances"}
    assert observation["view_0_instances"].dtype == np.int32
    # Greater than 16 bits of millimetres hold.
    assert np.unique(observation["view_0_depth"]).tolist() == [0.0, 0.5]


def test_an_observation_is_the_reader_s_own(true_table):
    env = TabletopInteraction(true_table, observation="state", extras=("instances",))
    observation, _ = env.reset(seed=0)
    kept = observation["view_0_instances"].copy()
    true_table.instance_maps = lambda: {"view_0": kept}
    then, *_ = env.step(np.zeros(5))
    then["view_0_instances"][:] = 7
    assert (env.step(np.zeros(5))[0]["view_0_instances"] == 2).all()


@pytest.mark.parametrize("environment", [TabletopInteraction, TabletopRearrangement])
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"observation": "states"}, "unknown observation 'states'; accepted are pictures, state, both"),
        ({"observation": None}, "unknown observation None; accepted are"),
        ({"extras": ("depths",)}, "unknown name in extras 'depths'; accepted are depth, instances"),
        ({"extras": "depth"}, "extras is 'depth'; accepted is a tuple of text"),
        ({"extras": None}, "extras is None; accepted is"),
    ],
)
def test_unknown_observations_are_refused(painted_table, environment, arguments, message):
    with pytest.raises(InvalidConfiguration, match=message):
        environment(painted_table(), **arguments)


@pytest.mark.parametrize("arguments", [{"observation": "state"}, {"observation": "both"}, {"extras": ("depth",)}])
def test_a_backend_without_ground_truth_refuses_it_in_one_line(painted_table, arguments):
    with pytest.raises(InvalidConfiguration, match=r"PaintedTable has no ground truth.*use the simulation") as refused:
        TabletopInteraction(painted_table(), **arguments)
    assert "\n" not in str(refused.value)


def test_a_backend_that_was_opened_by_name_is_closed_when_it_is_refused(painted_table, monkeypatch):
    closed = []
    table = type("Robot", (painted_table,), {"close": lambda self: closed.append(self)})()
    monkeypatch.setattr("tabletop_interaction.envs.pick_place_env.open_backend", lambda name, **_: table)
    with pytest.raises(InvalidConfiguration, match="Robot has no ground truth"):
        TabletopInteraction("sawyer", observation="state")
    assert closed == [table]


def test_a_view_with_the_name_of_another_observation_is_refused(true_table):
    true_table.views = (*true_table.views, replace(true_table.views[0], name="view_0_depth"))
    with pytest.raises(InvalidConfiguration, match="a view is called 'view_0_depth'"):
        TabletopInteraction(true_table, observation="state", extras=("depth",))


def test_a_goal_from_files_has_no_state(painted_table, true_table):
    with pytest.raises(InvalidConfiguration, match=r"goal 'goal.png' came.*unknown"):
        TabletopRearrangement(true_table, goal="goal.png", observation="state")
    env = TabletopRearrangement(true_table, observation="both")
    with pytest.raises(InvalidConfiguration, match=r"goal 'goal.png' came.*unknown"):
        env.reset(options={"goal": "goal.png"})


def test_the_judge_by_pictures_needs_pictures(true_table):
    with pytest.raises(InvalidConfiguration, match="use the judge 'truth' or the observation 'both'"):
        TabletopRearrangement(true_table, judge="pictures", observation="state")


def test_rendering_before_a_reset_is_refused(true_table):
    env = TabletopInteraction(true_table, observation="state", render_mode="rgb_array")
    with pytest.raises(gym.error.ResetNeeded):
        env.render()
