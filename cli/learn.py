"""`tabletop learn`: an agent that starts without knowledge and learns what an object is by interacting."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.cli.backends import BackendOptions, Terminal
from tabletop_interaction.cli.options import check_device, options, refuse_ignored
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.config import Device


@dataclass(frozen=True, kw_only=True)
class Learn:
    """Learn what an object is by picking up hypotheses: from nothing to masks of objects never seen before.

    Example: tabletop learn --interactions 200 --out runs/learn

    Example: tabletop learn --interactions 5000 --workers 8 --out runs/long

    Example: tabletop learn --backend sawyer --config lab.yaml --interactions 200 --out runs/robot-learn

    The same command resumes a run, however it ended.
    """

    out: Path
    """Folder of the run: records, network, history, evaluations, curves and report.html."""
    learning: Annotated[
        LearningConfig,
        options(
            LearningConfig,
            "interactions",
            "seed",
            "split",
            "episodes_per_scene",
            "policy",
            "choice",
            "random_share",
            "follow_share",
            "update_interval",
            "steps_per_interaction",
            "growth",
            "training.loss",
            "training.network.mask_branch",
            "training.crops.paste_share",
            "carry_labels",
            "training.batch_size",
            "model",
            "pushes",
        ),
    ]
    world: BackendOptions = field(default_factory=BackendOptions)
    workers: int = 0
    """Actors at once, through Ray, beside a learner in its own process; 0 acts and learns in turn in this process."""
    address: str | None = None
    """Address of a Ray cluster whose nodes all see --out under the same path; without it Ray starts here."""
    evaluate_every: int = 50
    """Interactions between two evaluations."""
    set_name: Annotated[Literal["val", "test"], tyro.conf.arg(name="set")] = "val"
    """Held-out set of the evaluations; it is made first where it is missing."""
    pictures: int = 30
    """Pictures of the set that are evaluated."""
    sets_dir: Path = Path("runs/sets")
    """Folder of the benchmark's sets; missing sets are made there."""
    device: Device = "cpu"
    """Device of the training."""
    resume: bool = False
    """Refuse to begin a new run: the folder has to hold one to resume."""

    def run(self) -> None:
        """Learn, or resume, with a live display; then write the report."""
        # Actors on other nodes have other working folders.
        model = self.learning.model
        if model not in (None, "default"):
            model = str(Path(model).resolve())
        config = replace(self.learning, backend=self.world.backend, config=self.world.lab, model=model)
        self._check()
        from tabletop_interaction.cli import learn_session as session

        session.check(self.out, config, resume=self.resume, is_robot=self.world.is_robot)
        terminal = Terminal()
        with self.world.opened(config.split, terminal) as backend:
            held_out = session.open_held_out(self.set_name, self.sets_dir, self.pictures)
            asked = asdict(self)
            names = ("workers", "address", "evaluate_every", "set_name", "pictures", "device")
            with session.opened_run(self.out, config, {"session": {name: asked[name] for name in names}}) as folder:
                session.learn_with_display(self, config, folder, backend, held_out, terminal)
                figures, report = session.write_report(folder)
        for figure in figures:
            print(f"{figure.name}: {figure.value} ({figure.note})")
        print(f"{session.summary(folder)}; look: {report}")

    def _check(self) -> None:
        for name in ("evaluate_every", "pictures"):
            if getattr(self, name) < 1:
                raise InvalidConfiguration(f"--{name.replace('_', '-')} {getattr(self, name)} must be 1 or more")
        if self.workers < 0:
            raise InvalidConfiguration(f"--workers {self.workers} must not be negative")
        if self.address is not None and self.workers == 0:
            raise InvalidConfiguration("--address names a cluster, which is for --workers 1 or more")
        if self.learning.policy == "random":
            refuse_ignored(self.learning, "with --policy random", "choice", "random_share", "follow_share")
        if self.address is None:
            check_device(self.device)
        self.world.check(self.workers)
