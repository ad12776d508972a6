"""Interactions to labels and training examples."""
