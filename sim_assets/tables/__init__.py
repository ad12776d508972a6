"""Procedural table tops."""
