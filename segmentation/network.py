"""The network: for every 16th pixel, a score that an object is centred there, and its mask.

After DeepMask (Pinheiro, Collobert, Dollar 2015), which the paper trains (section 4, "Network and training"): a
ResNet-18 trunk with random initial weights, a score branch and a mask branch. It processes whole pictures of any size,
and crops in the same way.

Geometry: pixels are (x, y) with integers at pixel centres. Position (r, c) of the score map is centred on pixel
(16 c, 16 r) and describes the 192 px patch around it. Every convolution pads with zeros, and there is no other padding:
a picture of H x W has ceil(H / 16) x ceil(W / 16) positions, maps of stride 8 and 4 accordingly, and the last position
lies at most 15 px inside the lower and right border. After normalisation, zeros are mid-grey to the first layer and
"nothing" to later ones: a position near a border can detect it. A score depends on pixels up to 137 px from its
position and a mask on pixels up to 185 px; a crop cut at a multiple of 16 gives the numbers of the whole picture
wherever its border is farther away than that.

Ours, where the paper is silent: the trunk ends after layer 3 (stride 16), because layer 4 doubles the cost and does not
help. Normalisation is BatchNorm, a fixed map at each place during evaluation. GroupNorm would make each score depend on
the whole picture, so that a crop gives other numbers. `refresh_statistics` replaces BatchNorm's running statistics,
which lag behind in runs of a few hundred steps.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from tabletop_interaction.segmentation.config import STRIDE, MaskGrid, NetworkConfig

MASK_WINDOW = 160
# From the centre of a mask to the edge of its feature windows, in cells of their stride: always 80 px.
REACH_16, REACH_8, REACH_4 = 5, 10, 20
OBJECT_PRIOR = 0.05
# ImageNet's; a network from scratch only needs roughly centred inputs.
PIXEL_MEAN = (0.485, 0.456, 0.406)
PIXEL_STD = (0.229, 0.224, 0.225)


class Features(NamedTuple):
    """The trunk's maps (B, 64, H/4, W/4), (B, 128, H/8, W/8), (B, 256, H/16, W/16), sizes rounded up."""

    stride_4: Tensor
    stride_8: Tensor
    stride_16: Tensor


