"""`tabletop learn` from nothing to a report, its resuming, and its refusals in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.run_folder import open_run
from tabletop_interaction.cli.main import main
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata
from tabletop_interaction.segmentation.training.config import TrainingConfig


def _learn(tmp_path: Path, *arguments: str) -> int:
    sets = ["--sets-dir", str(tmp_path / "sets"), "--pictures", "1"]
    small = ["--update-interval", "2", "--steps-per-interaction", "1", "--batch-size", "2", "--evaluate-every", "2"]
    return main(["learn", "--out", str(tmp_path / "run"), *sets, *small, *arguments])


@pytest.mark.usefixtures("tiny_sets")
def test_a_run_leaves_everything_that_the_report_needs(
    tmp_path: Path, untrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--interactions", "4", "--model", str(untrained)]
    assert _learn(tmp_path, *arguments) == 0
    out = tmp_path / "run"
    said = capsys.readouterr().out.replace("\n", " ")
    assert "learned from 4 interactions" in said
    assert "picks that move an object: " in said
    assert "after 4 on 1 pictures of dev; " in said
    assert "simple baseline: " in said
    request = json.loads((out / "learn.json").read_text())
    assert request["config"]["interactions"] == 4
    assert request["schema_version"] == 1
    history = [json.loads(line) for line in (out / "history.jsonl").read_text().splitlines()]
    assert [line["number"] for line in history] == [1, 2, 3, 4]
    assert {path.name for path in (out / "evaluations").glob("*.json")} == {"00000.json", "00002.json", "00004.json"}
    evaluation = json.loads((out / "evaluations" / "00004.json").read_text())
    assert set(evaluation["ap"]) == {"0.3", "0.5", "0.75"}
    assert all(0 <= ap <= 100 for figures in ("ap", "baseline_ap") for ap in evaluation[figures].values())
    assert set(evaluation["recall_at_precision"]["0.3"]) == {"0.5", "0.7", "0.9"}
    curve = evaluation["precision_recall"]["0.5"]
    assert len(curve["recall"]) == len(curve["precision"])
    assert (out / "evaluations" / "00004" / "0.png").exists()
    assert (out / "report.html").exists()
    assert list((out / "tensorboard").iterdir())
    assert checkpoint_metadata(out / "model.safetensors")["interactions"] == 4
    assert _learn(tmp_path, *arguments, "--resume") == 0
    assert len((out / "history.jsonl").read_text().splitlines()) == 4
    assert _learn(tmp_path, "--interactions", "5", "--model", str(untrained)) == 1
    assert "interactions is 4 there and 5 now" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.usefixtures("tiny_sets")
def test_a_run_of_pushes_reports_pushes_and_resumes_only_as_one(
    tmp_path: Path, untrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--interactions", "2", "--model", str(untrained)]
    assert _learn(tmp_path, *arguments, "--primitive", "push") == 0
    said = capsys.readouterr().out.replace("\n", " ")
    assert "pushes that move an object: " in said
    assert "picks" not in said
    page = (tmp_path / "run" / "report.html").read_text()
    assert "before, with the push" in page
    assert "pushes one, and learns" in page
    assert "Outcomes of the picks" not in page
    assert _learn(tmp_path, *arguments) == 1
    assert "primitive is 'push' there and 'pick' now" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.usefixtures("tiny_sets")
@pytest.mark.parametrize("resume", [[], ["--resume"]])
def test_a_run_begun_with_settings_that_are_refused_today_resumes(
    resume: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # Earlier versions accepted and recorded settings of the choice also with --policy random.
    ignored = ["--choice", "random", "--random-share", "0.5", "--follow-share", "0"]
    config = LearningConfig(
        interactions=2,
        policy="random",
        choice="random",
        random_share=0.5,
        follow_share=0.0,
        update_interval=2,
        steps_per_interaction=1,
        training=TrainingConfig(batch_size=2),
    )
    open_run(tmp_path / "run", config)
    assert _learn(tmp_path, "--interactions", "2", "--policy", "random", *ignored, *resume) == 0
    assert len((tmp_path / "run" / "history.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--interactions", "0"], 2, "interactions is 0"),
        (["--resume"], 2, "no run"),
        (["--backend", "gazebo"], 2, "unknown backend 'gazebo'"),
        (["--model", "nowhere.safetensors"], 1, "nowhere.safetensors"),
        (["--workers", "-1"], 2, "--workers is -1"),
        (["--address", "10.0.0.1:6379"], 2, "--workers 1 or more"),
        (["--growth", "0"], 2, "--growth is 0.0; accepted is above 0 to 100"),
        (["--random-share", "2"], 2, "--random-share is 2.0"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line_and_nothing_is_written(
    arguments: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _learn(tmp_path, *arguments) == status
    assert said in capsys.readouterr().err.replace("\n", " ")
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("tiny_sets")
def test_a_resumed_run_keeps_its_set_and_another_is_refused(
    tmp_path: Path, untrained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--interactions", "2", "--model", str(untrained)]
    assert _learn(tmp_path, *arguments, "--set", "test") == 0
    assert "the test set is for final figures only" in capsys.readouterr().out
    last = tmp_path / "run" / "evaluations" / "00002.json"
    last.unlink()
    assert _learn(tmp_path, *arguments) == 0
    assert json.loads(last.read_text())["set"] == "test"
    assert not (tmp_path / "sets" / "dev").exists()
    assert _learn(tmp_path, *arguments, "--set", "dev") == 2
    assert "was evaluated on the first 1 pictures of test; leave both options out" in capsys.readouterr().err


def test_a_foreign_folder_is_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    assert _learn(tmp_path) == 1
    assert "something else" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["thesis.txt"]
