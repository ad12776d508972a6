"""The folder of a learning benchmark: a run of `tabletop learn` for each seed.

```
benchmark.json           the settings that all runs share, the folder's id, and what made the runs
seed-0/  seed-1/  ...    the runs; each one resumes by itself
final/test/seed-0.json   figures of a finished network on another set
results.json             the figures of every seed and over the seeds
results.html             figures and curves on one page
```
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.agents.learning.run_folder import RunFolder, check_run
from tabletop_interaction.benchmarks.learning.scores import FinalFigures, has_network
from tabletop_interaction.benchmarks.results.measured import commit_at_start, machine
from tabletop_interaction.benchmarks.segmentation.during_learning import HeldOutChoice
from tabletop_interaction.benchmarks.segmentation.evaluation import Evaluation, figures_document
from tabletop_interaction.envs.records.folder import is_record_folder
from tabletop_interaction.envs.records.journal import seal_journals
from tabletop_interaction.errors import ForeignFolder
from tabletop_interaction.files import checksum
from tabletop_interaction.ranges import Count, check_fields
from tabletop_interaction.reports.learning_run import IOUS, LearningRun, read_learning_run
from tabletop_interaction.seals import (
    check_run_id,
    check_sealed_request,
    new_run_id,
    read_sealed,
    run_id_of,
    write_sealed,
)

KIND = "a learning benchmark"

_BENCHMARK = "benchmark.json"
_SCHEMA_VERSION = 1
_MADE_BY, _CHECKPOINT = "made_by", "checkpoint"
# Plain settings of a simulation: all of their entries count.
_BACKEND_CONFIG = "config.config"


@dataclass(frozen=True)
class SharedSettings:
    """What all runs of a benchmark have in common.

    Attributes:
        config: of the runs; its seed does not count.
        held_out: pictures of the evaluations.
        evaluate_every: interactions between two evaluations.
    """

    config: LearningConfig
    held_out: HeldOutChoice
    evaluate_every: Count

    def __post_init__(self) -> None:
        check_fields(self)

    def of(self, seed: int) -> LearningConfig:
        """The configuration of a seed's run."""
        return replace(self.config, seed=seed)

    def request(self) -> dict[str, Any]:
        """The content of benchmark.json without what made the runs."""
        config = asdict(self.config)
        del config["seed"]
        return {
            "schema_version": _SCHEMA_VERSION,
            "config": config,
            "set": self.held_out.set_name,
            "pictures": self.held_out.pictures,
            "evaluate_every": self.evaluate_every,
        }


def seed_folder(out: Path, seed: int) -> Path:
    """The folder of a seed's run."""
    return out / f"seed-{seed}"


def check_settings(out: Path, settings: SharedSettings) -> None:
    """Check that a folder is new or empty, or holds a benchmark with these settings; nothing is written.

    Raises:
        ForeignFolder: it holds something else, or a benchmark or a run with other settings.
        UnreadableRecords: a file is damaged.
    """
    check_sealed_request(out / _BENCHMARK, settings.request(), KIND, whole=(_BACKEND_CONFIG,))
    for seed in _seeds_in(out):
        check_run(seed_folder(out, seed), settings.of(seed))


def keep_settings(out: Path, settings: SharedSettings, device: str) -> None:
    """Write the settings, and add what makes the next runs, where it is not there yet."""
    path = out / _BENCHMARK
    there, run = read_sealed(path) if path.exists() else (settings.request(), new_run_id())
    made_by = there.get(_MADE_BY, [])
    maker = {"commit": commit_at_start(), "machine": machine(), "threads": torch.get_num_threads(), "device": device}
    if maker not in made_by:
        write_sealed(path, {**there, _MADE_BY: [*made_by, maker]}, run)


def read_benchmark(out: Path) -> dict[str, Any]:
    """The content of benchmark.json.

    Raises:
        ForeignFolder: there is none.
        UnreadableRecords: it is damaged.
    """
    path = out / _BENCHMARK
    if not path.is_file():
        raise ForeignFolder(f"{out} holds no {_BENCHMARK}; give a folder of `tabletop benchmark learning`")
    return read_sealed(path)[0]


def model_of(out: Path, seed: int) -> Path:
    """The checkpoint of a seed's run."""
    return RunFolder(seed_folder(out, seed)).model


