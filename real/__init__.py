"""The Sawyer backend: arm, cameras, calibration, lab file, checks, and a simulated twin."""

from tabletop_interaction.real.arm.intera_driver import InteraDriver
from tabletop_interaction.real.backend import SawyerBackend
from tabletop_interaction.real.lab.lab import TWIN_LAB, lab_views
from tabletop_interaction.real.opening import open_sawyer

__all__ = ["TWIN_LAB", "InteraDriver", "SawyerBackend", "lab_views", "open_sawyer"]
