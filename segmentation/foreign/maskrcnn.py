"""Mask R-CNN of torchvision as a segmenter: weights from the user, the objects of all classes merged."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
import torch
from torch import nn

from tabletop_interaction.arrays import Picture
from tabletop_interaction.errors import CheckpointError
from tabletop_interaction.segmentation.candidates import distinct
from tabletop_interaction.segmentation.config import UNLIMITED
from tabletop_interaction.segmentation.segments import Segments

_CLASSES = "roi_heads.box_predictor.cls_score.weight"
_ONLY_IN_V1 = "roi_heads.box_head.fc6.weight"
_ACCEPTED = "accepted is a state_dict of torchvision's maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2, by torch.save"


@dataclass(frozen=True, eq=False)
class MaskRCNN:
    """A Mask R-CNN; the classes of its objects are not read, and of two masks of one object the surer counts.

    Attributes:
        network: of torchvision, or with its interface, in evaluation mode.
    """

    network: nn.Module

    def segment(self, picture: Picture) -> Segments:
        """See `PictureSegmenter`."""
        device = next(self.network.parameters()).device
        with torch.inference_mode():
            (found,) = self.network([torch.from_numpy(picture).to(device).permute(2, 0, 1).float() / 255])
            # By falling score.
            masks = (found["masks"][:, 0] >= 0.5).cpu().numpy()
            return distinct(masks, found["scores"].cpu().numpy(), UNLIMITED)


def load_maskrcnn(weights: Path, device: str = "cpu") -> MaskRCNN:
    """Read weights, which are data only, into the torchvision network that they are of.

    Raises:
        CheckpointError: there is no file, or it holds something else.
    """
    if not weights.is_file():
        raise CheckpointError(f"there is no file {weights}; {_ACCEPTED}")
    state = _state(weights)
    # torchvision imports torch's compiler, which takes seconds.
    from torchvision.models import detection

    make = detection.maskrcnn_resnet50_fpn if _ONLY_IN_V1 in state else detection.maskrcnn_resnet50_fpn_v2
    network = make(weights=None, weights_backbone=None, num_classes=len(state[_CLASSES]))
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise CheckpointError(f"{weights} does not fit Mask R-CNN ({shorten(str(error), 300)}); {_ACCEPTED}") from error
    broken = [name for name, tensor in network.state_dict().items() if not tensor.isfinite().all()]
    if broken:
        names = shorten(", ".join(broken), 200)
        raise CheckpointError(f"the weights in {weights} are not finite: {names}; {_ACCEPTED}")
    return MaskRCNN(network.eval().to(device))


def _state(weights: Path) -> dict[str, Any]:
    try:
        state = torch.load(weights, map_location="cpu", weights_only=True)
    except Exception as error:  # torch has no class of its own for this error.
        # Its message advises to run the code in the file.
        raise CheckpointError(f"{weights} cannot be read as weights ({type(error).__name__}); {_ACCEPTED}") from error
    if isinstance(state, dict) and isinstance(state.get("model"), dict):
        # As torchvision's training script writes it.
        state = state["model"]
    classes = state.get(_CLASSES) if isinstance(state, dict) else None
    if not isinstance(classes, torch.Tensor) or np.ndim(classes) != 2:
        raise CheckpointError(f"{weights} holds no weights of Mask R-CNN ({_CLASSES} is missing); {_ACCEPTED}")
    return state