def seal_records(runs: Iterable[LearningRun]) -> None:
    """Seal the records of finished runs that were killed after their last evaluation, before the end of a journal."""
    for run in runs:
        records = RunFolder(run.folder).records
        if is_record_folder(records):
            seal_journals(records)


def finished_runs(out: Path) -> dict[int, LearningRun]:
    """The runs that have made and evaluated all of their interactions, by seed, in the order of the seeds.

    Raises:
        ForeignFolder: a run was evaluated on other pictures than the benchmark's.
        UnreadableRecords: a file is damaged.
    """
    if not (out / _BENCHMARK).is_file():
        return {}
    runs = {seed: read_learning_run(seed_folder(out, seed)) for seed in _seeds_in(out)}
    finished = {seed: run for seed, run in runs.items() if _is_finished(run)}
    settings = read_benchmark(out)
    wanted = settings["set"], settings["pictures"]
    for run in finished.values():
        if other := [one for one in run.evaluations if (one.set_name, one.pictures) != wanted]:
            raise ForeignFolder(
                f"{run.folder} was evaluated on {other[0].pictures} pictures of {other[0].set_name}, and its benchmark "
                f"on {wanted[1]} of {wanted[0]}; move it out of {out}, and the benchmark makes it again"
            )
    return finished


def missing_finals(out: Path, set_name: str, runs: Mapping[int, LearningRun]) -> list[int]:
    """The seeds whose networks were not evaluated on a set."""
    return [seed for seed, run in runs.items() if has_network(run) and _final(out, set_name, seed) is None]


def keep_final(out: Path, seed: int, set_name: str, evaluation: Evaluation) -> None:
    """Write the figures of a seed's finished network on a set."""
    content = {_CHECKPOINT: checksum(model_of(out, seed)), "set": set_name, **figures_document(evaluation)}
    write_sealed(_final_path(out, set_name, seed), content, run_id_of(out / _BENCHMARK))


def read_finals(out: Path, runs: Mapping[int, LearningRun]) -> dict[str, dict[int, FinalFigures]]:
    """By set and seed the figures of finished networks, for the sets on which those of all seeds were evaluated.

    A run without a network finds nothing: its AP is 0.
    """
    found: dict[str, dict[int, FinalFigures]] = {}
    for folder in sorted((out / "final").glob("*")):
        known = {seed: _final(out, folder.name, seed) for seed, run in runs.items() if has_network(run)}
        there = {seed: final for seed, final in known.items() if final is not None}
        if there and len(there) == len(known):
            nothing = FinalFigures(next(iter(there.values())).pictures, dict.fromkeys(IOUS, 0.0))
            found[folder.name] = {seed: there.get(seed, nothing) for seed in runs}
    return found


def maker_notes(out: Path) -> list[str]:
    """A sentence on commits, machines, threads and devices that made runs, if there are several."""
    makers: Sequence[Mapping[str, Any]] = read_benchmark(out).get(_MADE_BY, [])
    if len(makers) < 2:
        return []
    each = "; ".join(
        f"commit {one['commit']}, {one['threads']} threads, {one['device']}, {one['machine']}" for one in makers
    )
    return [f"not all runs were made in the same way: {each}"]


def _seeds_in(out: Path) -> Iterable[int]:
    """The seeds whose runs have begun, in their order."""
    folders = {path.parent.name.removeprefix("seed-") for path in out.glob("seed-*/learn.json")}
    return sorted(int(name) for name in folders if name.isdigit())


def _is_finished(run: LearningRun) -> bool:
    last = run.config.get("interactions")
    if not run.updates or run.updates[-1].interactions != last:
        return False
    return not has_network(run) or (bool(run.evaluations) and run.evaluations[-1].interactions == last)


def _final_path(out: Path, set_name: str, seed: int) -> Path:
    return out / "final" / set_name / f"seed-{seed}.json"


def _final(out: Path, set_name: str, seed: int) -> FinalFigures | None:
    """What was kept for the network that is there now."""
    path = _final_path(out, set_name, seed)
    if not path.exists():
        return None
    content, run = read_sealed(path)
    check_run_id(run, run_id_of(out / _BENCHMARK), path)
    if content[_CHECKPOINT] != checksum(model_of(out, seed)):
        return None
    return FinalFigures(int(content["pictures"]), {iou: 100 * float(content["ap"][str(iou)]) for iou in IOUS})
