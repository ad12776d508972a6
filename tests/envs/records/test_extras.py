"""Depths and instance maps in records: what goes in comes out, and a folder has them in every row or in none."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from PIL import Image

from tabletop_interaction.envs import (
    RecordInteractions,
    TabletopInteraction,
    TabletopPushing,
    open_interactions,
    read_interactions,
)
from tabletop_interaction.envs.records.encoded import EncodedPictures
from tabletop_interaction.envs.records.folder import read_meta
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords

BOTH = ("depth", "instances")


@pytest.fixture
def mapped_table(painted_table: Any) -> Any:
    """The painted table with depths and instance maps: 5 mm higher and the id 1 where the square is."""

    class MappedTable(painted_table):  # type: ignore[misc]
        max_objects = 1

        def _square_seen(self) -> Any:
            return self.observe()["view_0"][..., 0] == 200

        def object_states(self) -> tuple[Any, ...]:
            return ()

        def instance_maps(self) -> Mapping[str, Any]:
            return {"view_0": self._square_seen().astype(np.int32)}

        def depth_maps(self) -> Mapping[str, Any]:
            return {"view_0": np.where(self._square_seen(), 0.995, 1.0).astype(np.float32)}

    return MappedTable


def test_maps_come_back_as_they_were_written(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 2, extras=BOTH)
    _, row = read_interactions(tmp_path)
    for moment, number in ((row.before, 10), (row.held, 20), (row.after, 30)):
        assert list(moment) == list(moment.depth) == list(moment.instances) == ["view_0", "view_1"]
        assert np.array_equal(moment["view_1"], sample.picture(number + 1))
        assert np.array_equal(moment.depth["view_1"], sample.depth(number + 1))
        assert np.array_equal(moment.instances["view_0"], sample.instances(number))
    assert (row.before.depth["view_0"].dtype, row.before.instances["view_0"].dtype) == (np.float32, np.int32)


def test_each_step_is_recorded_with_what_was_observed(mapped_table: Any, tmp_path: Path) -> None:
    env = RecordInteractions(TabletopInteraction(mapped_table(), extras=BOTH), tmp_path / "rows", extras=BOTH)
    first, _ = env.reset(seed=2)
    square = env.unwrapped.backend._square / env.unwrapped.arena.half_size
    then, _, _, _, info = env.step(np.array([*square, 0, 0.5, 0.5], np.float32))
    assert info["grasped"]
    env.close()
    (row,) = read_interactions(tmp_path / "rows")
    for moment, seen in ((row.before, first), (row.held, info["held"]), (row.after, then)):
        assert np.array_equal(moment["view_0"], seen["view_0"])
        np.testing.assert_allclose(moment.depth["view_0"], seen["view_0_depth"], atol=5e-4)
        assert np.array_equal(moment.instances["view_0"], seen["view_0_instances"])
    assert not row.held.instances["view_0"].any()


def test_pushes_are_recorded_with_maps(mapped_table: Any, tmp_path: Path) -> None:
    env = RecordInteractions(TabletopPushing(mapped_table(), extras=BOTH), tmp_path / "rows", extras=BOTH)
    env.reset(seed=2)
    then, *_ = env.step(np.zeros(4, np.float32))
    env.close()
    (row,) = read_interactions(tmp_path / "rows")
    assert np.array_equal(row.after.instances["view_0"], then["view_0_instances"])
    assert row.before.depth["view_0"].min() == np.float32(0.995)


def test_one_extra_alone_can_be_recorded_and_read(mapped_table: Any, tmp_path: Path) -> None:
    env = RecordInteractions(TabletopInteraction(mapped_table(), extras=BOTH), tmp_path / "rows", extras=("depth",))
    env.reset(seed=2)
    env.step(np.zeros(5, np.float32))
    env.close()
    (row,) = open_interactions(tmp_path / "rows", ["view_0_depth_after"])
    assert (list(row.after.depth), list(row.before.depth), list(row.after), list(row.after.instances)) == (
        ["view_0"], [], [], [],
    )  # fmt: skip
    with pytest.raises(InvalidConfiguration, match="no picture column 'view_0_instances_after'; accepted are view_0_"):
        open_interactions(tmp_path / "rows", ["view_0_instances_after"])


def test_load_dataset_opens_the_maps_as_pictures_of_16_bits(sample: Any, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    sample.record(tmp_path / "rows", 3, rows_per_shard=2, extras=BOTH)
    row = datasets.load_dataset(str(tmp_path / "rows"), cache_dir=str(tmp_path / "cache"))["train"][2]
    assert np.array_equal(np.asarray(row["view_0_after"]), sample.picture(40))
    millimetres = np.asarray(row["view_1_depth_before"])
    assert millimetres.dtype == np.uint16
    assert np.array_equal(millimetres, np.round(sample.depth(21) * 1000))
    assert np.array_equal(np.asarray(row["view_1_instances_after"]), sample.instances(41))


def test_stored_depths_are_millimetres_for_everybody(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1, extras=("depth", "instances"))
    (row,) = read_interactions(tmp_path)
    stored = Image.open(io.BytesIO(row.before.depth.encoded["view_0"]))
    assert np.array_equal(np.asarray(stored), np.round(sample.depth(0) * 1000))
    assert "in millimetres" in (tmp_path / "README.md").read_text()


def test_meta_names_extras_where_there_are_any(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path / "with", 1, extras=("instances", "depth"))
    sample.record(tmp_path / "without", 1)
    assert json.loads((tmp_path / "with" / "meta.json").read_text())["extras"] == ["depth", "instances"]
    assert "extras" not in json.loads((tmp_path / "without" / "meta.json").read_text())
    assert read_meta(tmp_path / "without").extras == ()


@pytest.mark.parametrize(
    ("there", "asked", "message"),
    [
        ((), BOTH, r"extras \[\], not \['depth', 'instances'\]"),
        (BOTH, (), r"extras \['depth', 'instances'\], not \[\]"),
        (BOTH, ("depth",), r"extras \['depth', 'instances'\], not \['depth'\]"),
    ],
)
def test_a_recorder_of_other_extras_is_refused_before_anything_is_written(
    mapped_table: Any, tmp_path: Path, there: Any, asked: Any, message: str
) -> None:
    RecordInteractions(TabletopInteraction(mapped_table(), extras=BOTH), tmp_path / "rows", extras=there).close()
    before = {path: path.read_bytes() for path in (tmp_path / "rows").rglob("*") if path.is_file()}
    with pytest.raises(ForeignFolder, match=message) as refused:
        RecordInteractions(TabletopInteraction(mapped_table(), extras=BOTH), tmp_path / "rows", extras=asked)
    assert "\n" not in str(refused.value)
    assert before == {path: path.read_bytes() for path in (tmp_path / "rows").rglob("*") if path.is_file()}


def test_an_environment_that_does_not_observe_them_is_refused(mapped_table: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"None for view_0_depth.*make the environment with extras=\('dep"):
        RecordInteractions(TabletopInteraction(mapped_table()), tmp_path / "rows", extras=("depth",))
    with pytest.raises(InvalidConfiguration, match=r"None for view_0;.*with the observation 'pictures' or 'both'"):
        RecordInteractions(TabletopInteraction(mapped_table(), observation="state"), tmp_path / "rows")
    with pytest.raises(InvalidConfiguration, match="unknown name in extras 'depths'"):
        RecordInteractions(TabletopInteraction(mapped_table()), tmp_path / "rows", extras=("depths",))
    assert not (tmp_path / "rows").exists()


def test_a_wrapper_that_changes_a_map_is_noticed(mapped_table: Any, tmp_path: Path) -> None:
    class Farther(gym.ObservationWrapper[Any, Any, Any]):
        def observation(self, observation: Any) -> Any:
            return {**observation, "view_0_depth": observation["view_0_depth"] + 1}

    env = Farther(TabletopInteraction(mapped_table(), extras=("depth",)))
    with (
        RecordInteractions(env, tmp_path / "rows", extras=("depth",)) as recorder,
        pytest.raises(InvalidConfiguration, match="changes the picture view_0_depth"),
    ):
        recorder.reset(seed=0)


def test_rows_fit_their_folder(sample: Any, tmp_path: Path) -> None:
    with sample.writer(tmp_path / "without") as out, pytest.raises(InvalidConfiguration, match="has 'view_0_depth'"):
        out.append(sample.interaction_with_maps(0))
    with sample.writer(tmp_path / "with", extras=BOTH) as out:
        row = sample.interaction_with_maps(0)
        held = EncodedPictures(
            row.held.encoded, {"view_0": row.held.depth.encoded["view_0"]}, row.held.instances.encoded
        )
        with pytest.raises(InvalidConfiguration, match="no picture of 'view_1_depth' held"):
            out.append(replace(row, held=held))
        out.append(row)


def test_extras_of_a_newer_version_are_refused(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path, 1, extras=BOTH)
    meta = json.loads((tmp_path / "meta.json").read_text())
    del meta["checksum"]
    (tmp_path / "meta.json").write_text(json.dumps({**meta, "extras": ["depth", "normals"]}))
    with pytest.raises(UnreadableRecords, match="extras 'normals'; accepted are depth and instances; install a newer"):
        read_interactions(tmp_path)


def test_a_shard_without_the_maps_is_named(sample: Any, tmp_path: Path) -> None:
    sample.record(tmp_path / "with", 1, extras=BOTH)
    sample.record(tmp_path / "without", 1)
    (tmp_path / "without/data/part-w0-00000.parquet").rename(tmp_path / "with/data/part-w1-00000.parquet")
    with pytest.raises(UnreadableRecords, match=r"part-w1-00000\.parquet has no column 'view_0_depth_before'"):
        read_interactions(tmp_path / "with")
