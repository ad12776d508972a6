"""Two learning benchmarks: differences are taken by seed, on the same pictures only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tabletop_interaction.agents.learning.config import LearningConfig
from tabletop_interaction.benchmarks.learning.against import check_other, paired_scores
from tabletop_interaction.benchmarks.learning.folder import SharedSettings, keep_settings
from tabletop_interaction.benchmarks.learning.scores import LearningScores
from tabletop_interaction.benchmarks.segmentation.during_learning import HeldOutChoice
from tabletop_interaction.errors import ForeignFolder, InvalidConfiguration
from tabletop_interaction.reports.learning_run import LearningRun

WriteRun = Callable[..., LearningRun]

DEV = HeldOutChoice("dev", 2)


@pytest.fixture
def other(tmp_path: Path, write_run: WriteRun) -> Path:
    """A benchmark with seeds 0 to 2: AP at IoU 0.3 after 4 interactions 50, 60 and 70."""
    out = tmp_path / "other"
    keep_settings(out, SharedSettings(LearningConfig(interactions=4), DEV, 2), "cpu")
    for seed in range(3):
        write_run(f"seed-{seed}", 20, 50 + 10 * seed, folder=out, set="dev", pictures=2)
    return out


def test_differences_are_of_the_common_seeds(other: Path, write_run: WriteRun) -> None:
    # Of seeds 1 and 2: 62 - 60 and 76 - 70; mean 4, s = sqrt(8), error 2.
    ours = {seed: write_run(str(seed), 20, ap) for seed, ap in {1: 62, 2: 76, 5: 99}.items()}
    paired = paired_scores(other, LearningScores(ours))
    assert paired is not None
    table = paired.table()
    assert str(table.title) == f"this minus {other}, points, 2 common seeds"
    assert list(table.columns[1].cells) == ["+0.0 ± 0.0", "+4.0 ± 2.0"]
    assert paired_scores(other, LearningScores({5: ours[5]})) is None


def test_settings_that_differ_are_named(other: Path, write_run: WriteRun) -> None:
    paired = paired_scores(other, LearningScores({0: write_run("0", 20, 55, "m-m-m-")}))
    assert paired is not None
    assert [note for note in paired.notes() if "differs" in note] == [f"interactions differs: 6 (this), 4 ({other})"]
    assert list(paired.table().columns[0].cells) == []
    assert paired.notes()[0] == f"no number of interactions after which both were evaluated, this and {other}"


def test_other_pictures_other_seeds_and_other_folders_are_refused(other: Path, tmp_path: Path) -> None:
    check_other(other, tmp_path / "out", DEV, range(2, 5))
    with pytest.raises(InvalidConfiguration, match="evaluated on 2 pictures of dev, and this benchmark on 9 of dev"):
        check_other(other, tmp_path / "out", HeldOutChoice("dev", 9), range(3))
    with pytest.raises(InvalidConfiguration, match="no finished run of the seeds 3 to 5; there are: 0, 1, 2"):
        check_other(other, tmp_path / "out", DEV, range(3, 6))
    with pytest.raises(ForeignFolder, match="give a folder of `tabletop benchmark learning`"):
        check_other(tmp_path, tmp_path / "out", DEV, range(3))
    with pytest.raises(InvalidConfiguration, match="is the folder of this benchmark; name that of another one"):
        check_other(other, tmp_path / "x" / ".." / "other", DEV, range(3))
