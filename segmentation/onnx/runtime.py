"""Opens an ONNX file in onnxruntime: a network that `tabletop export` wrote, or a detector of somebody else.

A file is read as data and runs no code. onnxruntime is an extra of this package.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from tabletop_interaction.errors import CheckpointError, InvalidConfiguration, MissingPackage
from tabletop_interaction.extras import install_command
from tabletop_interaction.segmentation.config import Device, ProposalConfig
from tabletop_interaction.segmentation.foreign.checked import CheckedSegmenter
from tabletop_interaction.segmentation.onnx.detector import detector_of
from tabletop_interaction.segmentation.onnx.exported import DESCRIPTION, exported_network
from tabletop_interaction.segmentation.segments import PictureSegmenter

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}
_ERRORS_ONLY = 3


def open_onnx(path: Path, config: ProposalConfig, limits: ProposalConfig, device: Device = "cpu") -> PictureSegmenter:
    """Open a file; `config` says how an exported network proposes, `limits` limits what a detector of others finds.

    Raises:
        CheckpointError: there is no file, it is damaged, or it is neither of the two.
        MissingPackage: onnxruntime is not installed.
        InvalidConfiguration: it is not installed for this device.
    """
    session = _session(path, device)
    description = session.get_modelmeta().custom_metadata_map.get(DESCRIPTION)
    if description is not None:
        return exported_network(path, session, description, config)
    return CheckedSegmenter(str(path), detector_of(path, session), limits)


def _session(path: Path, device: Device) -> InferenceSession:
    runtime = _onnxruntime()
    if not path.is_file():
        raise CheckpointError(f"there is no file {path}; write one with `tabletop export`, or give a detector's")
    if _PROVIDERS[device] not in runtime.get_available_providers():
        raise InvalidConfiguration(
            f"--device {device} came, but the installed onnxruntime has only {runtime.get_available_providers()}; "
            "install onnxruntime-gpu, or use --device cpu"
        )
    options = runtime.SessionOptions()
    # It warns of inputs that have a default.
    options.log_severity_level = _ERRORS_ONLY
    # Between two pictures, waiting threads leave the cores to others.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return runtime.InferenceSession(str(path), options, providers=[_PROVIDERS[device]])
    except Exception as error:  # onnxruntime has a class for each kind of damage, without a common one.
        reason = " ".join(str(error).split())[:300]
        raise CheckpointError(f"{path} cannot be read as ONNX ({reason}); export it again") from error


def _onnxruntime() -> ModuleType:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingPackage(
            f"an ONNX file needs onnxruntime, which cannot be imported ({error}); run `{install_command('export')}`"
        ) from error
    runtime: ModuleType = onnxruntime
    return runtime
