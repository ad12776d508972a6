"""Composed pictures agree with geometry and with plain TinyRenderer."""

import cv2
import numpy as np
import pybullet
import pytest
import trimesh

from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.sim_assets import BACKGROUND_PX_PER_M, ObjectModel, TableTop, load_object, object_names
from tabletop_interaction.simulation import renderer
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.cameras import ARENA, arena_views
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.renderer import ComposedRenderer, gl_matrices
from tabletop_interaction.simulation.scene import Light, Placement, Scene
from tabletop_interaction.simulation.sensor import Sensor

VIEWS = arena_views()
LAMP = Light(np.array([0.6, -0.4, 0.9]), np.ones(3), ambient=0.5, diffuse=0.5, softness=0.001)
UPRIGHT = np.array([0.0, 0, 0, 1])


GREY = np.full((840, 960, 3), 150, np.uint8)


def _scene(*models, picture=GREY):
    return Scene(TableTop("plain", picture), LAMP, tuple(Placement(model, 0, 0, 0) for model in models), 0)


def _box_model(size):
    mesh = trimesh.creation.box(size)
    mesh.unmerge_vertices()
    return ObjectModel(
        name="box",
        family="box",
        vertices=mesh.vertices.astype(np.float32),
        faces=mesh.faces.astype(np.int32),
        normals=mesh.vertex_normals.astype(np.float32),
        uv=np.zeros((len(mesh.vertices), 2), np.float32),
        texture=np.full((8, 8, 3), 200, np.uint8),
        collision=(mesh.vertices.astype(np.float32),),
        mass=0.1,
        friction=0.5,
        specular=0.0,
    )


def _grey_picture():
    ids, nearest = np.zeros((350, 430), np.int32), np.ones((350, 430), np.float32)
    return renderer.CleanPicture(np.full((350, 430, 3), 120, np.uint8), ids, nearest)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_every_view_sees_all_of_the_arena(view):
    a = ARENA
    corners = view.project(np.array([(x, y, 0.0) for x in (a.x_min, a.x_max) for y in (a.y_min, a.y_max)]))
    assert (corners >= 0).all()
    assert (corners <= [view.width - 1, view.height - 1]).all()


def test_a_chequerboard_table_lands_on_the_projected_corners():
    square = 72  # texture pixels: 6 cm
    rows, columns = np.indices((840, 960)) // square
    board = np.where((rows + columns) % 2, 230, 30).astype(np.uint8)
    with_table = ComposedRenderer(VIEWS, shadows=False)
    with_table.show_scene(_scene(picture=np.repeat(board[:, :, None], 3, axis=2)))
    inner = [(r, c) for r in range(4, 8) for c in range(4, 9)]
    # The edge between two texture pixels lies half a pixel before the second one's centre.
    x = np.array([(c * square - 0.5 - 959 / 2) / BACKGROUND_PX_PER_M for _, c in inner])
    y = np.array([-(r * square - 0.5 - 839 / 2) / BACKGROUND_PX_PER_M for r, _ in inner])
    for view, picture in zip(VIEWS, with_table.render({}), strict=True):
        expected = view.project(np.column_stack([x, y, np.zeros_like(x)])).astype(np.float32)
        grey = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY)
        criteria = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, 50, 1e-3)
        found = cv2.cornerSubPix(grey, expected.reshape(-1, 1, 2).copy(), (5, 5), (-1, -1), criteria)
        assert np.abs(found.reshape(-1, 2) - expected).max() < 0.5, view.name


def test_composed_silhouettes_equal_those_of_a_plain_scene_with_table():
    models = [load_object(name) for name in object_names("train")[::7]]
    composed = ComposedRenderer(VIEWS)
    composed.show_scene(_scene(*models))
    poses = {
        i: (np.array([0.1 * i - 0.35, 0.05 * (-1) ** i, -model.vertices[:, 2].min()]), UPRIGHT)
        for i, model in enumerate(models, start=1)
    }
    pictures = composed.render(poses)
    client = BulletClient()
    slab = client.createVisualShape(pybullet.GEOM_BOX, halfExtents=[0.45, 0.45, 0.01])
    table = client.createMultiBody(0, -1, slab, [0, 0, -0.0105])
    looks = VisualBodies(client)
    bodies = {looks.add_object(model): i for i, model in enumerate(models, start=1)}
    for body, i in bodies.items():
        client.resetBasePositionAndOrientation(body, *poses[i])
    for view, picture in zip(VIEWS, pictures, strict=True):
        plain = client.getCameraImage(
            view.width,
            view.height,
            *gl_matrices(view),
            renderer=pybullet.ER_TINY_RENDERER,
        )[4]
        plain = np.asarray(plain).reshape(view.height, view.width)
        truth = np.select([plain == body for body in bodies], list(bodies.values()), 0)
        assert (plain == table).any()
        np.testing.assert_array_equal(picture.instances, truth)
    client.close()


def test_a_rendered_box_lies_where_the_view_projects_it():
    composed = ComposedRenderer(VIEWS)
    composed.show_scene(_scene(_box_model((0.1, 0.06, 0.0002))))
    pictures = composed.render({1: (np.array([0.1, 0.05, 0.0001]), UPRIGHT)})
    rectangle = np.array([[0.05, 0.02, 1], [0.15, 0.02, 1], [0.15, 0.08, 1], [0.05, 0.08, 1]]) * [
        1,
        1,
        0.0002,
    ]
    for view, picture in zip(VIEWS, pictures, strict=True):
        rows, columns = np.nonzero(picture.instances == 1)
        moments = cv2.moments(view.project(rectangle).astype(np.float32))
        expected = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
        assert np.abs([columns.mean(), rows.mean()] - expected).max() < 0.5, view.name


