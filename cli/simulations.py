"""Options of the simulated table, checked before anything is written; without them it is the default one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from tabletop_interaction.cli.arguments import UNSET
from tabletop_interaction.envs.gripper import Gripper, GripperName
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.progress import ProgressDisplay
from tabletop_interaction.ranges import PictureSize, Range

if TYPE_CHECKING:
    from tabletop_interaction.envs import View
    from tabletop_interaction.sim_assets import Catalogue

_TOP_DOWN = Path("top-down")
_FEWEST, _MOST = 4, 8
# Of boxes of 6 mm, which the pads hardly reach, one in four is held; of those of 8 mm all are.
_LOW_M = 0.007

Objects = Annotated[int, Range(1, 20)]


@dataclass(frozen=True)
class SimulationOptions:
    """The simulated table; not for a robot."""

    views: Annotated[Path | None, tyro.conf.arg(metavar="top-down|FILE"), UNSET] = None
    """Cameras: top-down (one above the table), the lab file of a robot, or a JSON file with a list of views; four by
    default."""
    picture_size: Annotated[PictureSize | None, tyro.conf.arg(metavar="HEIGHT WIDTH"), UNSET] = None
    """Size of the pictures, pixels; by default 350 430, or the sizes in the file of --views."""
    objects_min: Annotated[Objects | None, UNSET] = None
    """Fewest objects in a scene; by default 4, or --objects-max if that is less."""
    objects_max: Annotated[Objects | None, UNSET] = None
    """Most objects in a scene; by default 8, or --objects-min if that is more."""
    clutter: bool = False
    """Objects on a heap, where they touch and lie on each other, instead of apart."""
    tray: bool = False
    """A tray with low walls around the objects."""
    gripper: GripperName = "sawyer"
    """Gripper: sawyer (opens to 57 mm) or wide (opens to 160 mm)."""
    objects: Annotated[Path | None, tyro.conf.arg(metavar="DIR"), UNSET] = None
    """Folder of OBJ, STL, PLY, GLB or URDF files, and an optional objects.yaml, instead of the built-in objects."""
    tables: Annotated[Path | None, tyro.conf.arg(metavar="DIR"), UNSET] = None
    """Folder of pictures, and an optional tables.yaml, instead of the built-in table tops."""

    @property
    def given(self) -> list[str]:
        """Names of the options that are not at their defaults."""
        return [field.name for field in fields(self) if getattr(self, field.name) != field.default]

    def settings(self) -> dict[str, Any] | None:
        """The simulation's configuration in its plain form; None for the default one.

        Raises:
            InvalidConfiguration: an option cannot be used.
        """
        if not self.given:
            return None
        # Only here, since it imports PyBullet.
        from tabletop_interaction.simulation import SimulationConfig
        from tabletop_interaction.simulation.scene import config_to_plain

        config = SimulationConfig(
            **self._counts(),
            views=self._views(),
            picture_size=self.picture_size,
            clutter=self.clutter,
            tray=self.tray,
            gripper=self.gripper,
            # Workers and a resumed run may have other working folders.
            objects_dir=self.objects and str(self.objects.resolve()),
            tables_dir=self.tables and str(self.tables.resolve()),
        )
        return config_to_plain(config)

    def check(self, split: str) -> None:
        """Check that scenes can be drawn from a split.

        Raises:
            InvalidConfiguration: as `settings`, or a split has too few objects.
        """
        if (settings := self.settings()) is None:
            return
        from tabletop_interaction.simulation.scene import catalogue_of, check_names, config_from_plain

        config = config_from_plain(settings)
        check_names(split, config, catalogue_of(config))

    def prepare(self) -> None:
        """Check the options; prepare objects from files, with a bar, and name those that the gripper hardly holds.

        Raises:
            InvalidConfiguration: an option cannot be used, or files of objects or tables cannot; names all of them.
        """
        settings = self.settings()
        if settings is None or (self.objects is None and self.tables is None):
            return
        from tabletop_interaction.simulation.scene import catalogue_of, config_from_plain

        config = config_from_plain(settings)
        with ProgressDisplay() as display:
            catalogue = catalogue_of(config, lambda done, total: display.show("objects prepared", done, total))
        if self.objects is not None:
            for line in unfit_for_picks(catalogue, config.fitted_gripper):
                print(line)

    def _counts(self) -> dict[str, Any]:
        """The fewest and most objects as far as they are given; a bound that is not given makes way."""
        low, high = self.objects_min, self.objects_max
        if low is None and high is None:
            return {}
        return {"objects_min": low or min(_FEWEST, high or _FEWEST), "objects_max": high or max(_MOST, low or _MOST)}

    def _views(self) -> tuple[View, ...] | None:
        if self.views is None:
            return None
        if self.views == _TOP_DOWN:
            from tabletop_interaction.simulation.cameras import PICTURE_SIZE, top_down

            return (top_down("view_0", picture_size=self.picture_size or PICTURE_SIZE),)
        if not self.views.is_file():
            raise InvalidConfiguration(
                f"--views is {self.views}, and there is no such file; accepted are the word top-down, a robot's lab "
                "file, and a JSON file with a list of views"
            )
        if self.views.suffix == ".json":
            from tabletop_interaction.simulation.cameras import read_views

            return read_views(self.views)
        from tabletop_interaction.real import lab_views

        return lab_views(self.views)


def unfit_for_picks(catalogue: Catalogue, gripper: Gripper) -> list[str]:
    """A line for each reason why objects from files are rarely held, which names them; none if the gripper fits all."""
    from tabletop_interaction.sim_assets.meshes.graspable import graspable_width

    models = {name: catalogue.object(name) for name in catalogue.checksums().get("objects", {})}
    widths = {name: graspable_width(model) for name, model in models.items()}
    heights = {name: float(np.ptp(model.vertices[:, 2])) for name, model in models.items()}
    opening, closed = gripper.opening_m, gripper.closed_m
    return [
        *_listed(
            {name: width for name, width in widths.items() if width >= opening},
            len(models),
            f"are wider than the gripper opens, {1000 * opening:.0f} mm, as they lie",
            "they are rarely held, but can be pushed",
        ),
        *_listed(
            {name: width for name, width in widths.items() if width <= closed},
            len(models),
            f"are no wider than the gripper closes, {1000 * closed:.0f} mm, as they lie",
            "they slip from it, but can be pushed",
        ),
        *_listed(
            {name: height for name, height in heights.items() if height < _LOW_M},
            len(models),
            f"are lower than {1000 * _LOW_M:.0f} mm as they lie",
            "the gripper passes over them",
        ),
    ]


def _listed(sizes: Mapping[str, float], total: int, what: str, so: str) -> list[str]:
    """A line that names objects with their sizes, metres; none without objects."""
    names = ", ".join(f"{name} ({1000 * size:.0f} mm)" for name, size in sizes.items())
    return [f"{len(sizes)} of {total} objects {what}: {names}; {so}"] if sizes else []
