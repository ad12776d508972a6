"""Mask R-CNN from a file of weights, here random ones: all classes are objects, each object counts once."""

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models.detection import maskrcnn_resnet50_fpn

from tabletop_interaction.errors import CheckpointError
from tabletop_interaction.segmentation.foreign.maskrcnn import MaskRCNN, load_maskrcnn

PICTURE = np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8)


class Found(nn.Module):
    """Finds the given masks (N, H, W) with scores, as torchvision's Mask R-CNN in evaluation mode."""

    def __init__(self, masks, scores):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        labels = torch.arange(len(scores))
        self.found = {"masks": masks[:, None].float(), "scores": torch.tensor(scores), "labels": labels}

    def forward(self, pictures):
        assert pictures[0].shape == (3, 40, 60)
        assert 0 <= pictures[0].min() <= pictures[0].max() <= 1
        return [self.found]


def test_an_object_of_two_classes_counts_once():
    masks = torch.zeros(3, 40, 60)
    masks[0, 5:20, 5:20] = 0.6
    masks[1, 5:20, 5:21] = 0.9
    masks[2, 25:30, 30:50] = 0.5
    found = MaskRCNN(Found(masks, [0.9, 0.8, 0.4])).segment(PICTURE)
    assert found.scores.tolist() == pytest.approx([0.9, 0.4])
    assert found.boxes.tolist() == [[5, 5, 20, 20], [30, 25, 50, 30]]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("maskrcnn") / "weights.pth"
    torch.save(maskrcnn_resnet50_fpn(weights=None, weights_backbone=None, num_classes=3).state_dict(), path)
    return path


def test_weights_make_a_network_that_segments(weights, one_thread):
    segmenter = load_maskrcnn(weights)
    # Pictures are enlarged to 800 px otherwise.
    segmenter.network.transform.min_size, segmenter.network.transform.max_size = (64,), 64
    found = segmenter.segment(PICTURE)
    assert found.masks.shape == (len(found), 40, 60)
    assert ((found.scores >= 0) & (found.scores <= 1)).all()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "there is no file"),
        (b"no weights", "cannot be read as weights"),
        ({"layer": torch.zeros(1)}, "holds no weights of Mask R-CNN"),
        ({"model": {"roi_heads.box_predictor.cls_score.weight": torch.zeros(2, 4)}}, "does not fit Mask R-CNN"),
    ],
)
def test_other_files_are_refused_with_what_is_accepted(content, said, tmp_path):
    path = tmp_path / "weights.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        torch.save(content, path)
    with pytest.raises(CheckpointError, match=f"{said}.*accepted is a state_dict of torchvision's"):
        load_maskrcnn(path)


def test_weights_are_data_and_run_no_code(tmp_path):
    class Harm:
        def __reduce__(self):
            return print, ("harm",)

    torch.save({"model": Harm()}, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match="cannot be read as weights"):
        load_maskrcnn(tmp_path / "weights.pth")
