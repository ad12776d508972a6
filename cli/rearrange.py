"""`tabletop rearrange`: one episode of bringing the table to what a picture shows, in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import imageio.v2 as imageio
import numpy as np
import tyro
from numpy.typing import NDArray

from tabletop_interaction.agents.decision_pictures import draw_decision, side_by_side
from tabletop_interaction.benchmarks.rearrangement import MOST_INTERACTIONS, Setting, Step, open_table, play
from tabletop_interaction.benchmarks.rearrangement_agents import LearnedParts, agent_maker, check_agents
from tabletop_interaction.cli.loading import Device, claim_folder, load_segmenter
from tabletop_interaction.envs import PickOutcome

_FILM_FPS = 1

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Rearrange:
    """Let an agent bring a simulated table to what a picture shows, and write what it saw and did.

    Example: tabletop rearrange --out runs/rearranged --seed 3 --displaced 2

    In the folder: start.png, goal.png, step_01.png and so on with the agent's segments and matches drawn, final.png,
    and film.mp4.
    """

    out: Path = Path("runs/rearranged")
    """Folder of the pictures."""
    agent: Annotated[str, tyro.conf.arg(metavar="full|true-masks|oracle|random|module:Class")] = "full"
    """full: from pictures alone. true-masks, oracle: with parts that a simulation knows. Or your own class."""
    displaced: Literal[1, 2, 3] | None = None
    """How many objects stand elsewhere in the goal; any of them by default."""
    split: Literal["train", "val", "test"] = "test"
    """Objects and backgrounds."""
    model: str = "default"
    """The network's checkpoint."""
    fast: bool = True
    """Three scales of the picture instead of seven."""
    device: Device = "cpu"
    """Where the network runs."""
    seed: int = 0
    """Of scene and goal; tabletop benchmark rearrangement tells which."""

    def run(self) -> None:
        """Play, write a picture a step as it comes, then the film."""
        check_agents((self.agent,))
        setting = Setting(split=self.split, model=self.model, fast=self.fast, displaced=self.displaced)
        claim_folder(self.out, "rearrange")
        for old in self.out.glob("*.png"):
            old.unlink()
        frames: list[Picture] = []
        for step in self._steps(setting):
            frames += self._written(step, len(frames))
            last = step
        imageio.imwrite(self.out / "final.png", last.observation["view_0"])
        _write_film(self.out / "film.mp4", [*frames, _shown(last, "the end")])
        print(_verdict(last, len(frames) - 1))
        print(self.out / "film.mp4")

    def _steps(self, setting: Setting) -> Iterator[Step]:
        parts = LearnedParts.loaded_by(
            lambda: load_segmenter(self.model, fast=self.fast, device=self.device), setting.features
        )
        env, world = open_table(setting)
        try:
            yield from play(env, agent_maker(self.agent, world, parts), self.seed, MOST_INTERACTIONS)
        finally:
            env.close()

    def _written(self, step: Step, number: int) -> list[Picture]:
        """Write the pictures of a step and give the film's frame of it."""
        if number == 0:
            imageio.imwrite(self.out / "start.png", step.observation["view_0"])
            imageio.imwrite(self.out / "goal.png", step.observation["goal_0"])
            return [_shown(step, "start, and the goal")]
        came_of_it = PickOutcome(step.info["pick_outcome"]).name.lower().replace("_", " ")
        print(f"{number}: {step.decision.move.purpose if step.decision else 'acts'}, {came_of_it}")
        picture = draw_decision(step.decision, str(number)) if step.decision else _shown(step, f"after {number}")
        imageio.imwrite(self.out / f"step_{number:02d}.png", picture)
        return [picture]


def _shown(step: Step, caption: str) -> Picture:
    return side_by_side(step.observation["view_0"], step.observation["goal_0"], caption)


def _verdict(last: Step, interactions: int) -> str:
    distances = [float(pixels) for pixels in last.info["goal_distance_px"] if pixels >= 0]
    told = ", ".join(f"{pixels:.1f}" for pixels in distances)
    done = "done" if last.info["is_success"] else "not done"
    return f"{done} after {interactions} interactions: {told} px from the goal; accepted are 15 px"


def _write_film(path: Path, frames: list[Picture]) -> None:
    writer: Any = imageio.get_writer(path, fps=_FILM_FPS, macro_block_size=2)
    with writer:
        for frame in frames:
            writer.append_data(frame)
