"""Everything about the simulated table that a user may want to change."""

from __future__ import annotations

from dataclasses import dataclass

from tabletop_interaction.errors import InvalidConfiguration


@dataclass(frozen=True)
class SimulationConfig:
    """Settings of the simulation backend.

    Attributes:
        objects_min: fewest objects in a scene (the paper: 4).
        objects_max: most objects in a scene (the paper: 8).
        noise_sigma: standard deviation of the sensor noise, grey levels.
        exposure_jitter: standard deviation of the gain from picture to picture.
        shadows: whether objects cast shadows on the table.
        object_names: draw from these objects only, instead of from the split's.
        backgrounds: draw from these table tops only, instead of from the split's.
    """

    objects_min: int = 4
    objects_max: int = 8
    noise_sigma: float = 1.0
    exposure_jitter: float = 0.01
    shadows: bool = True
    object_names: tuple[str, ...] | None = None
    backgrounds: tuple[str, ...] | None = None

    def __post_init__(self) -> None:
        if not 1 <= self.objects_min <= self.objects_max <= 12:
            raise InvalidConfiguration(
                f"objects_min {self.objects_min} and objects_max {self.objects_max}: accepted is "
                "1 <= objects_min <= objects_max <= 12 (more do not fit on the table)"
            )
        if not 0 <= self.noise_sigma <= 50 or not 0 <= self.exposure_jitter <= 0.2:
            raise InvalidConfiguration(
                f"noise_sigma {self.noise_sigma} must lie in 0 to 50 grey levels and exposure_jitter "
                f"{self.exposure_jitter} in 0 to 0.2"
            )
