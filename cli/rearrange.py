"""`tabletop rearrange`: rearrange a table to match a picture, and draw each step."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from tabletop_interaction.benchmarks.rearrangement.setting import Scenes, Setting
from tabletop_interaction.cli.arguments import UNSET, NewFolder
from tabletop_interaction.cli.backends import BackendOptions, Terminal, World
from tabletop_interaction.cli.options import NetworkOptions, options
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.envs import Split, TabletopRearrangement, load_goal
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.files import claimed_folder, write_json
from tabletop_interaction.ranges import Seed
from tabletop_interaction.segmentation.config import Device

if TYPE_CHECKING:
    from tabletop_interaction.benchmarks.rearrangement.agents import MakesAgent

_SEE_PICTURES_ONLY = ("full", "random", "inverse")
# Agents that use a part, and the settings of the part.
_PARTS = {
    "segmenter": ({"full", "true-matches"}, ("model", "fast")),
    "features": ({"full", "true-masks"}, ("features",)),
    "inverse model": ({"inverse"}, ("inverse_model",)),
}


@dataclass(frozen=True, kw_only=True)
class Rearrange:
    """Let an agent rearrange a table until it matches a picture, and draw what it sees and does at each step.

    Example: tabletop rearrange --out runs/rearranged --seed 3 --displaced 2

    Example: tabletop rearrange --backend sawyer --config lab.yaml --goal goal.png --out runs/rearranged

    In the folder: start.png, goal.png, step_01.png and so on with the agent's segments and matches drawn, final.png,
    film.mp4, and episode.json with the settings and the result. Without --goal the simulation draws a goal and judges
    by the truth; with it, pictures are judged.
    """

    out: NewFolder = Path("runs/rearranged")
    """Folder of the pictures."""
    agent: Annotated[str, tyro.conf.arg(metavar="NAME|module:Class")] = "full"
    """Agent: full (from pictures alone); true-masks, true-matches or oracle (with true parts from the simulation);
    inverse or random (baselines); or your own as module:Class."""
    goal: Annotated[tuple[Path, ...], UNSET] = ()
    """Pictures of the goal: of view_0, and optionally of the next views; by default the simulation draws a goal."""
    world: World = field(default_factory=BackendOptions)
    split: Split = "test"
    """Split of the objects."""
    tables_split: Annotated[Split | None, UNSET] = None
    """Split of the table tops; by default that of --split."""
    setting: Annotated[Setting, options(Setting, "displaced", "model", "fast", "inverse_model")]
    device: Device = "cpu"
    """Device of the networks."""
    seed: Seed = 0
    """Seed of scene, goal and agent: the same episode as in `tabletop benchmark rearrangement`."""

    def run(self) -> None:
        """Play, and write a picture after each step, then the film."""
        from tabletop_interaction.benchmarks.rearrangement.agents import check_agents
        from tabletop_interaction.benchmarks.rearrangement.episode import try_agent
        from tabletop_interaction.benchmarks.rearrangement.episode_film import FILM, film_episode

        check_agents((self.agent,), self.setting.inverse_model)
        self._check()
        check_used_segmenter((self.agent,), self.setting)
        with self._table() as (env, make):
            if self.goal:
                # Pictures of the goal are checked before anything is written or moved.
                load_goal(self.goal, env.views)
            try_agent(self.agent, make, env)
            with claimed_folder(self.out, "rearrange"):
                write_json(self.out / "episode.json", self._settings())
                result = film_episode(env, make, self.seed, self.out)
                write_json(self.out / "episode.json", {**self._settings(), "result": result})
        print(result)
        print(self.out / FILM)

    def _settings(self) -> dict[str, Any]:
        """What decides about the episode."""
        return {
            "agent": self.agent,
            "seed": self.seed,
            "backend": self.world.backend,
            "config": self.world.settings(),
            "split": self.split,
            "tables_split": self.tables_split or self.split,
            "goal": [str(path) for path in self.goal],
            **asdict(self.setting),
        }

    def _check(self) -> None:
        from tabletop_interaction.benchmarks.rearrangement.agents import AGENTS

        refuse_unused_parts((self.agent,), self.setting)
        self.world.check()
        if self.world.is_robot:
            if not self.goal:
                raise InvalidConfiguration(
                    "--backend sawyer came without --goal; name a picture that view_0 took of the table as the goal"
                )
            refuse_ignored(self, "with --backend sawyer", "tables_split")
        if not self.goal:
            return
        refuse_ignored(self.setting, "with --goal", "displaced")
        if self.agent in AGENTS and self.agent not in _SEE_PICTURES_ONLY:
            raise InvalidConfiguration(
                f"--agent {self.agent} came with --goal; it uses what only the simulation knows of a goal that it "
                f"drew; use {', '.join(_SEE_PICTURES_ONLY)} or your own"
            )

    @contextmanager
    def _table(self) -> Iterator[tuple[TabletopRearrangement, MakesAgent]]:
        """The environment, and the maker of its agent, with networks loaded."""
        from tabletop_interaction.benchmarks.rearrangement.agents import LearnedParts, agent_maker
        from tabletop_interaction.benchmarks.rearrangement.episode import open_table

        parts = LearnedParts.loaded_by(
            NetworkOptions(self.setting.model, self.setting.fast, self.device).load,
            self.setting.features,
            None if self.setting.inverse_model is None else Path(self.setting.inverse_model),
        )
        if self.world.is_robot:
            make = agent_maker(self.agent, None, parts)
            scene = "the objects of the goal's picture, where they are to start"
            with self.world.opened(self.split, Terminal(), scene) as backend:
                yield TabletopRearrangement(backend, self.split, goal=self.goal, judge="pictures"), make
            return
        scenes = Scenes(self.split, self.tables_split or self.split)
        env, world = open_table(scenes, self.setting.displaced, self.world.simulation.settings())
        with closing(env):
            make = agent_maker(self.agent, world, parts, env.gripper)
            yield TabletopRearrangement(world, goal=self.goal, judge="pictures") if self.goal else env, make


def check_used_segmenter(agents: Sequence[str], setting: Setting) -> None:
    """Check the name of the segmenter if one of the agents uses it; nothing is loaded but a module of the user's own.

    Raises:
        InvalidConfiguration, CheckpointError: as `check_segmenter`.
    """
    from tabletop_interaction.segmentation.opening import check_segmenter

    users, _ = _PARTS["segmenter"]
    if users & set(agents):
        check_segmenter(setting.model)


def refuse_unused_parts(agents: Sequence[str], setting: Setting) -> None:
    """Refuse settings of the segmenter, of features and of the inverse model that none of the agents uses.

    Raises:
        InvalidConfiguration: one of them is not at its default.
    """
    for part, (users, names) in _PARTS.items():
        if not users & set(agents):
            refuse_ignored(setting, f"without an agent that uses the {part}, with {' '.join(agents)}", *names)
