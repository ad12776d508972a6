"""Curves of a learning run in TensorBoard."""

import errno

import pytest
from tensorboard.compat.tensorflow_stub.io import gfile

from tabletop_interaction.agents.learning.run_folder import HistoryLine, RunFolder
from tabletop_interaction.errors import DiskFull
from tabletop_interaction.reports.learning_display import Curves

LINE = HistoryLine(1, "w0-00000-000", "random", None, None, 0, 1, True, True, 1.0)


def _full(*_: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_is_named_with_the_folder_of_the_curves(tmp_path, monkeypatch):
    curves = Curves(RunFolder(tmp_path, 0.0), 0)
    curves.interacted(LINE)
    monkeypatch.setattr(gfile.GFile, "flush", _full)
    with pytest.raises(DiskFull, match=r"no space is left for .*tensorboard .*the run resumes from its last state"):
        curves.close()
