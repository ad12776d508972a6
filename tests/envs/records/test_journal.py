"""Recording into a folder: shards, names of writers, and what is refused before anything is written."""

from __future__ import annotations

import ctypes
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.benchmarks.speed.interactions import resident_mb
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.reading import count_interactions, open_interactions, read_interactions
from tabletop_interaction.errors import FolderInUse, ForeignFolder, InvalidConfiguration

METADATA = {"backend": "a", "driver": "d", "renderer": "r", "config": {"objects": 3}}


def test_a_full_journal_becomes_a_shard_and_a_closed_folder_shows_nothing_else(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 5, rows_per_shard=2)
    assert sample.shards(tmp_path) == [f"part-w0-0000{n}.parquet" for n in range(3)]
    assert sorted(os.listdir(tmp_path)) == [".lock", "README.md", "data", "meta.json"]


def test_rows_of_an_open_writer_can_be_read(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path, rows_per_shard=3) as out:
        for number in range(5):
            out.append(sample.interaction(number))
            assert [row.step for row in read_interactions(tmp_path)] == list(range(number + 1))


def test_an_open_table_outlives_the_sealing_of_its_journal(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path) as out:
        out.append(sample.interaction(3))
        table = open_interactions(tmp_path)
    assert np.array_equal(table[0].before["view_0"], sample.picture(30))


def test_a_name_used_before_continues_its_numbers_and_no_id_repeats(sample: Any, tmp_path: Path) -> None:
    written = [row for _ in range(3) for row in sample.record(tmp_path, 3, writer="robot-1", rows_per_shard=2)]
    assert len(set(written)) == 9
    assert sample.ids(tmp_path) == written


def test_without_a_name_each_writer_takes_an_unused_one(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1)
    with sample.writer(tmp_path) as one, sample.writer(tmp_path) as two:
        assert (one.writer, two.writer) == ("w1", "w2")


def test_two_writers_share_a_folder(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path, rows_per_shard=2) as one, sample.writer(tmp_path, rows_per_shard=3) as two:
        written = [out.append(sample.interaction(n)).interaction_id for n in range(7) for out in (one, two)]
    assert sorted(sample.ids(tmp_path)) == sorted(written)


def test_a_name_in_use_is_refused(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path, writer="w0"), pytest.raises(FolderInUse, match="another name"):
        sample.writer(tmp_path, writer="w0")
    sample.record(tmp_path, 1, writer="w0")


def test_a_folder_with_other_content_is_refused_and_unchanged(sample: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(ForeignFolder, match=r"thesis\.tex"):
        sample.writer(tmp_path)
    with pytest.raises(ForeignFolder, match=r"meta\.json"):
        read_interactions(tmp_path)
    assert os.listdir(tmp_path) == ["thesis.tex"]


@pytest.mark.parametrize(
    ("changed", "options"),
    [
        ("split", {"split": "val"}),
        ("views", {"views": ("view_0",)}),
        *((key, {"metadata": {**METADATA, key: "another"}}) for key in ("backend", "driver", "renderer", "config")),
    ],
)
def test_rows_of_another_kind_are_refused(sample: Any, tmp_path: Path, changed: str, options: dict[str, Any]) -> None:
    sample.writer(tmp_path, metadata=METADATA).close()
    with pytest.raises(ForeignFolder, match=f"interactions of {changed} [^;]*; give a new folder"):
        sample.writer(tmp_path, **{"metadata": METADATA, **options})


def test_rows_made_with_other_versions_of_packages_share_a_folder(sample: Any, tmp_path: Path) -> None:
    for number in ("2.0", "2.1"):
        sample.record(tmp_path, 1, metadata={**METADATA, "versions": {"numpy": number}})
    assert count_interactions(tmp_path) == 2


def test_a_row_that_does_not_fit_is_refused_and_the_next_is_written(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path) as out:
        for changes in (
            {"split": "val"},
            {"views": ()},
            {"held": EncodedPictures({})},
            {"pick_xy": np.zeros((1, 2))},
        ):
            with pytest.raises(InvalidConfiguration):
                out.append(sample.interaction(0, **changes))
        out.append(sample.interaction(0))
    assert count_interactions(tmp_path) == 1


@pytest.mark.parametrize("options", [{"split": "x"}, {"writer": "a/b"}, {"rows_per_shard": 0}])
def test_bad_arguments_write_nothing(sample: Any, tmp_path: Path, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidConfiguration):
        sample.writer(tmp_path / "rows", **options)
    assert not (tmp_path / "rows").exists()


def test_a_closed_writer_refuses_rows(sample: Any, tmp_path: Path) -> None:
    out = sample.writer(tmp_path)
    out.close()
    out.close()
    with pytest.raises(ValueError, match="closed"):
        out.append(sample.interaction(0))


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="not glibc")
@pytest.mark.parametrize("rows_per_shard", [1, 64])
def test_memory_that_encoding_threads_freed_goes_back_to_the_system_with_shards_and_every_eighth_row(
    sample: Any, tmp_path: Path, rows_per_shard: int
) -> None:
    with sample.writer(tmp_path, rows_per_shard=rows_per_shard) as writer, ThreadPoolExecutor(1) as thread:
        for number in range(7):
            writer.append(sample.interaction(number))
        blocks = thread.submit(lambda: [b"x" * 100_000 for _ in range(1000)]).result()
        del blocks[:-1]  # the last one keeps the freed memory below it in the arena
        before = resident_mb()
        writer.append(sample.interaction(7))
        assert resident_mb() < before - 30
