"""Networks and states of trainings on disk.

A checkpoint is two files: weights in `NAME.safetensors`, and beside it `NAME.json` with `schema_version`, `kind` (not
for segmentation networks), `network` (the fields of its configuration) and `metadata` (seed, steps, data, figures). A
state is what a training needs to resume, in one file of torch. Loading runs no code.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from textwrap import shorten
from typing import Any, Generic, TypeVar

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tabletop_interaction.errors import CheckpointError, DamagedState
from tabletop_interaction.files import atomic_path, plain, write_json
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.network import DeepMask

SCHEMA_VERSION = 1

NetworkT = TypeVar("NetworkT", bound=nn.Module)


@dataclass(frozen=True)
class NetworkKind(Generic[NetworkT]):
    """A kind of network that checkpoints hold.

    Attributes:
        name: `kind` in the JSON file; None: the file has none.
        config: the dataclass of its configuration.
        make: a network, with any weights, from its configuration.
        how_to_train: what a user does to get such a checkpoint, for messages.
    """

    name: str | None
    config: type[Any]
    make: Callable[[Any], NetworkT]
    how_to_train: str


SEGMENTATION = NetworkKind(
    None, NetworkConfig, DeepMask, "train one with `tabletop learn` or `tabletop train` and give its path"
)


def save_checkpoint(
    network: nn.Module,
    path: str | Path,
    *,
    half: bool = False,
    metadata: Mapping[str, Any] | None = None,
    kind: NetworkKind[Any] = SEGMENTATION,
) -> None:
    """Write a network that has a `config`; each file is whole or as before, even after a kill.

    The description is written first, so that weights always have one.

    Args:
        path: ends in `.safetensors`; its folder is made if need be.
        half: write weights as float16, half the size; BatchNorm's running statistics stay float32.
        metadata: anything that JSON can hold.

    Raises:
        CheckpointError: the path ends otherwise, or the metadata is not JSON; nothing was written.
        DiskFull: no space is left; the checkpoint is as before.
    """
    weights, description = _pair(path)
    named = {} if kind.name is None else {"kind": kind.name}
    content = {"schema_version": SCHEMA_VERSION, **named, "network": network.config, "metadata": metadata or {}}
    try:
        content = plain(content)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"metadata cannot be written as JSON ({error}); give plain values") from error
    halved = {name for name, _ in network.named_parameters()} if half else set()
    tensors = {
        name: tensor.detach().to("cpu", torch.float16 if name in halved else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }
    with atomic_path(weights) as temporary:
        save_file(tensors, temporary)
        write_json(description, content)


def load_checkpoint(path: str | Path) -> DeepMask:
    """Read a segmentation network; see `load_network`."""
    return load_network(path, SEGMENTATION)


def load_network(path: str | Path, kind: NetworkKind[NetworkT]) -> NetworkT:
    """Read a network: float32, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: says which file is missing or damaged, or which of its entries do not fit or are not finite.
    """
    weights, _ = _pair(path)
    config = _network_config(path, kind)
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} cannot be read ({error}); copy it again or {kind.how_to_train}") from error
    network = _filled(weights, config, tensors, kind)
    broken = [name for name, tensor in network.state_dict().items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"the weights in {weights} are not finite: {shorten(', '.join(broken), 200)}; its training diverged or the "
            f"file is damaged; {kind.how_to_train}"
        )
    return network.eval()


def checkpoint_metadata(path: str | Path, kind: NetworkKind[Any] = SEGMENTATION) -> dict[str, Any]:
    """Return the metadata of a checkpoint without reading its weights; errors as of `load_network`."""
    return dict(_description(path, kind)["metadata"])


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values; the file is whole or as before, even after a kill. Raises DiskFull."""
    with atomic_path(path) as temporary:
        torch.save(dict(state), temporary)


def load_state(path: Path) -> dict[str, Any] | None:
    """Read what `save_state` wrote, onto the CPU from any device; None if there is no file.

    Raises:
        DamagedState: the file is damaged.
    """
    if not path.exists():
        return None
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch has no class of its own for this error.
        raise DamagedState(f"{path} is damaged ({error})") from error


def _pair(path: str | Path) -> tuple[Path, Path]:
    weights = Path(path)
    if weights.suffix != ".safetensors":
        raise CheckpointError(f"a checkpoint's path ends in .safetensors; {str(path)!r} does not")
    return weights, weights.with_suffix(".json")


def _description(path: str | Path, kind: NetworkKind[Any]) -> dict[str, Any]:
    weights, description = _pair(path)
    for file in (weights, description):
        if not file.is_file():
            raise CheckpointError(f"there is no {file}; {kind.how_to_train}")
    try:
        content = json.loads(description.read_text(encoding="utf-8"))
        version = content["schema_version"]
    except (ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{description} is no description of a checkpoint ({error!r})") from error
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f"{description} has schema version {version} and this release reads {SCHEMA_VERSION}; "
            "load it with the release that wrote it"
        )
    if content.get("kind") != kind.name:
        found, wanted = content.get("kind") or "segmentation network", kind.name or "segmentation network"
        raise CheckpointError(f"{description} describes another network, {found!r}, no {wanted}; {kind.how_to_train}")
    for name in ("network", "metadata"):
        if not isinstance(content.get(name), dict):
            raise CheckpointError(f"{name} in {description} is {content.get(name)!r}; it must be a JSON object")
    return dict(content)


def _network_config(path: str | Path, kind: NetworkKind[Any]) -> Any:
    given = _description(path, kind)["network"]
    known = {field.name for field in fields(kind.config)}
    if unknown := sorted(given.keys() - known):
        raise CheckpointError(f"{path} describes a network with {unknown}; known are {sorted(known)}")
    try:
        return msgspec.convert(given, kind.config)
    except msgspec.ValidationError as error:
        raise CheckpointError(f"{path} describes no network that can be made: {error}") from error


def _filled(path: Path, config: Any, tensors: Mapping[str, Tensor], kind: NetworkKind[NetworkT]) -> NetworkT:
    try:
        # Shapes without memory: a description of a network larger than its weights costs nothing to refuse.
        with torch.device("meta"):
            kind.make(config).load_state_dict(tensors, assign=True)
        network = kind.make(config)
        network.load_state_dict(tensors)
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(
            f"the weights in {path} do not fit the network that its JSON file describes: {shorten(str(error), 600)}"
        ) from error
    return network
