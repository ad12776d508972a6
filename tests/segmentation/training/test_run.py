"""A run learns, and resumes after interrupts and kills to the same weights."""

from __future__ import annotations

import errno
import json
import math
import shutil
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tabletop_interaction.errors import DiskFull, FolderInUse, ForeignFolder, NoExamples, TrainingError
from tabletop_interaction.seals import read_sealed, write_sealed
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata, load_checkpoint
from tabletop_interaction.segmentation.training import run as training_run
from tabletop_interaction.segmentation.training.config import RunOptions, TrainingConfig
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.run import examples_fingerprint, steps_in, train
from tabletop_interaction.segmentation.training.trainer import StepReport

pytestmark = pytest.mark.usefixtures("one_thread")


def weights(path: Path) -> list[Tensor]:
    return list(load_checkpoint(path).state_dict().values())


def same(first: Path, second: Path) -> bool:
    return all(torch.equal(one, other) for one, other in zip(weights(first), weights(second), strict=True))


def stop_at(step: int):
    def callback(number: int, steps: int, report: StepReport) -> None:
        if number == step:
            signal.raise_signal(signal.SIGINT)

    return callback


@pytest.mark.parametrize("loss", ["cross-entropy", "robust-set"])
def test_a_stopped_run_resumes_to_the_same_network_bit_by_bit(
    tmp_path: Path, loss: str, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    config = replace(small, loss=loss)
    is_finished = loss == small.loss
    straight = finished_run / "model.safetensors" if is_finished else train(discs(), tmp_path / "straight", config)
    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "stopped", config, callback=stop_at(3))
    assert not (tmp_path / "stopped" / "model.safetensors").exists()
    done: list[int] = []
    resumed = train(discs(), tmp_path / "stopped", config, callback=lambda step, steps, report: done.append(step))
    assert done == [4, 5, 6]
    assert same(straight, resumed)


