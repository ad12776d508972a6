"""An inverse model: what pick-and-place leads from one picture to another (Agrawal et al. 2016, "Learning to Poke by
Poking", section 3).

A siamese network over the picture now and the goal's picture; where to pick, at what angle, and where to place are
discretised and predicted one given the other: p(pick) p(angle | pick) p(place | pick).

| | the original | here |
|---|---|---|
| action | a poke: pixel, angle, length | a pick-and-place: pixel, angle, pixel |
| trunk | AlexNet's convolutions, from ImageNet weights | EfficientNet-Lite0's to stride 16, ImageNet weights kept |
| pick | one of 20 x 20 cells | one of 22 x 27 cells, by convolutions: each cell's score is that of what is seen there |
| angle | one of 36 | one of 18 over half a circle: a gripper has no head |
| targets | one cell | shared by the nearest cells, so that what is read off is finer than a cell |
| forward model | trained along, to regularise | none |

What comes after the pick is told it by what the network has at the picked cell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional

from tabletop_interaction.agents.efficientnet_lite import PIXEL_MEAN, PIXEL_STD, EfficientNetLite0
from tabletop_interaction.agents.features import imagenet_network
from tabletop_interaction.agents.inverse.config import CHANNEL_GROUPS, InverseModelConfig
from tabletop_interaction.agents.inverse.targets import angle_of, point_of
from tabletop_interaction.envs.records.folder import write_whole
from tabletop_interaction.errors import CheckpointError

_SCHEMA_VERSION = 1
_KIND = "inverse model"
_HOW_TO_TRAIN = "train one with `tabletop train-inverse` and give its model.safetensors"
# Blocks of EfficientNet-Lite0 up to stride 8 and from there up to the end of stride 16, and their channels.
_TO_STRIDE_8, _TO_STRIDE_16 = 5, 11
_CHANNELS_8, _CHANNELS_16 = 40, 112
_DILATIONS = (1, 2, 4, 1)


class Compared(NamedTuple):
    """Two pictures that were laid beside each other.

    Attributes:
        maps: (B, C, rows, columns).
        pick_logits: (B, rows, columns), of where to pick in the picture now.
    """

    maps: Tensor
    pick_logits: Tensor


class GivenPick(NamedTuple):
    """What follows once it is decided where to pick.

    Attributes:
        angle_logits: (B, angles), of the angle's bin.
        place_logits: (B, rows, columns), of where to place.
    """

    angle_logits: Tensor
    place_logits: Tensor


class InverseModel(nn.Module):
    """See the module. The trunk is not trained, and its normalisation keeps its statistics.

    Args:
        config: sizes.
        trunk: whose first blocks are taken over, weights and all; None for random ones.
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

    def forward(self, now: Tensor, goal: Tensor, pick_cells: Tensor) -> tuple[Tensor, GivenPick]:
        """Pick logits, and the rest given picks; arguments of `compare` and `given_pick`."""
        compared = self.compare(now, goal)
        return compared.pick_logits, self.given_pick(compared, pick_cells)

    def compare(self, now: Tensor, goal: Tensor) -> Compared:
        """Lay pictures beside each other.

        Args:
            now: uint8 (B, 3, height, width) RGB.
            goal: the same.
        """
        seen_now, seen_then = self._seen(torch.cat([now, goal])).chunk(2)
        maps = self.context(self.join(torch.cat([seen_now, seen_then, seen_now - seen_then], 1)))
        return Compared(maps, self.pick(maps)[:, 0])

    def given_pick(self, compared: Compared, pick_cells: Tensor) -> GivenPick:
        """Angle and place, given where to pick.

        Args:
            compared: of `compare`.
            pick_cells: int64 (B,), number of the cell, row by row.
        """
        maps = compared.maps
        index = pick_cells[:, None, None].expand(-1, maps.shape[1], 1)
        picked = maps.flatten(2).gather(2, index)[..., 0]
        alike = maps * self.sought(picked)[..., None, None]
        return GivenPick(self.angle(picked), self.place(torch.cat([maps, alike], 1))[:, 0])

    def _seen(self, pictures: Tensor) -> Tensor:
        """(B, C, rows, columns) features of pictures, uint8 (B, 3, height, width)."""
        with torch.no_grad():
            stride_8, stride_16 = self.trunk(pictures)
        coarse = functional.interpolate(self.from_stride_16(stride_16), size=stride_8.shape[-2:], mode="bilinear")
        seen: Tensor = self.from_stride_8(stride_8) + coarse
        return seen


@dataclass(frozen=True, eq=False)
class Beliefs:
    """What the model holds to be the action that leads from one picture to another.

    Attributes:
        pick: float64 (rows, columns), probabilities of cells.
        angle: float64 (angles,), of bins, given the pick.
        place: float64 (rows, columns), given the pick.
        action: float64 (5,), the likeliest picture action (see `picture_actions`) given the pick.
    """

    pick: NDArray[np.float64]
    angle: NDArray[np.float64]
    place: NDArray[np.float64]
    action: NDArray[np.float64]


