"""Segmenters are opened by name; one line says what is accepted instead of another name."""

import sys

import numpy as np
import pytest

from tabletop_interaction.errors import CheckpointError, InvalidConfiguration
from tabletop_interaction.segmentation import ProposalConfig, Segmenter
from tabletop_interaction.segmentation.config import UNLIMITED
from tabletop_interaction.segmentation.opening import check_segmenter, open_segmenter

MINE = """
import numpy as np
from tabletop_interaction.segmentation import Segments

class Own:
    def segment(self, picture):
        masks = np.zeros((2, *picture.shape[:2]), bool)
        masks[0, :5, :5] = masks[1, 5:, 5:] = True
        return Segments.of(masks, [0.2, 0.8])

class Generator:
    def generate(self, picture):
        return [{"segmentation": np.ones(picture.shape[:2], bool), "predicted_iou": 0.5}]

class Neither: ...

class Choosy:
    def __init__(self, weights): ...

class Broken:
    def __init__(self):
        raise OSError("no weights")

number = 3
"""
PICTURE = np.zeros((10, 10, 3), np.uint8)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The current folder has the module `mine_here`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine_here.py").write_text(MINE)
    (tmp_path / "broken_here.py").write_text("x = 1\ny = x / 0\n")
    (tmp_path / "torn_here.py").write_text("def")
    yield
    for name in ("mine_here", "broken_here"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("mine")
def test_a_class_of_the_current_folder_is_a_segmenter():
    assert open_segmenter("mine_here:Own", limits=UNLIMITED).segment(PICTURE).scores.tolist() == pytest.approx(
        [0.8, 0.2]
    )
    config = ProposalConfig(min_score=0.5, min_area=0, max_area_share=1.0)
    assert len(open_segmenter("mine_here:Own", config).segment(PICTURE)) == 1
    assert len(open_segmenter("mine_here:Own").segment(PICTURE)) == 0


@pytest.mark.usefixtures("mine")
def test_a_class_that_generates_masks_is_one_too():
    assert open_segmenter("mine_here:Generator", limits=UNLIMITED).segment(PICTURE).scores.tolist() == [0.5]


def test_default_is_the_network_of_the_package():
    assert isinstance(open_segmenter("default"), Segmenter)


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("name", "kind", "said"),
    [
        ("mask-rcnn", InvalidConfiguration, "unknown segmenter 'mask-rcnn'; accepted are default, a checkpoint"),
        ("runs/learn", InvalidConfiguration, "unknown segmenter 'runs/learn'; accepted are default, a checkpoint"),
        ("gone.safetensors", CheckpointError, "there is no gone.safetensors; write one with `tabletop learn`"),
        ("gone.onnx", CheckpointError, "there is no gone.onnx"),
        ("maskrcnn", InvalidConfiguration, "maskrcnn came without weights; give maskrcnn=PATH, the weights of torchv"),
        ("maskrcnn=gone.pth", CheckpointError, "there is no gone.pth; give the weights of torchvision's"),
        ("sam", InvalidConfiguration, "sam came without weights; give sam=PATH, a checkpoint of SAM or SAM 2"),
        ("sam=gone.pth", CheckpointError, "there is no gone.pth; give a checkpoint of SAM"),
        (
            "found.json",
            InvalidConfiguration,
            "found.json holds detections of given pictures, for `tabletop segment`",
        ),
        ("nowhere_here:Own", InvalidConfiguration, "cannot be imported .No module named 'nowhere_here'.; run where"),
        ("mine_here:Gone", InvalidConfiguration, "cannot be imported .module 'mine_here' has no attribute 'Gone'"),
        (
            "mine_here:number",
            InvalidConfiguration,
            "is a int; accepted is a class, or a function that makes a segm",
        ),
        ("torn_here:Own", InvalidConfiguration, "cannot be imported .SyntaxError: .*torn_here.py, line 1"),
        ("broken_here:Own", InvalidConfiguration, "ZeroDivisionError: division by zero, in .*broken_here.py line 2"),
    ],
)
def test_other_names_are_refused_before_anything_is_loaded(name, kind, said):
    with pytest.raises(kind, match=said):
        check_segmenter(name)


@pytest.mark.usefixtures("mine")
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mine_here:Neither", r"is a Neither without the method segment\(picture\) -> Segments"),
        ("mine_here:Choosy", "cannot be made without arguments .TypeError: .*weights"),
        ("mine_here:Broken", "cannot be made without arguments .OSError: no weights, in .*mine_here.py line"),
    ],
)
def test_classes_that_make_no_segmenter_are_refused(name, said):
    with pytest.raises(InvalidConfiguration, match=said):
        open_segmenter(name)
