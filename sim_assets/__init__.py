"""What stands in the simulation: objects, backgrounds, their splits, and the Sawyer; made by code, from fixed seeds."""

from tabletop_interaction.sawyer.model import write_sawyer_urdf
from tabletop_interaction.sim_assets.objects.model import ObjectModel, load_object, object_names
from tabletop_interaction.sim_assets.tables.backgrounds import (
    BACKGROUND_HEIGHT_M,
    BACKGROUND_PX_PER_M,
    BACKGROUND_WIDTH_M,
    background_names,
    load_background,
)

__all__ = [
    "BACKGROUND_HEIGHT_M",
    "BACKGROUND_PX_PER_M",
    "BACKGROUND_WIDTH_M",
    "ObjectModel",
    "background_names",
    "load_background",
    "load_object",
    "object_names",
    "write_sawyer_urdf",
]
