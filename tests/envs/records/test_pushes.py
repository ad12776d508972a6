"""Records of pushes: what goes in comes out, and no folder mixes pushes with picks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.envs import (
    PickOutcome,
    Push,
    RecordInteractions,
    TabletopInteraction,
    TabletopPushing,
    open_interactions,
    read_interactions,
)
from tabletop_interaction.envs.records.folder import check_primitive, read_meta
from tabletop_interaction.envs.records.journal import open_writer
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration, UnreadableRecords


@pytest.fixture
def pushes(pushing_table: Any, tmp_path: Path) -> Path:
    with RecordInteractions(TabletopPushing(pushing_table()), tmp_path / "pushes") as env:
        env.reset(seed=4)
        square = env.unwrapped.backend._square
        env.step(Push(*(square - [0.08, 0]), 0.0, 0.18).to_action(env.unwrapped.arena))
        env.step(np.array([-1, -1, 0, -1], np.float32))
    return tmp_path / "pushes"


def test_each_push_becomes_a_row(pushes: Path) -> None:
    first, second = read_interactions(pushes)
    assert (first.primitive, first.pushed.came_down, first.pushed.moved) == ("push", True, True)
    assert (second.pushed.moved, second.step, second.seed) == (False, 1, 4)
    assert first.pushed.push.direction == pytest.approx(0, abs=1e-6)
    assert first.pushed.push.length == pytest.approx(0.18, abs=1e-6)
    np.testing.assert_allclose(first.pushed.end_xy[0] - first.pushed.start_xy[0], [125, 0], atol=1)
    assert np.array_equal(first.after["view_0"], second.before["view_0"])


def test_what_belongs_to_a_pick_is_as_after_a_reset(pushes: Path) -> None:
    row = next(read_interactions(pushes))
    assert (row.grasped, row.pick_outcome, row.pick_xy.tolist()) == (False, PickOutcome.NO_PICK, [[-1, -1]])
    assert row.held is row.after


def test_meta_names_the_primitive_of_pushes_alone(pushes: Path, sample: Any, tmp_path: Path) -> None:
    assert json.loads((pushes / "meta.json").read_text())["primitive"] == "push"
    sample.record(tmp_path / "picks", 1)
    assert "primitive" not in json.loads((tmp_path / "picks" / "meta.json").read_text())
    assert read_meta(tmp_path / "picks").primitive == "pick"


def test_there_is_no_picture_between(pushes: Path) -> None:
    with pytest.raises(InvalidConfiguration, match=r"no picture column 'view_0_held'; accepted are view_0_before"):
        open_interactions(pushes, ["view_0_held"])


def test_a_recorder_of_the_other_primitive_is_refused(pushes: Path, painted_table: Any, tmp_path: Path) -> None:
    with pytest.raises(ForeignFolder, match="primitive 'push', not 'pick'") as refused:
        RecordInteractions(TabletopInteraction(painted_table()), pushes)
    assert "\n" not in str(refused.value)
    RecordInteractions(TabletopInteraction(painted_table()), tmp_path / "picks").close()
    with pytest.raises(ForeignFolder, match="primitive 'pick', not 'push'"):
        RecordInteractions(TabletopPushing(painted_table()), tmp_path / "picks")


def test_a_row_of_a_pick_is_refused_among_pushes(pushes: Path, sample: Any, tmp_path: Path) -> None:
    with (
        open_writer(tmp_path / "rows", split="train", views=sample.VIEWS, primitive="push") as writer,
        pytest.raises(InvalidConfiguration, match="the row is a pick"),
    ):
        writer.append(sample.interaction(0))
    row = next(read_interactions(pushes))
    with sample.writer(tmp_path / "picks") as writer, pytest.raises(InvalidConfiguration, match="the row is a push"):
        writer.append(replace(row, interaction_id=""))


def test_readers_of_one_primitive_refuse_the_other(pushes: Path) -> None:
    check_primitive(pushes, "push", "a label")
    with pytest.raises(ForeignFolder, match="primitive 'push'; an inverse model needs 'pick'"):
        check_primitive(pushes, "pick", "an inverse model")


def test_a_primitive_of_a_newer_version_is_refused(pushes: Path) -> None:
    meta = json.loads((pushes / "meta.json").read_text())
    del meta["checksum"]
    (pushes / "meta.json").write_text(json.dumps({**meta, "primitive": "throw"}))
    with pytest.raises(UnreadableRecords, match="'throw'; accepted are pick and push; install a newer"):
        read_meta(pushes)


def test_load_dataset_opens_pushes(pushes: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    rows = datasets.load_dataset(str(pushes), cache_dir=str(tmp_path / "cache"))["train"]
    assert (len(rows), rows[0]["primitive"], rows[0]["moved"], rows[1]["came_down"]) == (2, "push", True, True)
    assert rows[0]["end_x"] - rows[0]["start_x"] == pytest.approx(0.18, abs=1e-6)
    assert np.asarray(rows[0]["view_0_after"]).shape == (350, 430, 3)
