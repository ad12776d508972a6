"""Benchmark of rearrangement: episodes, agents, scores and results page."""