def test_depths_are_those_of_the_plane_and_of_the_box_s_top():
    size = np.array([0.1, 0.06, 0.05])
    composed = ComposedRenderer(VIEWS)
    composed.show_scene(_scene(_box_model(size)))
    pictures = composed.render({1: (np.array([0.05, 0.03, size[2] / 2]), UPRIGHT)})
    for view, picture in zip(VIEWS, pictures, strict=True):
        depths = renderer.depths_of(picture, view, renderer.table_depths(view))
        rows, columns = np.indices(depths.shape)
        pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(float)
        at = {z: view.unproject(pixels, z) for z in (0.0, size[2])}
        along_axis = {
            z: (points @ view.camera_from_arena[2, :3] + view.camera_from_arena[2, 3]).reshape(depths.shape)
            for z, points in at.items()
        }
        table = picture.instances == 0
        np.testing.assert_allclose(depths[table], along_axis[0.0][table], atol=1e-5)
        inside = (np.abs(at[size[2]][:, :2] - (0.05, 0.03)) < size[:2] / 2 - 0.004).all(axis=1).reshape(depths.shape)
        assert inside.sum() > 500
        np.testing.assert_allclose(depths[inside], along_axis[size[2]][inside], atol=5e-4)
        # Nothing of the box is nearer than its top, and nothing farther than the table behind it.
        assert (depths <= along_axis[0.0] + 1e-5).all()
        assert depths[~table].min() >= along_axis[size[2]][~table].min() - 5e-4


def test_a_pixel_above_the_horizon_or_beyond_the_table_has_no_depth():
    level = camera_pose(np.array([0.0, -1.0, 0.3]), np.array([0.0, 1.0, 0.3]), np.array([0.0, 0.0, 1.0]))
    view = View("level", 5, 5, np.array([[5.0, 0, 2], [0, 5, 2.25], [0, 0, 1]]), level)
    depths = renderer.table_depths(view)
    # Row 3 looks at the table's plane 2 m away, beyond the edge.
    assert (depths[:4] == 0).all()
    assert depths[4, 2] == pytest.approx(1.5 / 1.75, rel=1e-6)


def test_the_shadow_of_a_box_agrees_with_geometry():
    size = np.array([0.08, 0.06, 0.09])
    pose = {1: (np.array([0.05, 0.03, 0.045]), UPRIGHT)}
    lit, shadowed = [], []
    for shadows, pictures in ((False, lit), (True, shadowed)):
        composed = ComposedRenderer(VIEWS, shadows=shadows)
        composed.show_scene(_scene(_box_model(size)))
        pictures.extend(composed.render(pose))
    corners = np.array([(i, j, k) for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * size / 2 + pose[1][0]
    along = corners[:, 2:] / (LAMP.position[2] - corners[:, 2:])
    ground = corners - along * (LAMP.position - corners)
    for view, plain, dark in zip(VIEWS, lit, shadowed, strict=True):
        outline = cv2.convexHull(view.project(ground * [1, 1, 0]).astype(np.float32))
        expected = np.zeros((view.height, view.width), np.uint8)
        cv2.fillConvexPoly(expected, np.round(outline).astype(np.int32), 1)
        free = cv2.erode((plain.instances == 0).astype(np.uint8), np.ones((5, 5))) > 0
        found = (plain.rgb.astype(int) - dark.rgb).sum(2) > 0.25 * 3 * 75
        both = (found & (expected > 0) & free).sum()
        either = ((found | (expected > 0)) & free).sum()
        assert both / either > 0.9, (view.name, both / either)


def test_full_shadow_is_the_ambient_share_of_the_light():
    pose = {1: (np.array([0.0, 0.0, 0.2]), UPRIGHT)}
    centre = LAMP.position * (0.2 / (0.2 - LAMP.position[2]))
    x, y = np.round(VIEWS[0].project(np.array([[centre[0], centre[1], 0.0]]))[0]).astype(int)
    brightness = []
    for shadows in (True, False):
        composed = ComposedRenderer(VIEWS[:1], shadows=shadows)
        composed.show_scene(_scene(_box_model((0.1, 0.1, 0.002))))
        brightness.append(composed.render(pose)[0].rgb[y, x].mean())
    gain = renderer._lambert(np.array([[centre[0], centre[1], 0.0]]), LAMP.position)[0]
    assert brightness[0] / brightness[1] == pytest.approx(0.5 / (0.5 + 0.5 * gain), abs=0.02)


def test_the_sensor_repeats_by_seed_and_adds_noise_of_the_set_deviation():
    clean = _grey_picture()

    def shoot(seed):
        return Sensor(seed, 2.0, 0.0, 350, 430).expose(VIEWS[:1], (clean,))["view_0"]

    first = shoot(1)
    np.testing.assert_array_equal(first, shoot(1))
    assert not np.array_equal(first, shoot(2))
    assert first.std() == pytest.approx(2.0, abs=0.1)


def test_two_exposures_of_one_scene_differ_only_by_noise():
    clean = _grey_picture()
    sensor = Sensor(1, 1.0, 0.01, 350, 430)
    first, second = (sensor.expose(VIEWS[:1], (clean,))["view_0"] for _ in range(2))
    assert not np.array_equal(first, second)
    assert abs(first.mean() - second.mean()) < 8
