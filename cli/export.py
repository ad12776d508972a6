"""`tabletop export`: a network as an ONNX file, which runs without torch."""

from dataclasses import dataclass
from pathlib import Path

from tabletop_interaction.cli.arguments import NewFile
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration


@dataclass(frozen=True, kw_only=True)
class Export:
    """Write a segmentation network as an ONNX file, for pictures of any size, in float32.

    Example: tabletop export --model default --out model.onnx

    Wherever a segmenter is named, `--model model.onnx` runs it by onnxruntime and finds the same masks. The package's
    extra `export` is needed for both.
    """

    model: str = "default"
    """Checkpoint of the network."""
    out: NewFile = Path("model.onnx")
    """The new file."""

    def run(self) -> None:
        """Write the file."""
        if self.out.suffix != ".onnx":
            raise InvalidConfiguration(f"--out is {self.out}; give a name that ends in .onnx")
        if self.out.exists():
            raise ForeignFolder(f"{self.out} exists; remove it, or name another file with --out")
        from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata, load_checkpoint
        from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT
        from tabletop_interaction.segmentation.onnx.export import write_onnx

        checkpoint = DEFAULT_CHECKPOINT if self.model == "default" else Path(self.model)
        write_onnx(load_checkpoint(checkpoint), self.out, checkpoint_metadata(checkpoint))
        print(f"{self.out}: {self.out.stat().st_size / 1e6:.0f} MB; look: tabletop segment PHOTO --model {self.out}")
