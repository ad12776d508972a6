"""Our backend in a process of its own, `python -m sawyer_stand_in.client`: orders on its input, answers on its output.

An order is JSON, `{"call": "pick", "args": [0.0, 0.1, 0.0]}`: `open`, or a method of `SawyerBackend`. The answer begins
with `answer` and is JSON: begin and end by `time.monotonic()`, the error's class and message, and what was returned.
"""

import json
import sys
import time
from dataclasses import replace
from typing import Any

import numpy as np

from sawyer_stand_in.robot import AWAY, PICTURE_HW, VIEWS
from tabletop_interaction.real import TWIN_LAB, SawyerBackend, open_sawyer
from tabletop_interaction.real.cameras.array import CameraSettings
from tabletop_interaction.real.cameras.framing import ViewCrop
from tabletop_interaction.real.lab.lab import Lab, load_lab


def stand_in_lab() -> Lab:
    """The twin's table with the stand-in's pictures, behind ROS; shorter moves and waits than on a robot."""
    lab, (height, width) = load_lab(TWIN_LAB), PICTURE_HW
    motion, gripper = lab.settings.motion, lab.settings.gripper
    settings = replace(
        lab.settings, motion=replace(motion, away=AWAY, descent_m_s=0.2), gripper=replace(gripper, timeout_s=1.5)
    )
    views = tuple(replace(view, width=width, height=height) for view in lab.views if view.name in VIEWS)
    return replace(
        lab,
        driver="intera",
        views=views,
        settings=settings,
        cameras={name: CameraSettings("ros", f"/cameras/{name}/image_raw", width, height) for name in VIEWS},
        crops={name: ViewCrop(0, 0, width, height) for name in VIEWS},
    )


class Client:
    """One backend, opened on order."""

    def __init__(self) -> None:
        self.backend: SawyerBackend | None = None

    def call(self, name: str, args: list[Any]) -> Any:
        """Call by name; what is returned is shown as text."""
        if name == "open":
            self.backend = open_sawyer("train", stand_in_lab())
            return None
        assert self.backend is not None
        if name == "reset":
            return self.backend.reset(np.random.default_rng(0), new_scene=False)
        return getattr(self.backend, name)(*args)


def main() -> None:
    """Obey until the input ends; then close."""
    client = Client()
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, Any] = {"call": order["call"], "began": time.monotonic(), "error": "", "message": ""}
        try:
            returned = client.call(order["call"], order.get("args", []))
            answer["returned"] = "" if isinstance(returned, dict) else str(returned)
        except BaseException as error:
            answer.update(error=type(error).__name__, message=str(error))
        print(f"answer {json.dumps({**answer, 'ended': time.monotonic()})}", flush=True)
        if answer["error"] == "SystemExit":
            break
    if client.backend is not None:
        client.backend.close()


if __name__ == "__main__":
    main()
