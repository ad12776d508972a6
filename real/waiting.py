"""Run a call with a time limit, because drivers, devices and ROS may wait without one."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

from tabletop_interaction.errors import NoAnswer

T = TypeVar("T")


def within(seconds: float, what: str, look: Callable[[], T], late: Callable[[T], object] | None = None) -> T:
    """Run `look` in its own thread with a time limit; `what` names the device for messages.

    A late `look` is not interrupted. What it returns after all is given to `late`, which closes it.

    Raises:
        NoAnswer: it took longer.
    """
    answer: Future[T] = Future()

    def run() -> None:
        try:
            answer.set_result(look())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=run, name=f"waiting for {what}", daemon=True).start()
    try:
        return answer.result(timeout=seconds)
    except BaseException as error:
        if late is not None:
            answer.add_done_callback(lambda ended: ended.exception() or late(ended.result()))
        # The call may raise a TimeoutError of its own, and may end right after the time limit.
        if not isinstance(error, TimeoutError) or (answer.done() and answer.exception() is error):
            raise
        raise NoAnswer(
            f"{what} did not answer within {seconds:g} s; unplug it or switch it off and on, then try again"
        ) from None
