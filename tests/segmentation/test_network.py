"""The network: geometry of positions and windows, receptive fields, and both mask branches."""

from __future__ import annotations

import math
from functools import cache

import pytest
import torch
from torch import nn
from torch.nn import functional

from tabletop_interaction.segmentation.config import MaskBranch, MaskGrid, NetworkConfig
from tabletop_interaction.segmentation.network import (
    DeepMask,
    _windows,
    mask_targets,
    position_centres_xy,
    refresh_statistics,
)

BRANCHES: list[MaskBranch] = ["deepmask", "refining"]


@cache
def network(branch: MaskBranch) -> DeepMask:
    torch.manual_seed(0)
    return DeepMask(NetworkConfig(branch)).eval()


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("size", [(16, 16), (33, 50), (1, 1), (350, 430)])
def test_one_score_at_every_sixteenth_pixel_of_any_size(size: tuple[int, int]) -> None:
    net = network("refining")
    with torch.inference_mode():
        scores = net.score_logits(net(noise(2, 3, *size)))
    assert scores.shape == (2, math.ceil(size[0] / 16), math.ceil(size[1] / 16))
    last = position_centres_xy(torch.tensor(scores.shape[1:]) - 1)
    assert (last < torch.tensor([size[1], size[0]])).all()
    assert (last >= torch.tensor([size[1], size[0]]) - 16).all()


