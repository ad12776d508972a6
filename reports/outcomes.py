"""What became of an interaction, in readers' words."""

from tabletop_interaction.envs.backend import PickOutcome
from tabletop_interaction.envs.records.row import Interaction

OUTCOMES: dict[PickOutcome, str] = {
    PickOutcome.HELD: "held",
    PickOutcome.SLIPPED: "slipped",
    PickOutcome.PUSHED_AWAY: "pushed away",
    PickOutcome.BLOCKED: "came down on something",
    PickOutcome.NOTHING_THERE: "nothing there",
    PickOutcome.UNREACHABLE: "out of reach",
}
"""Readers' names of the outcomes of a pick, in the order in which charts stack them."""


def outcome_of(interaction: Interaction) -> str:
    """The outcome of a recorded pick or push."""
    if interaction.pushed is None:
        return OUTCOMES.get(PickOutcome(interaction.pick_outcome), "no pick")
    if not interaction.pushed.came_down:
        return "out of reach"
    return "moved" if interaction.pushed.moved else "nothing moved"
