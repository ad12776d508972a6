"""Pictures in, masks out: network, labels by difference, proposals and metrics; knows nothing of robots.

What needs torch is imported when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tabletop_interaction.errors import InvalidDetections, InvalidLabelSet
from tabletop_interaction.extras import explaining
from tabletop_interaction.frame_difference import FrameDifference, frame_difference
from tabletop_interaction.segmentation.coco import Detections, LabelSet, load_label_set, write_label_set
from tabletop_interaction.segmentation.config import FAST, NetworkConfig, ProposalConfig
from tabletop_interaction.segmentation.evaluation.metrics import AveragePrecision, average_precision
from tabletop_interaction.segmentation.evaluation.precision_recall import bootstrap_intervals
from tabletop_interaction.segmentation.segments import PictureSegmenter, Segments

if TYPE_CHECKING:
    from tabletop_interaction.segmentation.network import DeepMask
    from tabletop_interaction.segmentation.proposals import Segmenter

__all__ = [
    "FAST",
    "AveragePrecision",
    "DeepMask",
    "Detections",
    "FrameDifference",
    "InvalidDetections",
    "InvalidLabelSet",
    "LabelSet",
    "NetworkConfig",
    "PictureSegmenter",
    "ProposalConfig",
    "Segmenter",
    "Segments",
    "average_precision",
    "bootstrap_intervals",
    "frame_difference",
    "load_label_set",
    "write_label_set",
]

_WITH_TORCH = {"DeepMask": "network", "Segmenter": "proposals"}


def __getattr__(name: str) -> Any:
    if name not in _WITH_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    with explaining():
        return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
