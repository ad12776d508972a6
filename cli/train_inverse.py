"""`tabletop train-inverse`: an inverse model from recorded interactions, a baseline of rearrangement."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tabletop_interaction.agents.inverse.config import InverseRunOptions, InverseTrainingConfig
from tabletop_interaction.agents.inverse.examples import inverse_examples
from tabletop_interaction.agents.inverse.run import held_out_errors, train_inverse
from tabletop_interaction.agents.inverse.training import InverseReport
from tabletop_interaction.cli.loading import Device, check_device
from tabletop_interaction.cli.train import progress_bars
from tabletop_interaction.envs.records.folder import read_meta
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.training.run import check_run_folder


@dataclass(frozen=True)
class TrainInverse:
    """Train a network that says which pick-and-place leads from one picture to another (Agrawal et al. 2016).

    Example: tabletop train-inverse --data runs/first --out runs/inverse
    The same command goes on where an earlier one stopped. Then: tabletop benchmark rearrangement --agents inverse
    --inverse-model runs/inverse/model.safetensors
    """

    data: Path
    """Folder that `tabletop collect` made, or the records of `tabletop learn`; small pictures are kept in it."""
    out: Path
    """Folder of the run: state, TensorBoard curves, model.safetensors, and model.json with the errors on scenes that
    were held out."""
    steps: int = InverseTrainingConfig.steps
    """How many steps to learn."""
    batch_size: int = InverseTrainingConfig.batch_size
    """Pairs of pictures a step."""
    span: int = InverseTrainingConfig.span
    """Most moves between the two pictures of a pair; the original has 1, more teaches to begin what takes several."""
    held_out: float = InverseTrainingConfig.held_out
    """Share of the scenes that are not learned from, but tested on."""
    device: Device = "cpu"
    """What learns."""
    seed: int = 0
    """Where the random numbers start."""

    def run(self) -> None:
        """Read the examples, learn and test, with progress bars; then say how far off the model is."""
        config = InverseTrainingConfig(
            steps=self.steps,
            batch_size=self.batch_size,
            span=self.span,
            held_out=self.held_out,
            seed=self.seed,
        )
        if not self.out.resolve().name:
            raise InvalidConfiguration(f"--out {self.out} came; name a folder for the run")
        check_device(self.device)
        # Before decoding, which writes and takes its time.
        check_run_folder(self.out, config, None, any_steps=False)
        with progress_bars() as show:
            examples = inverse_examples(
                self.data,
                config.model.size,
                span=self.span,
                progress=lambda done, total: show("pictures", done, total, ""),
            )
            model = train_inverse(
                examples,
                self.out,
                config,
                InverseRunOptions(str(self.data), read_meta(self.data).split, device=self.device),
                tell=_LearningBar(show),
                tell_errors=lambda done, total: show("held out", done, total, ""),
            )
        _print_errors(model)


class _LearningBar:
    """Shows steps, their rate and means of the losses over the last twenty or so."""

    def __init__(self, show: Callable[[str, int, int, str], None]) -> None:
        self._show = show
        self._start: tuple[float, int] | None = None
        self._means: list[float] = []

    def __call__(self, step: int, steps: int, report: InverseReport) -> None:
        now = time.monotonic()
        if self._start is None:
            self._start, self._means = (now, step), list(report[:3])
            return
        self._means = [mean + (new - mean) / 20 for mean, new in zip(self._means, report[:3], strict=True)]
        rate = (step - self._start[1]) / max(now - self._start[0], 1e-9)
        losses = "  ".join(
            f"{name} {mean:.2f}" for name, mean in zip(("pick", "angle", "place"), self._means, strict=True)
        )
        self._show("steps", step, steps, f"{rate:.2f} steps/s  losses: {losses}")


def _print_errors(model: Path) -> None:
    errors, chance = held_out_errors(model)
    print(f"{model}, on {errors.examples} held-out examples, and a fixed prior on the same:")
    print(f"  pick   {errors.pick_cm:5.1f} cm (median {errors.pick_median_cm:.1f}), prior {chance.pick_cm:.1f} cm")
    print(f"  place  {errors.place_cm:5.1f} cm (median {errors.place_median_cm:.1f}), prior {chance.place_cm:.1f} cm")
    print(f"  angle  {errors.angle_deg:5.1f} degrees, prior {chance.angle_deg:.1f} degrees")
    print(f"  both within 2.1 cm: {errors.both_near:.0%}, prior {chance.both_near:.0%}")
