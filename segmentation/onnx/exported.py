"""Runs a network that `tabletop export` wrote; imports no torch.

The graph has two parts without a connection, so that the mask branch runs only for the best positions:

| part | inputs | outputs |
|---|---|---|
| trunk and score branch | `picture` (1, 3, h, w) float32 RGB in 0 to 1, of one scale | `scores` (1, h/16, w/16), logits; `maps_4`, `maps_8`, `maps_16`: features at these strides |
| mask branch | `stride_4`, `stride_8`, `stride_16`: those features; `index` (N, 3) int64: 0, row, column of `scores` | `masks` (N, M, M), logits |

Sizes are rounded up. Each input has a default, so that either part can run alone: ask for its outputs. The file's
metadata has `tabletop_interaction`, a JSON object with `schema_version`, `grid` (size M and spacing of a mask's points,
pixels, around the position; see `MaskGrid`), `network` and `training`. `candidates` has what comes between and after
the parts; a picture is resized by antialiased bilinear interpolation.
"""  # noqa: E501

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tabletop_interaction.arrays import Floats32, Ints, Picture
from tabletop_interaction.documents import convert, parse_json
from tabletop_interaction.errors import CheckpointError
from tabletop_interaction.ranges import check_picture
from tabletop_interaction.segmentation.candidates import best_candidates, drawn_segments, scaled_shape
from tabletop_interaction.segmentation.config import MaskGrid, ProposalConfig
from tabletop_interaction.segmentation.segments import Segments

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

DESCRIPTION = "tabletop_interaction"
"""Key of the description in the file's metadata."""
SCHEMA_VERSION = 1
STRIDES = ("stride_4", "stride_8", "stride_16")
MAPS = ("maps_4", "maps_8", "maps_16")
"""Names of the features, as inputs and as outputs."""

_REMEDY = "export it again with `tabletop export`"


@dataclass(frozen=True)
class Description:
    """What the metadata of an exported network says; `network` and `training` are those of its checkpoint."""

    schema_version: int
    grid: MaskGrid
    network: dict[str, Any]
    training: dict[str, Any]


@dataclass(frozen=True, eq=False)
class ExportedNetwork:
    """An exported network with the settings of its proposals; it finds what a `Segmenter` in float32 finds."""

    session: InferenceSession
    description: Description
    config: ProposalConfig

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`; raises ValueError for another array than a picture (H, W, 3) uint8."""
        check_picture("the picture", picture)
        shape = picture.shape[:2]
        outputs = [
            self._run(("scores", *MAPS), {"picture": _resized(picture, scaled_shape(shape, scale))})
            for scale in self.config.scales
        ]
        candidates = best_candidates([scores[0] for scores, *_ in outputs], self.config)
        grid = self.description.grid
        logits = np.empty((len(candidates.score), grid.size, grid.size), np.float32)
        for scale, (_, *maps) in enumerate(outputs):
            chosen = candidates.scale == scale
            if chosen.any():
                logits[chosen] = self._masks(maps, candidates.position_rc[chosen])
        return drawn_segments(logits, candidates, grid, shape, self.config)

    def _masks(self, maps: list[Floats32], position_rc: Ints) -> Floats32:
        index = np.pad(position_rc, ((0, 0), (1, 0))).astype(np.int64)
        (masks,) = self._run(("masks",), {**dict(zip(STRIDES, maps, strict=True)), "index": index})
        return masks

    def _run(self, outputs: tuple[str, ...], inputs: dict[str, Any]) -> list[Floats32]:
        found: list[Floats32] = self.session.run(outputs, inputs, self._only_one_part)
        return found

    @cached_property
    def _only_one_part(self) -> Any:
        from onnxruntime import RunOptions

        options = RunOptions()
        options.only_execute_path_to_fetches = True
        return options


def exported_network(path: Path, session: InferenceSession, text: str, config: ProposalConfig) -> ExportedNetwork:
    """The network of a file, by the description in its metadata.

    Raises:
        CheckpointError: the description is damaged, of another version, or the graph is another one.
    """
    value = parse_json(text, path, error=CheckpointError, remedy=_REMEDY)
    version = value.get("schema_version") if isinstance(value, dict) else None
    if version != SCHEMA_VERSION:
        raise CheckpointError(f"{path} has schema version {version} and this release reads {SCHEMA_VERSION}; {_REMEDY}")
    description = convert(value, Description, path, error=CheckpointError, remedy=_REMEDY)
    found = {one.name for one in session.get_outputs()}
    if missing := {"scores", *MAPS, "masks"} - found:
        raise CheckpointError(f"{path} lacks the outputs {', '.join(sorted(missing))}; {_REMEDY}")
    return ExportedNetwork(session, description, config)


def _resized(picture: Picture, shape: tuple[int, int]) -> Floats32:
    """The picture (1, 3, h, w) in 0 to 1, resized as torch does."""
    channels = picture.transpose(2, 0, 1).astype(np.float32) / 255
    size = (shape[1], shape[0])
    resized = [np.asarray(Image.fromarray(one).resize(size, Image.Resampling.BILINEAR)) for one in channels]
    return np.stack(resized)[None]
