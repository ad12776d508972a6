"""Accuracy of grasps, placing, labels, motion masks, judges and the twin."""
