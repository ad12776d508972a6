"""Pictures in, masks out: network, losses, labels by difference, proposals and metrics; knows nothing of robots."""

from tabletop_interaction.segmentation.coco import (
    Detections,
    InvalidDetections,
    InvalidLabelSet,
    LabelSet,
    load_label_set,
    write_label_set,
)
from tabletop_interaction.segmentation.evaluation.metrics import AveragePrecision, average_precision
from tabletop_interaction.segmentation.evaluation.precision_recall import bootstrap_intervals
from tabletop_interaction.segmentation.frame_difference import FrameDifference, frame_difference
from tabletop_interaction.segmentation.network import DeepMask, NetworkConfig
from tabletop_interaction.segmentation.proposals import FAST, ProposalConfig, Segmenter, Segments
from tabletop_interaction.segmentation.robust_set_loss import latent_mask, robust_set_loss

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
    "ProposalConfig",
    "Segmenter",
    "Segments",
    "average_precision",
    "bootstrap_intervals",
    "frame_difference",
    "latent_mask",
    "load_label_set",
    "robust_set_loss",
    "write_label_set",
]
