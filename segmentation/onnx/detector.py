"""Any detector in an ONNX file that finds masks with scores, such as an exported Mask R-CNN.

| part | accepted |
|---|---|
| the one input | a picture RGB: uint8 in 0 to 255 or float32 in 0 to 1; (H, W, 3) or (3, H, W), with or without a batch of 1 before it; of any size, or of a fixed one, to which pictures are stretched |
| output `masks` | (N, h, w), (N, 1, h, w) or (1, N, h, w) over the whole picture, of any size: bool, 0 and others, or probabilities, where 0.5 or more is part of the mask |
| output `scores` | (N,) or (1, N), 0 to 1 |
| other outputs, such as `boxes` | not read: boxes are those of the masks |
"""  # noqa: E501

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tabletop_interaction.arrays import Floats32, Masks, Picture
from tabletop_interaction.errors import CheckpointError, InvalidDetections
from tabletop_interaction.segmentation.segments import Segments

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_TYPES = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}


@dataclass(frozen=True, eq=False)
class Detector:
    """A detector as a segmenter.

    Attributes:
        session: of the open file.
        name: of its input.
        dtype: uint8 or float32.
        is_batched, has_channels_first: how the input's axes lie.
        size: fixed height and width of the input, None for any.
    """

    session: InferenceSession
    name: str
    dtype: Any
    is_batched: bool
    has_channels_first: bool
    size: tuple[int | None, int | None]

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`; raises InvalidDetections if masks and scores are none."""
        shape = picture.shape[:2]
        try:
            masks, scores = self.session.run(["masks", "scores"], {self.name: self._input_of(picture)})
        except Exception as error:  # onnxruntime has a class for each kind of failure, without a common one.
            reason = " ".join(str(error).split())[:300]
            raise InvalidDetections(
                f"the graph fails on a picture of {shape} px ({reason}); correct its export"
            ) from error
        scores = np.asarray(scores).ravel()
        is_stack = masks.ndim in (3, 4) or not masks.size
        if not is_stack or masks.size != len(scores) * np.prod(masks.shape[-2:]):
            raise InvalidDetections(
                f"masks have shape {masks.shape} with {len(scores)} scores; accepted are (N, h, w), (N, 1, h, w) and "
                "(1, N, h, w) with N scores"
            )
        return Segments.of(_fitted(masks.reshape(len(scores), *masks.shape[-2:]), shape), scores)

    def _input_of(self, picture: Picture) -> Any:
        height, width = (fixed or side for fixed, side in zip(self.size, picture.shape[:2], strict=True))
        if (height, width) != picture.shape[:2]:
            picture = np.asarray(cv2.resize(picture, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        value: Any = picture if self.dtype is np.uint8 else picture.astype(np.float32) / 255
        if self.has_channels_first:
            value = np.ascontiguousarray(value.transpose(2, 0, 1))
        return value[None] if self.is_batched else value


def detector_of(path: Path, session: InferenceSession) -> Detector:
    """The detector in an open file.

    Raises:
        CheckpointError: its inputs or outputs are others than the contract's.
    """
    inputs, outputs = session.get_inputs(), [one.name for one in session.get_outputs()]
    if len(inputs) != 1 or not {"masks", "scores"} <= set(outputs):
        raise CheckpointError(
            f"{path} has the inputs {', '.join(one.name for one in inputs)} and the outputs {', '.join(outputs)}; "
            "accepted is one input, a picture, and outputs named masks and scores (see "
            "docs/recipes/own-segmenter.md), or a file of `tabletop export`"
        )
    (picture,) = inputs
    sides = list(picture.shape)
    is_batched = len(sides) == 4 and _fixed(sides[0]) in (1, None)
    sides = sides[1:] if is_batched else sides
    if picture.type not in _TYPES or len(sides) != 3 or 3 not in (sides[0], sides[2]):
        raise CheckpointError(
            f"the input {picture.name} of {path} is {picture.type} {picture.shape}; accepted is uint8 or float32, "
            "(H, W, 3) or (3, H, W), with or without a batch of 1"
        )
    has_channels_first = sides[0] == 3
    height, width = sides[1:] if has_channels_first else sides[:2]
    size = (_fixed(height), _fixed(width))
    return Detector(session, picture.name, _TYPES[picture.type], is_batched, has_channels_first, size)


def _fixed(side: Any) -> int | None:
    return side if isinstance(side, int) else None


def _fitted(masks: Any, shape: tuple[int, int]) -> Masks:
    """Masks (N, H, W) bool of a picture's shape, from masks (N, h, w) of any kind."""
    soft: Floats32 = (masks if masks.dtype.kind == "f" else masks != 0).astype(np.float32)
    if soft.shape[1:] != shape:
        resized = [cv2.resize(one, shape[::-1], interpolation=cv2.INTER_LINEAR) for one in soft]
        soft = np.array(resized, np.float32).reshape(-1, *shape)
    return np.asarray(soft >= 0.5, np.bool_)
