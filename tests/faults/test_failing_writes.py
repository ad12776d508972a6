"""Each writer of files, with an error of the system from each of its calls on: one line, nothing left, then success.

The writers cover what writes for us: Pillow, ffmpeg, torch, safetensors and Python itself. Rows have their own tests.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from attack import Attack, Ended, Outcome, outcome_of, run_forked
from small_commands import Workplace, contents
from test_full_disk import CAUSES
from tracing import can_trace, moments_of, trace

from tabletop_interaction.errors import TabletopError
from tabletop_interaction.files import append_json_line, claim_folder, read_json_lines, scratch_path, write_json

pytestmark = pytest.mark.skipif(not can_trace(), reason="system calls cannot be traced here")

_PICTURE = np.arange(48 * 64 * 3, dtype=np.uint8).reshape(48, 64, 3)


def _state(folder: Path) -> None:
    import torch

    from tabletop_interaction.segmentation.checkpoints import save_state

    save_state(folder / "state.pt", {"tensor": torch.zeros(100_000), "step": 3})


def _checkpoint(folder: Path) -> None:
    import torch

    from tabletop_interaction.agents.inverse.config import InverseModelConfig
    from tabletop_interaction.agents.inverse.model import INVERSE_MODEL, InverseModel
    from tabletop_interaction.segmentation.checkpoints import save_checkpoint

    torch.manual_seed(0)
    network = InverseModel(InverseModelConfig(height=16, width=16, channels=8, angles=2))
    save_checkpoint(network, folder / "model.safetensors", kind=INVERSE_MODEL)


def _film(folder: Path, name: str = "film.mp4") -> None:
    from tabletop_interaction.reports.films import write_film

    write_film(folder / name, [_PICTURE] * 3, 4)


def _sheet(folder: Path) -> None:
    from tabletop_interaction.reports.sheets import write_sheet

    write_sheet(folder / "sheet.jpg", [[_PICTURE] * 2])


def _page(folder: Path) -> None:
    from tabletop_interaction.real.calibration.board_page import write_page

    write_page(_PICTURE[:, :, 0], folder / "page.png")


def _pictures(folder: Path) -> None:
    from tabletop_interaction.segmentation.training.pictures import add_pictures

    add_pictures(folder / "pictures", [("a", _PICTURE), ("b", _PICTURE)])


def _files(folder: Path) -> None:
    claim_folder(folder / "run", "tests")
    write_json(folder / "run" / "request.json", {"a": 1})
    if not read_json_lines(folder / "run" / "lines.jsonl"):
        append_json_line(folder / "run" / "lines.jsonl", {"line": 1})


def _scratch(folder: Path) -> None:
    with scratch_path(".obj") as path:
        path.write_text("v 0 0 0")


WRITERS: Mapping[str, Callable[[Path], None]] = {
    "claim, request, lines": _files,
    "scratch file": _scratch,
    "pictures": _pictures,
    "sheet": _sheet,
    "page": _page,
    "film": _film,
    "animation": lambda folder: _film(folder, "film.gif"),
    "state": _state,
    "checkpoint": _checkpoint,
}
_IN_SHORT = ("claim, request, lines", "pictures")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = WRITERS if metafunc.config.getoption("--all-faults") else _IN_SHORT
    metafunc.parametrize("writer", list(names))


def test_a_write_that_fails_is_one_line(
    writer: str, workplace: Workplace, attack: Callable[[str], Attack], samples: Callable[..., Any]
) -> None:
    def run(before: Callable[[], object] = lambda: None) -> Ended:
        return run_forked(lambda: _report(writer, workplace, before), 60)

    workplace.clear()
    moments = moments_of(run, workplace)
    wanted = contents(workplace.folder)
    for kind, cause in CAUSES.items():
        with attack(f"{kind}: writing {writer}") as one:
            for first, call in samples(moments, short=2):
                workplace.clear()
                ended = run(lambda first=first, cause=cause: trace(cause.from_call(first)))
                outcome = outcome_of(ended, lambda _: contents(workplace.folder) == wanted)
                wrong = workplace.left_behind() if cause.leaves_nothing else []
                again = run()
                wrong += workplace.left_behind() + [str(again.code)] * (again.code != 0)
                if contents(workplace.folder) != wanted:
                    wrong.append(f"{contents(workplace.folder)}, not {wanted}")
                if wrong and outcome in (Outcome.CLEAR, Outcome.RIGHT):
                    outcome = Outcome.WRONG
                one.note(outcome, f"{writer}, from {call} on", f"exit {ended.code}: {ended.err}\n{again.err}\n{wrong}")


def _report(writer: str, workplace: Workplace, before: Callable[[], object]) -> int:
    """Write, and report errors as `tabletop` does."""
    workplace.enter()
    before()
    try:
        WRITERS[writer](workplace.folder)
    except TabletopError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        # Python names no file where it finds no folder for temporary ones; the message lists them.
        print(f"error: {error.filename or 'a file'}: {error.strerror}", file=sys.stderr)
        return 1
    return 0
