"""The checks of `tabletop doctor`."""
