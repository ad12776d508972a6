"""The latent mask is the exact optimum: against exhaustive search, known answers and the paper's search."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tabletop_interaction.segmentation.robust_set_loss import (
    latent_mask,
    mask_ious,
    robust_set_loss,
    two_bias_latent_mask,
)

INFINITE = math.inf
BOUNDS = st.sampled_from([0.0, 1e-9, 0.1, 1 / 3, 0.5, 0.6, 0.7, 0.75, 0.9, 1.0])


def cost(logits: torch.Tensor, latent: torch.Tensor) -> torch.Tensor:
    """Summed cross-entropy (B,) in float64."""
    pixels = functional.binary_cross_entropy_with_logits(logits.double(), latent.double(), reduction="none")
    return pixels.sum((1, 2))


def exhaustive_optimum(logits: torch.Tensor, mask: torch.Tensor, bound: float, slack_weight: float) -> float:
    """The lowest cost of one (H, W) picture over all binary masks."""
    every = torch.tensor(list(itertools.product([False, True], repeat=mask.numel()))).view(-1, *mask.shape)
    iou = mask_ious(every, mask.expand_as(every)).double()
    missing = bound - iou
    missing = torch.where(missing < 1e-6, 0.0, missing)
    price = torch.where(missing == 0, 0.0, slack_weight * missing)
    return float((cost(logits.expand(len(every), -1, -1), every) + price).min())


@st.composite
def pictures(draw: st.DrawFn) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits and masks (2, H, W), at most 3 x 3; logits often from a lattice, so that ties and zeros are
    common."""
    shape = (2, draw(st.integers(1, 3)), draw(st.integers(1, 3)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = rng.integers(-4, 5, shape) * 0.5 if draw(st.booleans()) else rng.normal(0, 2, shape)
    masks = rng.random(shape) < draw(st.sampled_from([0.0, 0.3, 0.6, 1.0]))
    return torch.tensor(logits, dtype=torch.float32), torch.tensor(masks)


@settings(max_examples=200, deadline=None)
@given(pictures(), BOUNDS, st.sampled_from([INFINITE, INFINITE, 0.0, 0.5, 3.0, 20.0]))
def test_no_other_mask_is_cheaper(
    picture: tuple[torch.Tensor, torch.Tensor], bound: float, slack_weight: float
) -> None:
    logits, masks = picture
    latent = latent_mask(logits, masks, bound, slack_weight=slack_weight)
    missing = (bound - mask_ious(latent, masks).double()).clamp(min=0)
    missing = torch.where(missing < 1e-6, 0.0, missing)
    price = torch.where(missing == 0, 0.0, slack_weight * missing)
    for found, *given_picture in zip(cost(logits, latent) + price, logits, masks, strict=True):
        assert float(found) == pytest.approx(
            exhaustive_optimum(given_picture[0], given_picture[1], bound, slack_weight), abs=1e-5
        )


@pytest.mark.parametrize("slack_weight", [INFINITE, 2.0, 8.0])
def test_optimum_on_three_by_four_pixels(slack_weight: float) -> None:
    generator = torch.Generator().manual_seed(3)
    logits = torch.randn(6, 3, 4, generator=generator) * 2
    masks = torch.rand(6, 3, 4, generator=generator) < 0.5
    latent = latent_mask(logits, masks, 0.75, slack_weight=slack_weight)
    missing = (0.75 - mask_ious(latent, masks).double()).clamp(min=0)
    found = cost(logits, latent) + torch.where(missing == 0, 0.0, slack_weight * missing)
    expected = [exhaustive_optimum(*pair, 0.75, slack_weight) for pair in zip(logits, masks, strict=True)]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)


def test_a_whole_number_bound_is_not_missed_by_rounding() -> None:
    # 7 of 10 pixels is IoU 0.7 exactly: in floating point 0.7 * 10 may ask for 8.
    for numerator, denominator in [(7, 10), (3, 10), (1, 3), (2, 3), (29, 100), (57, 100)]:
        logits = torch.full((1, 1, denominator), -1.0)
        masks = torch.ones(1, 1, denominator, dtype=torch.bool)
        assert latent_mask(logits, masks, numerator / denominator).sum() == numerator


def test_the_latent_mask_follows_the_network_within_the_bound() -> None:
    # Eight pixels in M, the network sure that two of them are not the object and one outside is.
    masks = torch.zeros(1, 3, 4, dtype=torch.bool)
    masks[0, :2] = True
    logits = torch.where(masks, 5.0, -5.0)
    logits[0, 0, 0], logits[0, 0, 1], logits[0, 2, 3] = -5.0, -4.0, 2.0
    expected = masks.clone()
    expected[0, 0, 0] = expected[0, 0, 1] = False
    # 6 of 8 is 0.75; the pixel outside would cost the second of them: 6 / 9 is too little.
    assert torch.equal(latent_mask(logits, masks, 0.75), expected)


def test_an_empty_mask_allows_only_an_empty_latent_mask() -> None:
    masks = torch.zeros(1, 4, 4, dtype=torch.bool)
    assert not latent_mask(torch.full((1, 4, 4), 9.0), masks, 0.5).any()
    assert latent_mask(torch.full((1, 4, 4), 9.0), masks, 0.5, slack_weight=1.0).all()


@given(pictures())
@settings(max_examples=30, deadline=None)
def test_extreme_bounds_give_the_mask_and_the_arg_max(picture: tuple[torch.Tensor, torch.Tensor]) -> None:
    logits, masks = picture
    assert torch.equal(latent_mask(logits, masks, 1.0), masks)
    assert torch.equal(latent_mask(logits, masks, 0.0), logits > 0)
    plain = functional.binary_cross_entropy_with_logits(logits, masks.float())
    assert robust_set_loss(logits, masks, 1.0).item() == pytest.approx(plain.item())


def test_more_slack_weight_costs_more_and_ends_at_the_bound() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, masks = torch.randn(8, 20, 20, generator=generator) * 3, torch.zeros(8, 20, 20, dtype=torch.bool)
    masks[:, 5:15, 5:15] = True
    losses = [robust_set_loss(logits, masks, 0.75, weight).item() for weight in (0.0, 1e1, 1e2, 1e3, 1e6)]
    assert losses == sorted(losses)
    assert losses[-1] == pytest.approx(robust_set_loss(logits, masks, 0.75).item())


@pytest.mark.parametrize("seed", range(5))
def test_the_cost_never_exceeds_that_of_the_papers_search(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    masks = torch.zeros(16, 28, 28, dtype=torch.bool)
    masks[:, 6:20, 8:22] = True
    logits = torch.randn(16, 28, 28, generator=generator) + torch.where(masks, 0.5, -1.0)
    searched = two_bias_latent_mask(logits, masks)
    feasible = mask_ious(searched, masks) >= 0.75
    assert feasible.any()
    latent = latent_mask(logits, masks)
    assert (mask_ious(latent, masks) >= 0.75).all()
    assert (cost(logits, latent) <= cost(logits, searched) + 1e-6)[feasible].all()


def test_the_papers_search_can_stop_short_of_the_bound() -> None:
    masks = torch.ones(1, 4, 4, dtype=torch.bool)
    assert not two_bias_latent_mask(torch.full((1, 4, 4), -9.0), masks).any()


def test_pictures_of_a_batch_are_independent() -> None:
    generator = torch.Generator().manual_seed(1)
    logits, masks = torch.randn(5, 9, 7, generator=generator), torch.rand(5, 9, 7, generator=generator) < 0.4
    alone = torch.cat([latent_mask(logits[i : i + 1], masks[i : i + 1]) for i in range(5)])
    assert torch.equal(latent_mask(logits, masks), alone)


def test_the_gradient_is_cross_entropys_against_the_latent_mask() -> None:
    logits = torch.randn(3, 6, 6, generator=torch.Generator().manual_seed(2), requires_grad=True)
    masks = torch.zeros(3, 6, 6, dtype=torch.bool)
    masks[:, 1:5, 1:5] = True
    (gradient,) = torch.autograd.grad(robust_set_loss(logits, masks, slack_weight=5.0), logits)
    latent = latent_mask(logits, masks, slack_weight=5.0)
    torch.testing.assert_close(gradient, (logits.sigmoid() - latent.float()).detach() / latent.numel())


def test_an_empty_batch_costs_nothing() -> None:
    logits = torch.zeros(0, 5, 5, requires_grad=True)
    assert robust_set_loss(logits, torch.zeros(0, 5, 5, dtype=torch.bool)).item() == 0.0


@pytest.mark.parametrize(
    ("logits", "masks", "bound", "message"),
    [
        (torch.full((1, 2, 2), math.nan), torch.ones(1, 2, 2, dtype=torch.bool), 0.5, "NaN"),
        (torch.zeros(1, 2, 2), torch.ones(1, 2, 3, dtype=torch.bool), 0.5, "shape"),
        (torch.zeros(1, 2, 2), torch.ones(1, 2, 2), 0.5, "bool"),
        (torch.zeros(1, 2, 2), torch.ones(1, 2, 2, dtype=torch.bool), 1.5, "iou_bound is 1.5"),
    ],
)
def test_bad_input_is_named(logits: torch.Tensor, masks: torch.Tensor, bound: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        latent_mask(logits, masks, bound)
