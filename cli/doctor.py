"""`tabletop doctor`: check this installation or a real table, and say how to repair it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

from rich.console import Console

from tabletop_interaction.cli.arguments import UNSET, PossibleFolder, check_writable
from tabletop_interaction.cli.confirmed import confirm_motion
from tabletop_interaction.cli.refused import refuse_ignored
from tabletop_interaction.errors import ChecksFailed, InvalidConfiguration
from tabletop_interaction.findings import MAX_AGE_DAYS, Finding, found_by
from tabletop_interaction.ranges import Range, Seed


@dataclass(frozen=True)
class Doctor:
    """Check this installation, or with --config a real table, and report what is wrong and how to repair it.

    Example: tabletop doctor --config lab.yaml

    Example: tabletop doctor --config twin

    Example: tabletop doctor

    The arm does not move unless --move is given, and its fingers do not move at all. Exit status 0 means that all
    checks passed.
    """

    config: Annotated[Path | None, UNSET] = None
    """Lab file; twin: the simulated table that comes with the package."""
    max_age_days: Annotated[float, Range(0, 10**7, unit="days")] = MAX_AGE_DAYS
    """Largest accepted age of a calibration, days."""
    out: PossibleFolder = Path("runs/doctor")
    """Folder of the drawing of arm, obstacles and arena."""
    move: bool = False
    """Move the arm out of every view at a tenth of its speed, after all checks passed and "move" was typed."""
    seed: Seed = 0
    """Seed of the scene that is rendered without --config."""

    def run(self) -> None:
        """Check, print each finding, and fail if one is wrong.

        Raises:
            ChecksFailed: something is wrong.
            InvalidConfiguration: --move without a lab file; nothing was moved.
            NotConfirmed: the motion was not confirmed; nothing was moved.
        """
        if self.config is None:
            if self.move:
                raise InvalidConfiguration("--move came without --config; name the lab file; nothing was moved")
            refuse_ignored(self, "without --config", "max_age_days", "out")
            from tabletop_interaction.installation import installed

            _report(installed(), found_by("simulation", lambda: [_rendered(self.seed)]))
            return
        refuse_ignored(self, "with --config", "seed")
        check_writable("--out", self.out)
        from tabletop_interaction.real import TWIN_LAB
        from tabletop_interaction.real.checks.examination import examine

        path = TWIN_LAB if self.config == Path("twin") else self.config
        _report(examine(path, datetime.now(UTC), self.max_age_days, self.out))
        if self.move:
            _move(path)


def _report(*findings: Iterable[Finding]) -> None:
    console, wrong, noted, total = Console(highlight=False), [], 0, 0
    for group in findings:
        for finding in group:
            _print(console, finding)
            total += 1
            noted += finding.ok and bool(finding.remedy)
            if not finding.ok:
                wrong.append(finding.name)
    if wrong:
        raise ChecksFailed(f"{len(wrong)} of {total} checks failed: {', '.join(wrong)}; see what to do above")
    notes = f"; {noted} of them with a note, see above" if noted else ""
    console.print(f"all {total} checks passed{notes}")


def _rendered(seed: int) -> Finding:
    # Imported as late as this, because a broken package would end the checks before it.
    from tabletop_interaction.envs import open_backend
    from tabletop_interaction.real.checks.rendering import rendered

    return rendered(partial(open_backend, "simulation"), seed)


def _print(console: Console, finding: Finding) -> None:
    # Paths and messages may hold brackets, which rich would take for markup.
    passed = ("NOTE", "yellow") if finding.remedy else ("ok  ", "green")
    mark, style = passed if finding.ok else ("FAIL", "bold red")
    console.print(mark, style=style, end="")
    console.print(f"  {finding.name}: {finding.said}", markup=False, soft_wrap=True)
    if finding.remedy:
        console.print(f"      -> {finding.remedy}", markup=False, soft_wrap=True)


def _move(path: Path) -> None:
    """Ask, then bring the arm away.

    Raises:
        NotConfirmed: the motion was not confirmed; nothing was moved.
    """
    from tabletop_interaction.real.checks.examination import SLOW_RATIO, go_away, opened_equipment
    from tabletop_interaction.real.lab.lab import load_lab

    print(
        f"The arm will rise and leave every view at {100 * SLOW_RATIO:.0f} % of its rated speed; it does not let go of "
        "what it grips. Clear its way, keep everybody out of its reach, and hold the stop button."
    )
    confirm_motion()
    lab = load_lab(path)
    with opened_equipment(lab) as equipment:
        moved = go_away(lab, equipment)
    print("the arm is away" if moved else "the arm was away already; nothing was moved")
