"""All six steps of `tabletop calibrate` on rendered pictures, from an empty folder to a backend that opens."""

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.cli.main import main
from tabletop_interaction.envs.backend import open_backend
from tabletop_interaction.errors import CalibrationRejected
from tabletop_interaction.real.calibration.arena_pose import BoardPlace
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.tables import write_hand_poses
from tabletop_interaction.real.calibration.touch import HAND
from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file
from tabletop_interaction.real.lab.lab import load_lab
from tabletop_interaction.real.lab.steps import calibrate_arena, calibrate_cameras
from tabletop_interaction.sawyer.kinematics import forward

# Noise hardly compresses, so the search for matches would only cost time.
_FAST = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY, cv2.IMWRITE_PNG_COMPRESSION, 1)


def _write(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), _FAST)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, rendered_lab):
    """Folders "cameras", "arena" and "hand". All cameras have one lens, so only view_0 has pictures of moved boards."""
    folder = tmp_path_factory.mktemp("pictures")
    for number, picture in enumerate(rendered_lab.held_to_a_camera):
        _write(picture, folder / "cameras" / "view_0" / f"{number}.png")
    for view, picture in rendered_lab.in_the_arena[0].items():
        _write(picture, folder / "arena" / view / "0.png")
    for number, shot in enumerate(rendered_lab.on_the_hand):
        for view, picture in shot.items():
            _write(picture, folder / "hand" / view / f"{number}.png")
    poses = {str(number): forward(q, HAND) for number, q in enumerate(rendered_lab.joints())}
    write_hand_poses(folder / "hand" / "poses.csv", poses)
    return folder


@pytest.fixture(scope="module")
def lab(tmp_path_factory, rendered_lab, pictures):
    """The lab file that the steps wrote."""
    folder = tmp_path_factory.mktemp("run")
    path = folder / "lab.yaml"
    width, height = rendered_lab.size
    hand = pictures / "hand"
    steps = {
        "start": f"--sources 0 2 4 6 --driver twin --width {width} --height {height}",
        "board": f"--out {folder / 'board'}",
        "cameras": f"--pictures {pictures / 'cameras'} --views view_0",
        "arena": f"--pictures {pictures / 'arena'} --out {folder / 'arena'}",
        "robot": f"--pictures {hand} --poses {hand / 'poses.csv'}",
        "check": f"--pictures {pictures / 'arena'} --out {folder / 'check'}",
    }
    for step, arguments in steps.items():
        assert main(["calibrate", step, "--lab", str(path), *arguments.split()]) == 0, step
        if step == "cameras":
            (entry,) = read_lab_file(path).plain["intrinsics"].values()
            update_lab_file(path, {"intrinsics": dict.fromkeys(read_lab_file(path).cameras, entry)})
    return path


def test_the_calibrated_views_locate_the_table_to_half_a_millimetre(lab, rendered_lab):
    table = np.array([(x, y, 0.0) for x in (-0.3, 0.0, 0.3) for y in (-0.245, 0.0, 0.245)])
    read = load_lab(lab)
    for true, view in zip(rendered_lab.views, read.views, strict=True):
        crop = read.crops[view.name]
        seen = (true.project(table) - (crop.left, crop.top) + 0.5) * (430 / crop.width, 350 / crop.height) - 0.5
        assert np.linalg.norm(view.unproject(seen) - table, axis=1).max() < 0.0005


def test_cameras_and_base_are_calibrated_to_a_millimetre_and_a_tenth_of_a_degree(lab, rendered_lab):
    read = load_lab(lab)
    pairs = [(np.linalg.inv(read.base_from_arena), np.linalg.inv(rendered_lab.base_from_arena))]
    pairs += [
        (view.camera_from_arena, true.camera_from_arena)
        for view, true in zip(read.views, rendered_lab.views, strict=True)
    ]
    for found, true in pairs:
        error = true @ np.linalg.inv(found)
        assert np.linalg.norm(error[:3, 3]) < 0.001
        assert np.rad2deg(Rotation.from_matrix(error[:3, :3]).magnitude()) < 0.1


def test_a_view_that_is_rejected_is_named(lab, rendered_lab):
    before, (width, height) = lab.read_text(), rendered_lab.size
    blank = dict.fromkeys(read_lab_file(lab).cameras, np.full((height, width, 3), 128, np.uint8))
    with pytest.raises(CalibrationRejected, match=r"^view_0: 0 corners"):
        calibrate_arena(lab, blank, BoardPlace())
    with pytest.raises(CalibrationRejected, match=r"^view_0: the board was found .* in 0 of 1 pictures"):
        calibrate_cameras(lab, {"view_0": {"0": Board().find(blank["view_0"])}})
    assert lab.read_text() == before


def test_the_steps_write_board_and_overlays(lab):
    overlays = {f"view_{number}.png" for number in range(4)}
    assert overlays <= {path.name for path in (lab.parent / "arena").iterdir()}
    assert overlays <= {path.name for path in (lab.parent / "check").iterdir()}
    assert list((lab.parent / "board").glob("*.pdf"))


def test_the_backend_opens_from_the_lab_file_and_picks(lab):
    with open_backend("sawyer", split="train", config=lab) as backend:
        backend.reset(np.random.default_rng(0), new_scene=True)
        pictures = backend.observe()
        assert {name: picture.shape for name, picture in pictures.items()} == {
            f"view_{number}": (350, 430, 3) for number in range(4)
        }
        assert all(picture.std() > 5 for picture in pictures.values())
        backend.pick(0.1, 0.05, 0.3)
