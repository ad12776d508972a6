"""Folders of objects and table tops, their YAML files, and what of them cannot be used."""

import pickle
import sys

import cv2
import numpy as np
import pytest
import trimesh

from tabletop_interaction.errors import InvalidConfiguration, MissingPackage
from tabletop_interaction.sim_assets import MeshObject, PictureTable
from tabletop_interaction.sim_assets.folders import objects_in, tables_in
from tabletop_interaction.sim_assets.own import mesh_assets, picture_assets
from tabletop_interaction.sim_assets.tables.pictures import load_picture_table


def box(path, size=(0.06, 0.03, 0.03)):
    path.parent.mkdir(parents=True, exist_ok=True)
    trimesh.creation.box(size).export(path)
    return path


def picture(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), pixels[:, :, ::-1])
    return path


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("002_master_chef_can/google_16k/textured.obj", "002_master_chef_can"),
        ("003_cracker_box/tsdf/textured.obj", "003_cracker_box"),
        ("Rubber_Duck/meshes/model.obj", "Rubber_Duck"),
        ("Jenga/model.obj", "Jenga"),
        ("spoon/anything.ply", "spoon"),
        ("block.STL", "block"),
    ],
)
def test_objects_are_found_where_data_sets_keep_them(tmp_path, layout, name):
    box(tmp_path / layout)
    box(tmp_path / "Jenga" / "model_collision_0.obj")
    box(tmp_path / "Jenga" / "model.obj")
    (tmp_path / "002_master_chef_can" / "textures").mkdir(parents=True, exist_ok=True)
    (tmp_path / "notes.txt").write_text("no object")
    found = {mesh.name: mesh.path for mesh in objects_in(tmp_path)}
    assert found == {"Jenga": str(tmp_path / "Jenga" / "model.obj"), name: str(tmp_path / layout)}


def test_meshes_that_a_urdf_names_are_no_objects_of_their_own(tmp_path):
    box(tmp_path / "part.stl")
    (tmp_path / "toy.urdf").write_text(
        "<robot><link name='a'><visual><geometry><mesh filename='part.stl'/></geometry></visual></link></robot>"
    )
    assert [mesh.name for mesh in objects_in(tmp_path)] == ["toy"]


def test_a_yaml_file_sets_defaults_and_objects_and_leaves_some_out(tmp_path):
    for name in ("a", "b", "c"):
        box(tmp_path / f"{name}.stl")
    (tmp_path / "objects.yaml").write_text(
        "defaults: {scale: 0.5, friction: 0.8}\n"
        "objects:\n  a: {mass: 0.2, split: train, up: -x}\n  b: {scale: 2}\n  c: {use: false}\n"
    )
    a, b = objects_in(tmp_path)
    assert a == MeshObject(str(tmp_path / "a.stl"), "a", 0.5, "-x", 0.2, 0.8, "train")
    assert (b.scale, b.friction, b.split) == (2, 0.8, None)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("objects: {mug: {mass: 1}}", "names 'mug', which its folder does not hold; it holds a"),
        (
            "objects: {a: {weight: 1}}",
            "objects.yaml, a: unknown setting 'weight'; accepted are scale, up, mass, friction, split, use",
        ),
        ("objects: {a: {mass: heavy}}", "objects.yaml, a: mass is 'heavy'; accepted is a number"),
        ("objects: {a: {mass: 9}}", "mass is 9; accepted is 0.001 to 5 kg"),
        ("objects: [a]", "Expected `object`"),
        ("object: {a: {}}", "unknown section"),
        ("defaults: {up: w}", "up is 'w'; accepted is one of x, y, z, -x, -y, -z, rest"),
        ("- a", "holds no sections"),
        ("objects: {a: {mass: 1", "cannot be read as YAML"),
        ("objects: {a: {use: 3}}", "objects.yaml, a: use is 3; accepted is True or False"),
        ("objects: {a: {use: false}}", "objects.yaml leaves out all of a; set use to true for one"),
        ("objects: {1: {mass: 0.1}}", "objects.yaml names 1, which is no text; write the name in quotes"),
    ],
)
def test_a_yaml_file_that_says_something_else_is_refused(tmp_path, text, reason):
    box(tmp_path / "a.stl")
    (tmp_path / "objects.yaml").write_text(text)
    with pytest.raises(InvalidConfiguration, match=reason):
        objects_in(tmp_path)


@pytest.mark.parametrize("text", ["# nothing yet\n", "objects:\n", "objects:\n  a:\n", "defaults:\n"])
def test_a_yaml_file_without_settings_sets_none(tmp_path, text):
    box(tmp_path / "a.stl")
    (tmp_path / "objects.yaml").write_text(text)
    assert objects_in(tmp_path) == (MeshObject(str(tmp_path / "a.stl"), "a"),)


