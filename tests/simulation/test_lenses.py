"""Pictures of distorting lenses: everything is where the view projects it, and a camera may stand anywhere."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
import trimesh

from tabletop_interaction.sim_assets import BACKGROUND_PX_PER_M, ObjectModel, TableTop
from tabletop_interaction.simulation import look_at, orbit, top_down
from tabletop_interaction.simulation.lenses import check_lens, is_pinhole, lens_of
from tabletop_interaction.simulation.renderer import ComposedRenderer, depths_of, table_depths
from tabletop_interaction.simulation.scene import Light, Placement, Scene

LAMP = Light(np.array([0.6, -0.4, 0.9]), np.ones(3), ambient=0.5, diffuse=0.5, softness=0.001)
UPRIGHT = np.array([0.0, 0, 0, 1])
BARREL, PINCUSHION = (-0.25, 0.06, 0.002, -0.001, 0.0), (0.3, 0.05, -0.001, 0.002, 0.0)
GREY = np.full((840, 960, 3), 150, np.uint8)
SQUARE = orbit("skewed", 10, 60)
SKEWED = replace(SQUARE, intrinsics=SQUARE.intrinsics + np.eye(3, k=1) * [0, 9.0, 0])
VIEWS = (
    orbit("barrel", -60, 50, distortion=BARREL, field_of_view_deg=80),
    orbit("pincushion", 100, 70, distortion=PINCUSHION, picture_size=(128, 128)),
    top_down("above", distortion=BARREL, picture_size=(480, 640)),
    SKEWED,
)


def _box_model(size):
    mesh = trimesh.creation.box(size)
    mesh.unmerge_vertices()
    vertices = mesh.vertices.astype(np.float32)
    return ObjectModel(
        name="box",
        family="box",
        vertices=vertices,
        faces=mesh.faces.astype(np.int32),
        normals=mesh.vertex_normals.astype(np.float32),
        uv=np.zeros((len(vertices), 2), np.float32),
        texture=np.full((8, 8, 3), 200, np.uint8),
        collision=(vertices,),
        mass=0.1,
        friction=0.5,
        specular=0.0,
    )


def _render(views, size, position, table):
    composed = ComposedRenderer(views, shadows=False)
    composed.show_scene(Scene(TableTop("table", table), LAMP, (Placement(_box_model(size), 0, 0, 0),), 0))
    pictures = composed.render({1: (np.array(position), UPRIGHT)})
    composed.close()
    return pictures


def _chequerboard(square):
    rows, columns = np.indices((840, 960)) // square
    return np.repeat(np.where((rows + columns) % 2, 230, 30).astype(np.uint8)[:, :, None], 3, axis=2)


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.name)
def test_an_object_a_table_s_pattern_and_depths_are_where_the_view_projects_them(view):
    assert not is_pinhole(view)
    centre, size = np.array([0.17, -0.12]), np.array([0.1, 0.06, 0.0002])
    (picture,) = _render((view,), size, [*centre, 0.0001], _chequerboard(72))

    outline = np.array([[x, y, 0.0002] for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))])
    fine = np.concatenate([np.linspace(outline[i], outline[(i + 1) % 4], 40) for i in range(4)])
    polygon = view.project(fine * [size[0] / 2, size[1] / 2, 1] + [*centre, 0])
    moments = cv2.moments(polygon.astype(np.float32))
    expected = np.array([moments["m10"], moments["m01"]]) / moments["m00"]
    rows, columns = np.nonzero(picture.instances == 1)
    assert np.abs([columns.mean(), rows.mean()] - expected).max() < 1
    assert picture.instances.sum() == pytest.approx(moments["m00"], rel=0.12)

    texture_xy = 6 * 72 - 0.5 - (np.array([960, 840]) - 1) / 2
    corner = np.array([[*(texture_xy * [1, -1] / BACKGROUND_PX_PER_M), 0.0]])
    at = view.project(corner).astype(np.float32)
    grey = cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY)
    found = cv2.cornerSubPix(grey, at.reshape(-1, 1, 2).copy(), (4, 4), (-1, -1), (3, 50, 1e-3)).reshape(2)
    assert np.abs(found - at).max() < 1

    depths = depths_of(picture, view, table_depths(view))
    row, column = (int(value) for value in expected.round()[::-1])
    (point,) = view.unproject(np.array([[column, row]], np.float64))
    depth = view.camera_from_arena[2] @ [*point, 1]
    assert depths[row, column] == pytest.approx(depth, abs=2e-3)


def test_a_lens_takes_each_pixel_from_its_own_ray():
    lens = lens_of(VIEWS[0])
    rows, columns = np.indices((VIEWS[0].height, VIEWS[0].width))
    pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    there = lens.pinhole.rays(lens.map_xy.reshape(-1, 2).astype(np.float64))
    np.testing.assert_allclose(there, VIEWS[0].rays(pixels), atol=1e-6)
    assert lens.map_xy.min() >= 1
    assert (lens.map_xy.max(axis=(0, 1)) <= [lens.pinhole.width - 2, lens.pinhole.height - 2]).all()


def test_the_default_kind_of_camera_needs_no_lens():
    assert is_pinhole(orbit("view_0", 0, 45))
    check_lens(orbit("view_0", 0, 45))


def test_a_low_camera_sees_the_room_above_the_horizon_and_beyond_the_table():
    low = look_at("low", (0.0, -0.75, 0.12), (0.0, 0.0, 0.05), field_of_view_deg=70, picture_size=(240, 320))
    (picture,) = _render((low,), np.array([0.06, 0.06, 0.06]), [0, 0, 0.03], GREY)
    depths = depths_of(picture, low, table_depths(low))
    horizon = low.project(np.array([[0, 1e6, 0.12]]))[0, 1]
    room = picture.rgb[: int(horizon) - 2][picture.instances[: int(horizon) - 2] == 0]
    assert np.ptp(room.astype(int), axis=0).max() == 0
    assert (depths[: int(horizon) - 2][picture.instances[: int(horizon) - 2] == 0] == 0).all()
    # The near edge of the table top, 0.5 m from its centre, and the floor of the room before it.
    edge = low.project(np.array([[0, -0.5, 0.0]]))[0, 1]
    assert (depths[int(edge) + 2 :] == 0).all()
    assert (depths[int(edge) - 4] > 0).all()
    assert (picture.instances == 1).any()


def test_an_object_that_reaches_behind_the_camera_is_drawn_where_it_is_seen():
    beside = look_at("beside", (0.0, -0.06, 0.08), (0.0, 0.25, 0.02), field_of_view_deg=100, picture_size=(120, 160))
    (picture,) = _render((beside,), np.array([0.04, 0.4, 0.04]), [0.0, 0.0, 0.02], GREY)
    seen = picture.instances == 1
    x, y = beside.project(np.array([[0.0, 0.15, 0.04]]))[0].round().astype(int)
    assert seen[y, x]
    # It ends before the horizon, and lies in the middle of the picture.
    assert not seen[:, :20].any()
    assert not seen[: int(beside.project(np.array([[0, 0.2, 0.04]]))[0, 1]) - 2].any()
