"""A call that hangs ends at its time limit, its own errors reach the caller, and what comes late is closed."""

import threading
import time
from concurrent.futures import Future

import pytest

from tabletop_interaction.errors import NoAnswer, RobotFault
from tabletop_interaction.real.waiting import within


def test_a_call_that_hangs_ends_at_its_time_limit():
    start, released = time.monotonic(), threading.Event()
    with pytest.raises(NoAnswer, match=r"the lamp did not answer within 0\.05 s"):
        within(0.05, "the lamp", released.wait)
    assert time.monotonic() - start < 2
    released.set()


@pytest.mark.parametrize("error", [TimeoutError("its own"), RobotFault("stopped"), KeyboardInterrupt()])
def test_an_exception_of_the_call_reaches_the_caller(error):
    def look():
        raise error

    with pytest.raises(type(error)) as caught:
        within(5.0, "it", look, late=pytest.fail)
    assert caught.value is error


def test_what_a_late_call_opened_is_closed():
    released, closed, done = threading.Event(), [], threading.Event()

    def look():
        released.wait(10)
        return "an open device"

    with pytest.raises(NoAnswer):
        within(0.01, "it", look, late=lambda opened: (closed.append(opened), done.set()))
    assert closed == []
    released.set()
    assert done.wait(10)
    assert closed == ["an open device"]


def test_a_call_that_ends_right_after_its_time_limit_is_late_and_what_it_opened_is_closed(monkeypatch):
    closed, result = [], Future.result

    def too_late(answer, timeout=None):
        opened = result(answer)
        if timeout is None:
            return opened
        raise TimeoutError

    monkeypatch.setattr(Future, "result", too_late)
    with pytest.raises(NoAnswer, match="it did not answer within 5 s"):
        within(5.0, "it", lambda: "an open device", late=closed.append)
    assert closed == ["an open device"]
