"""EfficientNet-Lite0 has the published size, and pads as the framework that trained it."""

import pytest
import torch

from tabletop_interaction.agents.efficientnet_lite import CHANNELS, EfficientNetLite0, _SameConv

PARAMETERS = 4_652_008
"""Of the published network, its classifier included."""


def test_it_has_the_published_number_of_parameters():
    network = EfficientNetLite0()
    classifier = CHANNELS * 1000 + 1000
    assert sum(one.numel() for one in network.parameters()) == PARAMETERS - classifier


@pytest.mark.parametrize(("height", "width"), [(96, 96), (64, 50)])
def test_maps_are_a_thirty_second_of_the_picture_rounded_up(height, width):
    with torch.inference_mode():
        maps = EfficientNetLite0().eval()(torch.zeros(1, 3, height, width))
    assert maps.shape == (1, CHANNELS, -(-height // 32), -(-width // 32))


def test_at_stride_two_an_even_size_is_padded_below_and_to_the_right_only():
    conv = _SameConv(1, 1, 3, stride=2)
    torch.nn.init.ones_(conv.weight)
    with torch.inference_mode():
        sums = conv(torch.ones(1, 1, 4, 4))
    assert sums[0, 0].tolist() == [[9, 6], [6, 4]]
