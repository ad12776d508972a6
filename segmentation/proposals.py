"""From a picture to ranked object masks: score all positions, compute masks for the best, drop duplicates.

The seven scales are from the paper's section "Network and training"; local maxima, the number of masks and mask NMS are
from DeepMask and its later users on robots. The scores of all scales are compared first, so that the mask branch runs
for the best positions only. Positions reach the picture's border (see `network`), so that objects cut off by it are
found.

Boxes are x0 y0 x1 y1 in pixels, x1 and y1 exclusive: a mask of one pixel at (5, 7) has the box 5 7 6 8.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import torch
from pycocotools import mask as coco_mask
from torch import Tensor
from torch.nn import functional

from tabletop_interaction.arrays import Bytes, Floats32, Ints, Mask, Masks, Picture
from tabletop_interaction.ranges import check_picture
from tabletop_interaction.segmentation.checkpoints import load_checkpoint
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT, ProposalConfig
from tabletop_interaction.segmentation.network import DeepMask, Features, MaskGrid, position_centres_xy

# Pictures in one pass; each takes about 40 MB at the paper's scales.
GPU_BATCH = 16

# oneDNN's limits of the instruction set, the first one first, and their values below native bfloat16.
_ISA_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_ISAS_WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


@dataclass(frozen=True, eq=False)
class Segments:
    """Proposed objects, best first.

    Attributes:
        masks: (N, H, W) bool.
        boxes: (N, 4) float32, x0 y0 x1 y1.
        scores: (N,) float32, probabilities, falling.
    """

    masks: Masks
    boxes: Floats32
    scores: Floats32

    def __len__(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, eq=False)
class Segmenter:
    """A trained network with the settings of its proposals.

    Attributes:
        network: in evaluation mode, on the device to use.
        config: see `ProposalConfig`; `FAST` takes about two thirds of the time.
    """

    network: DeepMask
    config: ProposalConfig = field(default_factory=ProposalConfig)

    @classmethod
    def load(
        cls, path: str | Path = "default", config: ProposalConfig | None = None, device: str | torch.device = "cpu"
    ) -> Segmenter:
        """Read a checkpoint; "default" is the network of the package.

        Raises:
            CheckpointError: it is missing or does not fit.
        """
        file = DEFAULT_CHECKPOINT if str(path) == "default" else Path(path)
        return cls(load_checkpoint(file).to(device), config or ProposalConfig())

    def segment(self, image: Picture) -> Segments:
        """Return the objects of one picture (H, W, 3) uint8 RGB, best first; raises as `segment_batch`."""
        return self.segment_batch([image])[0]

    def segment_batch(self, images: Sequence[Picture]) -> list[Segments]:
        """Return the objects of several pictures of one size; a GPU computes each scale for all in one pass.

        Raises:
            ValueError: a picture is not (H, W, 3) uint8 or is empty, sizes differ, or the network is in training mode.
        """
        for image in images:
            check_picture("the picture", image)
        shapes = sorted({image.shape for image in images})
        if len(shapes) > 1:
            raise ValueError(f"pictures have shapes {shapes}; give one size at a time")
        # A CPU gains nothing from a larger batch and its caches lose.
        step = GPU_BATCH if _device(self.network).type == "cuda" else 1
        found: list[Segments] = []
        for start in range(0, len(images), step):
            found += _propose_batch(self.network, np.stack(images[start : start + step]), self.config)
        return found


def fast_autocast_dtype(device: torch.device) -> torch.dtype | None:
    """Return bfloat16 if the device computes it faster than float32, else None."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else None
    # The tests below ask the processor, not oneDNN, which computes the convolutions.
    limit = next((value for name in _ISA_LIMITS if (value := os.environ.get(name))), "")
    if limit.upper() in _ISAS_WITHOUT_BFLOAT16:
        return None
    # These names are private until torch 2.13; without them only speed is lost.
    tests = [getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")]
    return torch.bfloat16 if any(test() for test in tests if test is not None) else None


class _Candidates(NamedTuple):
    """The best positions of a batch; tensors of equal length."""

    picture: Tensor
    scale: Tensor
    position_rc: Tensor
    score: Tensor


def _propose_batch(network: DeepMask, images: Bytes, config: ProposalConfig) -> list[Segments]:
    if network.training:
        raise ValueError("the network is in training mode; call network.eval() first")
    device = _device(network)
    dtype = fast_autocast_dtype(device)
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        pictures = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float() / 255
        shapes = [_scaled_shape(images.shape[1], images.shape[2], scale) for scale in config.scales]
        features = [
            network(functional.interpolate(pictures, size=shape, mode="bilinear", antialias=True)) for shape in shapes
        ]
        candidates = _best_candidates([network.score_logits(f).float() for f in features], config)
        logits = _masks_of(network, features, candidates)
    return _segments(logits, candidates, network.mask_grid, images, config)


def _scaled_shape(height: int, width: int, scale: float) -> tuple[int, int]:
    return max(1, round(height * scale)), max(1, round(width * scale))


def _best_candidates(score_maps: list[Tensor], config: ProposalConfig) -> _Candidates:
    """Return the `max_masks` best local maxima of each picture over all scales, by picture and falling score."""
    scores, scales, positions = [], [], []
    for number, logits in enumerate(score_maps):
        peaks = functional.max_pool2d(logits[:, None], 3, stride=1, padding=1)[:, 0] == logits
        flat = logits.masked_fill(~peaks, -math.inf).flatten(1)
        best = flat.topk(min(config.candidates_per_scale, flat.shape[1]), dim=1)
        columns = logits.shape[2]
        scores.append(best.values)
        scales.append(torch.full_like(best.indices, number))
        positions.append(torch.stack([best.indices // columns, best.indices % columns], dim=-1))
    every = torch.cat(scores, dim=1)
    best = every.topk(min(config.max_masks, every.shape[1]), dim=1)
    picture = torch.arange(len(every), device=every.device)[:, None].expand_as(best.indices)
    score = best.values.sigmoid()
    keep = best.values.isfinite() & (score >= config.min_score)
    scale = torch.cat(scales, dim=1).gather(1, best.indices)
    position = torch.cat(positions, dim=1)[picture, best.indices]
    return _Candidates(picture[keep], scale[keep], position[keep], score[keep])


def _masks_of(network: DeepMask, features: list[Features], candidates: _Candidates) -> Floats32:
    """Compute mask logits (N, M, M) of all candidates, in one pass for each scale that has any."""
    size = network.mask_grid.size
    logits = torch.empty(len(candidates.score), size, size, device=candidates.score.device)
    for scale, maps in enumerate(features):
        chosen = (candidates.scale == scale).nonzero()[:, 0]
        if len(chosen):
            index = torch.cat([candidates.picture[chosen, None], candidates.position_rc[chosen]], dim=1)
            logits[chosen] = network.mask_logits(maps, index).float()
    return logits.cpu().numpy()


def _segments(
    logits: Floats32, candidates: _Candidates, grid: MaskGrid, images: Bytes, config: ProposalConfig
) -> list[Segments]:
    height, width = images.shape[1:3]
    threshold = math.log(config.mask_threshold / (1 - config.mask_threshold))
    shapes = [_scaled_shape(height, width, scale) for scale in config.scales]
    picture, scale, scores = (t.cpu().numpy() for t in (candidates.picture, candidates.scale, candidates.score))
    centres = position_centres_xy(candidates.position_rc).cpu().numpy()
    found = []
    for number in range(len(images)):
        mine = np.flatnonzero(picture == number)
        masks = [_drawn_mask(logits[i] - threshold, centres[i], shapes[scale[i]], grid, (height, width)) for i in mine]
        every = np.array(masks, np.bool_).reshape(-1, height, width)
        found.append(_distinct(every, scores[mine], config))
    return found


def _drawn_mask(
    logits: Floats32, centre_xy: Ints, scaled_shape: tuple[int, int], grid: MaskGrid, shape: tuple[int, int]
) -> Mask:
    """Draw the mask (H, W) of a picture: pixels where the logits (M, M) of its resized copy, enlarged, are positive."""
    # Resizing keeps the outer edges of the picture, half a pixel beyond the outer pixel centres.
    ratio = np.array([scaled_shape[1] / shape[1], scaled_shape[0] / shape[0]])
    corner = centre_xy - (grid.size - 1) / 2 * grid.spacing
    reach = np.array([corner, 2 * centre_xy - corner])
    low, high = np.clip((reach + 0.5) / ratio - 0.5, 0, [shape[1] - 1, shape[0] - 1])
    x0, y0 = np.floor(low).astype(int)
    x1, y1 = np.ceil(high).astype(int) + 1
    first = ((np.array([x0, y0]) + 0.5) * ratio - 0.5 - corner) / grid.spacing
    grid_from_window = np.column_stack([np.diag(ratio / grid.spacing), first])
    enlarged = cv2.warpAffine(
        logits,
        grid_from_window,
        (int(x1 - x0), int(y1 - y0)),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-1e6,
    )
    mask = np.zeros(shape, np.bool_)
    mask[y0:y1, x0:x1] = enlarged > 0
    return mask


def _distinct(masks: Masks, scores: Floats32, config: ProposalConfig) -> Segments:
    """Drop masks of unlikely size and duplicates; `scores` fall, so that the better mask is kept."""
    area = masks.sum((1, 2))
    sensible = (area >= max(1, config.min_area)) & (area <= config.max_area_share * masks[:1].size)
    masks, scores = masks[sensible], scores[sensible]
    kept: list[int] = []
    boxes = np.zeros((0, 4))
    if len(masks):
        encoded = coco_mask.encode(np.asfortranarray(masks.transpose(1, 2, 0).view(np.uint8)))
        overlap = np.asarray(coco_mask.iou(encoded, encoded, [0] * len(encoded)))
        for i in range(len(masks)):
            if all(overlap[i, j] <= config.nms_iou for j in kept):
                kept.append(i)
        boxes = coco_mask.toBbox([encoded[i] for i in kept])
        boxes[:, 2:] += boxes[:, :2]
    return Segments(masks[kept], boxes.astype(np.float32), scores[kept].astype(np.float32))


def _device(network: DeepMask) -> torch.device:
    return next(network.parameters()).device
