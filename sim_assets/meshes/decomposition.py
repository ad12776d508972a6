"""Approximate convex decomposition (Wei et al. 2022) in a process of its own: a mesh that ends CoACD ends only that.

This file is also that process's program. It is started by its path and imports nothing of this package, which keeps its
start short, and no `__main__` of the user's is imported again.
"""

import io
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_CORNERS = 32
"""Corners of a convex piece."""

MOST_CPU_S = 240
"""Processor time that the decomposition of an object may take, seconds."""

_CONCAVITY = 0.08


class MeshPart(NamedTuple):
    """A mesh to decompose.

    Attributes:
        vertices: (V, 3) float64.
        faces: (F, 3) int.
        most: pieces at most.
        closed: whether it is watertight. Others are remeshed on a coarse grid first.
    """

    vertices: NDArray[np.float64]
    faces: NDArray[np.integer]
    most: int
    closed: bool


class DecompositionFailed(Exception):
    """The process ended without a result; the message says how."""


def convex_pieces(parts: Sequence[MeshPart], most_cpu_s: int = MOST_CPU_S) -> tuple[NDArray[np.float64], ...]:
    """Corners (n, 3), n <= 32, of the convex pieces of all parts, in their order.

    Raises:
        DecompositionFailed: the process died, or needed more processor time.
    """
    arrays = {f"{name}_{i}": np.asarray(each) for i, part in enumerate(parts) for name, each in part._asdict().items()}
    done = subprocess.run(
        [sys.executable, "-P", __file__, str(most_cpu_s)], input=_packed(arrays), capture_output=True, check=False
    )
    if done.returncode in (-signal.SIGXCPU, -signal.SIGKILL):
        raise DecompositionFailed(f"took more than {most_cpu_s} s")
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise DecompositionFailed(f"ended with code {done.returncode}{f': {last}' if last else ''}")
    found = np.load(io.BytesIO(done.stdout))
    return tuple(found[f"piece_{number}"] for number in range(len(found.files)))


def _packed(arrays: dict[str, NDArray]) -> bytes:
    content = io.BytesIO()
    np.savez(content, **arrays)  # type: ignore[arg-type]
    return content.getvalue()


def _decomposed(part: MeshPart) -> Iterator[NDArray[np.float64]]:
    import coacd

    coacd.set_log_level("error")
    found = coacd.run_coacd(
        coacd.Mesh(part.vertices, part.faces),
        threshold=_CONCAVITY,
        max_convex_hull=int(part.most),
        preprocess_mode="off" if part.closed else "on",
        preprocess_resolution=20,
        resolution=500,
        mcts_nodes=10,
        mcts_iterations=20,
        mcts_max_depth=2,
        decimate=True,
        max_ch_vertex=MOST_CORNERS,
        seed=0,
    )
    for corners, _ in found:
        yield np.asarray(corners, np.float64)


def _main(most_cpu_s: int) -> None:
    """Read parts from standard input and write their pieces to standard output."""
    resource.setrlimit(resource.RLIMIT_CPU, (most_cpu_s, most_cpu_s))
    given = np.load(io.BytesIO(sys.stdin.buffer.read()))
    count = len(given.files) // len(MeshPart._fields)
    parts = [MeshPart(*(given[f"{name}_{i}"] for name in MeshPart._fields)) for i in range(count)]
    pieces = [piece for part in parts for piece in _decomposed(part)]
    sys.stdout.buffer.write(_packed({f"piece_{number}": piece for number, piece in enumerate(pieces)}))


if __name__ == "__main__":
    _main(int(sys.argv[1]))
