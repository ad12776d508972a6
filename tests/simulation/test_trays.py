"""A tray: walls in the pictures and in the physics, and an arena that lies inside."""

import numpy as np
import pytest

from tabletop_interaction.envs import PickOutcome, TabletopInteraction
from tabletop_interaction.simulation import SimulationConfig, open_simulation
from tabletop_interaction.simulation.trays import BESIDE_M, HEIGHT_M, WALL_M


@pytest.fixture(scope="module")
def tray():
    config = SimulationConfig(1, 1, object_names=("train_02_box",), tray=True, noise_sigma=0, exposure_jitter=0)
    with open_simulation("train", config) as backend:
        backend.reset(np.random.default_rng(4), new_scene=True)
        yield backend


def _wall_pixels(view, xs, z):
    """Pixels (N, 2) x, y along the inner edge of the wall that is farthest from the robot."""
    points = [(x, 0.245 - WALL_M / 2, z) for x in xs]
    return np.round(view.project(np.array(points))).astype(int)


def test_the_tray_is_drawn_in_one_colour_with_the_id_of_the_table_and_in_the_depth(tray):
    tray.reset(np.random.default_rng(4), new_scene=True)
    view = tray.views[0]
    columns, rows = _wall_pixels(view, np.linspace(-0.25, 0.25, 20), HEIGHT_M).T
    colours = tray.observe()[view.name][rows + 1, columns].astype(int)
    assert np.ptp(colours, axis=0).max() < 12
    assert (tray.instance_maps()[view.name][rows, columns] == 0).all()
    flat = view.project(np.array([[0.0, 0.245, 0.0]]))
    assert flat[0, 1] > rows[10], "the top of the wall is higher in the picture than its foot"
    camera = view.camera_from_arena
    wanted = camera[2, :3] @ (0, 0.245 - WALL_M / 2, HEIGHT_M) + camera[2, 3]
    assert tray.depth_maps()[view.name][rows + 1, columns][10] == pytest.approx(wanted, abs=0.01)


def test_the_tray_casts_a_shadow():
    def picture(**settings):
        config = SimulationConfig(1, 1, tray=True, noise_sigma=0, exposure_jitter=0, **settings)
        with open_simulation("train", config) as backend:
            backend.reset(np.random.default_rng(4), new_scene=True)
            return backend.observe()["view_0"].astype(int), backend.instance_maps()["view_0"]

    (with_shadow, ids), (without, _) = picture(), picture(shadows=False)
    darker = ((without - with_shadow).mean(axis=2) > 5) & (ids == 0)
    # An object's shadow alone covers less than half of this, in one half of the picture.
    assert darker.sum() > 1500
    assert darker[:, :200].any()
    assert darker[:, 230:].any()


def test_the_arena_lies_inside_the_walls_and_the_cameras_see_all_of_them(tray):
    half = np.array([0.30, 0.245]) - WALL_M - BESIDE_M
    assert tray.arena.half_size == pytest.approx(tuple(half))
    assert TabletopInteraction(tray).arena == tray.arena
    corners = np.array([(x, y, 0.0) for x in (-0.3, 0.3) for y in (-0.245, 0.245)])
    for view in tray.views:
        pixels = view.project(corners)
        assert (pixels > 0).all()
        assert (pixels < (view.width, view.height)).all()


def test_fingers_that_come_down_on_a_wall_stop_and_say_so(tray):
    tray.reset(np.random.default_rng(4), new_scene=True)
    before = tray.object_states()[0].position
    for x, angle in ((tray.arena.x_max, 0.0), (tray.arena.x_min, 0.0)):
        y = -0.15 if before[1] > 0 else 0.15
        assert tray.pick(x, y, angle).outcome is PickOutcome.BLOCKED
        assert tray.pick(x, y, np.pi / 2).outcome is PickOutcome.NOTHING_THERE
    np.testing.assert_allclose(tray.object_states()[0].position, before, atol=1e-4)


def test_an_object_that_is_pushed_to_a_wall_stays_in_the_tray_and_the_arm_stops(tray):
    tray.reset(np.random.default_rng(4), new_scene=True)
    tray.world.put(1, (np.array([0.2, 0.0, 0.04]), np.array([0, 0, 0, 1.0])))
    tray.world.settle()
    pushes = []
    tray.world._on_step = tray.world.arm._on_step = lambda: pushes.append(
        float(np.linalg.norm(tray.world.push_on_arm()[:2]))
    )
    tray.sweep((0.05, 0.0), (tray.arena.x_max, 0.0))
    tray.world._on_step = tray.world.arm._on_step = None
    position = tray.object_states()[0].position
    assert position[0] > 0.22, "the object was pushed"
    assert position[0] < 0.30
    assert position[2] < 0.1
    assert sum(push > 60 for push in pushes) < 10, "the arm does not press on"


def test_the_same_seed_gives_the_same_tray(tray):
    tray.reset(np.random.default_rng(7), new_scene=True)
    first = tray.observe()["view_2"]
    tray.reset(np.random.default_rng(7), new_scene=True)
    np.testing.assert_array_equal(tray.observe()["view_2"], first)


def test_the_third_person_picture_shows_the_tray(tray):
    tray.reset(np.random.default_rng(4), new_scene=True)
    with_tray = tray.third_person_picture().astype(int)
    with open_simulation("train", SimulationConfig(1, 1, object_names=("train_02_box",))) as plain:
        plain.reset(np.random.default_rng(4), new_scene=True)
        without = plain.third_person_picture().astype(int)
    assert (np.abs(with_tray - without).max(axis=2) > 20).sum() > 500
