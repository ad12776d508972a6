"""Objects are visible, stable, graspable and distinct."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from tabletop_interaction.sim_assets import ObjectModel, load_object, object_names
from tabletop_interaction.sim_assets.colours import KINDS, brightness, contrast, mixed, tone
from tabletop_interaction.sim_assets.noise import fractal_noise
from tabletop_interaction.sim_assets.objects.atlas import MARGIN, pack
from tabletop_interaction.sim_assets.objects.shapes import LYING, Panel, bevelled, column, oval, place, spheroid
from tabletop_interaction.sim_assets.objects.textures import PAINTS, Skin, paint
from tabletop_interaction.sim_assets.splits import CATALOGUE

SPLITS = ("train", "val", "test", "dev")
NAMES = tuple(name for split in SPLITS for name in object_names(split))
ELEVATION = np.deg2rad(65)  # of the cameras above the table


def volume(vertices: NDArray, faces: NDArray) -> float:
    corners = vertices[faces].astype(np.float64)
    return float(np.einsum("fi,fi->", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])) / 6)


def silhouette(vertices: NDArray, faces: NDArray) -> NDArray[np.float64]:
    """Points (N, 2) of a 1 mm grid covered by a mesh, seen along z, metres."""
    plane = vertices[:, :2].astype(np.float64)
    low = plane.min(axis=0)
    pixels = (plane - low) * 1000
    picture = np.zeros(np.ceil(pixels.max(axis=0)).astype(int)[::-1] + 1, np.uint8)
    for triangle in np.round(pixels[faces] * 16).astype(np.int32):  # fillPoly would treat overlaps as holes
        cv2.fillConvexPoly(picture, triangle, 1, shift=4)
    rows, columns = np.nonzero(picture)
    return np.column_stack([columns, rows]) / 1000 + low


def grasp_width(model: ObjectModel) -> float:
    """Metres between fingers, 16 mm broad, that close on the silhouette's centroid along its minor axis."""
    points = silhouette(model.vertices, model.faces)
    points = points - points.mean(axis=0)
    minor, major = np.linalg.eigh(np.cov(points.T))[1].T
    between = np.abs(points @ major) < 0.016 / 2
    return float(np.ptp(points[between] @ minor))


def seen_area(model: ObjectModel, azimuth: float) -> float:
    """Square metres that the object covers across the line of sight of a camera at `azimuth`."""
    x, y, z = model.vertices.astype(np.float64).T
    right = x * np.cos(azimuth) - y * np.sin(azimuth)
    away = x * np.sin(azimuth) + y * np.cos(azimuth)
    picture = np.column_stack([right, away * np.sin(ELEVATION) + z * np.cos(ELEVATION)])
    return len(silhouette(picture, model.faces)) * 1e-6


def points_on(model: ObjectModel) -> NDArray:
    """Points (4000, 3) spread over the surface."""
    rng = np.random.default_rng(0)
    corners = model.vertices[model.faces].astype(np.float64)
    areas = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    chosen = corners[rng.choice(len(corners), 4000, p=areas / areas.sum())]
    return np.einsum("nk,nki->ni", rng.dirichlet((1, 1, 1), 4000), chosen)


def distance_outside(points: NDArray, hull: NDArray) -> NDArray:
    """Distance of points (N, 3) outside the planes of a convex hull, metres; 0 inside."""
    planes = ConvexHull(hull).equations
    return np.maximum((points @ planes[:, :3].T + planes[:, 3]).max(axis=1), 0)


@pytest.fixture(params=NAMES)
def model(request: pytest.FixtureRequest) -> ObjectModel:
    return load_object(request.param)


def test_the_splits_have_36_8_15_and_14_objects_and_share_none() -> None:
    assert [len(object_names(split)) for split in SPLITS] == [36, 8, 15, 14]
    assert len(set(NAMES)) == len(NAMES)
    assert len({load_object(name).vertices.tobytes() for name in NAMES}) == len(NAMES)
    assert len({load_object(name).texture.tobytes() for name in NAMES}) == len(NAMES)


def test_every_family_is_trained_on_and_tested() -> None:
    families = {split: {load_object(name).family for name in object_names(split)} for split in SPLITS}
    assert families["train"] == families["test"] == families["dev"]
    assert families["val"] <= families["train"]


def test_most_test_objects_are_of_variants_never_trained_on() -> None:
    seen = set(CATALOGUE["train"]) | set(CATALOGUE["val"])
    assert sum(entry not in seen for entry in CATALOGUE["test"]) >= 10


