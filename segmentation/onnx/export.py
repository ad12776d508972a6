"""Writes a network as an ONNX file, which `onnx.exported` describes and runs; needs torch and the extra `export`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from google.protobuf.message import DecodeError
from torch import Tensor, nn

from tabletop_interaction.errors import MissingPackage
from tabletop_interaction.extras import install_command
from tabletop_interaction.files import plain, write_file
from tabletop_interaction.segmentation.network import DeepMask, Features
from tabletop_interaction.segmentation.onnx.exported import DESCRIPTION, MAPS, SCHEMA_VERSION, STRIDES

_OPSET = 18
_INPUTS = ("picture", *STRIDES, "index")


class _BothParts(nn.Module):
    """The two parts of the graph, side by side."""

    def __init__(self, network: DeepMask) -> None:
        super().__init__()
        self.network = network

    def forward(
        self, picture: Tensor, stride_4: Tensor, stride_8: Tensor, stride_16: Tensor, index: Tensor
    ) -> tuple[Tensor, ...]:
        found = self.network(picture)
        masks = self.network.mask_branch(Features(stride_4, stride_8, stride_16), index)
        return self.network.score_logits(found), *found, masks


def write_onnx(network: DeepMask, path: Path, training: Mapping[str, Any]) -> None:
    """Write a network in evaluation mode, float32, for pictures of any size.

    Args:
        path: the file, which is whole or as before, even after a kill.
        training: metadata of its checkpoint, for the file's own.

    Raises:
        MissingPackage: a package of the extra `export` is missing.
    """
    model = _graph(network)
    _strip_notes(model.graph)
    for name, value in _defaults(network).items():
        model.graph.initializer.append(_named_tensor(name, value))
    grid = asdict(network.mask_grid)
    description = {"schema_version": SCHEMA_VERSION, "grid": grid, "network": asdict(network.config)}
    model.metadata_props.add(key=DESCRIPTION, value=json.dumps(plain({**description, "training": dict(training)})))
    write_file(path, model.SerializeToString())


def is_exported(path: Path) -> bool:
    """Whether a file is one of `write_onnx`, whole or damaged behind its beginning."""
    try:
        import onnx

        found = onnx.load(path, load_external_data=False).metadata_props
    except (ImportError, OSError, ValueError, DecodeError):
        return False
    return any(one.key == DESCRIPTION for one in found)


def _graph(network: DeepMask) -> Any:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise MissingPackage(
            f"the export needs onnx and onnxscript, which cannot be imported ({error}); run "
            f"`{install_command('export')}`"
        ) from error
    picture = torch.zeros(1, 3, 160, 224)
    with torch.inference_mode():
        maps = [torch.zeros_like(found) for found in network(picture)]
    program = torch.onnx.export(
        _BothParts(network).eval(),
        (picture, *(torch.zeros(found.shape) for found in maps), torch.tensor([[0, 1, 2], [0, 3, 4]])),
        dynamo=True,
        opset_version=_OPSET,
        verbose=False,
        input_names=_INPUTS,
        output_names=("scores", *MAPS, "masks"),
        dynamic_shapes={
            "picture": {2: "height", 3: "width"},
            **{name: {2: f"height_{name}", 3: f"width_{name}"} for name in STRIDES},
            "index": {0: "masks"},
        },
    )
    assert program is not None, "torch returns a program with dynamo"
    return program.model_proto


def _strip_notes(graph: Any) -> None:
    """Remove what torch notes about its own steps, and where the code lies on this machine."""
    graph.ClearField("metadata_props")
    for each in (*graph.node, *graph.value_info, *graph.input, *graph.output, *graph.initializer):
        each.ClearField("metadata_props")


def _defaults(network: DeepMask) -> dict[str, Tensor]:
    """The smallest value of each input."""
    with torch.inference_mode():
        maps = network(torch.zeros(1, 3, 1, 1))
    values = (torch.zeros(1, 3, 1, 1), *maps, torch.zeros(0, 3, dtype=torch.int64))
    return dict(zip(_INPUTS, values, strict=True))


def _named_tensor(name: str, value: Tensor) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array(value.numpy(), name)
