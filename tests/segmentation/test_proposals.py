"""Proposals find each object of an oracle network once; real networks give well-formed segments."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.nn import functional

from tabletop_interaction.errors import CheckpointError
from tabletop_interaction.segmentation.checkpoints import save_checkpoint
from tabletop_interaction.segmentation.config import FAST, PAPER_SCALES, NetworkConfig, ProposalConfig
from tabletop_interaction.segmentation.network import DeepMask, Features
from tabletop_interaction.segmentation.proposals import Segmenter, fast_autocast_dtype
from tabletop_interaction.segmentation.segments import Segments
from tabletop_interaction.segmentation.training.config import CropConfig

ONE_SCALE = ProposalConfig(scales=(1.0,), min_score=0.5)


class Oracle(DeepMask):
    """Takes bright pixels for objects: brightness near a position is its score, what is bright its mask."""

    def forward(self, images: torch.Tensor) -> Features:
        bright = images[:, :1]
        return Features(bright, bright, bright)

    def score_logits(self, features: Features) -> torch.Tensor:
        near = functional.avg_pool2d(features.stride_16, 33, stride=16, padding=16)
        return (near[:, 0] - 0.3) * 20

    def mask_logits(self, features: Features, index: torch.Tensor) -> torch.Tensor:
        soft = functional.avg_pool2d(features.stride_16, 5, stride=1, padding=2, count_include_pad=False)
        padded = functional.pad(soft, [80] * 4, mode="replicate")[:, 0]
        steps = torch.arange(0, 161, 4)
        rows, columns = 16 * index[:, 1, None] + steps, 16 * index[:, 2, None] + steps
        return (padded[index[:, 0, None, None], rows[:, :, None], columns[:, None, :]] - 0.5) * 12


@cache
def oracle() -> DeepMask:
    return Oracle().eval()


@cache
def untrained() -> DeepMask:
    torch.manual_seed(0)
    return DeepMask(NetworkConfig("deepmask")).eval()


def discs(*centres_xy: tuple[int, int], radius: int = 24, shape: tuple[int, int] = (200, 260)) -> NDArray[np.uint8]:
    picture = np.zeros((*shape, 3), np.uint8)
    for centre in centres_xy:
        cv2.circle(picture, centre, radius, (255, 255, 255), -1)
    return picture


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    return float((first & second).sum() / (first | second).sum())


def check_well_formed(segments: Segments, shape: tuple[int, int]) -> None:
    count = len(segments)
    assert segments.masks.shape == (count, *shape)
    assert segments.masks.dtype == np.bool_
    assert segments.boxes.shape == (count, 4)
    assert segments.boxes.dtype == segments.scores.dtype == np.float32
    assert (np.diff(segments.scores) <= 0).all()
    for mask, box in zip(segments.masks, segments.boxes, strict=True):
        rows, columns = np.nonzero(mask)
        assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


@pytest.mark.parametrize("scale", PAPER_SCALES)
def test_an_object_is_found_where_it_is_at_every_scale(scale: float) -> None:
    picture = discs((90, 70), radius=round(22 / scale))
    segments = Segmenter(oracle(), ProposalConfig(scales=(scale,), max_area_share=1.0)).segment(picture)
    assert overlap(segments.masks[0], picture[..., 0] > 0) > 0.9
    check_well_formed(segments, (200, 260))


def test_all_scales_find_each_object_once() -> None:
    picture = discs((50, 50), (140, 60), (200, 150))
    segments = Segmenter(oracle(), ProposalConfig(min_score=0.5, max_area_share=0.05)).segment(picture)
    assert len(segments) == 3
    union = segments.masks.any(0)
    assert overlap(union, picture[..., 0] > 0) > 0.85


@pytest.mark.parametrize("centre", [(4, 100), (255, 100), (130, 3), (130, 196), (258, 198)])
def test_objects_cut_by_the_border_are_found(centre: tuple[int, int]) -> None:
    picture = discs(centre)
    segments = Segmenter(oracle(), ProposalConfig(scales=(1.0,))).segment(picture)
    assert overlap(segments.masks[0], picture[..., 0] > 0) > 0.85


def test_masks_outside_the_accepted_sizes_are_dropped() -> None:
    picture = discs((90, 70))
    area = int((picture[..., 0] > 0).sum())
    for config in (
        ProposalConfig(scales=(1.0,), min_area=2 * area),
        ProposalConfig(scales=(1.0,), max_area_share=0.5 * area / (200 * 260)),
    ):
        segments = Segmenter(oracle(), config).segment(picture)
        assert not any(overlap(mask, picture[..., 0] > 0) > 0.8 for mask in segments.masks)


def test_a_blank_picture_has_no_objects() -> None:
    segments = Segmenter(oracle(), ONE_SCALE).segment(discs())
    assert len(segments) == 0
    check_well_formed(segments, (200, 260))


def test_masks_are_limited_in_number_and_distinct() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (180, 200, 3), dtype=np.uint8)
    config = ProposalConfig(scales=FAST.scales, max_masks=12, max_area_share=1.0, min_area=1)
    segments = Segmenter(untrained(), config).segment(picture)
    assert 0 < len(segments) <= 12
    check_well_formed(segments, (180, 200))
    for i in range(len(segments)):
        assert all(overlap(segments.masks[i], segments.masks[j]) <= config.nms_iou for j in range(i))


def test_a_batch_equals_single_pictures() -> None:
    rng = np.random.default_rng(1)
    pictures = [rng.integers(0, 256, (120, 140, 3), dtype=np.uint8) for _ in range(3)]
    segmenter = Segmenter(untrained(), ProposalConfig(scales=(0.5, 1.0), max_area_share=1.0))
    for together, picture in zip(segmenter.segment_batch(pictures), pictures, strict=True):
        alone = segmenter.segment(picture)
        np.testing.assert_array_equal(together.masks, alone.masks)
        np.testing.assert_allclose(together.scores, alone.scores, rtol=1e-4)
    assert segmenter.segment_batch([]) == []


def test_a_tiny_picture_is_segmented() -> None:
    check_well_formed(Segmenter(untrained()).segment(np.zeros((1, 5, 3), np.uint8)), (1, 5))


def test_fast_scales_are_within_a_quarter_octave_of_objects_of_45_to_128_px() -> None:
    lengths = np.geomspace(CropConfig.object_px / PAPER_SCALES[-1] * 2**-0.25, 128, 50)
    assert lengths[0] < 46
    wanted = np.log2(CropConfig.object_px / lengths)
    distance = np.abs(wanted[:, None] - np.log2(np.array(FAST.scales))).min(axis=1)
    assert distance.max() <= 0.2501


def test_a_saved_network_gives_the_same_segments(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_checkpoint(untrained(), path)
    picture = np.random.default_rng(2).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    config = ProposalConfig(scales=(1.0,), max_area_share=1.0)
    loaded = Segmenter.load(path, config).segment(picture)
    np.testing.assert_array_equal(loaded.masks, Segmenter(untrained(), config).segment(picture).masks)


def test_a_missing_network_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="tabletop learn"):
        Segmenter.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (np.zeros((20, 20, 3), np.float32), "float32"),
        (np.zeros((20, 20), np.uint8), "\\(20, 20\\)"),
        (np.zeros((3, 20, 20), np.uint8), "RGB"),
        (np.zeros((0, 20, 3), np.uint8), "at least one pixel"),
        ("picture.png", "str"),
    ],
)
def test_invalid_pictures_are_named(picture: NDArray[np.uint8], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Segmenter(untrained()).segment(picture)


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="one size"):
        Segmenter(untrained()).segment_batch([np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8)])


def test_a_network_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"network\.eval"):
        Segmenter(DeepMask().train()).segment(discs())


@pytest.mark.parametrize(
    "options", [{"scales": ()}, {"scales": (0.0,)}, {"max_masks": 0}, {"mask_threshold": 1.0}, {"max_area_share": 0.0}]
)
def test_invalid_settings_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        ProposalConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("limits", "is_fast"),
    [
        ({}, True),
        ({"ONEDNN_MAX_CPU_ISA": "AVX2"}, False),
        ({"ONEDNN_MAX_CPU_ISA": "avx512_core_vnni"}, False),
        ({"DNNL_MAX_CPU_ISA": "AVX2"}, False),
        ({"ONEDNN_MAX_CPU_ISA": "", "DNNL_MAX_CPU_ISA": "AVX2"}, False),
        ({"ONEDNN_MAX_CPU_ISA": "ALL", "DNNL_MAX_CPU_ISA": "AVX2"}, True),
        ({"ONEDNN_MAX_CPU_ISA": "AVX512_CORE_BF16"}, True),
        ({"ONEDNN_MAX_CPU_ISA": "unknown"}, True),
    ],
)
def test_bfloat16_is_not_used_below_the_limit_of_onednn(
    limits: dict[str, str], is_fast: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in limits.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True, raising=False)
    assert fast_autocast_dtype(torch.device("cpu")) == (torch.bfloat16 if is_fast else None)
