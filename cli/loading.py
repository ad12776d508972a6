"""What several commands do before they start: load a network, and claim the folder that they write to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration

# torch takes seconds, which a command that loads no network need not wait.
if TYPE_CHECKING:
    from tabletop_interaction.segmentation.config import ProposalConfig
    from tabletop_interaction.segmentation.proposals import Segmenter

Device = Literal["cpu", "cuda"]

_MARK = ".tabletop"


def load_segmenter(model: str, *, fast: bool, device: Device, config: ProposalConfig | None = None) -> Segmenter:
    """A network with the usual settings of its proposals, the fast ones, or given ones.

    Raises:
        InvalidConfiguration: CUDA is asked for and not there.
        CheckpointError: the file is missing or damaged.
    """
    from tabletop_interaction.segmentation.config import FAST, ProposalConfig
    from tabletop_interaction.segmentation.proposals import Segmenter

    check_device(device)
    return Segmenter.load(model, config or (FAST if fast else ProposalConfig()), device)


def check_device(device: Device) -> None:
    """Raises InvalidConfiguration when CUDA is asked for and not there."""
    if device == "cpu":
        return
    import torch

    if not torch.cuda.is_available():
        raise InvalidConfiguration("--device cuda came, but torch finds no CUDA device; use --device cpu")


def claim_folder(out: Path, command: str) -> None:
    """Make the folder `out`, or make sure that the same command made it; a hidden file in it remembers.

    Raises:
        ForeignFolder: it holds something else; nothing was written.
    """
    mark = out / _MARK
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        maker = mark.read_text(encoding="utf-8").strip() if mark.is_file() else "something else"
        if maker != command:
            raise ForeignFolder(f"{out} is not empty and was made by {maker}; name a new folder with --out")
    out.mkdir(parents=True, exist_ok=True)
    mark.write_text(f"{command}\n", encoding="utf-8")