def believe(
    model: InverseModel, now: NDArray[np.uint8], goal: NDArray[np.uint8], rng: np.random.Generator | None = None
) -> Beliefs:
    """What leads from one picture to the other.

    Args:
        model: in evaluation mode.
        now: uint8 (height, width, 3) RGB, of the model's size.
        goal: the same.
        rng: draws the pick's cell from the beliefs; None takes the likeliest.
    """
    device = next(model.parameters()).device
    pair = [torch.from_numpy(np.array(one)).permute(2, 0, 1)[None].to(device) for one in (now, goal)]
    with torch.inference_mode():
        compared = model.compare(*pair)
        pick = _probabilities(compared.pick_logits[0])
        cell = int(pick.argmax() if rng is None else rng.choice(pick.size, p=pick.ravel()))
        given = model.given_pick(compared, torch.tensor([cell], device=device))
    angle, place = _probabilities(given.angle_logits[0]), _probabilities(given.place_logits[0])
    place_xy = point_of(place, int(place.argmax()))
    return Beliefs(pick, angle, place, np.array([*point_of(pick, cell), angle_of(angle), *place_xy]))


def new_inverse_model(config: InverseModelConfig, seed: int) -> InverseModel:
    """The network that a training begins with: ImageNet's trunk, and other weights that depend on the seed alone.

    Raises:
        FeaturesUnavailable: the package with the trunk's weights is not installed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return InverseModel(config, imagenet_network())


def save_inverse_model(model: InverseModel, path: Path, metadata: Mapping[str, Any]) -> None:
    """Write a network: its weights into `path`, what it is and `metadata`, plain values, into a JSON file beside it.

    Each file appears whole or not at all, the description first.
    """
    said = {
        "schema_version": _SCHEMA_VERSION,
        "kind": _KIND,
        "network": asdict(model.config),
        "metadata": dict(metadata),
    }
    write_whole(path.with_suffix(".json"), json.dumps(said, indent=2) + "\n")
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(path, save(tensors))


def load_inverse_model(path: str | Path) -> InverseModel:
    """Read a network that `tabletop train-inverse` wrote: on the CPU, in evaluation mode.

    Raises:
        CheckpointError: a file is missing or damaged, or is no inverse model's.
    """
    said = _description(Path(path))
    try:
        model = InverseModel(InverseModelConfig(**said["network"]))
        model.load_state_dict(load_file(path))
    except (SafetensorError, OSError, TypeError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} cannot be read ({error}); copy it again or {_HOW_TO_TRAIN}") from error
    return model.eval()


def inverse_model_metadata(path: str | Path) -> dict[str, Any]:
    """What the training remembered, its figures among it; errors as `load_inverse_model`, the weights are not read."""
    return dict(_description(Path(path))["metadata"])


def _description(path: Path) -> dict[str, Any]:
    beside = path.with_suffix(".json")
    for file in (path, beside):
        if not file.is_file():
            raise CheckpointError(f"there is no {file}; {_HOW_TO_TRAIN}")
    try:
        said = dict(json.loads(beside.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise CheckpointError(f"{beside} is no description of a network ({error}); {_HOW_TO_TRAIN}") from error
    if said.get("kind") != _KIND or not {"network", "metadata"} <= said.keys():
        raise CheckpointError(f"{beside} describes another network, no inverse model; {_HOW_TO_TRAIN}")
    if said.get("schema_version") != _SCHEMA_VERSION:
        raise CheckpointError(
            f"{beside} has schema version {said.get('schema_version')} and this release reads {_SCHEMA_VERSION}; "
            "load it with the release that wrote it"
        )
    return said


def _probabilities(logits: Tensor) -> NDArray[np.float64]:
    flat = logits.double().flatten().softmax(0).cpu().numpy()
    return np.asarray(flat / flat.sum(), np.float64).reshape(tuple(logits.shape))


class _Trunk(nn.Module):
    """uint8 (B, 3, H, W) pictures to maps at stride 8 and at stride 16."""

    def __init__(self, network: EfficientNetLite0) -> None:
        super().__init__()
        self.conv_stem, self.bn0 = network.conv_stem, network.bn0
        self.to_stride_8 = network.blocks[:_TO_STRIDE_8]
        self.to_stride_16 = network.blocks[_TO_STRIDE_8:_TO_STRIDE_16]
        for name, values in (("mean", PIXEL_MEAN), ("std", PIXEL_STD)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1), persistent=False)

    def train(self, mode: bool = True) -> _Trunk:
        """Its statistics are ImageNet's: few pictures of one table would spoil them."""
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
