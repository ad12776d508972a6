"""TabletopInteraction: a table where a robot teaches itself what an object is.

Importing this package registers the environments with Gymnasium.
"""

from gymnasium.envs.registration import register

__version__ = "0.1.0"

register(
    id="TabletopInteraction-v0",
    entry_point="tabletop_interaction.envs.interaction:TabletopInteraction",
    max_episode_steps=25,
)

register(
    id="TabletopRearrangement-v0",
    entry_point="tabletop_interaction.envs.rearrangement:TabletopRearrangement",
    max_episode_steps=10,
)
