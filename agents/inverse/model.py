"""An inverse model: which pick-and-place leads from one picture to another.

After Agrawal et al. 2016, "Learning to Poke by Poking", section 3: a siamese network over the picture now and the
goal's picture. Where to pick, at what angle, and where to place are discretised, a point into square cells of the
picture, an angle into bins over half a circle, and predicted as p(pick) p(angle | pick) p(place | pick).

| | the original | here |
|---|---|---|
| action | a poke: pixel, angle, length | a pick-and-place: pixel, angle, pixel |
| trunk | AlexNet's convolutions, from ImageNet weights | EfficientNet-Lite0's to stride 16, ImageNet weights kept |
| pick | one of 20 x 20 cells | one of 22 x 27 cells, each scored by convolutions |
| angle | one of 36 | one of 18 over half a circle, because a gripper is symmetric |
| targets | one cell | shared by the nearest cells, so that predictions are finer than a cell |
| forward model | trained along, to regularise | none |

Angle and place depend on the pick through the features at the picked cell.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from tabletop_interaction.agents.features import (
    EFFICIENTNET_MEAN,
    EFFICIENTNET_STD,
    EfficientNetLite0,
    imagenet_network,
)
from tabletop_interaction.agents.inverse.config import CELL_PX, CHANNEL_GROUPS, InverseModelConfig
from tabletop_interaction.arrays import Floats, Floats32, Picture
from tabletop_interaction.segmentation.checkpoints import NetworkKind, load_network

# Blocks of EfficientNet-Lite0 up to stride 8 and from there up to the end of stride 16, and their channels.
_TO_STRIDE_8, _TO_STRIDE_16 = 5, 11
_CHANNELS_8, _CHANNELS_16 = 40, 112
_DILATIONS = (1, 2, 4, 1)


class InverseModel(nn.Module):
    """The siamese network; its trunk is not trained, and the normalisation keeps its statistics.

    Args:
        config: sizes.
        trunk: network whose first blocks are used, with their weights; None: random weights.
    """

    def __init__(self, config: InverseModelConfig | None = None, trunk: EfficientNetLite0 | None = None) -> None:
        super().__init__()
        self.config = config or InverseModelConfig()
        channels = self.config.channels
        self.trunk = _Trunk(trunk or EfficientNetLite0()).requires_grad_(False)
        self.from_stride_8 = nn.Conv2d(_CHANNELS_8, channels, 1)
        self.from_stride_16 = nn.Conv2d(_CHANNELS_16, channels, 1)
        self.join = _Layer(3 * channels, channels, 1)
        self.context = nn.Sequential(*(_Residual(channels, dilation) for dilation in _DILATIONS))
        self.pick = nn.Conv2d(channels, 1, 1)
        self.angle = nn.Sequential(nn.Linear(channels, channels), nn.ReLU(), nn.Linear(channels, self.config.angles))
        self.sought = nn.Linear(channels, channels)
        self.place = nn.Sequential(_Layer(2 * channels, channels, 1), _Residual(channels, 1), nn.Conv2d(channels, 1, 1))

    def forward(self, now: Tensor, goal: Tensor, pick_cells: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return logits of pick, angle and place; arguments and shapes as of `compare` and `given_pick`."""
        maps, pick = self.compare(now, goal)
        return pick, *self.given_pick(maps, pick_cells)

    def compare(self, now: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
        """Compare pictures with their goals, both uint8 (B, 3, height, width) RGB.

        Returns:
            features (B, C, rows, columns) of the pairs, and logits (B, rows, columns) of the cell to pick.
        """
        seen_now, seen_then = self._seen(torch.cat([now, goal])).chunk(2)
        maps = self.context(self.join(torch.cat([seen_now, seen_then, seen_now - seen_then], 1)))
        return maps, self.pick(maps)[:, 0]

    def given_pick(self, maps: Tensor, pick_cells: Tensor) -> tuple[Tensor, Tensor]:
        """Predict angle and place, given where to pick.

        Args:
            maps: features of `compare`.
            pick_cells: int64 (B,), numbers of the cells, row by row.

        Returns:
            logits (B, angles) of the angle's bin, and (B, rows, columns) of the cell to place at.
        """
        index = pick_cells[:, None, None].expand(-1, maps.shape[1], 1)
        picked = maps.flatten(2).gather(2, index)[..., 0]
        alike = maps * self.sought(picked)[..., None, None]
        return self.angle(picked), self.place(torch.cat([maps, alike], 1))[:, 0]

    def _seen(self, pictures: Tensor) -> Tensor:
        """Return features (B, C, rows, columns) of pictures, uint8 (B, 3, height, width)."""
        with torch.no_grad():
            stride_8, stride_16 = self.trunk(pictures)
        coarse = functional.interpolate(self.from_stride_16(stride_16), size=stride_8.shape[-2:], mode="bilinear")
        seen: Tensor = self.from_stride_8(stride_8) + coarse
        return seen


def predict_action(model: InverseModel, now: Picture, goal: Picture, rng: np.random.Generator | None = None) -> Floats:
    """Predict the likeliest picture action float64 (5,) (see `picture_actions`) from one picture to the other.

    Args:
        model: in evaluation mode.
        now: uint8 (height, width, 3) RGB, of the model's size.
        goal: as `now`.
        rng: draws the pick's cell from its distribution; None takes the likeliest.
    """
    device = next(model.parameters()).device
    pair = [torch.from_numpy(np.array(one)).permute(2, 0, 1)[None].to(device) for one in (now, goal)]
    with torch.inference_mode():
        maps, pick_logits = model.compare(*pair)
        pick = _probabilities(pick_logits[0])
        cell = int(pick.argmax() if rng is None else rng.choice(pick.size, p=pick.ravel()))
        given = model.given_pick(maps, torch.tensor([cell], device=device))
    angle, place = (_probabilities(logits[0]) for logits in given)
    place_xy = point_of(place, int(place.argmax()))
    return np.array([*point_of(pick, cell), angle_of(angle), *place_xy])


def new_inverse_model(config: InverseModelConfig, seed: int) -> InverseModel:
    """Return the network that a training begins with: ImageNet's trunk; the other weights depend on the seed only.

    Raises:
        FeaturesUnavailable: the package with the trunk's weights is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return InverseModel(config, imagenet_network())


INVERSE_MODEL = NetworkKind(
    "inverse model",
    InverseModelConfig,
    InverseModel,
    "train one with `tabletop train-inverse` and give its model.safetensors",
)


def load_inverse_model(path: str | Path) -> InverseModel:
    """Read a network that `tabletop train-inverse` wrote: on the CPU, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or damaged, or holds no inverse model.
    """
    return load_network(path, INVERSE_MODEL)


def shares_of_cells(points_xy: Floats, cells: tuple[int, int]) -> Floats32:
    """Share each point among the nearest cells, bilinearly: float32 (N, rows, columns), each sums to 1.

    Args:
        points_xy: (N, 2), pixels of the network's picture; points beyond the outermost centres are moved to them.
        cells: rows and columns.
    """
    at = np.clip((points_xy + 0.5) / CELL_PX - 0.5, 0, np.array(cells)[::-1] - 1)
    rows, columns = (
        np.maximum(0, 1 - np.abs(at[:, axis, None] - np.arange(count)))
        for axis, count in ((1, cells[0]), (0, cells[1]))
    )
    return np.asarray(rows[:, :, None] * columns[:, None, :], np.float32)


def point_of(shares: Floats, cell: int) -> tuple[float, float]:
    """Return the mean pixel x, y of a cell and its neighbours: inverts `shares_of_cells` at its largest cell.

    Args:
        shares: (rows, columns), not negative, positive at the cell.
        cell: number of the cell, row by row.
    """
    row, column = divmod(cell, shares.shape[1])
    rows, columns = (slice(max(0, at - 1), at + 2) for at in (row, column))
    window = shares[rows, columns]
    centres = np.mgrid[rows.start : rows.start + window.shape[0], columns.start : columns.start + window.shape[1]]
    y, x = ((centres * window).sum((1, 2)) / window.sum() + 0.5) * CELL_PX - 0.5
    return float(x), float(y)


def shares_of_angles(angles: Floats, bins: int) -> Floats32:
    """Share each angle between the two nearest bins around the half circle: float32 (N, bins), each sums to 1.

    Angles (N,) are those of lines, radians; bin k is centred at k pi / bins.
    """
    apart = (angles[:, None] / (math.pi / bins) - np.arange(bins) + bins / 2) % bins - bins / 2
    return np.asarray(np.maximum(0, 1 - np.abs(apart)), np.float32)


def angle_of(shares: Floats) -> float:
    """Return the mean angle, radians in [-pi/2, pi/2), of the largest bin and its neighbours: inverts the sharing."""
    bins = len(shares)
    around = np.arange(-1, 2) if bins > 2 else np.zeros(1, np.int64)
    best = int(shares.argmax())
    window = shares[(best + around) % bins]
    angle = (best + (around * window).sum() / window.sum()) * math.pi / bins
    return float((angle + math.pi / 2) % math.pi - math.pi / 2)


def _probabilities(logits: Tensor) -> Floats:
    flat = logits.double().flatten().softmax(0).cpu().numpy()
    return np.asarray(flat / flat.sum(), np.float64).reshape(tuple(logits.shape))


class _Trunk(nn.Module):
    """From pictures uint8 (B, 3, H, W) to maps at stride 8 and at stride 16."""

    def __init__(self, network: EfficientNetLite0) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = network.conv_stem, network.bn0
        self.to_stride_8 = network.blocks[:_TO_STRIDE_8]
        self.to_stride_16 = network.blocks[_TO_STRIDE_8:_TO_STRIDE_16]
        for name, values in (("mean", EFFICIENTNET_MEAN), ("std", EFFICIENTNET_STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> _Trunk:
        """Keep ImageNet's statistics: few pictures of one table would spoil them."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = self.get_buffer("mean"), self.get_buffer("std")
        normalised = ((pictures.float() / 255 - mean) / std).contiguous(memory_format=torch.channels_last)
        stride_8 = self.to_stride_8(functional.relu6(self.bn0(self.conv_stem(normalised))))
        return stride_8, self.to_stride_16(stride_8)


class _Layer(nn.Module):
    """Convolution, normalisation, ReLU."""

    def __init__(self, channels: int, out: int, kernel: int, dilation: int = 1) -> None:
        super().__init__()
        around = dilation * (kernel // 2)
        self.conv = nn.Conv2d(channels, out, kernel, padding=around, dilation=dilation, bias=False)
        self.norm = nn.GroupNorm(CHANNEL_GROUPS, out)

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(self.norm(self.conv(maps)))


class _Residual(nn.Module):
    """A 3 x 3 layer added to its input."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.layer = _Layer(channels, channels, 3, dilation)

    def forward(self, maps: Tensor) -> Tensor:
        added: Tensor = maps + self.layer(maps)
        return added