def test_a_killed_run_resumes_from_its_last_state(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    class Killed(Exception):
        pass

    def die(step: int, steps: int, report: StepReport) -> None:
        if step == 5:
            raise Killed

    options = RunOptions(checkpoint_every=2)
    with pytest.raises(Killed):
        train(discs(), tmp_path / "killed", small, options, callback=die)
    done: list[int] = []
    killed = train(discs(), tmp_path / "killed", small, options, callback=lambda step, *_: done.append(step))
    assert done == [5, 6]
    assert same(finished_run / "model.safetensors", killed)


def test_a_run_restores_the_handler_of_ctrl_c(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig
) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "run", small, callback=stop_at(1))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_run_is_not_changed_and_describes_itself(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    path = shutil.copytree(finished_run, tmp_path / "run") / "model.safetensors"
    stamp = path.stat().st_mtime_ns
    assert train(discs(), tmp_path / "run", small) == path
    assert path.stat().st_mtime_ns == stamp
    metadata = checkpoint_metadata(path)
    assert (metadata["data"], metadata["objects"], metadata["pictures"]) == ("discs", 6, 6)
    assert metadata["training"]["steps"] == 6
    assert metadata["cpu_minutes"] >= 0
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_run_killed_between_its_last_two_files_is_completed(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    path = shutil.copytree(finished_run, tmp_path / "run") / "model.safetensors"
    whole = weights(path)
    path.with_suffix(".json").unlink()
    done: list[int] = []
    assert train(discs(), tmp_path / "run", small, callback=lambda step, *_: done.append(step)) == path
    assert done == []
    assert all(torch.equal(*pair) for pair in zip(whole, weights(path), strict=True))


def test_another_schema_is_refused_and_another_device_accepted(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    request = tmp_path / "run" / "training.json"
    kept, run = read_sealed(request)
    assert kept["began_on"]["device"] == "cpu"
    assert kept["began_on"]["autocast"] in (None, "bfloat16")
    write_sealed(request, {**kept, "began_on": {"device": "cuda", "autocast": "bfloat16"}}, run)
    train(discs(), tmp_path / "run", small)
    write_sealed(request, {**kept, "schema_version": 99}, run)
    with pytest.raises(ForeignFolder, match="schema_version is 99 there and 1 now"):
        train(discs(), tmp_path / "run", small)


def test_shown_and_refreshing_crops_are_not_learned_from(small: TrainingConfig) -> None:
    for seed in (training_run._REFRESH_SEED, training_run._SHOWN_SEED):
        with pytest.raises(TrainingError, match="seed"):
            replace(small, seed=seed)


def test_a_second_training_in_the_same_folder_is_refused_and_the_first_one_finishes(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    refusals: list[BaseException | None] = []

    def start_again(number: int, steps: int, report: StepReport) -> None:
        if number == 2:
            with ThreadPoolExecutor(1) as other:
                refusals.append(other.submit(train, discs(), tmp_path, small).exception())

    model = train(discs(), tmp_path, small, callback=start_again)
    assert [type(error) for error in refusals] == [FolderInUse]
    assert f"another process works in {tmp_path}" in str(refusals[0])
    assert same(model, finished_run / "model.safetensors")


def test_another_run_or_a_foreign_folder_is_refused(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    shutil.copytree(finished_run, tmp_path / "run")
    with pytest.raises(ForeignFolder, match="learning_rate"):
        train(discs(), tmp_path / "run", replace(small, learning_rate=0.5))
    with pytest.raises(ForeignFolder, match=r"crops\.paste_share"):
        train(discs(), tmp_path / "run", replace(small, crops=replace(small.crops, paste_share=0.0)))
    with pytest.raises(ForeignFolder, match="examples"):
        train(discs(5), tmp_path / "run", small)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(ForeignFolder, match=r"thesis\.txt"):
        train(discs(), foreign, small)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


def test_a_damaged_state_is_named(tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "run", small, callback=stop_at(2))
    (tmp_path / "run" / "state.pt").write_bytes(b"torn")
    with pytest.raises(TrainingError, match=r"state\.pt"):
        train(discs(), tmp_path / "run", small)


def test_minutes_become_steps_once(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals: list[int] = []
    # A busy machine may have time for one step only.
    monkeypatch.setattr(training_run, "steps_in", lambda *arguments: max(3, steps_in(*arguments)))

    def callback(step: int, steps: int, report: StepReport) -> None:
        totals.append(steps)
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "run", small, minutes=0.005, callback=callback)
    train(discs(), tmp_path / "run", small, minutes=0.005, callback=lambda step, steps, report: totals.append(steps))
    assert len(set(totals)) == 1
    for minutes in (0, -1, math.nan, math.inf):
        with pytest.raises(TrainingError, match="positive"):
            train(discs(), tmp_path / "other", small, minutes=minutes)
    assert not (tmp_path / "other").exists()


def test_without_a_positive_example_nothing_is_written(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig
) -> None:
    examples = discs()
    nothing = ExampleSet(examples.background, examples.pictures)
    with pytest.raises(NoExamples, match="none of the 6 examples"):
        train(nothing, tmp_path / "run", small)
    assert not (tmp_path / "run").exists()


def test_different_sets_have_different_fingerprints(discs: Callable[..., ExampleSet]) -> None:
    assert examples_fingerprint(discs()) == examples_fingerprint(discs())
    assert examples_fingerprint(discs()) != examples_fingerprint(discs(5))
    mask = discs().objects[0].mask
    assert mask is not None
    assert examples_fingerprint(replace(discs(), ignored={"0": (mask,)})) != examples_fingerprint(discs())


def test_a_run_of_an_earlier_version_resumes_with_settings_in_any_order(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    request = json.loads((finished_run / "training.json").read_text())
    backwards = {**request, "config": dict(reversed(request["config"].items()))}
    del backwards["run"], backwards["checksum"]
    (tmp_path / "training.json").write_text(json.dumps(backwards))
    assert same(train(discs(), tmp_path, small), finished_run / "model.safetensors")


def test_a_run_from_before_certain_negatives_weighed_more_resumes_with_the_weight_0(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    request = json.loads((finished_run / "training.json").read_text())
    evenly = replace(small, hard_weight=0.0)
    earlier = {**request, "config": {k: v for k, v in request["config"].items() if k != "hard_weight"}}
    del earlier["run"], earlier["checksum"]
    (tmp_path / "training.json").write_text(json.dumps(earlier))
    with pytest.raises(ForeignFolder, match=r"hard_weight is 0\.0 there and 10\.0 now"):
        train(discs(), tmp_path, small)
    assert train(discs(), tmp_path, evenly).exists()


def test_a_full_disk_is_named_and_the_run_resumes(
    tmp_path: Path, discs: Callable[..., ExampleSet], small: TrainingConfig, finished_run: Path
) -> None:
    def no_space(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("torch.utils.tensorboard.SummaryWriter.add_image", no_space)
        with pytest.raises(DiskFull, match="the run resumes from its last state"):
            train(discs(), tmp_path / "run", small, RunOptions(checkpoint_every=3))
    done: list[int] = []
    resumed = train(discs(), tmp_path / "run", small, callback=lambda step, *_: done.append(step))
    assert done == [4, 5, 6]
    assert same(resumed, finished_run / "model.safetensors")
