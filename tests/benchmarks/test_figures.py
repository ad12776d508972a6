"""Options of the figures are checked before anything is measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tabletop_interaction.benchmarks.accuracy.grasp_success import AimedPickOptions
from tabletop_interaction.benchmarks.accuracy.judge_agreement import JudgeOptions
from tabletop_interaction.benchmarks.accuracy.label_quality import LabelQualityOptions
from tabletop_interaction.benchmarks.accuracy.matching import MatchingOptions
from tabletop_interaction.benchmarks.accuracy.motion_quality import MotionOptions
from tabletop_interaction.benchmarks.accuracy.twin_agreement import TwinOptions
from tabletop_interaction.benchmarks.figures import SceneOptions
from tabletop_interaction.errors import InvalidConfiguration


@pytest.mark.parametrize(
    ("options", "values"),
    [
        (AimedPickOptions, {"trials": 0}),
        (JudgeOptions, {"scenes": 0}),
        (LabelQualityOptions, {"out": Path("unused"), "interactions": 0}),
        (LabelQualityOptions, {"out": Path("unused"), "interactions_per_scene": 0}),
        (MatchingOptions, {"pairs": 0}),
        (MotionOptions, {"pushes": 0}),
        (TwinOptions, {"interactions": 0}),
    ],
)
def test_nothing_to_measure_is_refused(options: type[SceneOptions], values: dict[str, Any]) -> None:
    """Some benchmarks ended in a traceback of numpy, others printed a table of NaN."""
    with pytest.raises(InvalidConfiguration, match=f"{list(values)[-1]} is 0; accepted is 1 to 100,000,000"):
        options(**values)
