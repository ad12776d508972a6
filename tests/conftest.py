"""Fixtures of all tests: one thread for torch, a small disk, the docs' example backend, sample rows, photos."""

import itertools
import os
import pkgutil
import shutil
import signal
import subprocess
import tempfile
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from loading import load_module

pytest_plugins = ["attack", "small_commands"]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Let torch compute in one thread: small networks train faster, and the results repeat to the bit."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@dataclass(frozen=True)
class SmallDisk:
    """A mounted disk, of 64 KiB at first, that can be filled to its last byte."""

    folder: Path

    def fill(self) -> None:
        with open(self.folder / "filler", "wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def free(self) -> None:
        (self.folder / "filler").unlink()

    def used(self) -> int:
        """Bytes that its files take."""
        disk = os.statvfs(self.folder)
        return (disk.f_blocks - disk.f_bfree) * disk.f_frsize

    def resize(self, size: int) -> None:
        """Give it another size in bytes, not less than it holds."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


@pytest.fixture
def small_disk() -> Iterator[SmallDisk]:
    """A disk of 64 KiB; the test is skipped where none can be mounted.

    Ray refuses temporary folders with names as long as those of pytest.
    """
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", name]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("no right to mount a small disk here")
        yield SmallDisk(Path(name))
        subprocess.run(["umount", "-l", name], check=True)


@pytest.fixture(scope="session")
def killed_at() -> Callable[[str, int, Callable[[], object]], bool]:
    """Runs a function in a child process that is killed after the n-th call of another one; whether it was killed.

    `killed_at("pathlib.Path.replace", 1, function)`; the child is forked, so it may share no threads or devices.
    """

    def run(name: str, count: int, function: Callable[[], object]) -> bool:
        if (child := os.fork()) == 0:
            try:
                _die_at(name, count)
                function()
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        assert status in (0, signal.SIGKILL), "the function raised in the child"
        return status == signal.SIGKILL

    return run


def _die_at(name: str, count: int) -> None:
    place, _, attribute = name.rpartition(".")
    owner = pkgutil.resolve_name(place)
    real, calls = getattr(owner, attribute), itertools.count(1)

    def deadly(*args: Any, **kwargs: Any) -> Any:
        result = real(*args, **kwargs)
        if next(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, attribute, deadly)


@pytest.fixture(scope="session")
def painted_table() -> Callable[..., Any]:
    """The class `PaintedTable` of docs/example_backend.py."""
    return load_module(Path(__file__).parent.parent / "docs" / "example_backend.py").PaintedTable


@pytest.fixture(scope="session")
def pushing_table() -> Callable[..., Any]:
    """The class `PushingTable`: the painted table with a square that can be pushed."""
    return load_module(Path(__file__).parent / "pushing_table.py").PushingTable


@pytest.fixture(scope="session")
def photograph_board() -> Callable[..., Any]:
    """The function `photograph` of board_photos.py, which stands for a camera and a printed board."""
    return load_module(Path(__file__).parent / "board_photos.py").photograph


@pytest.fixture(scope="session")
def quick_lab_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The twin's lab file, its arm as fast as the joints are rated for: fewer steps to simulate."""
    from tabletop_interaction.real import TWIN_LAB
    from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file

    quick = {"speed_ratio": 0.95, "acceleration_ratio": 1.0, "ramp_s": 0.05, "descent_m_s": 0.25, "sweep_m_s": 0.4}
    path = tmp_path_factory.mktemp("lab") / "quick.yaml"
    update_lab_file(path, {**read_lab_file(TWIN_LAB).plain, "motion": quick})
    return path


@pytest.fixture(scope="session")
def sample() -> Any:
    """The module envs/records/sample_rows.py: interactions with known content, and ways to record them."""
    return load_module(Path(__file__).parent / "envs" / "records" / "sample_rows.py")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's chromium; the test is skipped where it is missing, or playwright."""
    tools = load_module(Path(__file__).parent / "browser.py")
    if not tools.CHROMIUM.exists():
        pytest.skip(f"there is no {tools.CHROMIUM}; .ci/install_chromium installs it")
    pytest.importorskip("playwright.sync_api", reason="pip install -e '.[dev]' brings playwright")
    with tools.open_browser() as opened:
        yield opened


@pytest.fixture(scope="session")
def read_page() -> Any:
    """Reads HTML: elements, words, text and addresses."""
    return load_module(Path(__file__).parent / "pages.py").Page


@pytest.fixture(scope="session")
def learning_run() -> Callable[..., Path]:
    """Writes a run's folder: `learning_run(folder, history=..., evaluations=..., updates=..., config=...)`."""
    return load_module(Path(__file__).parent / "learning_runs.py").write_learning_run


@pytest.fixture(scope="session")
def history_of() -> Callable[..., dict[str, Any]]:
    """Makes a line of the history."""
    return load_module(Path(__file__).parent / "learning_runs.py").history_line


@pytest.fixture(scope="session")
def evaluation_of() -> Callable[..., dict[str, Any]]:
    """Makes an evaluation."""
    return load_module(Path(__file__).parent / "learning_runs.py").evaluation_line


@pytest.fixture(scope="session")
def update_of() -> Callable[..., dict[str, Any]]:
    """Makes a line of the updates."""
    return load_module(Path(__file__).parent / "learning_runs.py").update_line
