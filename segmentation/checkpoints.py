"""Networks on disk: weights in `NAME.safetensors`, what they are in `NAME.json` beside it.

The JSON file holds `schema_version`, `network` (the fields of `NetworkConfig`) and `metadata` (whatever the
writer wants to remember: seed, steps, data, figures). Loading either runs no code.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tabletop_interaction.errors import CheckpointError
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.network import DeepMask

SCHEMA_VERSION = 1
# DeepMask's largest is 512. Weights have to fit before anything of such a size is allocated.
MOST_CHANNELS = 65536
HOW_TO_TRAIN = "train one with `tabletop learn` or `tabletop train` and give its path"


def save_checkpoint(
    network: DeepMask, path: str | Path, *, half: bool = False, metadata: Mapping[str, Any] | None = None
) -> None:
    """Write a network; each file appears whole or not at all, and what was there is replaced.

    The description goes first: weights that lie there have one, even after a kill between the two.

    Args:
        network: on any device.
        path: ends in `.safetensors`; its folder is made if need be.
        half: weights as float16, half the size; BatchNorm's running statistics stay float32.
        metadata: anything that JSON can hold.

    Raises:
        CheckpointError: the path ends otherwise, or the metadata is no JSON; nothing was written.
    """
    weights, description = _pair(path)
    try:
        text = json.dumps(
            {
                "schema_version": SCHEMA_VERSION,
                "network": asdict(network.config),
                "metadata": dict(metadata or {}),
            },
            indent=2,
        )
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"metadata cannot be written as JSON ({error}); give plain values") from error
    weights.parent.mkdir(parents=True, exist_ok=True)
    partial = weights.with_name(weights.name + ".partial")
    save_file(_tensors(network, half), partial)
    partial_description = description.with_name(description.name + ".partial")
    partial_description.write_text(text + "\n", encoding="utf-8")
    os.replace(partial_description, description)
    os.replace(partial, weights)


def load_checkpoint(path: str | Path) -> DeepMask:
    """Read a network: float32, on the CPU, in evaluation mode.

    Raises:
        CheckpointError: says which file is missing or damaged, or which of its entries do not fit or are not finite.
    """
    weights, _ = _pair(path)
    config = _network_config(path)
    try:
        tensors = load_file(weights)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{weights} cannot be read ({error}); copy it again or {HOW_TO_TRAIN}") from error
    network = _filled(weights, config, tensors)
    _check_finite(weights, network.state_dict())
    return network.eval()


def checkpoint_metadata(path: str | Path) -> dict[str, Any]:
    """What the writer of a checkpoint remembered; errors as `load_checkpoint`, the weights are not read."""
    return dict(_description(path)["metadata"])


def _pair(path: str | Path) -> tuple[Path, Path]:
    weights = Path(path)
    if weights.suffix != ".safetensors":
        raise CheckpointError(f"a checkpoint's path ends in .safetensors; {str(path)!r} does not")
    return weights, weights.with_suffix(".json")


def _tensors(network: DeepMask, half: bool) -> dict[str, Tensor]:
    halved = {name for name, _ in network.named_parameters()} if half else set()
    return {
        name: tensor.detach().to("cpu", torch.float16 if name in halved else tensor.dtype).contiguous()
        for name, tensor in network.state_dict().items()
    }


def _description(path: str | Path) -> dict[str, Any]:
    weights, description = _pair(path)
    for file in (weights, description):
        if not file.is_file():
            raise CheckpointError(f"there is no {file}; {HOW_TO_TRAIN}")
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
    missing = {"network", "metadata"} - content.keys()
    if missing:
        raise CheckpointError(f"{description} lacks {sorted(missing)}; write it with save_checkpoint")
    for name in ("network", "metadata"):
        if not isinstance(content[name], dict):
            raise CheckpointError(f"{name} in {description} is {content[name]!r}; it has to be an object with names")
    return dict(content)


def _network_config(path: str | Path) -> NetworkConfig:
    given = _description(path)["network"]
    known = {field.name for field in fields(NetworkConfig)}
    unknown = set(given) - known
    if unknown:
        raise CheckpointError(f"{path} describes a network with {sorted(unknown)}; known are {sorted(known)}")
    for name in known & given.keys() - {"mask_branch"}:
        # bool is an int to Python.
        if type(given[name]) is not int or not 2 <= given[name] <= MOST_CHANNELS:
            raise CheckpointError(
                f"{path} describes no network that can be made: {name} is {given[name]!r}; "
                f"a whole number from 2 to {MOST_CHANNELS} is accepted"
            )
    try:
        return NetworkConfig(**given)
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{path} describes no network that can be made: {error}") from error


def _filled(path: Path, config: NetworkConfig, tensors: Mapping[str, Tensor]) -> DeepMask:
    try:
        # Shapes without memory: a description of a network larger than its weights costs nothing to refuse.
        with torch.device("meta"):
            wanted = DeepMask(config).state_dict()
        _check_fit(path, tensors, wanted)
        network = DeepMask(config)
        network.load_state_dict(tensors)
    except (RuntimeError, MemoryError) as error:
        raise CheckpointError(f"the network of {path} cannot be made: {error}") from error
    return network


def _check_finite(path: Path, tensors: Mapping[str, Tensor]) -> None:
    broken = [name for name, tensor in tensors.items() if not tensor.isfinite().all()]
    if broken:
        raise CheckpointError(
            f"the weights in {path} are not finite: {', '.join(broken[:5])}{' ...' if len(broken) > 5 else ''}; "
            f"its training diverged or the file is damaged; {HOW_TO_TRAIN}"
        )


def _check_fit(path: Path, found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
    shapes = [
        f"{name} {tuple(found[name].shape)} instead of {tuple(wanted[name].shape)}"
        for name in sorted(wanted.keys() & found.keys())
        if found[name].shape != wanted[name].shape
    ]
    problems = [
        f"{what}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
        for what, names in (("missing", missing), ("unknown", unknown), ("of another shape", shapes))
        if names
    ]
    if problems:
        raise CheckpointError(
            f"the weights in {path} do not fit the network that its JSON file describes; " + "; ".join(problems)
        )