@pytest.mark.parametrize(("branch", "side"), [("deepmask", 56), ("refining", 41)])
def test_both_branches_give_one_mask_for_each_chosen_position(branch: MaskBranch, side: int) -> None:
    net = network(branch)
    index = torch.tensor([[0, 0, 0], [1, 3, 4], [1, 2, 0]])
    with torch.inference_mode():
        features = net(noise(2, 3, 64, 80))
        masks = net.mask_logits(features, index)
        alone = net.mask_logits(features, index[1:2])
        none = net.mask_logits(features, index[:0])
    assert masks.shape == (3, side, side) == (3, net.mask_grid.size, net.mask_grid.size)
    torch.testing.assert_close(masks[1:2], alone, rtol=1e-4, atol=1e-5)
    assert none.shape == (0, side, side)


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_position_sees_as_far_as_documented_and_lies_in_the_middle(branch: MaskBranch) -> None:
    net, size, centre = network(branch), 512, 256
    images = noise(1, 3, size, size).float().div(255).requires_grad_()
    features = net(images)
    index = torch.tensor([[0, centre // 16, centre // 16]])
    for output, reach in (
        (net.score_logits(features)[0, centre // 16, centre // 16], 137),
        (net.mask_logits(features, index).square().sum(), 185),
    ):
        (gradient,) = torch.autograd.grad(output, images, retain_graph=True)
        seen = gradient.abs().sum((0, 1)) > 0
        for line in (seen.any(0), seen.any(1)):
            pixels = line.nonzero()[:, 0]
            assert centre - reach <= pixels.min() <= centre - reach + 8
            assert centre + reach - 8 <= pixels.max() <= centre + reach


def test_the_gradient_of_overlapping_windows_does_not_depend_on_the_threads() -> None:
    """That of an indexed tensor differed from run to run, so that the same seed gave other weights."""
    index = torch.tensor([[0, row, column] for row in range(10) for column in range(10)])
    maps = noise(1, 16, 40, 40).float().contiguous(memory_format=torch.channels_last)
    gradients = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 2, 2):
            torch.set_num_threads(threads)
            leaf = maps.clone().requires_grad_()
            windows = _windows(leaf, index, 4, 20)
            windows.backward(noise(*windows.shape) / 7.0)
            gradients.append(leaf.grad)
    finally:
        torch.set_num_threads(before)
    assert all(gradient.equal(gradients[0]) for gradient in gradients)


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_crop_scores_like_the_whole_picture(branch: MaskBranch) -> None:
    net, picture = network(branch), noise(1, 3, 560, 576)
    crop = picture[:, :, 64 : 64 + 448, 32 : 32 + 448]
    with torch.inference_mode():
        whole, part = net(picture), net(crop)
        # Rows 9 to 18 of the crop lie at least 137 px from its border.
        torch.testing.assert_close(
            net.score_logits(whole)[:, 9 + 4 : 19 + 4, 9 + 2 : 19 + 2],
            net.score_logits(part)[:, 9:19, 9:19],
            rtol=1e-4,
            atol=1e-4,
        )
        torch.testing.assert_close(
            net.mask_logits(whole, torch.tensor([[0, 13 + 4, 14 + 2]])),
            net.mask_logits(part, torch.tensor([[0, 13, 14]])),
            rtol=1e-3,
            atol=1e-4,
        )


def test_uint8_and_floating_point_pictures_score_alike() -> None:
    net, images = network("refining"), noise(1, 3, 48, 48)
    with torch.inference_mode():
        for of_bytes, of_fractions in zip(net(images), net(images.float() / 255), strict=True):
            torch.testing.assert_close(of_bytes, of_fractions)


def test_features_keep_their_channels_last() -> None:
    features = network("refining")(noise(2, 3, 64, 64))
    assert all(maps.is_contiguous(memory_format=torch.channels_last) for maps in features)


@pytest.mark.parametrize("branch", BRANCHES)
def test_autocast_ranks_in_full_precision(branch: MaskBranch) -> None:
    net = network(branch)
    with torch.inference_mode(), torch.autocast("cpu", dtype=torch.bfloat16):
        features = net(noise(1, 3, 64, 64))
        assert net.score_logits(features).dtype == torch.float32
        assert net.mask_logits(features, torch.tensor([[0, 1, 1]])).isfinite().all()


@pytest.mark.parametrize("branch", BRANCHES)
def test_a_few_steps_teach_one_object(branch: MaskBranch) -> None:
    torch.manual_seed(0)
    net = DeepMask(NetworkConfig(branch, end_channels=16, code_channels=64))
    images = noise(2, 3, 64, 64) // 4
    images[:, :, 20:44, 20:44] += 150
    masks = torch.zeros(2, 64, 64, dtype=torch.bool)
    masks[:, 20:44, 20:44] = True
    index = torch.tensor([[0, 2, 2], [1, 2, 2]])
    targets = mask_targets(masks, position_centres_xy(index[:, 1:]), net.mask_grid).float()
    optimiser = torch.optim.AdamW(net.parameters(), 3e-3)
    losses = []
    for _ in range(12):
        loss = functional.binary_cross_entropy_with_logits(net.mask_logits(net(images), index), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 2


def test_mask_targets_sample_the_mask_around_the_centre() -> None:
    masks = torch.zeros(2, 100, 120, dtype=torch.bool)
    masks[:, 30:51, 40:81] = True
    targets = mask_targets(masks, torch.tensor([[60, 40], [0, 0]]), MaskGrid(size=41, spacing=4.0))
    expected = torch.zeros(41, 41, dtype=torch.bool)
    expected[18:23, 15:26] = True  # y 32..48 and x 40..80 are the multiples of 4 from the centre inside
    assert torch.equal(targets[0], expected)
    assert not targets[1, :20].any()
    assert targets[1, 28:33, 30:41].all()
    assert targets[1].sum() == 5 * 11


def test_mask_targets_reach_the_border_and_end_beyond() -> None:
    masks = torch.ones(1, 30, 34, dtype=torch.bool)
    targets = mask_targets(masks, torch.tensor([[16, 16]]), MaskGrid(size=41, spacing=4.0))
    # Points from -4 (excluded) to size - 1 + 4 (excluded): x 0..36, y 0..32.
    assert targets[0].any(0).nonzero()[[0, -1], 0].tolist() == [16, 25]
    assert targets[0].any(1).nonzero()[[0, -1], 0].tolist() == [16, 24]


def test_mask_targets_follow_the_centre() -> None:
    masks = torch.rand(1, 90, 90, generator=torch.Generator().manual_seed(4)) < 0.5
    grid = MaskGrid(size=11, spacing=3.0)
    moved = torch.roll(masks, (5, 7), (1, 2))
    assert torch.equal(
        mask_targets(masks, torch.tensor([[40, 44]]), grid),
        mask_targets(moved, torch.tensor([[47, 49]]), grid),
    )


def test_refreshed_statistics_make_evaluation_agree_with_training() -> None:
    torch.manual_seed(0)
    net = DeepMask()
    images = noise(4, 3, 64, 64)
    trained = net.train().score_logits(net(images)).detach()
    refresh_statistics(net, [images])
    assert net.training
    evaluated = net.eval().score_logits(net(images)).detach()
    torch.testing.assert_close(evaluated, trained, rtol=0.05, atol=0.05)
    assert all(norm.momentum == 0.1 for norm in net.modules() if isinstance(norm, nn.BatchNorm2d))


def test_the_same_seed_gives_the_same_network() -> None:
    torch.manual_seed(7)
    first = DeepMask().state_dict()
    torch.manual_seed(7)
    second = DeepMask().state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_bad_input_is_named() -> None:
    net = network("refining")
    with pytest.raises(ValueError, match="give \\(B, 3, H, W\\)"):
        net(noise(3, 48, 48))
    with pytest.raises(ValueError, match="int64"):
        net(torch.zeros(1, 3, 48, 48, dtype=torch.int64))
    features = net(noise(1, 3, 48, 48))
    with pytest.raises(ValueError, match="outside the map"):
        net.mask_logits(features, torch.tensor([[0, 3, 0]]))
    with pytest.raises(ValueError, match="give \\(N, 3\\)"):
        net.mask_logits(features, torch.tensor([[0, 1]]))
    with pytest.raises(ValueError, match="mask_branch is 'fancy'; accepted is one of refining, deepmask"):
        NetworkConfig("fancy")  # type: ignore[arg-type]
