"""Settings of a training; importing them does not import torch."""

from dataclasses import dataclass, field
from typing import Literal, get_args

from tabletop_interaction.errors import InvalidConfiguration, TrainingError
from tabletop_interaction.ranges import check_range
from tabletop_interaction.segmentation.config import STRIDE, Device, NetworkConfig

Loss = Literal["cross-entropy", "robust-set"]

SEEDS = 2**63
"""Seeds of runs are smaller; larger ones are for crops that no step learns from."""

# An upper limit that refuses infinity.
_ANY = 1e9


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
        paste_share: Share of the crops that get objects pasted in; the paper has none.
        most_pasted: Most objects that are pasted into one crop.
        shadow_share: Share of the pasted objects that get a soft shadow.
        print_share: Share of the crops whose table gets a flat print; the paper has none.
        colour_share: Share of the crops whose colours are exchanged; the paper has none.
    """

    crop_px: int = 192
    object_px: float = 64.0
    scale_jitter: float = 0.25
    off_scale_share: float = 0.15
    off_scale_octaves: float = 0.6
    turn_deg: float = 15.0
    reach_px: float = 40.0
    margin_px: int = 32
    positive_px: float = 12.0
    negative_px: float = 40.0
    background_share: float = 0.15
    paste_share: float = 0.7
    most_pasted: int = 3
    shadow_share: float = 0.6
    print_share: float = 0.4
    colour_share: float = 0.5

    def __post_init__(self) -> None:
        if self.crop_px < 64 or self.crop_px % STRIDE:
            raise InvalidConfiguration(f"crop_px is {self.crop_px}; accepted is a multiple of {STRIDE}, 64 or more")
        for share in ("background", "paste", "off_scale", "shadow", "print", "colour"):
            check_range(f"{share}_share", getattr(self, f"{share}_share"), 0, 1)
        for name in ("scale_jitter", "off_scale_octaves", "turn_deg", "reach_px"):
            check_range(name, getattr(self, name), 0, _ANY)
        check_range("margin_px", self.margin_px, 0, self.crop_px / 2 - 1)
        check_range("object_px", self.object_px, 8, self.crop_px / 2)
        check_range("positive_px", self.positive_px, 0, self.negative_px, above=True)
        check_range("most_pasted", self.most_pasted, 1)


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

    steps: int = 1000
    batch_size: int = 12
    learning_rate: float = 1e-3
    warm_up_steps: int = 50
    weight_decay: float = 0.02
    most_gradient: float = 5.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size"):
            check_range(name, getattr(self, name), 1, error=TrainingError)
        for name in ("learning_rate", "most_gradient"):
            check_range(name, getattr(self, name), 0, _ANY, above=True, error=TrainingError)
        for name in ("warm_up_steps", "weight_decay"):
            check_range(name, getattr(self, name), 0, error=TrainingError)
        if not 0 <= self.seed < SEEDS:
            raise TrainingError(f"seed is {self.seed}; accepted is 0 to 2**63 - 1")


@dataclass(frozen=True)
class TrainingConfig(OptimiserConfig):
    """How the segmentation network is trained.

    Attributes:
        loss: Loss of the mask branch: cross-entropy against the labels, or robust-set (paper, "Robust set loss"), which
            tolerates wrong labels.
        iou_bound: Least IoU with the label that the robust set loss demands (b in the paper).
        batch_size: Crops in a training step.
        weight_decay: Weight decay of AdamW, for weights with two or more axes.
        score_weight: Weight of the score loss.
        mask_weight: Weight of the mask loss.
        seed: Seed of the first weights and of every crop.
        crops: How crops are made.
        network: What the network is made of.
    """

    loss: Loss = "cross-entropy"
    iou_bound: float = 0.75
    score_weight: float = 1.0
    mask_weight: float = 2.0
    crops: CropConfig = field(default_factory=CropConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.loss not in get_args(Loss):
            raise TrainingError(f"loss {self.loss!r} is unknown; choose one of {get_args(Loss)}")
        check_range("iou_bound", self.iou_bound, 0, 1, error=TrainingError)
        for name in ("score_weight", "mask_weight"):
            check_range(name, getattr(self, name), 0, error=TrainingError)


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
    checkpoint_every: int = 100
    device: Device = "cpu"
    half: bool = False
