"""Settings of the network and of its proposals; importing them does not import torch."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import check_choice, check_range

STRIDE = 16
PAPER_SCALES = tuple(2.0 ** (0.25 * i - 1.25) for i in range(7))
DEFAULT_CHECKPOINT = Path(__file__).parent / "default" / "model.safetensors"

Device = Literal["cpu", "cuda"]
MaskBranch = Literal["refining", "deepmask"]


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
    end_channels: int = 64
    code_channels: int = 512
    refining_channels: int = 32

    def __post_init__(self) -> None:
        check_choice("mask_branch", self.mask_branch, get_args(MaskBranch))
        for name in ("end_channels", "code_channels", "refining_channels"):
            check_range(name, getattr(self, name), 2)


@dataclass(frozen=True)
class ProposalConfig:
    """How masks are proposed.

    Attributes:
        scales: Scales at which the picture is searched; small ones find large objects.
        candidates_per_scale: Best local maxima (3 x 3) that are kept of each score map.
        max_masks: Best candidates of all scales for which a mask is computed.
        mask_threshold: Probability from which a pixel belongs to the mask.
        nms_iou: IoU above which the mask with the lower score is dropped.
        min_area: Smallest area of a mask, pixels of the picture.
        max_area_share: Largest share of the picture that a mask may cover.
        min_score: Smallest score of a mask, a probability.
    """

    scales: tuple[float, ...] = PAPER_SCALES
    candidates_per_scale: int = 40
    max_masks: int = 40
    mask_threshold: float = 0.5
    nms_iou: float = 0.4
    min_area: int = 100
    max_area_share: float = 0.1
    min_score: float = 0.0

    def __post_init__(self) -> None:
        if not self.scales:
            raise InvalidConfiguration("scales are empty; give at least one")
        for scale in self.scales:
            check_range("scales", scale, 0, 4, above=True)
        check_range("candidates_per_scale", self.candidates_per_scale, 1)
        check_range("max_masks", self.max_masks, 1)
        check_range("mask_threshold", self.mask_threshold, 1e-6, 1 - 1e-6)
        check_range("min_score", self.min_score, 0, 1)
        check_range("max_area_share", self.max_area_share, 0, 1, above=True)


# Half an octave apart: objects of 45 to 128 px are at most a quarter octave from one of these scales, and training
# rescales by as much. The paper's smallest scale, for larger objects, is left out.
FAST = ProposalConfig(scales=PAPER_SCALES[2::2])
