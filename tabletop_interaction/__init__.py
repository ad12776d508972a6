"""TabletopInteraction: a table on which a robot learns by itself what an object is.

Importing this package registers the environments with Gymnasium. Sub-packages such as `tabletop_interaction.envs` are
imported when they are first used.
"""

from tabletop_interaction.starting import end_in_one_line_after_signals, is_program

# Before anything that takes long to import.
if is_program():
    end_in_one_line_after_signals()

from importlib import import_module
from types import ModuleType

from gymnasium.envs.registration import register

__version__ = "0.1.0"

_SUB_PACKAGES = (
    "agents", "benchmarks", "cli", "envs", "real", "reports", "sawyer", "segmentation", "sim_assets", "simulation",
)  # fmt: skip


def __getattr__(name: str) -> ModuleType:
    if name not in _SUB_PACKAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; its packages are {_SUB_PACKAGES}")
    return import_module(f"{__name__}.{name}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_SUB_PACKAGES})


# Without Gymnasium's checker: once a first reset has raised an error, it lets each step fail after the arm has moved.
register(
    id="TabletopInteraction-v0",
    entry_point="tabletop_interaction.envs.interaction:TabletopInteraction",
    max_episode_steps=25,
    disable_env_checker=True,
)

register(
    id="TabletopPushing-v0",
    entry_point="tabletop_interaction.envs.pushing:TabletopPushing",
    max_episode_steps=25,
    disable_env_checker=True,
)

register(
    id="TabletopRearrangement-v0",
    entry_point="tabletop_interaction.envs.rearrangement:TabletopRearrangement",
    max_episode_steps=10,
    disable_env_checker=True,
)
