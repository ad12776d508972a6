"""Segmenters of others: a user's own class, Mask R-CNN, generators of masks, and files of detections."""
