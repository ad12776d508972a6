"""Segmenters as ONNX files: our networks exported, and run without torch, and detectors of others."""
