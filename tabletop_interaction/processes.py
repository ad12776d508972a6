"""Many short, independent jobs done by several processes at once; each answer comes back as soon as it is there.

Processes of the standard library do, with a pipe each: nothing is shared, and an answer is small. They are spawned,
since forked ones would share this process's PyBullet and OpenCV. One that dies is replaced and its job done again. One
that has done many is replaced, too: PyBullet keeps the textures of every scene for as long as its process lives.
"""

from __future__ import annotations

import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing import connection, get_context
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Generic, TypeVar, cast

import cv2

from tabletop_interaction.errors import TabletopError

Job = TypeVar("Job")
Answer = TypeVar("Answer")

MOST_DEATHS_IN_A_ROW = 5
"""Of processes that are replaced: after more of them something is wrong with all."""

_JOBS_A_PROCESS = 100
_DYING_S = 10.0


class WorkersDied(TabletopError, RuntimeError):
    """Processes die as fast as they are replaced; the answers that they gave are not lost."""


@dataclass(frozen=True)
class Death(Generic[Job]):
    """A process that ended while it did a job: which one, and the exit code, negative for a signal."""

    job: Job
    exit_code: int | None

    def __str__(self) -> str:
        code = self.exit_code
        how = f"with exit code {code}" if code is None or code >= 0 else f"by {signal.Signals(-code).name}"
        return f"a process died {how} while it did {self.job}"


def do_in_processes(
    open_worker: Callable[[], AbstractContextManager[Callable[[Job], Answer]]],
    jobs: Sequence[Job],
    workers: int,
    tell_death: Callable[[Death[Job]], None] = print,
) -> Generator[Answer]:
    """Do jobs in `workers` processes and give each answer as it comes, in no order; closing this ends the processes.

    Args:
        open_worker: called once in each process, a context that gives what turns a job into its answer. Pickled, as
            jobs and answers are: a function of a module, or a partial of one.
        jobs: what is to be done.
        workers: how many processes.
        tell_death: called when one has died, before it is replaced.

    Raises:
        WorkersDied: they die as fast as they are replaced.
        Exception: what a job raised in its process.
    """
    crew = _Crew(open_worker, jobs)
    try:
        for _ in range(workers):
            crew.hire()
        while crew.at_work:
            yield from crew.next_answers(tell_death)
    finally:
        crew.dismiss()


@dataclass
class _Worker(Generic[Job]):
    """A process, the pipe to it, what it does, and how many jobs it has been given."""

    process: BaseProcess
    pipe: Connection
    job: Job
    given: int = 0

    def give(self, job: Job) -> None:
        self.job, self.given = job, self.given + 1
        # One that has just died is found out when its answer is waited for.
        with suppress(BrokenPipeError, ConnectionResetError):
            self.pipe.send(job)

    def end(self, grace_s: float = 0.0) -> int | None:
        """Its exit code; it is ended by a signal unless it ends by itself in time."""
        self.pipe.close()
        self.process.join(grace_s)
        self.process.terminate()
        self.process.join()
        return self.process.exitcode


class _Crew(Generic[Job, Answer]):
    """The processes at work, by their pipes, and the jobs that nobody does yet."""

    def __init__(
        self, open_worker: Callable[[], AbstractContextManager[Callable[[Job], Answer]]], jobs: Sequence[Job]
    ) -> None:
        self._context = get_context("spawn")
        self._open_worker = open_worker
        self._waiting = deque(jobs)
        self._deaths_in_a_row = 0
        self.at_work: dict[Connection, _Worker[Job]] = {}

    def hire(self) -> None:
        """Start another process and give it a job, if there is any left."""
        if not self._waiting:
            return
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=_serve, args=(theirs, self._open_worker), daemon=True)
        process.start()
        # With the only other end in the process, its death closes the pipe.
        theirs.close()
        worker = self.at_work[ours] = _Worker(process, ours, self._waiting.popleft())
        worker.give(worker.job)

    def next_answers(self, tell_death: Callable[[Death[Job]], None]) -> Iterator[Answer]:
        """Wait until one or more processes have done a job or died, and set them to work again."""
        for ready in connection.wait(list(self.at_work)):
            worker = self.at_work[cast(Connection, ready)]
            try:
                answer = worker.pipe.recv()
            except (EOFError, ConnectionResetError):
                self._bury(worker, tell_death)
                continue
            if isinstance(answer, _Failed):
                raise answer.error
            self._deaths_in_a_row = 0
            self._go_on(worker)
            yield answer

    def dismiss(self) -> None:
        """End all processes, whatever they do; what they have not told is lost."""
        while self.at_work:
            self.at_work.popitem()[1].end()

    def _go_on(self, worker: _Worker[Job]) -> None:
        if self._waiting and worker.given < _JOBS_A_PROCESS:
            worker.give(self._waiting.popleft())
        else:
            del self.at_work[worker.pipe]
            worker.end()
            self.hire()

    def _bury(self, worker: _Worker[Job], tell_death: Callable[[Death[Job]], None]) -> None:
        del self.at_work[worker.pipe]
        death = Death(worker.job, worker.end(_DYING_S))
        self._deaths_in_a_row += 1
        if self._deaths_in_a_row > MOST_DEATHS_IN_A_ROW:
            raise WorkersDied(
                f"{self._deaths_in_a_row} processes died in a row, the last time: {death}; what was finished is not "
                "lost; a single worker works in this process and shows why"
            )
        tell_death(death)
        self._waiting.appendleft(worker.job)
        self.hire()


@dataclass(frozen=True)
class _Failed:
    """What a job raised."""

    error: Exception


def _serve(pipe: Connection, open_worker: Callable[[], AbstractContextManager[Callable[[Job], Answer]]]) -> None:
    """Do what comes through the pipe until nobody is there who asks."""
    # Ctrl-C is the parent's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)
    # The parent is gone, or needs nothing more.
    with suppress(EOFError, BrokenPipeError, ConnectionResetError), open_worker() as do:
        while True:
            pipe.send(_done(do, pipe.recv()))


def _done(do: Callable[[Job], Answer], job: Job) -> Answer | _Failed:
    try:
        return do(job)
    except Exception as error:
        error.add_note(f"In the process that did {job}:\n{traceback.format_exc()}")
        return _Failed(error)
