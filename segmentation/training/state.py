"""What a training needs to go on, in one file that is whole or as before after a kill."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from tabletop_interaction.errors import DamagedState
from tabletop_interaction.files import whole_file


def save_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write tensors and plain values, replacing what was there at once."""
    with whole_file(path) as file:
        torch.save(dict(state), file)


def load_state(path: Path) -> dict[str, Any] | None:
    """What `save_state` wrote, on the CPU whichever device wrote it; None where there is nothing yet.

    Raises:
        DamagedState: the file is none of its own.
    """
    if not path.exists():
        return None
    try:
        return dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch names no error for a file that is none of its own.
        raise DamagedState(f"{path} is damaged ({error})") from error
