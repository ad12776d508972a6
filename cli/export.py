"""`tabletop export`: write a network as an ONNX file, which runs without torch."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from tabletop_interaction.cli.arguments import NewFile
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.files import lock_file


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a segmentation network as an ONNX file, for pictures of any size, in float32.

    Example: tabletop export --model default --out model.onnx

    All commands with a segmenter take the file as `--model model.onnx`, run it by onnxruntime, and find the same masks.
    Both need the extra `export`.
    """

    model: str = "default"
    """Network: default, or a checkpoint (.safetensors)."""
    out: NewFile = Path("model.onnx")
    """ONNX file; one of this command is replaced."""

    def run(self) -> None:
        """Write the file."""
        if self.out.suffix != ".onnx":
            raise InvalidConfiguration(f"--out is {self.out}; give a name that ends in .onnx")
        from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata, load_checkpoint
        from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
        from tabletop_interaction.segmentation.onnx.export import is_exported, write_onnx

        checkpoint = DEFAULT_CHECKPOINT if self.model == "default" else Path(self.model)
        network = load_checkpoint(checkpoint)
        if self.out.exists() and not is_exported(self.out):
            raise ForeignFolder(f"{self.out} was made by something else; name another file with --out")
        with lock_file(self.out.with_name(f".{self.out.name}.lock")):
            write_onnx(network, self.out, checkpoint_metadata(checkpoint))
        segment = shlex.join(["tabletop", "segment", "PHOTO", "--model", str(self.out)])
        print(f"{self.out}: {self.out.stat().st_size / 1e6:.0f} MB; try it: {segment}")
