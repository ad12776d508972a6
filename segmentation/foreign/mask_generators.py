"""Generators of masks for everything in a picture: Segment Anything (SAM), SAM 2, and what has their interface.

Their packages are not installed with this one, and are imported when a generator is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from tabletop_interaction.arrays import Mask, Picture
from tabletop_interaction.errors import CheckpointError, InvalidDetections, MissingPackage
from tabletop_interaction.segmentation.label_faults import Fault
from tabletop_interaction.segmentation.label_masks import rle_from_segmentation
from tabletop_interaction.segmentation.rle import mask_from_rle
from tabletop_interaction.segmentation.segments import Segments

_SAM_2_CONFIGS = {"tiny": "t", "small": "s", "base_plus": "b+", "large": "l"}


class MaskGenerator(Protocol):
    """What `SamAutomaticMaskGenerator` of segment_anything and `SAM2AutomaticMaskGenerator` of sam2 are."""

    def generate(self, image: Picture) -> Sequence[dict[str, Any]]:
        """Masks of a picture (H, W, 3) uint8 RGB.

        Each is a dict with `segmentation`, (H, W) bool or an RLE of COCO, and `predicted_iou`, about 0 to 1.
        """
        ...


@dataclass(frozen=True, eq=False)
class GeneratedSegments:
    """A generator of masks as a segmenter; a mask's score is the IoU that the generator predicts for it."""

    generator: MaskGenerator

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`; raises InvalidDetections if the generator returns something else than masks."""
        found = self.generator.generate(picture)
        try:
            masks = [_mask(one["segmentation"], picture.shape[:2]) for one in found]
            scores = [float(one["predicted_iou"]) for one in found]
        except (KeyError, TypeError) as error:
            raise InvalidDetections(
                f"a mask has no usable entry {error}; accepted are dicts with segmentation and predicted_iou, as "
                "SamAutomaticMaskGenerator returns them"
            ) from error
        # SAM predicts an IoU slightly above 1 at times.
        return Segments.of(np.array(masks, np.bool_).reshape(-1, *picture.shape[:2]), np.clip(scores, 0, 1))


def load_sam(checkpoint: Path, device: str = "cpu") -> GeneratedSegments:
    """Make the generator of a SAM or SAM 2 checkpoint, whose file name contains its kind, with the package's settings.

    Raises:
        CheckpointError: there is no file, its name contains no kind, or its weights cannot be read.
        MissingPackage: the package is not installed.
    """
    if not checkpoint.is_file():
        raise CheckpointError(f"there is no file {checkpoint}; give a checkpoint of SAM or SAM 2")
    if found := re.match(r"(sam2(?:\.1)?)_hiera_(tiny|small|base_plus|large)", checkpoint.name):
        return _loaded(checkpoint, partial(_sam_2, found[1], found[2], checkpoint, device))
    if found := re.match(r"sam_(vit_[bhl])", checkpoint.name):
        return _loaded(checkpoint, partial(_sam, found[1], checkpoint, device))
    raise CheckpointError(
        f"the name of {checkpoint} does not tell its kind; accepted are the published names (sam_vit_b..., "
        "sam_vit_l... or sam_vit_h..., sam2.1_hiera_tiny... and so on); for another, name a "
        "function that makes the generator as module:function"
    )


def _loaded(checkpoint: Path, make: Callable[[], MaskGenerator]) -> GeneratedSegments:
    try:
        return GeneratedSegments(make())
    except MissingPackage:
        raise
    except Exception as error:  # torch and the packages have no class of their own for damaged weights.
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(
            f"{checkpoint} cannot be loaded ({type(error).__name__}: {reason}); download it again"
        ) from error


def _sam(kind: str, checkpoint: Path, device: str) -> MaskGenerator:
    package = _imported("segment_anything", "https://github.com/facebookresearch/segment-anything")
    model = package.sam_model_registry[kind](checkpoint=str(checkpoint)).to(device)
    generator: MaskGenerator = package.SamAutomaticMaskGenerator(model)
    return generator


def _sam_2(release: str, size: str, checkpoint: Path, device: str) -> MaskGenerator:
    source = "https://github.com/facebookresearch/sam2"
    config = f"configs/{release}/{release}_hiera_{_SAM_2_CONFIGS[size]}.yaml"
    model = _imported("sam2.build_sam", source).build_sam2(config, str(checkpoint), device=device)
    generator: MaskGenerator = _imported("sam2.automatic_mask_generator", source).SAM2AutomaticMaskGenerator(model)
    return generator


def _imported(module: str, source: str) -> Any:
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingPackage(
            f"this checkpoint needs the package {module.partition('.')[0]}, which cannot be imported ({error}); "
            f"pip install git+{source}.git"
        ) from error


def _mask(segmentation: Any, shape: tuple[int, ...]) -> Mask:
    if not isinstance(segmentation, dict):
        return np.asarray(segmentation, np.bool_)
    counts = segmentation.get("counts")
    text = counts.decode("ascii") if isinstance(counts, bytes) else counts
    rle = rle_from_segmentation({**segmentation, "counts": text}, shape[0], shape[1])
    if isinstance(rle, Fault):
        raise InvalidDetections(f"a mask cannot be read: {rle.example}")
    return mask_from_rle(rle)
