"""Rearranges a table to match a picture (Pathak et al. 2018, section 5)."""
