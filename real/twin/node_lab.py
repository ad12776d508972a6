"""The lab file that goes with the twin's node: the twin's table as a laboratory behind ROS topics."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real import TWIN_LAB
from tabletop_interaction.real.lab.file import read_lab_file, update_lab_file
from tabletop_interaction.real.twin.node_topics import picture_topic


def write_ros_lab(path: Path, now: datetime) -> None:
    """Write the twin's lab file with the node's topics for cameras and a robot to connect to.

    Args:
        path: where to.
        now: in UTC; when the simulation's geometry was true.

    Raises:
        InvalidConfiguration: there is something; nothing was written.
    """
    if path.exists():
        raise InvalidConfiguration(
            f"{path} exists and may be a calibrated laboratory; name another file, or leave --lab out if it is its own"
        )
    twin, at = read_lab_file(TWIN_LAB), {"calibrated_at": now.isoformat()}
    update_lab_file(
        path,
        {
            **twin,
            "driver": "intera",
            "cameras": {name: _behind_topic(name, camera) for name, camera in twin["cameras"].items()},
            "intrinsics": {name: {**entry, **at} for name, entry in twin["intrinsics"].items()},
            "views": {name: {**entry, **at} for name, entry in twin["views"].items()},
            "robot": {**twin["robot"], **at},
        },
    )


def _behind_topic(view: str, camera: dict[str, Any]) -> dict[str, Any]:
    return {**camera, "kind": "ros", "source": picture_topic(view)}
