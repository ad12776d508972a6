"""Recorded interactions on disk: rows, journals, folders, readers and the recording wrapper."""
