"""Average precision and precision-recall."""
