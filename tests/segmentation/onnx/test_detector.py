"""Detectors in ONNX files with inputs and outputs of several kinds find the same red squares."""

from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tabletop_interaction.errors import CheckpointError, InvalidDetections
from tabletop_interaction.segmentation.config import FAST, UNLIMITED
from tabletop_interaction.segmentation.onnx.detector import Detector
from tabletop_interaction.segmentation.onnx.runtime import open_onnx

PICTURE = np.zeros((40, 60, 3), np.uint8)
PICTURE[10:20, 15:45, 0] = 255
KINDS = {"uint8": TensorProto.UINT8, "float": TensorProto.FLOAT, "double": TensorProto.DOUBLE}


def red_detector(path, kind="float", sides=(1, 3, "h", "w"), masks=(1, 1), scores=(0.75,), names=("masks", "scores")):
    """One mask, the red channel, reshaped to `masks` and the picture's last two sides."""
    axis = sides.index(3)
    last = [side for side in range(len(sides)) if side != axis][-2:]
    nodes = [
        helper.make_node("Cast", ["image"], ["cast"], to=TensorProto.FLOAT),
        helper.make_node("Gather", ["cast", "red"], ["reds"], axis=axis),
        helper.make_node("Shape", ["image"], ["shape"]),
        helper.make_node("Gather", ["shape", "last"], ["size"], axis=0),
        helper.make_node("Concat", ["lead", "size"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["reds", "wanted"], [names[0]]),
        helper.make_node("Identity", ["given"], [names[1]]),
    ]
    constants = {
        "red": np.array(0),
        "last": np.array(last),
        "lead": np.array(masks),
        "given": np.array(scores, np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "red",
        [helper.make_tensor_value_info("image", KINDS[kind], sides)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    return path


@pytest.mark.parametrize(
    ("kind", "sides", "masks"),
    [
        ("float", (1, 3, "h", "w"), (1, 1)),
        ("float", (3, "h", "w"), (1,)),
        ("uint8", ("h", "w", 3), (1,)),
        ("uint8", ("batch", "h", "w", 3), (1, 1)),
    ],
)
def test_pictures_go_in_as_the_input_wants_them(kind, sides, masks, tmp_path):
    path = red_detector(tmp_path / "red.onnx", kind, sides, masks)
    found = open_onnx(path, FAST, UNLIMITED).segment(PICTURE)
    assert found.scores.tolist() == [0.75]
    assert found.boxes.tolist() == [[15, 10, 45, 20]]


def test_masks_of_a_fixed_size_are_those_of_the_picture(tmp_path):
    path = red_detector(tmp_path / "red.onnx", sides=(1, 3, 80, 120))
    found = open_onnx(path, FAST, UNLIMITED).segment(PICTURE)
    assert found.masks.shape == (1, 40, 60)
    overlap = found.masks[0] & (PICTURE[..., 0] > 0)
    assert overlap.sum() > 0.9 * (found.masks[0] | (PICTURE[..., 0] > 0)).sum()


def test_two_scores_for_one_mask_are_refused(tmp_path):
    path = red_detector(tmp_path / "red.onnx", scores=(0.5, 0.6))
    with pytest.raises(InvalidDetections, match=r"masks have shape \(1, 1, 40, 60\) with 2 scores"):
        open_onnx(path, FAST, UNLIMITED).segment(PICTURE)


@pytest.mark.parametrize("shape", [(0, 40, 60), (0, 1, 40, 60), (1, 0, 28, 28), (0,)])
def test_a_picture_without_objects_has_no_masks(shape):
    session = SimpleNamespace(run=lambda names, inputs: [np.zeros(shape, np.float32), np.zeros((1, 0), np.float32)])
    found = Detector(session, "image", np.uint8, False, False, (None, None)).segment(PICTURE)
    assert found.masks.shape == (0, 40, 60)


def test_a_graph_that_fails_is_named(tmp_path):
    path = red_detector(tmp_path / "red.onnx", masks=(7,))
    with pytest.raises(InvalidDetections, match=r"the graph fails on a picture of \(40, 60\) px .*Reshape"):
        open_onnx(path, FAST, UNLIMITED).segment(PICTURE)


def test_scores_that_are_no_probabilities_are_refused(tmp_path):
    path = red_detector(tmp_path / "red.onnx", scores=(7.0,))
    with pytest.raises(InvalidDetections, match="a score is 7; accepted is 0 to 1"):
        open_onnx(path, FAST, UNLIMITED).segment(PICTURE)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"names": ("masks", "probabilities")},
            "the outputs masks, probabilities; accepted is one input",
        ),
        ({"kind": "double"}, r"input image of .* is tensor\(double\) .*; accepted is uint8 or float32"),
        ({"sides": ("a", "b", "c", 3, "d")}, "accepted is uint8 or float32"),
    ],
)
def test_other_graphs_are_refused_by_their_names_and_shapes(options, said, tmp_path):
    path = red_detector(tmp_path / "red.onnx", **options)
    with pytest.raises(CheckpointError, match=said):
        open_onnx(path, FAST, UNLIMITED)