def test_development_objects_have_no_variant_that_only_the_test_objects_have() -> None:
    only_tested = set(CATALOGUE["test"]) - set(CATALOGUE["train"])
    assert not only_tested & set(CATALOGUE["dev"])
    assert len(set(CATALOGUE["dev"]) - set(CATALOGUE["train"]) - set(CATALOGUE["val"])) == 4


def test_an_unknown_split_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="accepted are train, val, test, dev"):
        object_names("validation")


@pytest.mark.parametrize("name", ["", "train", "train_00_mug", "train_36_box", "other_00_box"])
def test_an_unknown_object_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="object_names"):
        load_object(name)


@pytest.mark.parametrize("name", NAMES[::7])
def test_an_object_made_twice_is_the_same(name: str) -> None:
    first, second = load_object.__wrapped__(name), load_object.__wrapped__(name)
    assert first is not second
    for field in ("vertices", "faces", "normals", "uv", "texture"):
        np.testing.assert_array_equal(getattr(first, field), getattr(second, field))
    assert (first.mass, first.friction, first.specular) == (second.mass, second.friction, second.specular)


def test_an_object_is_cached_and_read_only() -> None:
    model = load_object(NAMES[0])
    assert load_object(NAMES[0]) is model
    with pytest.raises(ValueError, match="read-only"):
        model.vertices[0] = 0


def test_arrays_have_their_documented_types(model: ObjectModel) -> None:
    count = len(model.vertices)
    assert model.vertices.shape == model.normals.shape == (count, 3)
    assert model.uv.shape == (count, 2)
    assert model.texture.shape == (256, 256, 3)
    kinds = [a.dtype for a in (model.vertices, model.normals, model.uv, model.faces, model.texture)]
    assert kinds == [np.float32, np.float32, np.float32, np.int32, np.uint8]
    assert all(hull.dtype == np.float32 for hull in model.collision)
    assert 50 <= len(model.faces) <= 1800


def test_the_surface_is_closed_and_faces_outward(model: ObjectModel) -> None:
    points, index = np.unique(model.vertices.round(6), axis=0, return_inverse=True)
    faces = index[model.faces]
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    forward = edges[:, 0] * len(points) + edges[:, 1]
    backward = edges[:, 1] * len(points) + edges[:, 0]
    np.testing.assert_array_equal(np.sort(forward), np.sort(backward))
    assert volume(model.vertices, model.faces) > 1e-5


def test_normals_are_unit_and_agree_with_their_faces(model: ObjectModel) -> None:
    np.testing.assert_allclose(np.linalg.norm(model.normals, axis=1), 1, atol=1e-3)
    a, b, c = (model.vertices[model.faces[:, k]] for k in range(3))
    flat = np.cross(b - a, c - a)
    real = np.linalg.norm(flat, axis=1) > 1e-9
    agreement = np.einsum("fi,fki->fk", flat, model.normals[model.faces])[real]
    assert (agreement > 0).all()


def test_texture_coordinates_stay_in_the_texture(model: ObjectModel) -> None:
    assert model.uv.min() >= 0
    assert model.uv.max() <= 1


def test_an_object_fits_into_the_gripper(model: ObjectModel) -> None:
    assert 0.020 <= grasp_width(model) <= 0.0465
    # The fingers reach down to 12 mm above the table: what they close on has to be higher.
    centre = silhouette(model.vertices, model.faces).mean(axis=0)
    height = points_on(model) - [*centre, model.vertices[:, 2].min()]
    near = np.linalg.norm(height[:, :2], axis=1) < 0.03  # a mug is hollow in the middle
    assert height[near, 2].max() >= 0.019
    assert np.ptp(model.vertices[:, 2]) <= 0.076


def test_an_object_is_longer_than_wide(model: ObjectModel) -> None:
    points = silhouette(model.vertices, model.faces)
    minor, major = np.sqrt(np.linalg.eigvalsh(np.cov(points.T)))
    assert major > 1.3 * minor


def test_an_object_covers_well_over_a_thousand_pixels(model: ObjectModel) -> None:
    assert min(seen_area(model, azimuth) for azimuth in (0, np.pi / 4, np.pi / 2)) >= 0.0032
    assert np.ptp(model.vertices, axis=0).max() <= 0.15


def test_mass_and_surface_are_plausible(model: ObjectModel) -> None:
    assert 0.03 <= model.mass <= 0.25
    assert 0.4 <= model.friction <= 0.9
    assert 0 <= model.specular <= 1


def test_the_centre_of_mass_is_near_the_grasp(model: ObjectModel) -> None:
    centre = silhouette(model.vertices, model.faces).mean(axis=0)
    assert np.linalg.norm(centre) <= 0.012


