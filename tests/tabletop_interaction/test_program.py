"""How programs of this package end."""

import errno
import threading

import pytest

from tabletop_interaction.program import FAILED, exit_status


def _raise(error: Exception, cause: Exception | None) -> None:
    raise error from cause


@pytest.mark.parametrize("wrapped", [1, 3])
def test_an_error_that_a_library_makes_of_one_of_the_system_is_one_line(
    wrapped: int, capsys: pytest.CaptureFixture[str]
) -> None:
    error: Exception = OSError(errno.ENOSPC, "No space left on device", "model.onnx")
    for _ in range(wrapped):
        try:
            raise RuntimeError("the export failed\nin many lines") from error
        except RuntimeError as caught:
            error = caught
    assert exit_status(lambda: _raise(error, error.__cause__)) == FAILED
    assert capsys.readouterr().err == "error: model.onnx: No space left on device; check path and rights\n"


def test_an_error_of_another_cause_keeps_its_traceback() -> None:
    with pytest.raises(RuntimeError, match="the export failed"):
        exit_status(lambda: _raise(RuntimeError("the export failed"), ValueError("x")))


@pytest.mark.parametrize("again", [True, False])
def test_an_error_of_the_system_in_a_thread_is_one_line(again: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """TensorBoard writes in a thread, whose errors it raises again in the main thread; other libraries do not."""
    full = OSError(errno.ENOSPC, "No space left on device", "events.out")

    def run() -> None:
        thread = threading.Thread(target=_raise, args=(full, None))
        thread.start()
        thread.join()
        if again:
            raise full

    status = exit_status(run)
    line = "events.out: No space left on device; check path and rights\n"
    assert (status, capsys.readouterr().err) == ((FAILED, f"error: {line}") if again else (0, f"warning: {line}"))


def test_an_error_of_the_system_in_a_thread_is_named_before_the_traceback_that_it_causes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def run() -> None:
        thread = threading.Thread(target=_raise, args=(OSError(errno.EIO, "Input/output error", "events.out"), None))
        thread.start()
        thread.join()
        raise RuntimeError("the thread has ended")

    with pytest.raises(RuntimeError, match="the thread has ended"):
        exit_status(run)
    assert capsys.readouterr().err == "warning: events.out: Input/output error; check path and rights\n"
