"""Imports Rethink's `intera_interface` and ROS, which live in the laboratory's ROS workspace, only when asked to."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from tabletop_interaction.errors import RobotUnavailable

_BRIDGE = "cv_bridge"


@dataclass(frozen=True)
class InteraModules:
    """What the driver calls.

    Attributes:
        rospy: the module.
        intera_interface: the module.
        joint_state: `sensor_msgs.msg.JointState`.
    """

    rospy: Any
    intera_interface: Any
    joint_state: Any


def import_intera() -> InteraModules:
    """The modules, imported.

    Raises:
        RobotUnavailable: one is not installed in this Python.
    """
    try:
        with _without_cv_bridge():
            return InteraModules(
                rospy=importlib.import_module("rospy"),
                intera_interface=importlib.import_module("intera_interface"),
                joint_state=importlib.import_module("sensor_msgs.msg").JointState,
            )
    except ImportError as error:
        raise RobotUnavailable(
            f"Rethink's SDK cannot be imported ({error}); nothing was opened; source the ROS workspace with "
            "intera_sdk, and use a virtual environment made with /usr/bin/python3 -m venv --system-site-packages; "
            "without a robot, set `driver: twin` in the lab file"
        ) from error


@contextmanager
def _without_cv_bridge() -> Iterator[None]:
    """Let `import cv_bridge` find an empty module: intera_interface imports it for the head's screen alone, and the
    one that Debian and Ubuntu ship cannot be loaded beside numpy 2."""
    stands_in = _BRIDGE not in sys.modules
    if stands_in:
        sys.modules[_BRIDGE] = ModuleType(_BRIDGE)
    try:
        yield
    finally:
        if stands_in:
            del sys.modules[_BRIDGE]
