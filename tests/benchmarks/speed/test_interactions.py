"""The time of recorded interactions is split into the parts that they are spent on."""

import pytest

from tabletop_interaction.benchmarks.speed.interactions import measure


def test_every_part_takes_a_share_of_the_time():
    timing = measure(1, seed=0, plain=False)
    assert set(timing.parts) == {"physics", "rendering", "encoding", "writing"}
    assert all(timing.milliseconds(part) > 0 for part in timing.parts)
    assert sum(timing.parts.values()) == pytest.approx(timing.seconds)
