"""What a twin knows and a Sawyer cannot: where the objects truly are. For benchmarks and judges, never for agents."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tabletop_interaction.envs.backend import GroundTruth, ObjectState
from tabletop_interaction.real.backend import SawyerBackend


class SawyerWithTruth(SawyerBackend):
    """A `SawyerBackend` that also offers `GroundTruth`.

    Args:
        parts: as for `SawyerBackend`.
        truth: of the twin's table.
    """

    def __init__(self, *parts: Any, truth: GroundTruth) -> None:
        super().__init__(*parts)
        self._truth = truth

    def object_states(self) -> tuple[ObjectState, ...]:
        """See `GroundTruth.object_states`."""
        return self._truth.object_states()

    def instance_maps(self) -> dict[str, NDArray[np.int32]]:
        """See `GroundTruth.instance_maps`."""
        return self._truth.instance_maps()
