"""`tabletop rearrange`: one episode of bringing the table to what a picture shows, in pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import imageio.v2 as imageio
import numpy as np
import tyro
from numpy.typing import NDArray

from tabletop_interaction.benchmarks.rearrangement.agents import (
    AGENTS,
    LearnedParts,
    MakesAgent,
    agent_maker,
    check_agents,
)
from tabletop_interaction.benchmarks.rearrangement.episode import Scenes, Step, open_table, play
from tabletop_interaction.benchmarks.rearrangement.setting import MOST_INTERACTIONS, Setting
from tabletop_interaction.cli.backends import SAWYER, BackendName, Terminal, check_backend, opened_backend
from tabletop_interaction.cli.loading import Device, claim_folder, load_segmenter
from tabletop_interaction.envs import PickOutcome, TabletopRearrangement, load_goal
from tabletop_interaction.errors import CameraFault, InvalidConfiguration, RobotFault
from tabletop_interaction.reports.decisions import draw_decision, side_by_side

_FILM_FPS = 1
_MOST_FAULTS = 3
_SEE_PICTURES_ONLY = ("full", "random", "inverse")

Picture = NDArray[np.uint8]


@dataclass(frozen=True)
class Rearrange:
    """Let an agent bring a table to what a picture shows, and write what it saw and did.

    Example: tabletop rearrange --out runs/rearranged --seed 3 --displaced 2

    Example: tabletop rearrange --backend sawyer --config lab.yaml --goal goal.png --out runs/rearranged

    In the folder: start.png, goal.png, step_01.png and so on with the agent's segments and matches drawn, final.png,
    and film.mp4. Without --goal the simulation draws a goal and judges by the truth; with it, pictures are judged.
    """

    out: Path = Path("runs/rearranged")
    """Folder of the pictures."""
    agent: Annotated[str, tyro.conf.arg(metavar="NAME|module:Class")] = "full"
    """full: from pictures alone. true-masks, true-matches, oracle: with parts that a simulation knows. inverse, random:
    baselines. Or your own class."""
    goal: tuple[Path, ...] = ()
    """Pictures of the goal as view_0 and the views after it see it; one is enough."""
    displaced: Literal[1, 2, 3] | None = None
    """How many objects stand elsewhere in a goal that is drawn; any of them by default."""
    backend: BackendName = "simulation"
    """What moves."""
    config: Path | None = None
    """The robot's lab file, for --backend sawyer; the word twin for a simulated robot."""
    split: Literal["train", "val", "test"] = "test"
    """Objects, and table tops unless --tables names others."""
    tables: Literal["train", "val", "test"] | None = None
    """Table tops of the simulation."""
    model: str = "default"
    """The network's checkpoint."""
    fast: bool = True
    """Three scales of the picture instead of seven."""
    inverse_model: Path | None = None
    """The inverse model's file; only the agent inverse needs it."""
    device: Device = "cpu"
    """Where the network runs."""
    seed: int = 0
    """Of scene and goal; tabletop benchmark rearrangement tells which."""

    def run(self) -> None:
        """Play, write a picture a step as it comes, then the film."""
        self._check()
        with self._table() as (env, make):
            if self.goal:
                # Whatever is wrong with the pictures is found before anything is written or moved.
                load_goal(self.goal, env.views)
            claim_folder(self.out, "rearrange")
            frames, last = self._played(env, make)
        imageio.imwrite(self.out / "final.png", last.observation["view_0"])
        _write_film(self.out / "film.mp4", [*frames, _shown(last, "the end")])
        print(_verdict(last, len(frames) - 1))
        print(self.out / "film.mp4")

    def _check(self) -> None:
        check_agents((self.agent,), self.inverse_model)
        check_backend(self.backend, self.config)
        if self.backend == SAWYER and not self.goal:
            raise InvalidConfiguration(
                "--backend sawyer came without --goal; name a picture that view_0 took of the table as it shall be"
            )
        if not self.goal:
            return
        if self.displaced is not None:
            raise InvalidConfiguration(
                f"--displaced {self.displaced} came with --goal; it is for goals that the simulation draws"
            )
        if self.agent in AGENTS and self.agent not in _SEE_PICTURES_ONLY:
            raise InvalidConfiguration(
                f"--agent {self.agent} came with --goal; it knows what only the simulation knows of a goal that it "
                f"drew; use {', '.join(_SEE_PICTURES_ONLY)} or your own"
            )

    @contextmanager
    def _table(self) -> Iterator[tuple[TabletopRearrangement, MakesAgent]]:
        """The environment, and what makes the agent for it; what has been learned is loaded."""
        setting = Setting(model=self.model, fast=self.fast, displaced=self.displaced)
        parts = LearnedParts.loaded_by(
            lambda: load_segmenter(self.model, fast=self.fast, device=self.device), setting.features, self.inverse_model
        )
        if self.backend == SAWYER:
            make = agent_maker(self.agent, None, parts)
            scene = "the objects of the goal's picture, where they shall start"
            with opened_backend(self.backend, self.config, self.split, Terminal(), scene) as backend:
                yield TabletopRearrangement(backend, self.split, goal=self.goal, judge="pictures"), make
            return
        env, world = open_table(Scenes(self.split, self.tables or self.split), self.displaced)
        with closing(env):
            make = agent_maker(self.agent, world, parts)
            yield TabletopRearrangement(world, goal=self.goal, judge="pictures") if self.goal else env, make

    def _played(self, env: TabletopRearrangement, make: MakesAgent) -> tuple[list[Picture], Step]:
        """The film's frames, and the last step; after a fault that has passed, the episode begins anew.

        Raises:
            RobotFault, CameraFault: it did not pass, or came a third time.
        """
        for faults in range(1, _MOST_FAULTS + 1):
            try:
                return self._played_once(env, make)
            except (RobotFault, CameraFault) as fault:
                if not fault.recoverable or faults == _MOST_FAULTS:
                    raise
                print(f"{fault}; the episode begins anew")
        raise AssertionError("the last fault is raised")

    def _played_once(self, env: TabletopRearrangement, make: MakesAgent) -> tuple[list[Picture], Step]:
        for old in self.out.glob("*.png"):
            old.unlink()
        frames: list[Picture] = []
        for step in play(env, make, self.seed, MOST_INTERACTIONS):
            frames += self._written(step, len(frames))
        return frames, step

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
    done = "done" if last.info["is_success"] else "not done"
    distances = [float(pixels) for pixels in last.info["goal_distance_px"] if pixels >= 0]
    if not distances:
        share = f"{last.info['fraction_done']:.0%} of what differed from the goal's picture"
        return f"{done} after {interactions} interactions: {share} is as it shall be"
    told = ", ".join(f"{pixels:.1f}" for pixels in distances)
    return f"{done} after {interactions} interactions: {told} px from the goal; accepted are 15 px"


def _write_film(path: Path, frames: list[Picture]) -> None:
    writer: Any = imageio.get_writer(path, fps=_FILM_FPS, macro_block_size=2)
    with writer:
        for frame in frames:
            writer.append_data(frame)
