"""Jobs in several processes: a dead process is replaced and reported, errors are raised, no process is left."""

import operator
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from multiprocessing import active_children
from pathlib import Path

import pytest

from tabletop_interaction import processes
from tabletop_interaction.errors import ForeignFolder, WorkersDied
from tabletop_interaction.processes import do_in_processes

ASKING = """
import operator, os, signal, time
from contextlib import nullcontext
from functools import partial
from tabletop_interaction.processes import do_in_processes

# A process in the background inherits an ignored Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
jobs = [os.getpid] + [partial(time.sleep, 0.2)] * 1000
for answer in do_in_processes(partial(nullcontext, operator.call), jobs, 1):
    print(answer, flush=True)
"""
"""Prints the id of the working process, and then works for minutes."""


def test_every_job_is_done_once():
    assert sorted(do_in_processes(partial(nullcontext, abs), [-1, -2, 3], workers=2)) == [1, 2, 3]
    assert active_children() == []


def test_closing_ends_busy_processes():
    answers = do_in_processes(partial(nullcontext, time.sleep), [0, 600, 600], workers=2)
    next(answers)
    answers.close()
    assert active_children() == []


@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGINT])
def test_no_worker_is_left_when_the_parent_is_killed_or_interrupted(killed_by):
    psutil = pytest.importorskip("psutil")
    asking = subprocess.Popen([sys.executable, "-c", ASKING], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    with asking:
        working = psutil.Process(int(asking.stdout.readline()))
        asking.send_signal(killed_by)
    end = time.monotonic() + 10
    while working.is_running() and working.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_an_error_of_a_job_is_raised_in_the_parent_with_its_traceback():
    with pytest.raises(TypeError, match="cannot be interpreted as an integer") as raised:
        list(do_in_processes(partial(nullcontext, operator.index), ["one"], workers=1))
    assert "In the process that did one" in raised.value.__notes__[0]
    assert active_children() == []


def test_processes_that_always_die_are_an_error(monkeypatch):
    monkeypatch.setattr(processes, "MAX_DEATHS_IN_A_ROW", 1)
    deaths = []
    with pytest.raises(WorkersDied, match=r"2 processes died in a row, .* with exit code 3 during 3"):
        list(do_in_processes(partial(nullcontext, os._exit), [3], 1, deaths.append))
    assert [(death.job, death.exit_code) for death in deaths] == [(3, 3)]


def test_a_process_that_has_done_many_jobs_is_replaced_silently(monkeypatch):
    monkeypatch.setattr(processes, "_JOBS_PER_PROCESS", 1)
    deaths = []
    pids = list(do_in_processes(partial(nullcontext, operator.call), [os.getpid] * 3, 1, deaths.append))
    assert (len(set(pids)), deaths) == (3, [])


def test_a_worker_that_cannot_be_opened_raises_its_error_in_the_parent():
    with pytest.raises(ForeignFolder, match="closed"):
        list(do_in_processes(_cannot_open, [1], workers=1))


@pytest.mark.parametrize("code", ["os._exit(4)", "os.kill(os.getpid(), 9)"])
def test_the_job_of_a_dead_process_is_repeated(tmp_path, code):
    deaths = []
    jobs = [_DieOnce(tmp_path / "died", code), abs]
    assert sorted(do_in_processes(partial(nullcontext, _called_with_1), jobs, 2, deaths.append)) == [1, 2]
    assert [death.exit_code for death in deaths] == [4 if "4" in code else -9]


def test_a_worker_closes_its_context_when_it_ends(tmp_path):
    assert list(do_in_processes(partial(_opened, tmp_path / "closed"), [1], workers=1)) == [1]
    assert (tmp_path / "closed").exists()


def _cannot_open():
    raise ForeignFolder("closed")


@contextmanager
def _opened(mark):
    yield abs
    mark.touch()


def _called_with_1(function):
    return function(1)


@dataclass(frozen=True)
class _DieOnce:
    mark: Path
    code: str

    def __call__(self, number):
        if not self.mark.exists():
            self.mark.touch()
            exec(self.code)
        return number + 1


def test_ctrl_c_does_not_end_a_worker_that_still_imports_modules(tmp_path, monkeypatch):
    (tmp_path / "imported_by_worker.py").write_text(
        """
import contextlib, os, signal, sys
if "--multiprocessing-fork" in sys.orig_argv:
    os.kill(os.getpid(), signal.SIGINT)
def open_worker():
    return contextlib.nullcontext(abs)
"""
    )
    monkeypatch.syspath_prepend(tmp_path)
    module = import_module("imported_by_worker")
    # A test run in the background ignores Ctrl-C, and its children would too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        deaths = []
        assert list(do_in_processes(module.open_worker, [-1], 1, deaths.append)) == [1]
    finally:
        signal.signal(signal.SIGINT, before)
    assert deaths == []


def test_ctrl_c_while_a_worker_is_started_is_not_lost():
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt), processes._unaware_of_ctrl_c():
            os.kill(os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