def test_folders_that_say_not_which_object_is_meant_are_refused(tmp_path):
    with pytest.raises(InvalidConfiguration, match="is not a folder"):
        objects_in(tmp_path / "nowhere")
    with pytest.raises(InvalidConfiguration, match="holds no object"):
        objects_in(tmp_path)
    box(tmp_path / "mug.stl")
    box(tmp_path / "mug.ply")
    with pytest.raises(InvalidConfiguration, match=r"two objects 'mug', mug\.ply and mug\.stl"):
        objects_in(tmp_path)
    (tmp_path / "mug.ply").unlink()
    box(tmp_path / "set" / "one.stl")
    box(tmp_path / "set" / "two.stl")
    with pytest.raises(InvalidConfiguration, match=r"holds 2 meshes \(one.stl, two.stl\)"):
        objects_in(tmp_path)


def test_all_files_that_cannot_be_used_are_named_with_the_reason(tmp_path):
    box(tmp_path / "large.stl", (60, 30, 30))
    box(tmp_path / "right.stl")
    (tmp_path / "torn.ply").write_bytes(b"ply\nformat")
    done = []
    with pytest.raises(InvalidConfiguration) as refused:
        mesh_assets(objects_in(tmp_path), lambda *numbers: done.append(numbers))
    message = str(refused.value)
    assert message.startswith("2 of 3 objects cannot be used: large: ")
    assert "set scale to 0.001 | torn: " in message
    assert "right" not in message.replace(str(tmp_path), "")
    assert "\n" not in message
    assert done == [(1, 3), (2, 3), (3, 3)]
    with pytest.raises(InvalidConfiguration, match="have the name 'a' twice"):
        mesh_assets([MeshObject("x.stl", "a"), MeshObject("y.stl", "a")])


def test_settings_of_objects_and_tables_travel_to_workers():
    settings = (MeshObject("a.stl", scale=0.001), PictureTable("b.png", width_m=0.5))
    assert pickle.loads(pickle.dumps(settings)) == settings
    assert hash(settings[0]) == hash(MeshObject("a.stl", scale=0.001))
    assert (settings[0].name, settings[1].name) == ("a", "b")


def test_a_picture_lies_on_the_table_in_the_size_that_is_set(tmp_path):
    """A chequerboard of 10 x 8 squares that covers 0.4 m has squares of 40 mm, and mirror images around it."""
    board = np.kron(np.indices((8, 10)).sum(axis=0) % 2, np.ones((20, 20)))[..., None].repeat(3, axis=2)
    path = picture(tmp_path / "board.png", (255 * board).astype(np.uint8))
    table = load_picture_table(PictureTable(path, width_m=0.4))
    assert (table.shape, table.dtype) == ((840, 960, 3), np.uint8)
    changes = np.flatnonzero(np.diff((table[420, :, 0] > 127).astype(int)))
    inner = changes[(changes > 250) & (changes < 710)]
    assert np.abs(np.diff(inner) - 48).max() <= 1
    # The picture itself takes 384 x 480 pixels.
    middle = table[228:612, 240:720]
    np.testing.assert_array_equal(table[228:612, :240], middle[:, :240][:, ::-1])
    np.testing.assert_array_equal(table[:228, 240:720], middle[:228][::-1])


def test_a_large_picture_is_cropped_in_its_middle(tmp_path):
    pixels = np.zeros((300, 400, 3), np.uint8)
    pixels[140:160, 190:210] = (250, 10, 20)
    table = load_picture_table(PictureTable(picture(tmp_path / "dot.png", pixels), width_m=1.6))
    rows, columns = np.nonzero(table[..., 0] > 127)
    # 20 pixels of 4 mm are 80 mm, in the middle.
    np.testing.assert_allclose([rows.mean(), columns.mean()], [419.5, 479.5], atol=1.5)
    np.testing.assert_allclose([np.ptp(rows), np.ptp(columns)], [95, 95], atol=2)


def test_tables_come_from_the_pictures_of_a_folder(tmp_path):
    grey = np.full((20, 30, 3), 90, np.uint8)
    picture(tmp_path / "oak.png", grey)
    picture(tmp_path / "tiles.jpg", grey)
    (tmp_path / "tables.yaml").write_text("defaults: {width_m: 0.3}\ntables: {tiles: {split: test}}\n")
    oak, tiles = tables_in(tmp_path)
    assert (oak.width_m, oak.split, tiles.split) == (0.3, None, "test")
    assert [asset.splits for asset in picture_assets((oak, tiles))] == [("train", "val", "test", "dev"), ("test",)]
    (tmp_path / "torn.png").write_bytes((tmp_path / "oak.png").read_bytes()[:60])
    with pytest.raises(InvalidConfiguration, match="1 of 3 tables cannot be used: torn: "):
        picture_assets(tables_in(tmp_path))


def test_a_missing_package_is_not_a_fault_of_the_files(tmp_path, monkeypatch):
    mesh = MeshObject(str(box(tmp_path / "block.stl", (0.07, 0.03, 0.031))))
    monkeypatch.setitem(sys.modules, "trimesh", None)
    with pytest.raises(MissingPackage, match=r"need trimesh, which is not installed; run `.*\[meshes\]'`"):
        mesh_assets([mesh])
