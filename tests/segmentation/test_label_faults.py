"""Every kind of fault is documented, where it belongs."""

from pathlib import Path

from tabletop_interaction.segmentation.label_faults import HARMLESS, Fault, FaultKind, listed

DOCUMENT = Path(__file__).parents[2] / "docs" / "label-sets.md"


def test_each_kind_of_fault_is_documented_as_skipped_or_refused() -> None:
    skipped, refused = DOCUMENT.read_text().split("## Skipped")[1].split("## Refused")
    for kind in FaultKind:
        assert f"- {kind}" in (skipped if kind in HARMLESS else refused), kind


def test_faults_are_grouped_by_kind_with_the_first_example_of_each() -> None:
    faults = [Fault(FaultKind.NO_MASK, "one"), Fault(FaultKind.RLE_DAMAGED, "x" * 999), Fault(FaultKind.NO_MASK, "two")]
    line = listed(faults)
    assert line.startswith("annotations without a mask: 2 (one); damaged RLEs: 1 (xxx")
    assert len(line) < 250