class DeepMask(nn.Module):
    """Scores and masks for every position of a batch of pictures.

    Weights are channels_last, which CPUs and GPUs convolve faster. Use:

        features = network(images)
        scores = network.score_logits(features)          # (B, h, w)
        masks = network.mask_logits(features, index)     # (N, M, M), index (N, 3): picture, row, column

    Initial weights are drawn from torch's global generator.
    """

    pixel_mean: Tensor
    pixel_std: Tensor

    def __init__(self, config: NetworkConfig | None = None) -> None:
        super().__init__()
        self.config = config or NetworkConfig()
        # torchvision imports torch's compiler, which takes seconds.
        from torchvision.models import resnet18

        resnet = resnet18(weights=None)
        # Maximum and ReLU can change places; after the pooling a quarter of the values is left.
        self.stem = nn.Sequential(resnet.conv1, resnet.bn1, resnet.maxpool, resnet.relu)
        self.layer1, self.layer2, self.layer3 = resnet.layer1, resnet.layer2, resnet.layer3
        self.score_branch = nn.Sequential(*_normed_layer(256, 128), *_normed_layer(128, 128))
        self.score_end = nn.Conv2d(128, 1, 1)
        # Objects are rare; the initial bias says so, which saves the first steps.
        self.score_end.bias = nn.Parameter(torch.full((1,), math.log(OBJECT_PRIOR / (1 - OBJECT_PRIOR))))
        paper = self.config.mask_branch == "deepmask"
        self.mask_branch = _PaperBranch(self.config) if paper else _RefiningBranch(self.config)
        self.register_buffer("pixel_mean", torch.tensor(PIXEL_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("pixel_std", torch.tensor(PIXEL_STD).view(3, 1, 1), persistent=False)
        self.to(memory_format=torch.channels_last)

    @property
    def mask_grid(self) -> MaskGrid:
        """The points of the mask branch's output around a position."""
        return self.mask_branch.grid

    def forward(self, images: Tensor) -> Features:
        """Run the trunk.

        Args:
            images: (B, 3, H, W) RGB of any size from 1 px, uint8 in 0..255 or floating point in 0..1.

        Raises:
            ValueError: another shape or dtype.
        """
        if images.ndim != 4 or images.shape[1] != 3 or 0 in images.shape[2:]:
            raise ValueError(f"images have shape {tuple(images.shape)}; give (B, 3, H, W)")
        stride_4 = self.layer1(self.stem(self._normalise(images)))
        stride_8 = self.layer2(stride_4)
        return Features(stride_4, stride_8, self.layer3(stride_8))

    def score_logits(self, features: Features) -> Tensor:
        """Return logits (B, h, w) that an object is centred at each position."""
        hidden = self.score_branch(features.stride_16)
        # In full precision: the three digits of bfloat16 would make neighbours and ranks equal.
        with torch.autocast(hidden.device.type, enabled=False):
            return self.score_end(hidden.to(self.score_end.weight.dtype)).squeeze(1)

    def mask_logits(self, features: Features, index: Tensor) -> Tensor:
        """Return mask logits (N, M, M), on `mask_grid`, of the object centred at each chosen position.

        Feature windows are zero beyond the picture's border.

        Index (N, 3) int64 has the number of the picture in the batch, and row and column of the score map.

        Raises:
            ValueError: another shape, or a position outside the map.
        """
        batch, _, height, width = features.stride_16.shape
        if index.ndim != 2 or index.shape[1] != 3:
            raise ValueError(f"index has shape {tuple(index.shape)}; give (N, 3): picture, row, column")
        limits = torch.tensor([batch, height, width], device=index.device)
        if ((index < 0) | (index >= limits)).any():
            raise ValueError(f"a position lies outside the map of (picture, row, column) {limits.tolist()}")
        return self.mask_branch(features, index)

    def _normalise(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.float() / 255
        elif not images.is_floating_point():
            raise ValueError(f"images are {images.dtype}; give uint8 in 0..255 or floating point in 0..1")
        return ((images - self.pixel_mean) / self.pixel_std).contiguous(memory_format=torch.channels_last)


def position_centres_xy(positions_rc: Tensor) -> Tensor:
    """Return pixels x, y (..., 2) on which positions (..., 2), row and column of the score map, are centred."""
    return positions_rc.flip(-1) * STRIDE


def mask_targets(masks: Tensor, centres_xy: Tensor, grid: MaskGrid) -> Tensor:
    """Compute targets of the mask branch: whole-picture masks sampled on the mask grid around each centre.

    Args:
        masks: (N, H, W) bool, one for each centre.
        centres_xy: (N, 2) pixels, as of `position_centres_xy`.
        grid: the network's `mask_grid`.

    Returns:
        (N, M, M) bool; a point between pixels is true if their bilinear mean is at least one half. Points up to one
        spacing outside the picture take the value of its border, so that an enlarged mask reaches the border; points
        farther out are false.
    """
    height, width = masks.shape[1:]
    points = centres_xy.to(torch.float32)[:, None, :] + torch.from_numpy(grid.offsets()).to(masks.device)[None, :, None]
    # For grid_sample, -1 and 1 are the outer edges of the picture, half a pixel beyond its outer pixel centres.
    x, y = ((2 * points[..., axis] + 1) / side - 1 for axis, side in enumerate((width, height)))
    size = grid.size
    where = torch.stack([x[:, None, :].expand(-1, size, -1), y[:, :, None].expand(-1, -1, size)], dim=-1)
    sampled = functional.grid_sample(
        masks[:, None].float(), where, mode="bilinear", padding_mode="border", align_corners=False
    )
    last = torch.tensor([width - 1, height - 1], device=points.device)
    near = (points > -grid.spacing) & (points < last + grid.spacing)
    return (sampled[:, 0] >= 0.5) & near[:, None, :, 0] & near[:, :, None, 1]


@torch.no_grad()
def refresh_statistics(network: DeepMask, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of BatchNorm to their mean over `batches`, with the current weights.

    Call it after a short training: the running averages still contain those of earlier weights.

    Args:
        network: changed in place; it stays in training or evaluation mode.
        batches: images as for `DeepMask.forward`; about ten training batches are enough.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
    network.train()
    for images in batches:
        network.score_logits(network(images))
    network.train(was_training)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def _normed_layer(channels: int, out: int) -> tuple[nn.Module, ...]:
    return nn.Conv2d(channels, out, 3, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)


class _ObjectCode(nn.Module):
    """The object code: 1 x 1 convolution, ReLU, and a linear map of the window."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        window = 2 * REACH_16 + 1
        self.end = nn.Conv2d(256, config.end_channels, 1)
        self.code = nn.Linear(window * window * config.end_channels, config.code_channels)

    def forward(self, features: Features, index: Tensor) -> Tensor:
        """(N, code_channels)."""
        end = functional.relu(self.end(features.stride_16))
        return self.code(_windows(end, index, 1, REACH_16).flatten(1))


class _PaperBranch(nn.Module):
    """DeepMask's branch: a linear map from the object code to 56 x 56 logits over a window of 160 px."""

    grid = MaskGrid(size=56, spacing=MASK_WINDOW / 56)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.code = _ObjectCode(config)
        self.pixels = nn.Linear(config.code_channels, self.grid.size**2)

    def forward(self, features: Features, index: Tensor) -> Tensor:
        """(N, 56, 56)."""
        return self.pixels(self.code(features, index)).unflatten(1, (self.grid.size, self.grid.size))


class _RefiningBranch(nn.Module):
    """After SharpMask: a coarse mask from the object code is enlarged to stride 4 and refined by finer maps.

    Windows of 11, 21 and 41 cells at strides 16, 8 and 4 share their centre and corners, so that bilinear enlargement
    with aligned corners gives the cells of the finer map.
    """

    grid = MaskGrid(size=2 * REACH_4 + 1, spacing=4.0)

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        coarse, fine = config.refining_channels, config.refining_channels // 2
        self.coarse = coarse
        self.code = _ObjectCode(config)
        self.seed = nn.Linear(config.code_channels, coarse * (2 * REACH_16 + 1) ** 2)
        self.lateral_8 = nn.Conv2d(128, coarse, 3, padding=1)
        self.climb_8 = nn.Conv2d(coarse, coarse, 3, padding=1)
        self.lateral_4 = nn.Conv2d(64, fine, 3, padding=1)
        self.climb_4 = nn.Conv2d(coarse, fine, 3, padding=1)
        self.pixels = nn.Conv2d(fine, 1, 3, padding=1)

    def forward(self, features: Features, index: Tensor) -> Tensor:
        """(N, 41, 41)."""
        side = 2 * REACH_16 + 1
        mask = self.seed(self.code(features, index)).view(len(index), side, side, self.coarse)
        mask = mask.permute(0, 3, 1, 2)
        # Lateral maps are convolved once for the picture, not for each window.
        beside_8 = _windows(self.lateral_8(features.stride_8), index, 2, REACH_8).permute(0, 3, 1, 2)
        mask = functional.relu(self.climb_8(_enlarge(mask, 2 * REACH_8 + 1)) + beside_8)
        beside_4 = _windows(self.lateral_4(features.stride_4), index, 4, REACH_4).permute(0, 3, 1, 2)
        mask = functional.relu(self.climb_4(_enlarge(mask, 2 * REACH_4 + 1)) + beside_4)
        return self.pixels(mask).squeeze(1)


def _enlarge(maps: Tensor, size: int) -> Tensor:
    return functional.interpolate(maps, size=(size, size), mode="bilinear", align_corners=True)


def _windows(maps: Tensor, index: Tensor, cells: int, reach: int) -> Tensor:
    """Cut windows (N, 2 reach + 1, 2 reach + 1, C) of `maps` (B, C, h, w) around positions `cells` cells apart.

    Channels stay last in memory; slicing (B, C, h, w) would lose that and slow down the next layers. Windows overlap:
    with several threads the gradient of an indexed tensor adds float32 in any order, so that the same seed would give
    other weights; that of an embedding adds in the order of the index.
    """
    padded = functional.pad(maps, [reach] * 4).permute(0, 2, 3, 1)
    steps = torch.arange(2 * reach + 1, device=index.device)
    rows = index[:, 1, None] * cells + steps
    columns = index[:, 2, None] * cells + steps
    _, height, width, channels = padded.shape
    cell = (index[:, 0, None, None] * height + rows[:, :, None]) * width + columns[:, None, :]
    return functional.embedding(cell, padded.reshape(-1, channels))
