"""Settings of the inverse model and of its training; importing them does not import torch."""

from dataclasses import dataclass, field
from typing import Annotated

from tabletop_interaction.errors import InvalidConfiguration, TrainingError
from tabletop_interaction.ranges import Count, Pixels, Range, Share, check_fields
from tabletop_interaction.segmentation.training.config import OptimiserConfig, RunOptions

CELL_PX = 8
"""Side of a cell of the score map, in pixels of the network's picture; the stride of its maps."""
CHANNEL_GROUPS = 8
"""Groups of the group normalisation; the number of channels is a multiple of it."""


@dataclass(frozen=True)
class InverseModelConfig:
    """Sizes of the network.

    Attributes:
        height: Height of the network's pictures, pixels, a multiple of 8.
        width: Width of the network's pictures, pixels, a multiple of 8.
        channels: Channels of its maps, a multiple of 8.
        angles: Bins of the angle over half a circle.
    """

    height: Annotated[int, Range(1, 10_000)] = 176
    width: Annotated[int, Range(1, 10_000)] = 216
    channels: Annotated[int, Range(1, 4096)] = 64
    angles: Annotated[int, Range(1, 3600)] = 18

    def __post_init__(self) -> None:
        check_fields(self)
        for name, unit in (("height", CELL_PX), ("width", CELL_PX), ("channels", CHANNEL_GROUPS)):
            value = getattr(self, name)
            if value % unit:
                raise InvalidConfiguration(f"{name} is {value}; it must be a positive multiple of {unit}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a picture, pixels."""
        return self.height, self.width

    @property
    def cells(self) -> tuple[int, int]:
        """Rows and columns of cells."""
        return self.height // CELL_PX, self.width // CELL_PX


@dataclass(frozen=True)
class Augmentation:
    """How pairs of pictures are augmented.

    Attributes:
        mirror: Share of the pairs that are mirrored, left to right.
        turn_deg: Largest rotation of a pair either way, degrees.
        zoom: Largest change of the scale, as a share.
        shift_px: Largest shift along each axis.
        colour: Standard deviation of the logarithms of gains and gamma.
        exchange: Share of the pairs with exchanged colour channels.
        exposure: Standard deviation of the logarithm of each picture's own gain.
    """

    mirror: Share = 0.5
    turn_deg: Annotated[float, Range(0, 360)] = 25.0
    zoom: Share = 0.1
    shift_px: Pixels = 12.0
    colour: Annotated[float, Range(0, 10)] = 0.15
    exchange: Share = 0.5
    exposure: Annotated[float, Range(0, 10)] = 0.02

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class InverseTrainingConfig(OptimiserConfig):
    """How an inverse model is trained.

    Attributes:
        batch_size: Pairs of pictures in a training step.
        span: Most interactions between the two pictures of a pair; 1 in the original.
        held_out: Share of the scenes that are held out for the test, above 0 and below 1.
        seed: Seed of the first weights, the batches and the choice of held-out scenes.
        model: Sizes of the network.
        augmentation: How pairs are changed.
    """

    steps: Count = 1500
    batch_size: Annotated[int, Range(1, 10_000)] = 16
    warm_up_steps: Annotated[int, Range(0, 10**8)] = 20
    span: Annotated[int, Range(1, 10_000)] = 1
    held_out: Annotated[float, Range(0, 1, above=True)] = 0.1
    model: InverseModelConfig = field(default_factory=InverseModelConfig)
    augmentation: Augmentation = field(default_factory=Augmentation)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.held_out == 1:
            refused = TrainingError(f"held_out is {self.held_out}; accepted is a share above 0 and below 1")
            refused.setting = "held_out"
            raise refused


@dataclass(frozen=True)
class InverseRunOptions(RunOptions):
    """As `RunOptions`.

    Attributes:
        split: Split of the objects and table tops in the examples; kept in model.json.
    """

    split: str = ""
