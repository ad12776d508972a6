"""Calibration of cameras, arena and robot base."""
