"""System calls of a command, seen and changed: the command is killed at the n-th one, or the n-th one fails.

`trace(decide)` is called in a forked process (`before` of `Attack.command`). It forks once more: the new process
returns and runs the command; the first one traces it and its children with ptrace, which needs no tool and no rights.
So writes of C++ libraries and of ffmpeg are seen, too. Linux on x86-64 only; see `can_trace`.
"""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from attack import Ended
from small_commands import Workplace, contents

# Numbers of x86-64, and the place of the path among the arguments: (folder's descriptor or None, path).
_WITH_PATH = {
    2: ("open", None, 0),
    82: ("rename", None, 0),
    83: ("mkdir", None, 0),
    84: ("rmdir", None, 0),
    85: ("creat", None, 0),
    86: ("link", None, 1),
    87: ("unlink", None, 0),
    88: ("symlink", None, 1),
    257: ("openat", 0, 1),
    258: ("mkdirat", 0, 1),
    263: ("unlinkat", 0, 1),
    264: ("renameat", 0, 1),
    265: ("linkat", 2, 3),
    266: ("symlinkat", 1, 2),
    316: ("renameat2", 0, 1),
}
_WITH_DESCRIPTOR = {
    1: "write",
    18: "pwrite64",
    20: "writev",
    74: "fsync",
    75: "fdatasync",
    77: "ftruncate",
    285: "fallocate",
    296: "pwritev",
    328: "pwritev2",
}
_FLAGS_OF_OPEN = {2: 1, 257: 2}
_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _IF_EQUAL, _IF_SET, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _TRACE = 0x7FFF0000, 0x7FF00000
_TRACEME, _CONT, _GETREGS, _SETREGS, _SETOPTIONS = 0, 7, 12, 13, 0x4200
# Forks, vforks, clones and execs of the process, its filter's stops, and an end with the tracer.
_OPTIONS = 0x02 | 0x04 | 0x08 | 0x10 | 0x80 | 0x100000
_EVENT_SECCOMP = 7
_WALL = 0x40000000
_AT_FDCWD = -100
_RAX, _NUMBER, _ARGUMENTS = 10, 15, (14, 13, 12, 7)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@dataclass(frozen=True)
class SystemCall:
    """A system call that is about to write.

    Attributes:
        name: of the call, such as "rename".
        path: absolute path of the file that is written, made, renamed or removed.
    """

    name: str
    path: str


class Kill:
    """A decision: the command is killed before the call."""


Decide = Callable[[SystemCall], type[Kill] | int | None]
"""What happens to a call: `Kill`, a number of errno with which it fails, or None."""


