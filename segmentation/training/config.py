"""Settings of a training; importing them does not import torch."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from tabletop_interaction.errors import InvalidConfiguration, TrainingError
from tabletop_interaction.ranges import Count, Pixels, Range, Seed, Share, check_fields, check_range
from tabletop_interaction.segmentation.config import STRIDE, Device, NetworkConfig

Loss = Literal["cross-entropy", "robust-set"]

SEEDS = 2**63
"""Seeds of runs are smaller; larger ones are for crops that no step learns from."""


@dataclass(frozen=True)
class CropConfig:
    """How crops are made; pixels are those of the crop.

    Attributes:
        crop_px: Side of the square crop, a multiple of 16.
        object_px: Longer side of objects in the crop. With 64 the seven scales of inference, 0.42 to 1.19, find objects
            of 54 to 152 px, and a quarter octave beyond.
        scale_jitter: Random change of the scale, up to this many octaves either way.
        off_scale_share: Share of the crops around objects with a wrong scale, off by `off_scale_octaves` to twice that;
            objects that far off are negative.
        off_scale_octaves: Least error of a wrong scale, octaves.
        turn_deg: Largest rotation of a crop either way, degrees.
        reach_px: Largest distance of objects from the crop's centre, along x and y.
        margin_px: Width of the border in which score positions are ignored.
        positive_px: Distance from an object's centre up to which positions are positive; the nearest one always is.
        negative_px: L1 distance from every known object's centre beyond which positions are negative.
        background_share: Share of the crops around clicks where nothing was found, if there are such clicks.
        paste_share: Share of the crops into which other objects are pasted, 0 to 1; 0 in the paper.
        most_pasted: Most objects that are pasted into one crop.
        shadow_share: Share of the pasted objects with a soft shadow, 0 to 1.
        print_share: Share of the crops with a flat print on the table, 0 to 1; 0 in the paper.
        colour_share: Share of the crops with exchanged colours, 0 to 1; 0 in the paper.
    """

    crop_px: Annotated[int, Range(64, 4096)] = 192
    object_px: Annotated[float, Range(8, 2048)] = 64.0
    scale_jitter: Annotated[float, Range(0, 8)] = 0.25
    off_scale_share: Share = 0.15
    off_scale_octaves: Annotated[float, Range(0, 8)] = 0.6
    turn_deg: Annotated[float, Range(0, 360)] = 15.0
    reach_px: Pixels = 40.0
    margin_px: Annotated[int, Range(0, 2048)] = 32
    positive_px: Annotated[float, Range(0, 10**5, above=True)] = 12.0
    negative_px: Pixels = 40.0
    background_share: Share = 0.15
    paste_share: Share = 0.7
    most_pasted: Annotated[int, Range(1, 100)] = 3
    shadow_share: Share = 0.6
    print_share: Share = 0.6
    colour_share: Share = 0.5

    def __post_init__(self) -> None:
        check_fields(self)
        if self.crop_px % STRIDE:
            raise InvalidConfiguration(f"crop_px is {self.crop_px}; accepted is a multiple of {STRIDE}, 64 or more")
        check_range("margin_px", self.margin_px, 0, self.crop_px / 2 - 1)
        check_range("object_px", self.object_px, 8, self.crop_px / 2)
        check_range("positive_px", self.positive_px, 0, self.negative_px, above=True)


@dataclass(frozen=True)
class OptimiserConfig:
    """How any network is trained: by AdamW with a learning rate that rises and falls.

    Attributes:
        steps: Training steps; the learning rate falls to zero over them.
        batch_size: Examples in a training step.
        learning_rate: Highest learning rate of AdamW.
        warm_up_steps: Steps over which the learning rate rises from zero, at most a tenth of all.
        weight_decay: Weight decay of AdamW.
        most_gradient: Norm to which the gradient is clipped.
        seed: Seed of the first weights and of the batches.
    """

    steps: Count = 1000
    batch_size: Annotated[int, Range(1, 10_000)] = 12
    learning_rate: Annotated[float, Range(0, 1000, above=True)] = 1e-3
    warm_up_steps: Annotated[int, Range(0, 10**8)] = 50
    weight_decay: Annotated[float, Range(0, 1000)] = 0.02
    most_gradient: Annotated[float, Range(0, 10**9, above=True)] = 5.0
    seed: Seed = 0

    def __post_init__(self) -> None:
        check_fields(self, TrainingError)


@dataclass(frozen=True)
class TrainingConfig(OptimiserConfig):
    """How the segmentation network is trained.

    Attributes:
        loss: Loss of the mask branch: cross-entropy against the labels, or robust-set (paper, "Robust set loss"), which
            tolerates wrong labels.
        iou_bound: Smallest IoU with the label that the robust set loss demands, 0 to 1 (b in the paper).
        batch_size: Crops in a training step.
        weight_decay: Weight decay of AdamW, for weights with two or more axes.
        score_weight: Weight of the score loss.
        mask_weight: Weight of the mask loss.
        hard_weight: Extra weight of places that certainly have no object, times their score; 0 in the paper.
        seed: Seed of the first weights and of the crops.
        crops: How crops are made.
        network: What the network is made of.
    """

    loss: Loss = "cross-entropy"
    iou_bound: Share = 0.75
    score_weight: Annotated[float, Range(0, 10**9)] = 1.0
    mask_weight: Annotated[float, Range(0, 10**9)] = 2.0
    hard_weight: Annotated[float, Range(0, 10**9)] = 10.0
    crops: CropConfig = field(default_factory=CropConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)


@dataclass(frozen=True)
class RunOptions:
    """Where a run learns and how it is stored; these may change when a run is resumed.

    Only the device changes what is learned: devices round differently, and some compute in bfloat16.

    Attributes:
        data: Where the examples are from, in words; kept in the checkpoint.
        checkpoint_every: Steps between two states on disk.
        device: Device of the training.
        half: Write the finished network in half precision: half the size.
    """

    data: str = ""
    checkpoint_every: Count = 100
    device: Device = "cpu"
    half: bool = False

    def __post_init__(self) -> None:
        check_fields(self)
