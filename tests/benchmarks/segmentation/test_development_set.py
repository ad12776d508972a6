"""The development set is as hard as the test set, and holds nothing of it."""

from pathlib import Path

import pytest

from tabletop_interaction.benchmarks.results.result import Result, read_result
from tabletop_interaction.benchmarks.segmentation.label_sets import HELD_OUT_SETS, SETS
from tabletop_interaction.sim_assets import background_names, object_names

RESULTS = Path(__file__).parents[3] / "docs" / "results"


def baseline_on(name: str) -> Result:
    return read_result(RESULTS / f"table-colour-{name}.json")


def ap(result: Result) -> float:
    (figures,) = result.figures.values()
    return figures["AP at IoU 0.3"].value


def test_the_set_has_sixty_pictures_with_objects_and_tables_of_its_own() -> None:
    spec = SETS["dev"]
    assert (HELD_OUT_SETS[0], spec.pictures, spec.objects, spec.backgrounds) == ("dev", 60, "dev", "dev")
    others = [name for name in SETS if name != "dev"]
    for names in (object_names, background_names):
        assert not set(names("dev")) & {name for other in others for name in names(SETS[other].objects)}


def test_no_table_top_has_the_design_of_one_of_the_test_set() -> None:
    designs = {split: {name.split("_", 2)[2] for name in background_names(split)} for split in ("dev", "test")}
    assert not designs["dev"] & designs["test"]


def test_the_simple_baseline_is_as_weak_as_on_the_test_set() -> None:
    """The figures of the published set, which `tabletop evaluate --model table-colour --set dev` measured."""
    assert any("matches the published set" in note for note in baseline_on("dev").notes)
    assert 15 <= ap(baseline_on("dev")) <= 25
    assert ap(baseline_on("dev")) == pytest.approx(ap(baseline_on("test")), abs=5)
    assert ap(baseline_on("val")) > 2 * ap(baseline_on("dev"))
