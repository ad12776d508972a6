"""The robust set loss, which tolerates noisy masks (the paper's "Robust set loss").

Given logits l and a noisy mask M, the latent mask X is the mask that the network finds most likely among those that
overlap M enough,

    X = argmin  - sum_i log q_i(x_i) + slack_weight * xi   subject to   IoU(X, M) >= iou_bound - xi,  xi >= 0,

and the network is trained towards X by cross-entropy. The paper searches X by two growing biases; here it is computed
exactly. Choosing x_i = 1 instead of 0 changes the cost by -l_i, so X takes the a largest logits inside M and the c
largest outside, and its IoU is a / (m + c) with m = |M|. One scan over c = 0 .. #(positive logits outside) finds the
best pair: for each c the cost is convex in a, which gives the best a. Sorting costs most, O(n log n).
"""

import math
from fractions import Fraction
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

# A sorting key above any logit.
LAST = 1e38


def latent_mask(logits: Tensor, masks: Tensor, iou_bound: float = 0.75, *, slack_weight: float = math.inf) -> Tensor:
    """Return the most likely masks (B, H, W) bool that overlap the given ones enough, exactly.

    Args:
        logits: (B, H, W) floating point, finite, of the network. No gradient passes.
        masks: (B, H, W) bool, the noisy masks M.
        iou_bound: b in 0..1, converted to the nearest fraction p / q with q up to a million, so that 0.7 of 10 pixels
            is 7. With 1 the result is M; with 0 it is the network's arg-max.
        slack_weight: cost of one unit of IoU below the bound, in units of a picture's summed cross-entropy (nats);
            infinite: the bound holds.

    IoU with an empty M is 1 for an empty X and 0 for any other. Of equal optima the one with the fewest pixels outside
    M is chosen.

    Raises:
        ValueError: shapes differ, masks are not bool, logits are not finite, or bound or weight is out of range.
    """
    _check(logits, masks, iou_bound)
    if not slack_weight >= 0:
        raise ValueError(f"slack_weight is {slack_weight}; give a number from 0 to infinity")
    if masks.numel() == 0:
        return masks.clone()
    ranked = _rank(logits.detach().flatten(1).float(), masks.flatten(1))
    inside, outside = _best_counts(ranked, Fraction(iou_bound).limit_denominator(1_000_000), slack_weight)
    chosen = torch.where(ranked.is_inside, ranked.inside_rank <= inside, ranked.outside_rank <= outside)
    return torch.zeros_like(chosen).scatter_(1, ranked.order, chosen).view_as(masks)


def robust_set_loss(logits: Tensor, masks: Tensor, iou_bound: float = 0.75, slack_weight: float = math.inf) -> Tensor:
    """Return the minimum above, divided by the number of pixels and averaged over the batch; a scalar.

    With an infinite weight it is the mean cross-entropy against `latent_mask`; with `iou_bound` 1, against M. A finite
    weight adds slack_weight * xi / (H W), which has no gradient. Arguments and errors as of `latent_mask`; an empty
    batch costs 0.
    """
    latent = latent_mask(logits, masks, iou_bound, slack_weight=slack_weight)
    if masks.numel() == 0:
        return logits.sum() * 0.0
    loss = functional.binary_cross_entropy_with_logits(logits.float(), latent.float())
    if math.isinf(slack_weight):
        return loss
    slack = (iou_bound - mask_ious(latent, masks)).clamp(min=0)
    return loss + slack_weight * slack.mean() / masks[0].numel()


def two_bias_latent_mask(
    logits: Tensor, masks: Tensor, iou_bound: float = 0.75, *, step: float = 0.1, max_steps: int = 25
) -> Tensor:
    """Search the latent mask (B, H, W) bool as the paper does, for comparison.

    One bias raises all logits inside M and another lowers all outside until the arg-max meets the bound. In each step
    the inside bias grows if that alone improves the IoU, else the outside bias if that does, else both. The search can
    overshoot, and it can stop without meeting the bound. Arguments and errors as of `latent_mask`.
    """
    _check(logits, masks, iou_bound)
    logits = logits.detach().float()
    up, down = logits.new_zeros(len(logits), 1, 1), logits.new_zeros(len(logits), 1, 1)

    def at(raised: Tensor, lowered: Tensor) -> Tensor:
        return torch.where(masks, logits + raised, logits - lowered) > 0

    for _ in range(max_steps):
        iou = mask_ious(at(up, down), masks)
        unmet = iou < iou_bound
        if not unmet.any():
            break
        raising = mask_ious(at(up + step, down), masks) > iou
        lowering = (mask_ious(at(up, down + step), masks) > iou) & ~raising
        up = up + step * (unmet & ~lowering)[:, None, None]
        down = down + step * (unmet & ~raising)[:, None, None]
    return at(up, down)


def mask_ious(first: Tensor, second: Tensor) -> Tensor:
    """Return intersection over union (B,) float32 of bool masks (B, H, W); 1 where both are empty."""
    union = (first | second).sum((1, 2))
    intersection = (first & second).sum((1, 2))
    return torch.where(union == 0, 1.0, intersection / union.clamp(min=1))


