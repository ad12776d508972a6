"""From a picture to ranked object masks: score all positions, compute masks for the best, drop duplicates.

The seven scales are from the paper's section "Network and training"; `candidates` has what surrounds the network.
Positions reach the picture's border (see `network`), so that objects cut off by it are found.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from tabletop_interaction.arrays import Bytes, Floats32, Picture
from tabletop_interaction.ranges import check_picture
from tabletop_interaction.segmentation.candidates import Candidates, best_candidates, drawn_segments, scaled_shape
from tabletop_interaction.segmentation.checkpoints import load_checkpoint
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT, ProposalConfig
from tabletop_interaction.segmentation.network import DeepMask, Features
from tabletop_interaction.segmentation.segments import Segments

# Pictures in one pass; each takes about 40 MB at the paper's scales.
GPU_BATCH = 16

# oneDNN's limits of the instruction set, the first one first, and their values below native bfloat16.
_ISA_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
_ISAS_WITHOUT_BFLOAT16 = ("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI")


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


def _propose_batch(network: DeepMask, images: Bytes, config: ProposalConfig) -> list[Segments]:
    if network.training:
        raise ValueError("the network is in training mode; call network.eval() first")
    device, shape = _device(network), images.shape[1:3]
    dtype = fast_autocast_dtype(device)
    with torch.inference_mode(), torch.autocast(device.type, dtype=dtype, enabled=dtype is not None):
        pictures = torch.from_numpy(np.ascontiguousarray(images)).to(device).permute(0, 3, 1, 2).float() / 255
        sizes = [scaled_shape(shape, scale) for scale in config.scales]
        features = [
            network(functional.interpolate(pictures, size=size, mode="bilinear", antialias=True)) for size in sizes
        ]
        scores = [network.score_logits(maps).float() for maps in features]
        every = [maps.cpu().numpy() for maps in scores]
        candidates = [best_candidates([maps[number] for maps in every], config) for number in range(len(images))]
        logits = _masks_of(network, features, candidates)
    return [
        drawn_segments(mine, found, network.mask_grid, shape, config)
        for mine, found in zip(logits, candidates, strict=True)
    ]


def _masks_of(network: DeepMask, features: list[Features], candidates: list[Candidates]) -> list[Floats32]:
    """Compute mask logits (N, M, M) of each picture's candidates, in one pass for each scale that has any."""
    size, device = network.mask_grid.size, _device(network)
    counts = [len(found.score) for found in candidates]
    scales = np.concatenate([found.scale for found in candidates])
    positions = np.concatenate([found.position_rc for found in candidates])
    index = np.column_stack([np.repeat(np.arange(len(candidates)), counts), positions])
    logits = np.empty((len(index), size, size), np.float32)
    for scale, maps in enumerate(features):
        chosen = np.flatnonzero(scales == scale)
        if len(chosen):
            found = network.mask_logits(maps, torch.from_numpy(index[chosen]).to(device))
            logits[chosen] = found.float().cpu().numpy()
    return np.split(logits, np.cumsum(counts)[:-1])


def _device(network: DeepMask) -> torch.device:
    return next(network.parameters()).device
