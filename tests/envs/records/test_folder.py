"""Folders of interactions are distinguished from others; errors name what is missing or damaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.envs.records.folder import is_record_folder
from tabletop_interaction.envs.records.reading import count_interactions, read_interactions
from tabletop_interaction.errors import UnreadableRecords


def test_a_damaged_meta_is_named(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    (tmp_path / "meta.json").write_text('{"split":')
    with pytest.raises(UnreadableRecords, match=r"meta\.json is damaged"):
        read_interactions(tmp_path)


def test_a_folder_of_records_is_recognised(sample: Any, tmp_path: Path) -> None:
    sample.writer(tmp_path / "rows").close()
    assert is_record_folder(tmp_path / "rows")
    assert not is_record_folder(tmp_path)
    assert not is_record_folder(tmp_path / "nowhere")


def test_a_folder_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRecords, match="nowhere"):
        count_interactions(tmp_path / "nowhere")