class _Ranked(NamedTuple):
    """Pixels in an order for both sides of M; all (B, n), the sums (B, n + 1).

    Inside M the positive logits come first in any order, then the others falling; outside the positive ones falling,
    then the others in any order. No optimum splits the unordered ones.
    """

    order: Tensor
    logits: Tensor
    is_inside: Tensor
    inside_rank: Tensor  # number of pixels inside M up to and with this one
    outside_rank: Tensor
    inside_sum: Tensor  # [k]: sum of the k largest logits inside M
    outside_sum: Tensor


def _rank(logits: Tensor, masks: Tensor) -> _Ranked:
    # Where network and mask agree, X agrees too and the order is irrelevant: equal keys sort faster.
    agrees = (logits > 0) == masks
    order = torch.sort(torch.where(agrees, LAST - 2 * LAST * masks, -logits), dim=1).indices
    values, is_inside = logits.gather(1, order), masks.gather(1, order)
    inside_rank = is_inside.cumsum(1)
    outside_rank = torch.arange(1, values.shape[1] + 1, device=values.device) - inside_rank
    inside_sum = _sums_by_rank(values * is_inside, inside_rank)
    outside_sum = _sums_by_rank(values * ~is_inside, outside_rank)
    return _Ranked(order, values, is_inside, inside_rank, outside_rank, inside_sum, outside_sum)


def _sums_by_rank(values: Tensor, rank: Tensor) -> Tensor:
    # Pixels of the other side add 0 and have their predecessor's rank: they write the same sum again.
    sums = values.new_zeros(len(values), values.shape[1] + 1, dtype=torch.float64)
    return sums.scatter_(1, rank, values.cumsum(1, dtype=torch.float64))


def _best_counts(ranked: _Ranked, bound: Fraction, slack_weight: float) -> tuple[Tensor, Tensor]:
    """Return the numbers of pixels inside M and outside to take, (B, 1) each."""
    size = ranked.inside_rank[:, -1:]
    positive = ranked.logits > 0
    positive_inside = (positive & ranked.is_inside).sum(1, keepdim=True)
    positive_outside = (positive & ~ranked.is_inside).sum(1, keepdim=True)
    outside = torch.arange(int(positive_outside.max()) + 1, device=size.device).expand(len(size), -1)
    # Least a that meets the bound: a / (m + c) >= p / q, in whole numbers.
    needed = -(-bound.numerator * (size + outside) // bound.denominator)
    if math.isinf(slack_weight):
        inside = needed.maximum(positive_inside)
        gain = _gain(ranked, inside.minimum(size), outside)
        gain = gain.masked_fill((outside > positive_outside) | (inside > size), -math.inf)
    else:
        inside, gain = _with_slack(ranked, needed, positive_inside, outside, bound, slack_weight)
        gain = gain.masked_fill(outside > positive_outside, -math.inf)
    best = gain.argmax(1, keepdim=True)
    return inside.gather(1, best), best


def _gain(ranked: _Ranked, inside: Tensor, outside: Tensor) -> Tensor:
    """Return the decrease of the cost from that of the empty mask."""
    return ranked.inside_sum.gather(1, inside) + ranked.outside_sum.gather(1, outside)


def _with_slack(
    ranked: _Ranked, needed: Tensor, positive_inside: Tensor, outside: Tensor, bound: Fraction, slack_weight: float
) -> tuple[Tensor, Tensor]:
    """Return the best count inside M for each count outside, and its gain.

    Below the bound one more pixel inside gains its logit plus slack_weight / (m + c): take it while that is positive.
    The bound may lie between two counts, so both are compared; beyond it only positive logits gain.
    """
    size = ranked.inside_rank[:, -1:]
    union = size + outside
    worthwhile = torch.searchsorted(_inside_costs(ranked), slack_weight / union.clamp(min=1).double())

    def gain_up_to(limit: Tensor) -> tuple[Tensor, Tensor]:
        count = worthwhile.minimum(limit).maximum(positive_inside).minimum(size)
        iou = torch.where(union == 0, 1.0, count.double() / union.clamp(min=1))
        return count, _gain(ranked, count, outside) - slack_weight * (float(bound) - iou).clamp(min=0)

    reaching, gain_reaching = gain_up_to(needed)
    short, gain_short = gain_up_to((needed - 1).clamp(min=0))
    return torch.where(gain_reaching >= gain_short, reaching, short), gain_reaching.maximum(gain_short)


def _inside_costs(ranked: _Ranked) -> Tensor:
    """Return negated logits (B, n + 1) inside M, float64, rising, infinite at the end."""
    costs = torch.where(ranked.is_inside, -ranked.logits.double(), math.inf)
    spare = costs.shape[1]
    where = torch.where(ranked.is_inside, ranked.inside_rank - 1, spare)
    return costs.new_full((len(costs), spare + 1), math.inf).scatter_(1, where, costs)


def _check(logits: Tensor, masks: Tensor, iou_bound: float) -> None:
    if logits.ndim != 3 or logits.shape != masks.shape:
        raise ValueError(
            f"logits have shape {tuple(logits.shape)} and masks {tuple(masks.shape)}; give both as (B, H, W)"
        )
    if masks.dtype != torch.bool or not logits.is_floating_point():
        raise ValueError(f"logits are {logits.dtype} and masks {masks.dtype}; give floating point and bool")
    if not 0 <= iou_bound <= 1:
        raise ValueError(f"iou_bound is {iou_bound}; give a number from 0 to 1")
    if not torch.isfinite(logits).all():
        raise ValueError("logits hold NaN or infinity; the network has diverged, look at its learning rate")
