"""Speed of interactions, segmentation and training."""
