"""Opens a segmenter by the name that a user gives it: ours, one of others, or a class of their own."""

from pathlib import Path

from tabletop_interaction.errors import CheckpointError, InvalidConfiguration
from tabletop_interaction.named_classes import import_named, make_named
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT, Device, ProposalConfig
from tabletop_interaction.segmentation.foreign.checked import CheckedSegmenter
from tabletop_interaction.segmentation.foreign.detections_file import DetectionsFile, load_detections
from tabletop_interaction.segmentation.segments import PictureSegmenter
from tabletop_interaction.segmentation.table_colour import NAME as TABLE_COLOUR
from tabletop_interaction.segmentation.table_colour import TableColour

ACCEPTED = (
    "default, a checkpoint (NAME.safetensors), an ONNX file (NAME.onnx), maskrcnn=WEIGHTS.pth, sam=CHECKPOINT.pth, "
    "table-colour, and your own as module:Class"
)
_WEIGHTS = {
    "maskrcnn": "the weights of torchvision's maskrcnn_resnet50_fpn or maskrcnn_resnet50_fpn_v2",
    "sam": "a checkpoint of SAM or SAM 2 under its published name",
}
_FILES = (".safetensors", ".onnx")


def built_in_name(name: str) -> str | None:
    """The built-in segmenter that a name has weights for, such as maskrcnn for maskrcnn=WEIGHTS; None for another."""
    kind, _, weights = name.partition("=")
    return kind if kind in _WEIGHTS and weights else None


def file_of(name: str) -> Path | None:
    """The file of weights or detections that a name names; None for the simple baseline and for a user's own class."""
    if name == "default":
        return DEFAULT_CHECKPOINT
    if built_in_name(name):
        return Path(name.partition("=")[2])
    return Path(name) if name.endswith((*_FILES, ".json")) else None


def is_network(name: str) -> bool:
    """Whether a name is of a network of ours, with torch or exported: its pictures are searched at several scales."""
    return name == "default" or name.endswith(_FILES)


def is_detections(name: str) -> bool:
    """Whether a name is of a file of detections, which only `open_detections` opens."""
    return name.endswith(".json")


def check_segmenter(name: str) -> None:
    """Check a name as far as that is possible without loading anything but a module of the user's own.

    Raises:
        InvalidConfiguration: no segmenter for any picture has this name.
        CheckpointError: its file is missing.
    """
    kind, _, weights = name.partition("=")
    if kind in _WEIGHTS:
        if not weights:
            raise InvalidConfiguration(f"the segmenter {kind} came without weights; give {kind}=PATH, {_WEIGHTS[kind]}")
        _check_file(weights, f"give {_WEIGHTS[kind]}")
    elif name.endswith(_FILES):
        _check_file(name, "write one with `tabletop learn`, `train` or `export`")
    elif is_detections(name):
        raise InvalidConfiguration(
            f"{name} holds detections of given pictures, for `tabletop segment` and `tabletop evaluate`; for others "
            f"accepted are {ACCEPTED}"
        )
    elif ":" in name:
        import_named(name, "segmenter")
    elif name not in ("default", TABLE_COLOUR):
        raise InvalidConfiguration(f"unknown segmenter {name!r}; accepted are {ACCEPTED}")


def open_segmenter(
    name: str, config: ProposalConfig | None = None, device: Device = "cpu", limits: ProposalConfig | None = None
) -> PictureSegmenter:
    """Open a segmenter for any picture.

    Args:
        name: "default", a path that ends in .safetensors or .onnx, "maskrcnn=WEIGHTS", "sam=CHECKPOINT",
            "table-colour", or "module:Class": called without arguments, it gives an object with `segment`, or a
            generator of masks.
        config: how our network proposes.
        limits: of score and area for segmenters of others; None takes those of `config`.

    Raises:
        InvalidConfiguration: no segmenter has this name, or a package for it is missing.
        CheckpointError: its file is missing, damaged or of another kind.
    """
    check_segmenter(name)
    config = config or ProposalConfig()
    limits = limits or config
    if name == "default" or name.endswith(".safetensors"):
        # Without a network torch is not needed.
        from tabletop_interaction.segmentation.proposals import Segmenter

        return Segmenter.load(name, config, device)
    if name.endswith(".onnx"):
        from tabletop_interaction.segmentation.onnx.runtime import open_onnx

        return open_onnx(Path(name), config, limits, device)
    if name == TABLE_COLOUR:
        return CheckedSegmenter(name, TableColour(), limits)
    kind, file = built_in_name(name), file_of(name)
    foreign = _built_in(kind, file, device) if kind and file else _own(name)
    return CheckedSegmenter(name, foreign, limits)


def open_detections(name: str, limits: ProposalConfig) -> DetectionsFile:
    """Open a file of detections; raises InvalidDetections if it is none."""
    return load_detections(Path(name), limits)


def _built_in(kind: str, weights: Path, device: Device) -> PictureSegmenter:
    if kind == "sam":
        from tabletop_interaction.segmentation.foreign.mask_generators import load_sam

        return load_sam(weights, device)
    from tabletop_interaction.segmentation.foreign.maskrcnn import load_maskrcnn

    return load_maskrcnn(weights, device)


def _own(name: str) -> PictureSegmenter:
    found = make_named(name, "segmenter")
    if callable(getattr(found, "segment", None)):
        own: PictureSegmenter = found
        return own
    if callable(getattr(found, "generate", None)):
        from tabletop_interaction.segmentation.foreign.mask_generators import GeneratedSegments

        return GeneratedSegments(found)
    raise InvalidConfiguration(
        f"the segmenter {name!r} is a {type(found).__name__} without the method segment(picture) -> Segments; add it "
        "(see docs/recipes/own-segmenter.md)"
    )


def _check_file(path: str, remedy: str) -> None:
    if not Path(path).is_file():
        raise CheckpointError(f"there is no {path}; {remedy}")
