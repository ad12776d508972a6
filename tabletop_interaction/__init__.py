"""TabletopInteraction: a table where a robot teaches itself what an object is.

Importing this package registers the environments with Gymnasium.
"""

__version__ = "0.1.0"
