"""The one process pool: independent jobs in spawned processes, each result as soon as it is there.

Each worker is an executor with a single process, so that the death of one does not stop the others: it is replaced,
and its job is repeated. Processes are spawned, because forked ones would share PyBullet and OpenCV with their parent.
A process that has done many jobs is replaced, because PyBullet keeps the textures of every scene until it ends.
Workers end when their parent ends, also when it is killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from multiprocessing.context import SpawnContext
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from typing import Any, Generic, TypeVar

import cv2

from tabletop_interaction.errors import WorkersDied

Job = TypeVar("Job")
Result = TypeVar("Result")
OpenWorker = Callable[[], AbstractContextManager[Callable[[Job], Result]]]

MAX_DEATHS_IN_A_ROW = 5
"""Deaths without a result in between after which all workers are considered broken."""

_JOBS_PER_PROCESS = 100
_EXIT_S = 10.0


@dataclass(frozen=True)
class WorkerDeath(Generic[Job]):
    """A process that died during a job.

    Attributes:
        job: what it was doing.
        exit_code: of the process, negative for a signal.
    """

    job: Job
    exit_code: int | None

    def __str__(self) -> str:
        code = self.exit_code
        how = f"with exit code {code}" if code is None or code >= 0 else f"by {signal.Signals(-code).name}"
        return f"a process died {how} during {self.job}"


def do_in_processes(
    open_worker: OpenWorker[Job, Result],
    jobs: Sequence[Job],
    workers: int,
    on_death: Callable[[WorkerDeath[Job]], None] = print,
) -> Generator[Result]:
    """Do jobs in `workers` processes and yield each result as it comes, in no order; closing this ends the processes.

    Args:
        open_worker: called once in each process: a context whose value turns a job into its result. It is pickled, as
            jobs and results are: a function of a module, or a partial of one.
        on_death: called when a process has died, before it is replaced.

    Raises:
        WorkersDied: processes die as fast as they are replaced.
        Exception: what a job raised in its process.
    """
    waiting = deque(jobs)
    running: dict[Future[Result], _Worker[Job, Result]] = {}
    deaths_in_a_row = 0
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                worker: _Worker[Job, Result] = _Worker(open_worker)
                running[worker.give(waiting.popleft())] = worker
            future = wait(running, return_when=FIRST_COMPLETED).done.pop()
            worker = running.pop(future)
            error = future.exception()
            if isinstance(error, BrokenProcessPool):
                deaths_in_a_row += 1
                death = WorkerDeath(worker.job, worker.end(_EXIT_S))
                if deaths_in_a_row > MAX_DEATHS_IN_A_ROW:
                    raise WorkersDied(
                        f"{deaths_in_a_row} processes died in a row, the last time: {death}; finished results are not "
                        "lost; repeat with one worker, which runs in this process and shows the cause"
                    )
                on_death(death)
                waiting.appendleft(worker.job)
                continue
            if error is not None:
                worker.end()
                raise error
            deaths_in_a_row = 0
            if waiting and worker.given < _JOBS_PER_PROCESS:
                running[worker.give(waiting.popleft())] = worker
            else:
                worker.end(_EXIT_S)
            yield future.result()
    finally:
        for worker in running.values():
            worker.end()


class _RecordingContext(SpawnContext):
    """A spawn context that keeps the process which an executor starts with it."""

    process: BaseProcess

    def Process(self, *args: Any, **kwargs: Any) -> BaseProcess:  # type: ignore[override]
        self.process = super().Process(*args, **kwargs)
        return self.process


class _Worker(Generic[Job, Result]):
    """An executor with one process, which does one job at a time."""

    job: Job

    def __init__(self, open_worker: OpenWorker[Job, Result]) -> None:
        self._context = _RecordingContext()
        self._executor = ProcessPoolExecutor(1, self._context, initializer=_start, initargs=(open_worker,))
        self.given = 0

    def give(self, job: Job) -> Future[Result]:
        """Let the process do a job; a process that has died gives a future with BrokenProcessPool."""
        self.job, self.given = job, self.given + 1
        try:
            with _unaware_of_ctrl_c():
                return self._executor.submit(_do, job)
        except BrokenProcessPool as error:
            # It died between two jobs, which its next result reports.
            broken: Future[Result] = Future()
            broken.set_exception(error)
            return broken

    def end(self, grace_s: float = 0.0) -> int | None:
        """The exit code of the process, which is terminated unless it ends in time."""
        process = self._context.process
        late = threading.Timer(grace_s, process.terminate)
        late.start()
        self._executor.shutdown(cancel_futures=True)
        late.cancel()
        return process.exitcode


@contextmanager
def _unaware_of_ctrl_c() -> Iterator[None]:
    """Block Ctrl-C in processes that are started in this block, until `_start` ignores it; here it arrives afterwards.

    Else it would end them with a traceback while they import modules.
    """
    # It unblocks signals as it starts.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


# In a worker's process: how to open what does its jobs, and what was opened.
_open_worker: OpenWorker[Any, Any]
_do_job: Callable[[Any], Any] | None = None


def _start(open_worker: OpenWorker[Any, Any]) -> None:
    """Prepare a worker's process, and make it end with its parent."""
    global _open_worker
    _open_worker = open_worker
    # The parent handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    cv2.setNumThreads(1)


def _end_with_parent() -> None:
    # The executor's pipes do not break when the parent dies, because each has its other end in this process, too.
    if (parent := multiprocessing.parent_process()) is not None:
        parent.join()
        os._exit(1)


def _do(job: Any) -> Any:
    global _do_job
    try:
        if _do_job is None:
            opened = ExitStack()
            _do_job = opened.enter_context(_open_worker())
            Finalize(None, opened.close, exitpriority=1)
        return _do_job(job)
    except Exception as error:
        error.add_note(f"In the process that did {job}:\n{traceback.format_exc()}")
        raise
