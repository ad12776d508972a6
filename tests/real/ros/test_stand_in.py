"""The stand-in robot with our backend as its client: it moves, grips and ends as a healthy robot does."""

import pytest


@pytest.fixture(scope="module")
def opened(laboratory):
    answer = laboratory.call("open")
    assert not answer.error, answer
    assert not laboratory.call("reset").error
    return laboratory


def test_a_pick_holds_an_object_and_its_commands_keep_the_limits(opened):
    start = opened.order("lay")
    answer = opened.call("pick", 0.0, 0.0, 0.0)
    assert "HELD" in answer.returned, answer
    recording = opened.recording(start)
    assert recording.holds
    rates = recording.rates()
    print(rates, recording.jumps(), len(recording.times))
    assert rates.speed < 0.27
    assert rates.acceleration < 0.33
    assert rates.jerk < 26
