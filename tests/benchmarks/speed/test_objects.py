"""Speed by the number of objects: every number is measured apart and on a heap, in the same run as six objects."""

from tabletop_interaction.benchmarks.speed.objects import ObjectSpeedOptions, measure


def test_each_number_is_measured_apart_and_on_a_heap_beside_six_objects():
    spent = measure(ObjectSpeedOptions(interactions=1, objects=(1,)))
    assert list(spent) == [(1, False), (6, False), (1, True), (6, True)]
    assert all(len(each.steps) == len(each.scenes) == 1 and each.rate > 0 for each in spent.values())
