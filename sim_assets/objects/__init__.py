"""Procedural objects of the simulated table."""
