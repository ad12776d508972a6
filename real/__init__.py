"""The Sawyer on a real table: driver, motion, safety, cameras, calibration, and its twin."""

from pathlib import Path

from tabletop_interaction.real.backend import SawyerBackend
from tabletop_interaction.real.intera_driver import InteraDriver
from tabletop_interaction.real.opening import open_sawyer

TWIN_LAB = Path(__file__).parent / "twin" / "lab.yaml"
"""A lab file for a simulated robot: the simulation's table and cameras as if they had been calibrated."""

__all__ = ["TWIN_LAB", "InteraDriver", "SawyerBackend", "open_sawyer"]
