"""`tabletop learn`: an agent that starts knowing nothing and learns what an object is by interacting."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
import tyro

from tabletop_interaction.agents.learning.config import ChoiceName, LearningConfig, PolicyName
from tabletop_interaction.agents.learning.learner import first_network, open_learner, watched
from tabletop_interaction.agents.learning.loop import Crew, TakingTurns, check_world, learn, open_explorer
from tabletop_interaction.agents.learning.ray_workers import open_fleet
from tabletop_interaction.agents.learning.run_folder import (
    RunFolder,
    began_at,
    check_run,
    held,
    open_run,
    read_history,
)
from tabletop_interaction.benchmarks.segmentation.during_learning import Evaluations, HeldOut, open_held_out
from tabletop_interaction.cli.backends import (
    SAWYER,
    BackendName,
    Terminal,
    check_backend,
    config_kept,
    opened_backend,
)
from tabletop_interaction.cli.learn_display import Display, LearnWatcher
from tabletop_interaction.cli.loading import Device
from tabletop_interaction.envs import Backend
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.reports.learning_page import essentials, write_report
from tabletop_interaction.reports.learning_run import read_learning_run
from tabletop_interaction.reports.tensorboard_curves import Curves
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.training.config import CropConfig, TrainingConfig


@dataclass(frozen=True)
class Learn:
    """Learn what an object is by picking up guesses: from nothing to masks of objects that were never seen.

    Example: tabletop learn --interactions 200 --out runs/learn

    Example: tabletop learn --interactions 5000 --workers 8 --out runs/long

    Example: tabletop learn --backend sawyer --config lab.yaml --interactions 200 --out runs/robot-learn

    The same command goes on where an earlier one stopped, however it ended.
    """

    out: Path
    """Folder of the run: records, network, history, evaluations, curves and report.html."""
    interactions: int = LearningConfig.interactions
    """How many to make in all."""
    seed: int = 0
    """Where the random numbers start."""
    backend: BackendName = LearningConfig.backend
    """What moves."""
    config: Path | None = None
    """The robot's lab file, for --backend sawyer; the word twin for a simulated robot."""
    split: Literal["train", "val", "test"] = "train"
    """Objects and table tops to learn with."""
    episodes_per_scene: int = LearningConfig.episodes_per_scene
    """Episodes of 25 interactions between two new scenes; a real table's operator lays new scenes as he likes."""
    policy: PolicyName = "hypothesis"
    """hypothesis: pick what the network takes for an object. random: the network learns but never chooses."""
    choice: ChoiceName = LearningConfig.choice
    """Which hypothesis: any (random), by belief (score), or what the network is undecided about (uncertainty)."""
    random_share: float = LearningConfig.random_share
    """Of the interactions, are random whatever the network believes."""
    follow_share: float = LearningConfig.follow_share
    """Of the random interactions, try again what has just been seen to move; the paper does not."""
    update_interval: int = LearningConfig.update_interval
    """Interactions between two updates of the network."""
    steps_per_interaction: int = LearningConfig.steps_per_interaction
    """Training steps for each interaction, made at the updates."""
    growth: float = LearningConfig.growth
    """Below 1 trains more at first and less at the end, with as many steps in all; 1 is the paper's."""
    loss: Literal["cross-entropy", "robust-set"] = "cross-entropy"
    """Of the mask branch; robust-set forgives what is wrong in the labels."""
    mask_branch: Literal["refining", "deepmask"] = "refining"
    """refining: sharper edges. deepmask: the paper's."""
    paste_share: float = CropConfig.paste_share
    """Of the crops, get objects pasted in; the paper has none."""
    carry_labels: bool = LearningConfig.carry_labels
    """Use a mask in every picture in which its object still stands; without it, only where it was read off."""
    batch_size: int = TrainingConfig.batch_size
    """Crops a training step."""
    model: str | None = None
    """Checkpoint to start from, such as one of `tabletop bootstrap`; without it the network knows nothing."""
    pushes: int = LearningConfig.pushes
    """Pushes to watch and to learn from before acting; the paper's passive bootstrap."""
    workers: int = 0
    """Explorers at once, through Ray, beside a learner of its own; 0 takes turns in this process."""
    address: str | None = None
    """Of a Ray cluster whose nodes all see --out under the same path; without it Ray starts here."""
    evaluate_every: int = 50
    """Interactions between two evaluations."""
    set_name: Annotated[Literal["val", "test"], tyro.conf.arg(name="set")] = "val"
    """Held-out set of the evaluations; it is made first where it is missing."""
    pictures: int = 30
    """How many of its pictures."""
    sets_dir: Path = Path("runs/sets")
    """Where the benchmark's sets are or shall be."""
    device: Device = "cpu"
    """What learns."""
    resume: bool = False
    """Insist that the folder holds a run to go on with."""

    def run(self) -> None:
        """Learn, or go on, with a live display; then write the report."""
        config = self._config()
        self._check(config)
        terminal = Terminal()
        with opened_backend(self.backend, self.config, self.split, terminal) as backend:
            held_out = open_held_out(self.set_name, self.sets_dir, self.pictures)
            with held(self.out):
                folder = open_run(self.out, config, self._others())
                self._learn(config, folder, held_out, backend, terminal)
                report = write_report(folder.path)
                figures = essentials(read_learning_run(folder.path))
        for figure in figures:
            print(f"{figure.name}: {figure.value} ({figure.note})")
        print(f"{_learned(folder)}; look: {report}")

    def _learn(
        self, config: LearningConfig, folder: RunFolder, held_out: HeldOut, backend: str | Backend, terminal: Terminal
    ) -> None:
        began, first = began_at(folder), len(read_history(folder))
        evaluations = Evaluations(folder, held_out, self.evaluate_every, config.interactions)
        curves = Curves(folder, first)
        with Display(config, folder, terminal) as display:
            try:
                watched(config, folder, display.watched, backend)
                with self._crew(config, folder, display, began, backend) as crew:
                    learn(config, folder, crew, LearnWatcher(display, curves, evaluations, crew), began)
            finally:
                curves.close()

    @contextmanager
    def _crew(
        self, config: LearningConfig, folder: RunFolder, display: Display, began: float, backend: str | Backend
    ) -> Iterator[Crew]:
        if self.workers:
            with open_fleet(config, folder, self.workers, began, address=self.address, device=self.device) as fleet:
                yield fleet
            return
        learner = open_learner(config, folder, self.device, backend)
        with open_explorer(config, folder, len(read_history(folder)), backend=backend) as explorer:
            yield TakingTurns(config, explorer, learner, began, display.stepped)

    def _config(self) -> LearningConfig:
        if not 0 <= self.paste_share <= 1:
            raise InvalidConfiguration(f"--paste-share {self.paste_share} must lie between 0 and 1")
        training = TrainingConfig(
            loss=self.loss,
            batch_size=self.batch_size,
            crops=CropConfig(paste_share=self.paste_share),
            network=NetworkConfig(mask_branch=self.mask_branch),
        )
        return LearningConfig(
            interactions=self.interactions,
            seed=self.seed,
            backend=self.backend,
            config=config_kept(self.config),
            split=self.split,
            episodes_per_scene=self.episodes_per_scene,
            policy=self.policy,
            choice=self.choice,
            random_share=self.random_share,
            follow_share=self.follow_share,
            update_interval=self.update_interval,
            steps_per_interaction=self.steps_per_interaction,
            growth=self.growth,
            pushes=self.pushes,
            # Actors on other nodes have other working folders.
            model=_absolute(self.model),
            carry_labels=self.carry_labels,
            training=training,
        )

    def _check(self, config: LearningConfig) -> None:
        """Whatever can be wrong is found before anything is written."""
        for name in ("evaluate_every", "pictures"):
            if getattr(self, name) < 1:
                raise InvalidConfiguration(f"--{name.replace('_', '-')} {getattr(self, name)} must be 1 or more")
        if self.workers < 0:
            raise InvalidConfiguration(f"--workers {self.workers} must not be negative")
        if self.address is not None and self.workers == 0:
            raise InvalidConfiguration("--address names a cluster, which is for --workers 1 or more")
        if self.device == "cuda" and self.address is None and not torch.cuda.is_available():
            raise InvalidConfiguration("--device cuda came, but torch finds no CUDA device; use --device cpu")
        check_backend(self.backend, self.config, self.workers)
        check_run(self.out, config, resume=self.resume)
        first_network(config)
        if self.backend != SAWYER:
            # A robot is opened for the whole run instead, before anything is written.
            check_world(config)

    def _others(self) -> dict[str, Any]:
        asked = asdict(self)
        names = ("workers", "address", "evaluate_every", "set_name", "pictures", "device")
        return {"session": {name: asked[name] for name in names}}


def _learned(folder: RunFolder) -> str:
    interactions = len(read_history(folder))
    if not folder.model.exists():
        return f"nothing was grasped in {interactions} interactions, so nothing was learned; try --pushes 100, or more"
    return f"{folder.model} learned from {interactions} interactions"


def _absolute(model: str | None) -> str | None:
    return model if model in (None, "default") else str(Path(model).resolve())
