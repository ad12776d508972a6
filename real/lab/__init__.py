"""The lab file and the calibration steps that write it."""
