"""A training step lowers the loss, accepts every batch, and refuses what is not finite; batches and rates."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from tabletop_interaction.errors import TrainingError
from tabletop_interaction.segmentation.training.batches import (
    CERTAIN_NEGATIVE,
    IGNORED,
    NEGATIVE,
    POSITIVE,
    Batch,
    batches,
)
from tabletop_interaction.segmentation.training.config import TrainingConfig
from tabletop_interaction.segmentation.training.crops import CropSampler
from tabletop_interaction.segmentation.training.examples import ExampleSet
from tabletop_interaction.segmentation.training.trainer import (
    Trainer,
    balanced_score_loss,
    learning_rate,
    new_network,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("loss", ["cross-entropy", "robust-set"])
@pytest.mark.parametrize("kind", [POSITIVE, NEGATIVE, CERTAIN_NEGATIVE, IGNORED])
def test_batches_without_positives_or_negatives_give_finite_losses(kind: int, loss: str, small: TrainingConfig) -> None:
    trainer = Trainer(new_network(small), replace(small, loss=loss))
    images = torch.zeros(2, 3, 96, 96, dtype=torch.uint8)
    scores = torch.full((2, 6, 6), kind, dtype=torch.int8)
    index = torch.tensor([[0, 3, 3], [1, 2, 2]]) if kind == POSITIVE else torch.zeros(0, 3, dtype=torch.int64)
    batch = Batch(images, scores, index, torch.zeros(len(index), 41, 41, dtype=torch.bool))
    for _ in range(3):
        report = trainer.step(batch)
        assert all(math.isfinite(value) for value in report)
    assert all(torch.isfinite(value).all() for value in trainer.network.state_dict().values())


def test_a_diverged_network_is_named_and_not_changed(discs: Callable[..., ExampleSet], small: TrainingConfig) -> None:
    trainer = Trainer(new_network(small), small)
    with torch.no_grad():
        trainer.network.score_end.bias.fill_(math.nan)
    before = [value.clone() for value in trainer.network.parameters()]
    batch = CropSampler(discs(), small.crops, trainer.network.mask_grid).batch(0, 0, 2)
    with pytest.raises(TrainingError, match="learning rate"):
        trainer.step(batch)
    after = trainer.network.parameters()
    assert all(torch.equal(one, other) or one.isnan().any() for one, other in zip(before, after, strict=True))


def test_an_infinite_gradient_is_named_and_does_not_change_the_weights(
    discs: Callable[..., ExampleSet], small: TrainingConfig
) -> None:
    trainer = Trainer(new_network(small), small)
    weight = next(trainer.network.parameters())
    weight.register_hook(lambda gradient: gradient * math.inf)
    before = [value.clone() for value in trainer.network.parameters()]
    batch = CropSampler(discs(), small.crops, trainer.network.mask_grid).batch(0, 0, 2)
    with pytest.raises(TrainingError, match="the gradient's norm"):
        trainer.step(batch)
    assert trainer.step_number == 0
    assert all(torch.equal(*pair) for pair in zip(before, trainer.network.parameters(), strict=True))


@pytest.mark.parametrize("loss", ["cross-entropy", "robust-set"])
def test_mask_logits_that_are_not_finite_are_a_training_error(
    loss: str, monkeypatch: pytest.MonkeyPatch, discs: Callable[..., ExampleSet], small: TrainingConfig
) -> None:
    trainer = Trainer(new_network(small), replace(small, loss=loss))
    logits = trainer.network.mask_logits
    monkeypatch.setattr(trainer.network, "mask_logits", lambda *given: logits(*given) * math.inf)
    batch = CropSampler(discs(), small.crops, trainer.network.mask_grid).batch(0, 0, 2)
    assert len(batch.positions)
    with pytest.raises(TrainingError, match="mask logits"):
        trainer.step(batch)


def test_a_few_steps_on_the_same_crops_lower_both_losses(
    discs: Callable[..., ExampleSet], small: TrainingConfig
) -> None:
    config = replace(small, steps=40, warm_up_steps=2, batch_size=4)
    trainer = Trainer(new_network(config), config)
    sampler = CropSampler(discs(), config.crops, trainer.network.mask_grid)
    fixed = sampler.batch(0, 0, 4)
    reports = [trainer.step(fixed) for _ in range(25)]
    assert reports[-1].score_loss < 0.6 * reports[0].score_loss
    assert reports[-1].mask_loss < 0.7 * reports[0].mask_loss


def test_prefetched_batches_keep_their_order(discs: Callable[..., ExampleSet], small: TrainingConfig) -> None:
    sampler = CropSampler(discs(), small.crops, new_network(small).mask_grid)
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


@pytest.mark.parametrize("kind", [NEGATIVE, CERTAIN_NEGATIVE])
def test_a_certain_negative_weighs_more_by_its_score(kind: int) -> None:
    logits = torch.tensor([[[0.0, 2.0], [-3.0, 1.0]]], requires_grad=True)
    targets = torch.tensor([[[POSITIVE, kind], [kind, NEGATIVE]]], dtype=torch.int8)
    loss = balanced_score_loss(logits, targets, hard_weight=10.0)
    (gradient,) = torch.autograd.grad(loss, logits)
    score = torch.sigmoid(logits.detach())
    weight = 1 + 10 * score * (targets == CERTAIN_NEGATIVE)
    negatives = -weight * torch.log(1 - score)
    assert float(loss.detach()) == pytest.approx(
        float(math.log(2) + negatives[targets != POSITIVE].mean()) / 2, rel=1e-5
    )
    # The weight itself has no gradient.
    torch.testing.assert_close(gradient[targets != POSITIVE], (weight * score)[targets != POSITIVE] / 6)


def test_the_rate_rises_then_falls() -> None:
    rates = [learning_rate(step, TrainingConfig(steps=200, warm_up_steps=20)) for step in range(200)]
    assert rates.index(max(rates)) == 20
    assert rates[:21] == sorted(rates[:21])
    assert rates[20:] == sorted(rates[20:], reverse=True)
    assert max(rates) == pytest.approx(1e-3)
    assert 0 < rates[-1] < 2e-5


def test_first_weights_depend_on_the_seed_and_leave_torchs_stream_alone(small: TrainingConfig) -> None:
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)
    one, two = new_network(small), new_network(small)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(*pair) for pair in zip(one.parameters(), two.parameters(), strict=True))


@pytest.mark.parametrize(
    "wrong",
    [{"loss": "hinge"}, {"steps": 0}, {"iou_bound": 2}, {"learning_rate": -1}, {"batch_size": 0}, {"seed": 2**63}],
)
def test_a_setting_out_of_range_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(TrainingError, match=next(iter(wrong))):
        TrainingConfig(**wrong)  # type: ignore[arg-type]
