"""The benchmark of learning: runs of `tabletop learn` that differ by their seed alone, and means over them."""
