"""Unsupervised masks of moving objects from short films."""
