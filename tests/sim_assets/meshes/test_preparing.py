"""Mesh files become objects: size, pose, mass, colours and texture are those of the file."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation
from trimesh.visual import ColorVisuals, TextureVisuals
from trimesh.visual.material import PBRMaterial, SimpleMaterial

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets.meshes import preparing
from tabletop_interaction.sim_assets.meshes.graspable import graspable_width
from tabletop_interaction.sim_assets.meshes.mesh_object import MeshObject
from tabletop_interaction.sim_assets.meshes.parts import content_checksum
from tabletop_interaction.sim_assets.meshes.preparing import load_mesh_object

BOX = (0.10, 0.04, 0.02)


def load(path, **how):
    return load_mesh_object(MeshObject(path, **how), content_checksum(Path(path)))


def write(mesh, path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mesh.export(path)
    return path


def shown_colours(model):
    """Colour (F, 3, 3) that each corner of each face shows, by the texture."""
    height, width = model.texture.shape[:2]
    uv = model.uv[model.faces] % 1
    return model.texture[((1 - uv[..., 1]) * height).astype(int), (uv[..., 0] * width).astype(int)]


def textured_box(folder, name="box.obj"):
    """A box whose faces all show one picture: red below, blue above; with its material and picture."""
    box = trimesh.creation.box(BOX)
    box.unmerge_vertices()
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[:4], picture[4:] = (20, 40, 220), (210, 30, 40)
    uv = np.tile([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]], (len(box.faces), 1))
    box.visual = TextureVisuals(uv=uv, material=SimpleMaterial(image=Image.fromarray(picture)))
    folder.mkdir(parents=True, exist_ok=True)
    text, files = trimesh.exchange.obj.export_obj(box, include_texture=True, return_texture=True)
    (folder / name).write_text(text)
    for each, content in files.items():
        (folder / each).write_bytes(content)
    return folder / name


@pytest.mark.parametrize("suffix", ["stl", "obj", "ply", "glb"])
def test_a_box_has_the_size_mass_and_inertia_of_a_box(tmp_path, suffix):
    mesh = trimesh.creation.box(BOX)
    mesh.apply_translation((3, -2, 5))
    model = load(write(mesh, tmp_path / f"box.{suffix}"), mass=0.12, up="z")
    np.testing.assert_allclose(np.ptp(model.vertices, axis=0), BOX, atol=1e-6)
    np.testing.assert_allclose(model.vertices.max(axis=0), np.array(BOX) / 2, atol=1e-6)
    squares = np.square(BOX)
    np.testing.assert_allclose(model.inertia, np.diag(0.12 / 12 * (squares.sum() - squares)), atol=1e-9)
    assert (model.name, model.mass, len(model.collision)) == ("box", 0.12, 1)
    np.testing.assert_allclose(np.ptp(model.collision[0], axis=0), BOX, atol=1e-6)


def test_the_mass_is_that_of_the_volume_unless_it_is_given(tmp_path):
    assert load(write(trimesh.creation.box(BOX), tmp_path / "box.stl")).mass == pytest.approx(0.08e-3 * 500)
    assert load(write(trimesh.creation.box((0.02,) * 3), tmp_path / "small.stl")).mass == 0.02


@given(up=st.sampled_from(["x", "y", "z", "-x", "-y", "-z"]))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_axis_that_is_named_points_up(tmp_path, up):
    mesh = trimesh.creation.box(BOX)
    axis = "xyz".index(up[-1])
    sign = -1 if up.startswith("-") else 1
    tip = trimesh.creation.cone(0.003, 0.02)
    direction = np.eye(3)[axis] * sign
    tip.apply_transform(trimesh.geometry.align_vectors([0, 0, 1], direction))
    tip.apply_translation(direction * BOX[axis] / 2)
    model = load(write(trimesh.util.concatenate([mesh, tip]), tmp_path / "box.ply"), up=up)
    assert np.ptp(model.vertices[:, 2]) == pytest.approx(BOX[axis] + 0.02, abs=1e-6)
    top = model.vertices[model.vertices[:, 2].argmax()]
    base = np.abs(model.vertices[model.vertices[:, 2] < top[2] - 0.01, :2])
    # The pointed end is above, in the middle.
    assert np.abs(top[:2]).max() < base.max()
    assert np.linalg.norm(top[:2]) < 1e-3


def test_glb_has_y_up_as_its_standard_says(tmp_path):
    path = write(trimesh.creation.box(BOX), tmp_path / "box.glb")
    np.testing.assert_allclose(np.ptp(load(path).vertices, axis=0), (0.10, 0.02, 0.04), atol=1e-6)


def test_the_pose_of_rest_is_the_flattest_one(tmp_path):
    mesh = trimesh.creation.box(BOX)
    mesh.apply_transform(trimesh.transformations.euler_matrix(0.3, 0.6, 0.9))
    model = load(write(mesh, tmp_path / "box.stl"), up="rest")
    assert np.ptp(model.vertices[:, 2]) == pytest.approx(BOX[2], abs=1e-5)


@pytest.mark.parametrize(("factor", "unit", "scale"), [(1000, "millimetres", "0.001"), (100, "centimetres", "0.01")])
def test_a_file_in_other_units_is_refused_with_the_scale_to_set(tmp_path, factor, unit, scale):
    path = write(trimesh.creation.box(np.array(BOX) * factor), tmp_path / "box.ply")
    with pytest.raises(InvalidConfiguration, match=f"{unit}.*, set scale to {scale}$"):
        load(path)
    assert np.ptp(load(path, scale=1 / factor).vertices, axis=0) == pytest.approx(BOX, rel=1e-4)


def test_a_wrong_scale_is_refused_with_the_right_one(tmp_path):
    path = write(trimesh.creation.box(BOX), tmp_path / "box.ply")
    with pytest.raises(InvalidConfiguration, match=r"if the file is in metres, set scale to 1$"):
        load(path, scale=0.001)


def test_a_texture_that_cannot_be_read_is_refused(tmp_path):
    path = textured_box(tmp_path)
    (tmp_path / "material_0.png").write_text("no picture")
    with pytest.raises(InvalidConfiguration, match=r"box\.obj has a texture that cannot be used: .*material_0\.png"):
        load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "<link name='l'><collision><geometry><box size='1 1 1'/></geometry></collision></link>",
            "has no faces; give its links visual shapes; collision shapes are not read$",
        ),
        (
            "<link name='l'/><link name='m'/>"
            "<joint name='j' type='revolute'><parent link='l'/><child link='m'/></joint>",
            "a.urdf has the joint 'j' of type revolute; accepted are fixed joints: an object is one rigid body$",
        ),
    ],
)
def test_a_urdf_that_is_no_rigid_body_is_refused_once(tmp_path, text, said):
    (tmp_path / "a.urdf").write_text(f"<robot name='a'>{text}</robot>")
    with pytest.raises(InvalidConfiguration, match=said) as refused:
        load(tmp_path / "a.urdf")
    assert "cannot be read" not in str(refused.value)


def test_a_texture_is_kept_where_it_was(tmp_path):
    model = load(textured_box(tmp_path))
    assert model.texture.shape == (8, 8, 3)
    corners = shown_colours(model).reshape(-1, 3)
    # One corner of each face lies at the picture's top, two at its bottom.
    assert (corners == (20, 40, 220)).all(axis=1).sum() == 12
    assert (corners == (210, 30, 40)).all(axis=1).sum() == 24


def test_a_texture_of_google_scanned_objects_is_found(tmp_path):
    path = textured_box(tmp_path / "Box" / "meshes", "model.obj")
    textures = tmp_path / "Box" / "materials" / "textures"
    textures.mkdir(parents=True)
    (path.parent / "material_0.png").rename(textures / "material_0.png")
    assert load(path).texture.shape == (8, 8, 3)
    (textures / "material_0.png").unlink()
    with pytest.raises(InvalidConfiguration, match=r"model\.obj names material_0\.png, which is missing"):
        load(path)


@given(seed=st.integers(0, 100), kind=st.sampled_from(["vertex", "face"]))
@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_colours_of_vertices_and_faces_are_shown_at_their_corners(tmp_path, seed, kind):
    mesh = trimesh.creation.icosphere(1, 0.02)
    count = len(mesh.vertices) if kind == "vertex" else len(mesh.faces)
    colours = np.random.default_rng(seed).integers(0, 256, (count, 3)).astype(np.uint8)
    mesh.visual = ColorVisuals(mesh, **{f"{kind}_colors": np.column_stack([colours, np.full(count, 255, np.uint8)])})
    model = load(write(mesh, tmp_path / f"{kind}.ply"))
    corners = mesh.vertices[mesh.faces]
    wanted = colours[mesh.faces] if kind == "vertex" else np.repeat(colours[:, None], 3, axis=1)
    shown = {tuple(np.round(p, 4)): set() for p in corners.reshape(-1, 3)}
    for point, colour in zip(
        model.vertices[model.faces].reshape(-1, 3), shown_colours(model).reshape(-1, 3), strict=True
    ):
        shown[tuple(np.round(point.astype(float), 4) + 0.0)].add(tuple(colour))
    for point, colour in zip(corners.reshape(-1, 3), wanted.reshape(-1, 3), strict=True):
        assert tuple(colour) in shown[tuple(np.round(point, 4) + 0.0)]


def test_a_material_s_colour_is_kept_and_a_file_without_colours_is_grey(tmp_path):
    mesh = trimesh.creation.box(BOX)
    assert (load(write(mesh, tmp_path / "plain.stl")).texture == 180).all()
    mesh.visual = TextureVisuals(material=PBRMaterial(baseColorFactor=[200, 100, 50, 255]))
    assert (load(write(mesh, tmp_path / "box.glb")).texture == (200, 100, 50)).all()


def test_faces_are_turned_outwards_with_their_texture(tmp_path):
    path = textured_box(tmp_path)
    flipped = [
        "f " + " ".join(line.split()[:0:-1]) if line.startswith("f ") else line
        for line in path.read_text().splitlines()
    ]
    (tmp_path / "flipped.obj").write_text("\n".join(flipped))
    model = load(tmp_path / "flipped.obj")
    corners = model.vertices[model.faces].astype(float)
    outwards = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (np.einsum("fi,fi->f", outwards, corners.mean(axis=1)) > 0).all()
    assert (shown_colours(model).reshape(-1, 3) == (20, 40, 220)).all(axis=1).sum() == 12


def test_a_mesh_that_is_not_convex_gets_several_pieces(tmp_path):
    model = load(write(trimesh.creation.torus(0.03, 0.01, 24, 12), tmp_path / "ring.stl"))
    assert 3 <= len(model.collision) <= 16
    assert all(len(piece) <= 32 for piece in model.collision)
    # The hole stays open: no piece covers its middle.
    assert all(np.linalg.norm(piece[:, :2].mean(axis=0)) > 0.005 for piece in model.collision)


def _holed(folder):
    mesh = trimesh.creation.icosphere(3, 0.03)
    mesh.update_faces(mesh.triangles_center[:, 2] > -0.02)
    return write(mesh, folder / "open.stl")


def test_an_open_scan_gets_mass_and_inertia_from_its_pieces(tmp_path):
    model = load(_holed(tmp_path), mass=0.1)
    assert np.linalg.eigvalsh(model.inertia) == pytest.approx([0.4 * 0.1 * 0.03**2] * 3, rel=0.25)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"solid x\nendsolid x\n", "has no faces"),
        (b"", "is empty"),
        (b"nonsense" * 40, "cannot be read as STL|has no faces"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, content, reason):
    (tmp_path / "bad.stl").write_bytes(content)
    with pytest.raises(InvalidConfiguration, match=reason):
        load(tmp_path / "bad.stl")


def test_a_mesh_that_is_flat_has_vertices_at_no_place_or_is_too_fine_is_refused(tmp_path, monkeypatch):
    square = "v 0 0 0\nv 0.05 0 0\nv 0 0.05 0\nf 1 2 3\n"
    for name, text, reason in (
        ("flat", square, "is flat"),
        ("nan", square.replace("0.05 0 0", "nan 0 0"), "not finite"),
        ("fine", square, "has 1 faces; accepted are 0"),
    ):
        (tmp_path / f"{name}.obj").write_text(text)
        if name == "fine":
            monkeypatch.setattr("tabletop_interaction.sim_assets.meshes.reading.MOST_FACES", 0)
        with pytest.raises(InvalidConfiguration, match=reason):
            load(tmp_path / f"{name}.obj")
    with pytest.raises(InvalidConfiguration, match="no OBJ, STL, PLY, GLB or URDF file"):
        MeshObject(tmp_path / "chair.fbx")


def test_a_tall_object_is_refused_with_the_way_to_lay_it_down(tmp_path):
    path = write(trimesh.creation.box((0.05, 0.05, 0.32)), tmp_path / "pole.stl")
    with pytest.raises(InvalidConfiguration, match="lay it down with up"):
        load(path)
    assert np.ptp(load(path, up="x").vertices[:, 2]) == pytest.approx(0.05)


URDF = """<?xml version="1.0"?>
<robot name="hammer"><material name="red"><color rgba="1 0 0 1"/></material>
<link name="handle"><inertial><mass value="0.1"/></inertial><visual>
  <geometry><box size="0.1 0.02 0.02"/></geometry><material name="red"/></visual></link>
