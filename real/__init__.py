"""The Sawyer on a real table: driver, motion, safety, cameras, calibration, and its twin."""

from tabletop_interaction.real.arm.intera_driver import InteraDriver
from tabletop_interaction.real.backend import SawyerBackend
from tabletop_interaction.real.opening import TWIN_LAB, open_sawyer

__all__ = ["TWIN_LAB", "InteraDriver", "SawyerBackend", "open_sawyer"]