@cache
def can_trace() -> bool:
    """Whether system calls can be traced on this machine."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        return False
    if (child := os.fork()) == 0:
        os._exit(int(_libc.ptrace(_TRACEME, 0, None, None) != 0))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def trace(decide: Decide) -> None:
    """Return in a new process whose calls, and whose children's, `decide` sees; this one ends as that one does.

    Calls on pipes, devices, removed files and compiled Python are passed over.
    """
    if (command := os.fork()) == 0:
        _libc.ptrace(_TRACEME, 0, None, None)
        os.kill(os.getpid(), signal.SIGSTOP)
        _stop_at_writes()
        return
    # A signal for the group is for the command.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    os.waitpid(command, os.WUNTRACED)
    _ptrace(_SETOPTIONS, command, _OPTIONS)
    _ptrace(_CONT, command)
    code = _follow(command, decide)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code not in (signal.SIGKILL, signal.SIGSTOP) else None
        os.kill(os.getpid(), -code)
    os._exit(code)


Moments = Sequence[tuple[int, SystemCall]]


@cache
def undisturbed(name: str, workplace: Workplace) -> tuple[Moments, dict[str, str]]:
    """Moments of a command, and the content of its result."""
    workplace.begin(name)
    return moments_of(lambda before: workplace.run(name, before), workplace), contents(workplace.folder)


def moments_of(run: Callable[[Callable[[], object]], Ended], workplace: Workplace) -> Moments:
    """Calls at which something that runs in a workplace is worth disturbing; none where calls cannot be traced.

    A moment is the number, from 0, of the call before which a state of the folder is first there, and this call. Of the
    writes to one file in a row, only the first two and the last one count.
    """
    log = workplace.folder.parent / "calls.txt"
    log.write_text("")
    states: set[object] = set()
    count = 0

    def see(call: SystemCall) -> None:
        nonlocal count
        if (state := _state(workplace.folder)) not in states:
            states.add(state)
            with log.open("a") as file:
                file.write(f"{count}\t{call.name}\t{call.path}\n")
        count += 1

    ended = run((lambda: trace(see)) if can_trace() else lambda: None)
    assert ended.code == 0, ended.err
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    found = [(int(number), SystemCall(*call)) for number, *call in lines]
    calls = [call for _, call in found]
    return [
        one
        for place, one in enumerate(found)
        if not (calls[place] == calls[max(place - 2, 0)] and calls[place : place + 2] == [calls[place]] * 2)
    ]


def _state(folder: Path) -> object:
    found = []
    for place, names, files in os.walk(folder):
        stats = [(name, os.stat(os.path.join(place, name), follow_symlinks=False)) for name in files]
        found.append((place, *names, *((name, stat.st_size, stat.st_mtime_ns, stat.st_nlink) for name, stat in stats)))
    return frozenset(found)


def _follow(command: int, decide: Decide) -> int:
    """Trace until the command and all its children have ended; the exit status of the command."""
    code, new = 0, {command}
    while True:
        try:
            process, status = os.waitpid(-1, _WALL)
        except ChildProcessError:
            return code
        if not os.WIFSTOPPED(status):
            if process == command:
                code = os.waitstatus_to_exitcode(status)
            continue
        number, event, deliver = os.WSTOPSIG(status), status >> 16, 0
        # Processes may end at any time.
        with suppress(OSError):
            if event == _EVENT_SECCOMP:
                _judge(process, command, decide)
            elif event == 0 and (process in new or number != signal.SIGSTOP):
                deliver = number
            new.add(process)
            _ptrace(_CONT, process, deliver)


def _judge(process: int, command: int, decide: Decide) -> None:
    registers = (ctypes.c_ulonglong * 27)()
    _ptrace(_GETREGS, process, ctypes.addressof(registers))
    if (call := _call(process, registers)) is None:
        return
    decision = decide(call)
    if decision is Kill:
        os.kill(command, signal.SIGKILL)
    elif isinstance(decision, int):
        # Number -1 is no system call; the result stays as it is set here.
        registers[_NUMBER], registers[_RAX] = 2**64 - 1, 2**64 - decision
        _ptrace(_SETREGS, process, ctypes.addressof(registers))


def _call(process: int, registers: "ctypes.Array[ctypes.c_ulonglong]") -> SystemCall | None:
    number = registers[_NUMBER]
    arguments = [registers[place] for place in _ARGUMENTS]
    if number in _WITH_DESCRIPTOR:
        name, path = _WITH_DESCRIPTOR[number], os.readlink(f"/proc/{process}/fd/{arguments[0]}")
    else:
        name, folder, place = _WITH_PATH[number]
        at = _AT_FDCWD if folder is None else ctypes.c_int(arguments[folder] & 0xFFFFFFFF).value
        base = os.readlink(f"/proc/{process}/cwd" if at == _AT_FDCWD else f"/proc/{process}/fd/{at}")
        path = os.path.join(base, _text(process, arguments[place]))
    passed = ("/proc/", "/dev/", "/sys/")
    is_shared_memory = path.startswith("/dev/shm/")
    if not path.startswith("/") or path.endswith((" (deleted)", ".pyc")) or "__pycache__" in path:
        return None
    return SystemCall(name, path) if is_shared_memory or not path.startswith(passed) else None


def _text(process: int, address: int) -> str:
    with Path(f"/proc/{process}/mem").open("rb", buffering=0) as memory:
        memory.seek(address)
        content = b""
        while b"\0" not in content and len(content) < 4096:
            content += memory.read(min(256, 4096 - address % 4096))
            address = memory.tell()
    return os.fsdecode(content.partition(b"\0")[0])


def _stop_at_writes() -> None:
    """Let the kernel stop this process, and its children, only at the calls above."""
    program = [(_LOAD, 0, 0, 0)]
    for number, place in _FLAGS_OF_OPEN.items():
        # The flags lie behind number, architecture, instruction pointer and earlier arguments.
        program += [(_IF_EQUAL, 0, 4, number), (_LOAD, 0, 0, 16 + 8 * place), (_IF_SET, 0, 1, os.O_CREAT | os.O_TRUNC)]
        program += [(_RETURN, 0, 0, _TRACE), (_RETURN, 0, 0, _ALLOW)]
    for number in (_WITH_PATH.keys() | _WITH_DESCRIPTOR.keys()) - _FLAGS_OF_OPEN.keys():
        program += [(_IF_EQUAL, 0, 1, number), (_RETURN, 0, 0, _TRACE)]
    program.append((_RETURN, 0, 0, _ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in program))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code)))
    zero = ctypes.c_ulong(0)
    if _libc.prctl(_PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero):
        raise OSError(ctypes.get_errno(), "prctl")
    if _libc.prctl(_PR_SET_SECCOMP, ctypes.c_ulong(_SECCOMP_MODE_FILTER), ctypes.byref(header), zero, zero):
        raise OSError(ctypes.get_errno(), "seccomp")


def _ptrace(request: int, process: int, data: int = 0) -> None:
    if _libc.ptrace(request, process, None, data) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")
