"""`tabletop train-inverse`: train an inverse model on recorded interactions, a baseline of rearrangement."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

from tabletop_interaction.agents.inverse.config import InverseRunOptions, InverseTrainingConfig
from tabletop_interaction.cli.arguments import Folder, NewFolder
from tabletop_interaction.cli.options import check_device, check_run_path, options
from tabletop_interaction.cli.progress import TrainingSteps, shown_progress


@dataclass(frozen=True, kw_only=True)
class TrainInverse:
    """Train a network that infers which pick-and-place leads from one picture to another (Agrawal et al., 2016).

    Example: tabletop train-inverse --data runs/first --out runs/inverse

    The same command resumes. Then: tabletop benchmark rearrangement --agents inverse --inverse-model
    runs/inverse/model.safetensors
    """

    data: Folder
    """Folder of `tabletop collect`, or the records of `tabletop learn`; small pictures are kept in it."""
    out: NewFolder
    """Folder of the run: state, TensorBoard curves, model.safetensors, and model.json with the held-out errors."""
    training: Annotated[
        InverseTrainingConfig, options(InverseTrainingConfig, "steps", "batch_size", "span", "held_out", "seed")
    ]
    session: Annotated[InverseRunOptions, options(InverseRunOptions, "device")]

    def run(self) -> None:
        """Read the examples, train and test, with progress bars; then print the model's errors."""
        from tabletop_interaction.agents.inverse.examples import inverse_examples
        from tabletop_interaction.agents.inverse.run import train_inverse
        from tabletop_interaction.envs.records.folder import read_meta
        from tabletop_interaction.segmentation.training.run import check_run_folder

        check_run_path(self.out)
        check_device(self.session.device)
        # Before decoding, which writes and takes its time.
        check_run_folder(self.out, self.training, None, any_steps=False)
        with shown_progress() as show:
            examples = inverse_examples(
                self.data,
                self.training.model.size,
                span=self.training.span,
                progress=lambda done, total: show("pictures", done, total),
            )
            shown = TrainingSteps(show, {"losses: pick": ".2f", "angle": ".2f", "place": ".2f"})
            model = train_inverse(
                examples,
                self.out,
                self.training,
                replace(self.session, data=str(self.data), split=read_meta(self.data).split),
                callback=lambda step, steps, said: shown.stepped(step, steps, *said[:3]),
                progress=lambda done, total: show("held out", done, total),
            )
        _print_errors(model)


def _print_errors(model: Path) -> None:
    from tabletop_interaction.agents.inverse.run import held_out_errors

    errors, chance = held_out_errors(model)
    print(f"{model}, on {errors.examples} held-out examples, and a fixed prior on the same:")
    print(f"  pick   {errors.pick_cm:5.1f} cm (median {errors.pick_median_cm:.1f}), prior {chance.pick_cm:.1f} cm")
    print(f"  place  {errors.place_cm:5.1f} cm (median {errors.place_median_cm:.1f}), prior {chance.place_cm:.1f} cm")
    print(f"  angle  {errors.angle_deg:5.1f} degrees, prior {chance.angle_deg:.1f} degrees")
    print(f"  both within 2.1 cm: {errors.both_near:.0%}, prior {chance.both_near:.0%}")
