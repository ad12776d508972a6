"""The settings of an object that comes from a mesh file."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.ranges import Range, check_fields

SUFFIXES = (".obj", ".stl", ".ply", ".glb", ".urdf")
"""Files that are read as objects."""

Up = Literal["x", "y", "z", "-x", "-y", "-z", "rest"]
Split = Literal["train", "val", "test", "dev"]


@dataclass(frozen=True)
class MeshObject:
    """An object from a mesh file: where the file is, and how it becomes an object.

    Attributes:
        path: An OBJ, STL, PLY or GLB file, or a URDF file of one rigid body.
        name: Unique name; by default the file's, without its suffix.
        scale: Metres that a unit of the file stands for: 0.001 if the file is in millimetres.
        up: Axis of the file that points up on the table, such as "y" or "-z"; "rest" is the pose in which the object
            most probably comes to rest. None is y for GLB, as its standard says, and z for other files.
        mass: Kilograms. None is the mass that a URDF states, or else that of the volume at 500 kg/m3, 0.02 to 0.5 kg.
        friction: Lateral friction.
        split: Split that draws the object; None for all.
    """

    path: str | os.PathLike[str]
    name: str = ""
    scale: Annotated[float, Range(0, 10**6, above=True)] = 1.0
    up: Up | None = None
    mass: Annotated[float, Range(0.001, 5, unit="kg")] | None = None
    friction: Annotated[float, Range(0, 5)] = 0.5
    split: Split | None = None

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "path", os.fspath(self.path))
        object.__setattr__(self, "name", self.name or Path(self.path).stem)
        if Path(self.path).suffix.lower() not in SUFFIXES:
            raise InvalidConfiguration(
                f"{self.path} is no OBJ, STL, PLY, GLB or URDF file; export the object as one of these, with its "
                "texture as GLB"
            )