def test_a_few_convex_pieces_contain_the_visible_surface(model: ObjectModel) -> None:
    assert 1 <= len(model.collision) <= 8
    assert all(4 <= len(hull) <= 32 for hull in model.collision)
    outside = np.min([distance_outside(model.vertices, hull) for hull in model.collision], axis=0)
    assert outside.max() <= 0.0045
    low = min(hull[:, 2].min() for hull in model.collision)
    assert abs(low - model.vertices[:, 2].min()) <= 0.0025


def test_convex_pieces_stay_close_to_the_visible_surface(model: ObjectModel) -> None:
    hulls = np.concatenate(model.collision)
    assert (hulls > model.vertices.min(axis=0) - 0.003).all()
    assert (hulls < model.vertices.max(axis=0) + 0.003).all()


def test_an_object_stands_on_more_than_a_point(model: ObjectModel) -> None:
    """The centre of mass lies above the polygon of the contact points, with a margin."""
    points = np.concatenate(model.collision)
    touching = points[points[:, 2] < points[:, 2].min() + 0.0015, :2]
    planes = ConvexHull(touching).equations
    assert planes[:, 2].max() < -0.003


def test_objects_look_different_from_each_other() -> None:
    means = np.array([load_object(name).texture.reshape(-1, 3).mean(axis=0) for name in NAMES])
    assert (means.std(axis=0) > 20).all()


@pytest.mark.parametrize("name", PAINTS)
def test_a_paint_fills_its_canvas(name: str) -> None:
    rng = np.random.default_rng(1)
    for height, width in ((2, 2), (9, 200), (120, 5), (90, 140)):
        picture = paint(rng, height, width, 1500.0, Skin(name, mixed(rng)))
        assert picture.shape == (height, width, 3)
        assert picture.min() >= 0
        assert picture.max() <= 255


@pytest.mark.parametrize("kind", KINDS)
def test_print_can_be_read_on_every_tone(kind: str) -> None:
    rng = np.random.default_rng(2)
    for _ in range(20):
        colour = tone(rng, kind)
        assert abs(brightness(contrast(colour)) - brightness(colour)) > 70


def test_cells_of_an_atlas_do_not_overlap() -> None:
    panels = [Panel(f"slot_{k}", 0.01 + 0.013 * k, 0.12 / (k + 1)) for k in range(9)]
    cells, resolution = pack(panels, 256)
    taken = np.zeros((256, 256), int)
    for panel in panels:
        cell = cells[panel.slot]
        assert cell.width == pytest.approx(panel.width * resolution, abs=1)
        rows = slice(cell.row - MARGIN, cell.row + cell.height + MARGIN)
        taken[rows, cell.column - MARGIN : cell.column + cell.width + MARGIN] += 1
    assert taken.max() == 1


def test_a_loft_has_the_volume_of_its_solid() -> None:
    can = column(oval(0.04, 0.04), [[0, 1], [0.1, 1]], [("side", 1)], 1000)
    assert volume(can.vertices, can.faces) == pytest.approx(np.pi * 0.02**2 * 0.1, rel=0.02)
    egg = column(oval(0.04, 0.05), spheroid(0.06, 15), [("skin", 14)], 1000)
    assert volume(egg.vertices, egg.faces) == pytest.approx(np.pi / 6 * 0.04 * 0.05 * 0.06, rel=0.04)


def test_rotating_a_part_keeps_its_volume() -> None:
    bar = column(oval(0.04, 0.03, 8), bevelled(0.1, 0.04, 0.03, 0.002), [("side", 5)], 1000)
    lying = place(bar, turn=LYING)
    assert volume(lying.vertices, lying.faces) == pytest.approx(volume(bar.vertices, bar.faces))
    np.testing.assert_allclose(np.ptp(lying.vertices, axis=0), np.ptp(bar.vertices, axis=0)[[2, 0, 1]])


@pytest.mark.parametrize("cell", [5, 40.0, (7.5, 60)])
def test_noise_spans_zero_to_one_and_repeats(cell: float | tuple[float, float]) -> None:
    first, second = (fractal_noise(np.random.default_rng(3), 70, 90, cell) for _ in range(2))
    assert first.shape == (70, 90)
    assert first.dtype == np.float32
    assert (first.min(), first.max()) == (0, pytest.approx(1))
    np.testing.assert_array_equal(first, second)


def test_noise_without_a_size_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        fractal_noise(np.random.default_rng(0), 10, 10, 0)
