"""Benchmark of segmentation: labelled sets, evaluation and results page."""
