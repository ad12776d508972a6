"""Settings of the network and of its proposals; importing them does not import torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np

from tabletop_interaction.arrays import Floats32
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import Range, Share, check_fields

STRIDE = 16
PAPER_SCALES = tuple(2.0 ** (0.25 * i - 1.25) for i in range(7))
DEFAULT_CHECKPOINT = Path(__file__).parent / "default" / "model.safetensors"

Device = Literal["cpu", "cuda"]
MaskBranch = Literal["refining", "deepmask"]


@dataclass(frozen=True)
class MaskGrid:
    """Points of a mask: `size` x `size`, `spacing` pixels apart, centred on the position."""

    size: int
    spacing: float

    def offsets(self) -> Floats32:
        """Return (size,) float32: pixels from the position, the same along x and y."""
        return (np.arange(self.size, dtype=np.float32) - np.float32((self.size - 1) / 2)) * np.float32(self.spacing)


@dataclass(frozen=True)
class NetworkConfig:
    """What the network is made of.

    Attributes:
        mask_branch: Mask branch of the network: refining, with sharper edges (after SharpMask, joins stride 8 and 4),
            or deepmask, the paper's (512 numbers -> 56 x 56).
        end_channels: Channels of the 1 x 1 convolution before the mask branch; DeepMask has 128, for a checkpoint of
            26 MB instead of 18 (half precision).
        code_channels: Length of the code of one object; the paper has 512.
        refining_channels: Channels of the refining branch at stride 16 and 8; half as many at stride 4.
    """

    mask_branch: MaskBranch = "refining"
    end_channels: Annotated[int, Range(2, 2**16)] = 64
    code_channels: Annotated[int, Range(2, 2**16)] = 512
    refining_channels: Annotated[int, Range(2, 2**16)] = 32

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class ProposalConfig:
    """How masks are proposed.

    Attributes:
        scales: Scales at which the picture is searched; small ones find large objects.
        candidates_per_scale: Best local maxima (3 x 3) that are kept of each score map.
        max_masks: Best candidates of all scales for which a mask is computed.
        mask_threshold: Probability from which a pixel belongs to the mask.
        nms_iou: IoU above which the worse of two masks is dropped.
        min_area: Smallest area of a mask, pixels of the picture.
        max_area_share: Largest share of the picture that a mask may cover.
        min_probability: Smallest probability that an object is centred at a position, for its mask to be computed.
        min_score: Smallest score of a mask: its support by all scales, or what another segmenter gives it.
    """

    scales: tuple[Annotated[float, Range(0, 4, above=True)], ...] = PAPER_SCALES
    candidates_per_scale: Annotated[int, Range(1, 10**6)] = 40
    max_masks: Annotated[int, Range(1, 10**6)] = 40
    mask_threshold: Annotated[float, Range(1e-6, 1 - 1e-6)] = 0.5
    nms_iou: Share = 0.4
    min_area: Annotated[int, Range(0, 10**9)] = 100
    max_area_share: Annotated[float, Range(0, 1, above=True)] = 0.1
    min_probability: Share = 0.0
    min_score: Share = 0.0

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.scales:
            raise InvalidConfiguration("scales are empty; give at least one")


UNLIMITED = ProposalConfig(min_area=0, max_area_share=1.0)
"""Keeps masks of any size and score."""

# Half an octave apart: objects of 45 to 128 px are at most a quarter octave from one of these scales, and training
# rescales by as much. The paper's smallest scale, for larger objects, is left out.
FAST = ProposalConfig(scales=PAPER_SCALES[2::2])
