"""A run learns, survives whatever stops it, and goes on to the very same network."""

from __future__ import annotations

import json
import math
import signal
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from tabletop_interaction.errors import ForeignFolder
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata, load_checkpoint
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.rle import rle_from_mask
from tabletop_interaction.segmentation.training import run as training_run
from tabletop_interaction.segmentation.training.batches import IGNORED, NEGATIVE, POSITIVE, Batch, batches
from tabletop_interaction.segmentation.training.config import CropConfig, RunOptions, TrainingConfig, TrainingError
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import Example, ExampleSet, NoExamples
from tabletop_interaction.segmentation.training.run import examples_fingerprint, train
from tabletop_interaction.segmentation.training.trainer import (
    StepReport,
    Trainer,
    balanced_score_loss,
    learning_rate,
    new_network,
)

pytestmark = pytest.mark.usefixtures("one_thread")

SMALL = TrainingConfig(
    steps=6,
    batch_size=2,
    crops=CropConfig(crop_px=96, object_px=40, reach_px=8, margin_px=16),
    network=NetworkConfig(end_channels=8, code_channels=16, refining_channels=4),
)


def discs(count: int = 6) -> ExampleSet:
    """Pictures of a grey table with one bright disc each."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:120, :150]
    pictures, examples = {}, []
    for number in range(count):
        cx, cy = rng.uniform(40, 110), rng.uniform(40, 80)
        mask = np.hypot(x - cx, y - cy) < rng.uniform(16, 24)
        picture = rng.integers(60, 100, (120, 150, 3), dtype=np.uint8)
        picture[mask] = rng.integers(150, 255, 3)
        pictures[str(number)] = picture
        examples += [Example(str(number), (cx, cy), rle_from_mask(mask)), Example(str(number), (5.0, 5.0), None)]
    return ExampleSet(tuple(examples), pictures)


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
def test_a_stopped_run_goes_on_to_the_same_network_bit_by_bit(tmp_path: Path, loss: str) -> None:
    config = replace(SMALL, steps=10, loss=loss)
    straight = train(discs(), tmp_path / "straight", config)
    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "stopped", config, callback=stop_at(5))
    assert not (tmp_path / "stopped" / "model.safetensors").exists()
    done: list[int] = []
    resumed = train(discs(), tmp_path / "stopped", config, callback=lambda step, steps, report: done.append(step))
    assert done == [6, 7, 8, 9, 10]
    assert same(straight, resumed)


def test_a_killed_run_goes_on_from_its_last_state(tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def die(step: int, steps: int, report: StepReport) -> None:
        if step == 5:
            raise Killed

    options = RunOptions(checkpoint_every=2)
    with pytest.raises(Killed):
        train(discs(), tmp_path / "killed", SMALL, options, callback=die)
    done: list[int] = []
    killed = train(discs(), tmp_path / "killed", SMALL, options, callback=lambda step, *_: done.append(step))
    assert done == [5, 6]
    assert same(train(discs(), tmp_path / "straight", SMALL), killed)


def test_ctrl_c_means_what_it_did_after_a_run(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "run", SMALL, callback=stop_at(1))
    assert signal.getsignal(signal.SIGINT) is before


def test_a_finished_run_is_left_as_it_is_and_remembers_what_it_was(tmp_path: Path) -> None:
    path = train(discs(), tmp_path / "run", SMALL, RunOptions(data="discs"))
    stamp = path.stat().st_mtime_ns
    assert train(discs(), tmp_path / "run", SMALL) == path
    assert path.stat().st_mtime_ns == stamp
    metadata = checkpoint_metadata(path)
    assert (metadata["data"], metadata["objects"], metadata["pictures"]) == ("discs", 6, 6)
    assert metadata["training"]["steps"] == 6
    assert metadata["cpu_minutes"] >= 0
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_finish_that_was_killed_between_its_two_files_is_made_good(tmp_path: Path) -> None:
    path = train(discs(), tmp_path / "run", SMALL)
    whole = weights(path)
    path.with_suffix(".json").unlink()
    done: list[int] = []
    assert train(discs(), tmp_path / "run", SMALL, callback=lambda step, *_: done.append(step)) == path
    assert done == []
    assert all(torch.equal(*pair) for pair in zip(whole, weights(path), strict=True))


def test_a_run_of_another_schema_is_refused_and_the_device_only_remembered(tmp_path: Path) -> None:
    train(discs(), tmp_path / "run", SMALL)
    request = tmp_path / "run" / "training.json"
    kept = json.loads(request.read_text())
    assert kept["began_on"]["device"] == "cpu"
    assert kept["began_on"]["autocast"] in (None, "bfloat16")
    request.write_text(json.dumps({**kept, "began_on": {"device": "cuda", "autocast": "bfloat16"}}))
    train(discs(), tmp_path / "run", SMALL)
    request.write_text(json.dumps({**kept, "schema_version": 99}))
    with pytest.raises(ForeignFolder, match="schema_version 99"):
        train(discs(), tmp_path / "run", SMALL)


def test_no_run_learns_from_the_crops_that_are_shown_or_that_refresh_its_statistics() -> None:
    for seed in (training_run._REFRESH_SEED, training_run._SHOWN_SEED):
        with pytest.raises(TrainingError, match="seed"):
            replace(SMALL, seed=seed)


def test_another_run_or_a_foreign_folder_is_refused(tmp_path: Path) -> None:
    train(discs(), tmp_path / "run", SMALL)
    with pytest.raises(ForeignFolder, match="learning_rate"):
        train(discs(), tmp_path / "run", replace(SMALL, learning_rate=0.5))
    with pytest.raises(ForeignFolder, match=r"crops\.paste_share"):
        train(discs(), tmp_path / "run", replace(SMALL, crops=replace(SMALL.crops, paste_share=0.0)))
    with pytest.raises(ForeignFolder, match="examples"):
        train(discs(5), tmp_path / "run", SMALL)
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("mine")
    with pytest.raises(ForeignFolder, match=r"thesis\.txt"):
        train(discs(), foreign, SMALL)
    assert [path.name for path in foreign.iterdir()] == ["thesis.txt"]


def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "run", SMALL, callback=stop_at(2))
    (tmp_path / "run" / "state.pt").write_bytes(b"torn")
    with pytest.raises(TrainingError, match=r"state\.pt"):
        train(discs(), tmp_path / "run", SMALL)


def test_minutes_become_steps_once(tmp_path: Path) -> None:
    totals: list[int] = []

    def callback(step: int, steps: int, report: StepReport) -> None:
        totals.append(steps)
        if step == 2:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train(discs(), tmp_path / "run", SMALL, minutes=0.02, callback=callback)
    train(discs(), tmp_path / "run", SMALL, minutes=0.02, callback=lambda step, steps, report: totals.append(steps))
    assert len(set(totals)) == 1
    for minutes in (0, -1, math.nan, math.inf):
        with pytest.raises(TrainingError, match="positive"):
            train(discs(), tmp_path / "other", SMALL, minutes=minutes)
    assert not (tmp_path / "other").exists()


def test_without_a_positive_example_nothing_is_written(tmp_path: Path) -> None:
    examples = discs()
    nothing = ExampleSet(examples.background, examples.pictures)
    with pytest.raises(NoExamples, match="none of the 6 examples"):
        train(nothing, tmp_path / "run", SMALL)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("loss", ["cross-entropy", "robust-set"])
@pytest.mark.parametrize("kind", [POSITIVE, NEGATIVE, IGNORED])
def test_one_sided_batches_are_learned_from_without_nan(kind: int, loss: str) -> None:
    trainer = Trainer(new_network(SMALL), replace(SMALL, loss=loss))
    images = torch.zeros(2, 3, 96, 96, dtype=torch.uint8)
    scores = torch.full((2, 6, 6), kind, dtype=torch.int8)
    index = torch.tensor([[0, 3, 3], [1, 2, 2]]) if kind == POSITIVE else torch.zeros(0, 3, dtype=torch.int64)
    batch = Batch(images, scores, index, torch.zeros(len(index), 41, 41, dtype=torch.bool))
    for _ in range(3):
        report = trainer.step(batch)
        assert all(math.isfinite(value) for value in report)
    assert all(torch.isfinite(value).all() for value in trainer.network.state_dict().values())


def test_a_network_that_diverged_is_told_and_not_made_worse() -> None:
    trainer = Trainer(new_network(SMALL), SMALL)
    with torch.no_grad():
        trainer.network.score_end.bias.fill_(math.nan)
    before = [value.clone() for value in trainer.network.parameters()]
    batch = CropSampler(discs(), SMALL.crops, trainer.network.mask_grid).batch(0, 0, 2)
    with pytest.raises(TrainingError, match="learning rate"):
        trainer.step(batch)
    after = trainer.network.parameters()
    assert all(torch.equal(one, other) or one.isnan().any() for one, other in zip(before, after, strict=True))


def test_an_endless_gradient_of_a_finite_loss_is_told_and_leaves_the_weights() -> None:
    trainer = Trainer(new_network(SMALL), SMALL)
    weight = next(trainer.network.parameters())
    weight.register_hook(lambda gradient: gradient * math.inf)
    before = [value.clone() for value in trainer.network.parameters()]
    batch = CropSampler(discs(), SMALL.crops, trainer.network.mask_grid).batch(0, 0, 2)
    with pytest.raises(TrainingError, match="the gradient's norm"):
        trainer.step(batch)
    assert trainer.step_number == 0
    assert all(torch.equal(*pair) for pair in zip(before, trainer.network.parameters(), strict=True))


@pytest.mark.parametrize("loss", ["cross-entropy", "robust-set"])
def test_mask_logits_that_are_no_numbers_are_a_training_error(loss: str, monkeypatch: pytest.MonkeyPatch) -> None:
    trainer = Trainer(new_network(SMALL), replace(SMALL, loss=loss))
    logits = trainer.network.mask_logits
    monkeypatch.setattr(trainer.network, "mask_logits", lambda *given: logits(*given) * math.inf)
    batch = CropSampler(discs(), SMALL.crops, trainer.network.mask_grid).batch(0, 0, 2)
    assert len(batch.positions)
    with pytest.raises(TrainingError, match="mask logits"):
        trainer.step(batch)


def test_a_few_steps_on_the_same_crops_lower_both_losses() -> None:
    config = replace(SMALL, steps=40, warm_up_steps=2, batch_size=4)
    trainer = Trainer(new_network(config), config)
    sampler = CropSampler(discs(), config.crops, trainer.network.mask_grid)
    fixed = sampler.batch(0, 0, 4)
    reports = [trainer.step(fixed) for _ in range(25)]
    assert reports[-1].score_loss < 0.6 * reports[0].score_loss
    assert reports[-1].mask_loss < 0.7 * reports[0].mask_loss


def test_batches_made_ahead_are_the_same_in_order() -> None:
    sampler = CropSampler(discs(), SMALL.crops, new_network(SMALL).mask_grid)
    fed = list(batches(sampler, 7, range(3, 8), 2))
    assert len(fed) == 5
    for number, batch in zip(range(3, 8), fed, strict=True):
        assert all(torch.equal(*pair) for pair in zip(batch, sampler.batch(7, number, 2), strict=True))


def test_the_balanced_loss_weighs_both_kinds_alike_and_leaves_out_the_rest() -> None:
    logits = torch.zeros(1, 2, 3)
    targets = torch.tensor([[[POSITIVE, NEGATIVE, NEGATIVE], [NEGATIVE, NEGATIVE, IGNORED]]], dtype=torch.int8)
    assert float(balanced_score_loss(logits, targets)) == pytest.approx(math.log(2))
    logits[0, 1, 2] = 100.0
    assert float(balanced_score_loss(logits, targets)) == pytest.approx(math.log(2))
    logits[0, 0, 0] = 100.0
    assert float(balanced_score_loss(logits, targets)) == pytest.approx(math.log(2) / 2)


def test_the_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, TrainingConfig(steps=200, warm_up_steps=20)) for step in range(200)]
    assert rates.index(max(rates)) == 20
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert max(rates) == pytest.approx(1e-3)
    assert 0 < rates[-1] < 2e-5


def test_first_weights_depend_on_the_seed_and_leave_torchs_stream_alone() -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one, two = new_network(SMALL), new_network(SMALL)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize(
    "wrong",
    [{"loss": "hinge"}, {"steps": 0}, {"iou_bound": 2}, {"learning_rate": -1}, {"batch_size": 0}, {"seed": 2**63}],
)
def test_a_setting_out_of_range_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        TrainingConfig(**wrong)  # type: ignore[arg-type]


def test_a_fingerprint_tells_sets_apart() -> None:
    assert examples_fingerprint(discs()) == examples_fingerprint(discs())
    assert examples_fingerprint(discs()) != examples_fingerprint(discs(5))
    mask = discs().objects[0].mask
    assert mask is not None
    assert examples_fingerprint(replace(discs(), ignored={"0": (mask,)})) != examples_fingerprint(discs())
