"""`tabletop learn`: learn by interacting what an object is, from an untrained network."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.cli.arguments import NewFolder, PossibleFolder
from tabletop_interaction.cli.backends import BackendOptions, World
from tabletop_interaction.cli.options import LearnSession, options

LearningOptions = Annotated[
    LearningConfig,
    options(
        LearningConfig,
        "interactions",
        "seed",
        "split",
        "primitive",
        "episodes_per_scene",
        "steps_per_episode",
        "policy",
        "choice",
        "random_share",
        "follow_share",
        "update_interval",
        "steps_per_interaction",
        "growth",
        "training.loss",
        "training.network.mask_branch",
        "training.hard_weight",
        "training.crops.paste_share",
        "training.crops.print_share",
        "carry_labels",
        "training.batch_size",
        "model",
        "pushes",
        "pictures.picture_format",
        "pictures.jpeg_step",
    ),
]
"""The settings that are options of the commands that learn."""


@dataclass(frozen=True, kw_only=True)
class Learn:
    """Learn what an object is by interacting: a network proposes masks, the robot acts on them, what moves trains it.

    Example: tabletop learn --interactions 200 --out runs/learn

    Example: tabletop learn --primitive push --interactions 200 --out runs/learn-pushes

    Example: tabletop learn --interactions 5000 --workers 8 --out runs/long

    Example: tabletop learn --backend sawyer --config lab.yaml --interactions 200 --out runs/robot-learn

    The same command resumes a run that was stopped or killed.
    """

    out: NewFolder
    """Folder of the run: records, network, history, evaluations, curves and report.html."""
    learning: LearningOptions
    world: World = field(default_factory=BackendOptions)
    session: LearnSession = field(default_factory=LearnSession)
    sets_dir: PossibleFolder = Path("runs/sets")
    """Folder of the benchmark's sets; a missing set is rendered there."""
    resume: bool = False
    """Resume only: an error if the folder holds no run."""

    def run(self) -> None:
        """Learn, or resume, with a live display; then write the report."""
        self.session.check()
        self.world.check(self.session.workers)
        config = run_config(self.learning, self.world)
        from tabletop_interaction.cli.learn_session import run_session

        run_session(self.out, config, self.session, self.world, self.sets_dir, resume=self.resume)


def run_config(learning: LearningConfig, world: BackendOptions) -> LearningConfig:
    """The configuration of a run: what is learned, with the backend. Errors as `BackendOptions.settings`."""
    # Actors on other nodes have other working folders.
    model = learning.model
    if model not in (None, "default"):
        model = str(Path(model).resolve())
    return replace(learning, backend=world.backend, config=world.settings(), model=model)
