"""The folder of a learning benchmark: what counts as finished, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.run_folder import open_run
from tabletop_interaction.benchmarks.learning import folder as folder_module
from tabletop_interaction.benchmarks.learning.folder import (
    SharedSettings,
    check_settings,
    finished_runs,
    keep_final,
    keep_settings,
    maker_notes,
    missing_finals,
    read_finals,
    seed_folder,
)
from tabletop_interaction.benchmarks.learning.scores import FinalFigures
from tabletop_interaction.benchmarks.segmentation.during_learning import HeldOutChoice
from tabletop_interaction.errors import ForeignFolder, UnreadableRecords
from tabletop_interaction.reports.learning_run import LearningRun

WriteRun = Callable[..., LearningRun]

SETTINGS = SharedSettings(LearningConfig(interactions=4), HeldOutChoice("dev", 2), 2)
HELD_OUT = {"set": "dev", "pictures": 2}


@pytest.fixture
def out(tmp_path: Path) -> Path:
    keep_settings(tmp_path / "out", SETTINGS, "cpu")
    return tmp_path / "out"


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (replace(SETTINGS, config=LearningConfig(interactions=5)), "config.interactions is 4 there and 5 now"),
        (replace(SETTINGS, held_out=HeldOutChoice("val", 2)), "set is 'dev' there and 'val' now"),
        (replace(SETTINGS, held_out=HeldOutChoice("dev", 3)), "pictures is 2 there and 3 now"),
        (replace(SETTINGS, evaluate_every=3), "evaluate_every is 2 there and 3 now"),
    ],
)
def test_other_settings_are_refused(out: Path, other: SharedSettings, said: str) -> None:
    check_settings(out, SETTINGS)
    with pytest.raises(ForeignFolder, match=said):
        check_settings(out, other)


def test_another_first_seed_is_no_other_setting(out: Path) -> None:
    check_settings(out, replace(SETTINGS, config=replace(SETTINGS.config, seed=9)))


def test_a_run_with_other_settings_in_a_seeds_folder_is_refused(out: Path) -> None:
    open_run(seed_folder(out, 1), SETTINGS.of(1))
    check_settings(out, SETTINGS)
    open_run(seed_folder(out, 2), SETTINGS.of(1))
    with pytest.raises(ForeignFolder, match="seed is 1 there and 2 now"):
        check_settings(out, SETTINGS)


def test_a_folder_of_something_else_and_a_damaged_file_are_refused(out: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(ForeignFolder, match="something else than a learning benchmark"):
        check_settings(tmp_path / "mine", SETTINGS)
    request = out / "benchmark.json"
    request.write_text(request.read_text().replace('"pictures": 2', '"pictures": 3'))
    with pytest.raises(UnreadableRecords, match="checksum differs"):
        check_settings(out, SETTINGS)


def test_runs_count_once_all_interactions_are_made_and_evaluated(out: Path, write_run: WriteRun) -> None:
    for seed in (10, 2):
        write_run(f"seed-{seed}", 20, 50, folder=out, **HELD_OUT)
    write_run("seed-3", 20, 50, folder=out, **HELD_OUT)
    (out / "seed-3" / "evaluations" / "00004.json").unlink()
    write_run("seed-4", 20, 50, folder=out, **HELD_OUT)
    (out / "seed-4" / "updates.jsonl").write_text("")
    write_run("seed-5", None, None, folder=out)
    seed_folder(out, 6).mkdir()
    assert list(finished_runs(out)) == [2, 5, 10]


def test_a_run_on_other_pictures_is_refused(out: Path, write_run: WriteRun) -> None:
    write_run("seed-0", 20, 50, folder=out, set="val", pictures=30)
    with pytest.raises(ForeignFolder, match=r"was evaluated on 30 pictures of val, and its benchmark on 2 of dev"):
        finished_runs(out)


def test_an_empty_folder_has_no_runs(tmp_path: Path) -> None:
    assert finished_runs(tmp_path / "new") == {}


def test_what_makes_the_runs_is_kept_once_and_a_change_is_a_note(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_settings(out, SETTINGS, "cpu")
    assert maker_notes(out) == []
    before = json.loads((out / "benchmark.json").read_text())["run"]
    monkeypatch.setattr(folder_module.torch, "get_num_threads", lambda: 63)
    keep_settings(out, SETTINGS, "cpu")
    (note,) = maker_notes(out)
    assert ", 63 threads, cpu, " in note
    assert json.loads((out / "benchmark.json").read_text())["run"] == before
    check_settings(out, SETTINGS)


def _evaluation(ap: float) -> Any:
    """What `figures_document` reads of an evaluation; every figure is `ap`, within [0, 1]."""
    figures = SimpleNamespace(
        ap={0.3: ap, 0.5: ap, 0.75: ap},
        ap_50_95=ap,
        area_ap={},
        recall_at_precision={},
        mean_matched_iou=float("nan"),
        images=2,
        objects=9,
        ignored_objects=0,
        detections=5,
        settings="",
    )
    intervals = SimpleNamespace(
        ap={}, ap_50_95=(0.0, 1.0), describe=lambda: "none", reliable=False, level=0.95, draws=np.empty(0)
    )
    return SimpleNamespace(model="m", figures=figures, intervals=intervals, seconds=0.1, detections={})


def test_finished_networks_are_evaluated_once_and_again_after_they_changed(out: Path, write_run: WriteRun) -> None:
    for seed in (0, 1):
        write_run(f"seed-{seed}", 20, 50, folder=out, **HELD_OUT)
        (seed_folder(out, seed) / "model.safetensors").write_bytes(b"weights")
    write_run("seed-2", None, None, folder=out)
    runs = finished_runs(out)
    assert missing_finals(out, "test", runs) == [0, 1]
    keep_final(out, 0, "test", _evaluation(0.5))
    assert missing_finals(out, "test", runs) == [1]
    assert read_finals(out, runs) == {}
    keep_final(out, 1, "test", _evaluation(0.75))
    ap = {seed: final.ap[0.3] for seed, final in read_finals(out, runs)["test"].items()}
    assert ap == {0: 50.0, 1: 75.0, 2: 0.0}
    assert read_finals(out, runs)["test"][2] == FinalFigures(2, {0.3: 0.0, 0.5: 0.0, 0.75: 0.0})
    (seed_folder(out, 1) / "model.safetensors").write_bytes(b"other weights")
    assert missing_finals(out, "test", runs) == [1]
    assert read_finals(out, runs) == {}


def test_final_figures_of_another_benchmark_are_refused(out: Path, write_run: WriteRun, tmp_path: Path) -> None:
    write_run("seed-0", 20, 50, folder=out, **HELD_OUT)
    (seed_folder(out, 0) / "model.safetensors").write_bytes(b"weights")
    keep_final(out, 0, "test", _evaluation(0.5))
    other = tmp_path / "other"
    keep_settings(other, SETTINGS, "cpu")
    (out / "benchmark.json").write_bytes((other / "benchmark.json").read_bytes())
    with pytest.raises(ForeignFolder, match="belongs to run"):
        read_finals(out, finished_runs(out))