<link name="head"><inertial><mass value="0.15"/></inertial><visual><origin xyz="0 0 0.01"/>
  <geometry><mesh filename="package://hammers/head.stl" scale="0.001 0.001 0.001"/></geometry></visual></link>
<joint name="glue" type="fixed"><parent link="handle"/><child link="head"/>
  <origin xyz="0.05 0 0" rpy="0 0 1.5707963267948966"/></joint></robot>"""


def test_a_urdf_of_fixed_links_is_one_object(tmp_path):
    write(trimesh.creation.box((60, 20, 20)), tmp_path / "head.stl")
    (tmp_path / "hammer.urdf").write_text(URDF)
    model = load(tmp_path / "hammer.urdf")
    # The head, turned by 90 degrees, lies across the end of the handle, 10 mm above it.
    np.testing.assert_allclose(np.ptp(model.vertices, axis=0), (0.11, 0.06, 0.03), atol=1e-6)
    assert model.mass == pytest.approx(0.25)
    assert {tuple(c) for c in shown_colours(model).reshape(-1, 3)} == {(255, 0, 0), (180, 180, 180)}
    (tmp_path / "hammer.urdf").write_text(URDF.replace('type="fixed"', 'type="revolute"'))
    with pytest.raises(InvalidConfiguration, match="joint 'glue' of type revolute; accepted are fixed joints"):
        load(tmp_path / "hammer.urdf")


def test_an_object_is_prepared_once_until_its_file_changes(tmp_path, monkeypatch, cache):
    path = write(trimesh.creation.box(BOX), tmp_path / "box.stl")
    first = load(path)
    prepared = []
    monkeypatch.setattr(preparing, "prepare", lambda mesh: prepared.append(mesh) or _prepare(mesh))
    again = load(path, mass=0.2, name="other")
    assert not prepared
    np.testing.assert_array_equal(first.vertices, again.vertices)
    np.testing.assert_allclose(again.inertia / 0.2, first.inertia / first.mass)
    write(trimesh.creation.box((0.05, 0.05, 0.05)), path)
    assert np.ptp(load(path).vertices, axis=0) == pytest.approx([0.05] * 3)
    assert len(prepared) == 1


_prepare = preparing.prepare


def test_a_damaged_cache_and_one_that_cannot_be_written_are_no_obstacle(tmp_path, monkeypatch, cache):
    path = write(trimesh.creation.box(BOX), tmp_path / "box.stl")
    load(path)
    (stored,) = (cache / "tabletop-interaction" / "objects").glob("*.npz")
    stored.write_bytes(stored.read_bytes()[:100])
    assert load(path).mass == pytest.approx(0.04)
    (tmp_path / "a file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "a file"))
    assert load(path).mass == pytest.approx(0.04)


def test_the_checksum_is_that_of_the_content_with_its_texture(tmp_path):
    one, other = textured_box(tmp_path / "one"), textured_box(tmp_path / "other")
    assert content_checksum(one) == content_checksum(other)
    picture = other.parent / "material_0.png"
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(picture)
    assert content_checksum(one) != content_checksum(other)


def test_the_graspable_width_is_that_of_the_narrowest_direction(tmp_path):
    turned = trimesh.creation.box(BOX)
    turned.apply_transform(trimesh.transformations.rotation_matrix(0.5, [0, 0, 1]))
    assert graspable_width(load(write(turned, tmp_path / "box.stl"))) == pytest.approx(0.04, abs=0.003)
    tin = trimesh.creation.cylinder(0.05, 0.04)
    assert graspable_width(load(write(tin, tmp_path / "tin.stl"))) == pytest.approx(0.1, abs=0.003)
    (tmp_path / "hammer.urdf").write_text(URDF)
    write(trimesh.creation.box((60, 20, 20)), tmp_path / "head.stl")
    # The handle, beside the head, although the head is three times as wide.
    assert graspable_width(load(tmp_path / "hammer.urdf")) == pytest.approx(0.02, abs=0.003)


def test_of_a_bottle_the_neck_counts_as_far_as_fingers_reach(tmp_path):
    body, neck = trimesh.creation.cylinder(0.035, 0.12), trimesh.creation.cylinder(0.012, 0.08)
    neck.apply_translation((0, 0, 0.1))
    bottle = load(write(trimesh.util.concatenate([body, neck]), tmp_path / "bottle.stl"))
    assert graspable_width(bottle) == pytest.approx(0.024, abs=0.003)
    neck.apply_translation((0, 0, -0.05))
    stout = load(write(trimesh.util.concatenate([body, neck]), tmp_path / "stout.stl"))
    assert graspable_width(stout) == pytest.approx(0.07, abs=0.003)


def test_principal_axes_diagonalise_an_inertia():
    from tabletop_interaction.simulation.world import principal_axes

    turn = Rotation.from_euler("xyz", (0.2, -0.1, 0.3)).as_matrix()
    inertia = turn @ np.diag([3.0, 1.0, 2.0]) @ turn.T
    axes = principal_axes(inertia)
    np.testing.assert_allclose(axes, turn, atol=1e-9)
    np.testing.assert_array_equal(principal_axes(np.diag([3.0, 1.0, 2.0])), np.eye(3))


def test_inertia_about_another_point_follows_steiner_s_theorem():
    from tabletop_interaction.sim_assets.meshes.solid import _inertia_about

    cube = trimesh.creation.box((2.0, 2.0, 2.0))
    # Eight units of volume: 16/3 about each axis, and 8 times the squared distance from the axis.
    np.testing.assert_allclose(_inertia_about(cube, np.array([3.0, 0, 0])), np.diag([16 / 3, 16 / 3 + 72, 16 / 3 + 72]))
