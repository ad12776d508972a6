"""`tabletop bootstrap`: train a first network on random pushes, segmented by motion."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated

import tyro

from tabletop_interaction.agents.labelling.pushes import PassiveConfig, passive_examples
from tabletop_interaction.cli.arguments import UNSET, NewFolder
from tabletop_interaction.cli.options import check_device, options
from tabletop_interaction.cli.progress import TrainingSteps, shown_progress
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.cli.simulations import SimulationOptions
from tabletop_interaction.disk_space import report_needed_space, total_bytes
from tabletop_interaction.errors import NoExamples
from tabletop_interaction.files import claimed_folder, write_file
from tabletop_interaction.progress import ShowProgress
from tabletop_interaction.ranges import Range
from tabletop_interaction.segmentation.training.config import RunOptions, TrainingConfig

_STEPS = 400


@dataclass(frozen=True, kw_only=True)
class Bootstrap:
    """Push at random, segment what moves together, and train a first network on these masks.

    Example: tabletop bootstrap --pushes 150 --minutes 3 --out runs/bootstrap

    The same command resumes. `tabletop learn --model runs/bootstrap/model.safetensors` starts from the network.
    """

    out: NewFolder
    """Folder of the pushes, the training, masks.jpg and model.safetensors; new, or one of this command."""
    watching: Annotated[PassiveConfig, options(PassiveConfig, "pushes", "split", "seed")]
    minutes: Annotated[Annotated[float, Range(0, 525_600, above=True)] | None, UNSET] = None
    """Approximate training time in minutes, instead of --steps."""
    training: Annotated[TrainingConfig, options(TrainingConfig, "steps", "loss", steps=_STEPS)]
    backend: Annotated[str, tyro.conf.arg(metavar="simulation")] = "simulation"
    """Backend that acts."""
    simulation: SimulationOptions = field(default_factory=SimulationOptions)
    session: Annotated[RunOptions, options(RunOptions, "device")]

    def run(self) -> None:
        """Push, segment and train, with progress bars."""
        from tabletop_interaction.reports.sheets import write_passive_sheet
        from tabletop_interaction.segmentation.training.run import train

        self._check()
        pushes = self.watching.pushes
        watching = replace(self.watching, simulation=self.simulation.settings())
        with claimed_folder(self.out, "bootstrap"), shown_progress() as show:
            examples = passive_examples(
                self.backend,
                self.out / "watched",
                watching,
                partial(self._show_pushes, show),
            )
            if not examples.objects:
                raise NoExamples(f"none of {pushes} pushes moved anything; give a larger --pushes, and a new --out")
            sheet = write_passive_sheet(examples, self.out / "masks.jpg")
            shown = TrainingSteps(show, {"score loss": ".3f", "mask IoU": ".2f"})
            trained = train(
                examples,
                self.out / "training",
                replace(self.training, seed=self.watching.seed),
                replace(self.session, data=f"{pushes} pushes"),
                minutes=self.minutes,
                callback=lambda step, steps, said: shown.stepped(step, steps, said.score_loss, said.mask_iou),
            )
            model = self.out / trained.name
            # The weights last: a network is there once both files are.
            for source in (trained.with_suffix(".json"), trained):
                write_file(self.out / source.name, source.read_bytes())
        pictures = len(examples.objects_by_picture)
        print(f"{model} learned from {len(examples.objects)} masks in {pictures} pictures of {pushes} pushes")
        print(f"its masks: {sheet}")

    def _show_pushes(self, show: ShowProgress, done: int, total: int, masks: int) -> None:
        if done == self.watching.scenes[0]:
            written = total_bytes([self.out / "watched"])
            report_needed_space("pushes", written, done, total, self.out, "free space, or choose fewer --pushes")
        show("pushes", done, total, f"masks {masks}")

    def _check(self) -> None:
        if self.minutes is not None:
            refuse_ignored(self.training, "with --minutes", steps=_STEPS)
        check_device(self.session.device)
        self.simulation.prepare()
        self.simulation.check(self.watching.split)
