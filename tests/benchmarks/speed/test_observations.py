"""The benchmark steps every kind of observation."""

from tabletop_interaction.benchmarks.speed.observations import measure


def test_every_observation_is_timed():
    rates = measure(1, seed=0)
    assert list(rates) == ["pictures", "state", "pictures and state", "pictures, state, depth, instances"]
    assert all(rate > 0 for rate in rates.values())
