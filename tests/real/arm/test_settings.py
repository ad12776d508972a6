"""Settings come from the lab file's sections; an unknown name or a value out of range is refused by name."""

from pathlib import Path

import pytest

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.settings import MotionSettings, SawyerSettings
from tabletop_interaction.real.lab.file import LabFile


def _settings(sections):
    return LabFile(Path("lab.yaml"), sections).settings


def test_missing_settings_have_their_defaults():
    assert _settings({"motion": {}}) == SawyerSettings()


def test_given_settings_are_taken_and_the_others_keep_their_defaults():
    settings = _settings({"motion": {"speed_ratio": 0.1}, "safety": {"workspace_low": [-0.5, -1.2, 0.01]}})
    assert settings.motion.speed_ratio == 0.1
    assert settings.safety.workspace_low == (-0.5, -1.2, 0.01)
    assert settings.gripper == SawyerSettings().gripper


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"motion": {"speed": 0.1}}, "unknown field `speed` - at `motion`, accepted are speed_ratio"),
        ({"motion": {"speed_ratio": 1.5}}, "speed_ratio is 1.5; accepted is 0.01 to 1 - at `motion`"),
        ({"motion": {"away": [0.0, 1.0]}}, "at `motion.away`"),
        ({"safety": {"max_force_change_n": "much"}}, "at `safety.max_force_change_n`"),
        ({"safety": {"workspace_low": [1.0, -1.0, 0.01]}}, "x runs from 1.0 to 0.9 m"),
        ({"safety": {"workspace_low": [-0.5, -1.2, 0.0]}}, "workspace_low z is 0.0; accepted is 0.002 to 0.1"),
        ({"safety": {"tracking_ticks": 21}}, "tracking_ticks is 21; accepted is 1 to 20 - at `safety`"),
        ({"gripper": {"timeout_s": 60}}, "timeout_s is 60"),
    ],
)
def test_a_wrong_setting_is_named(sections, message):
    with pytest.raises(InvalidConfiguration, match=message):
        _settings(sections)


@pytest.mark.parametrize("ratio", [0.0, 1.01, float("nan")])
def test_a_setting_out_of_range_is_refused_without_a_file_too(ratio):
    with pytest.raises(InvalidConfiguration, match="speed_ratio is"):
        MotionSettings(speed_ratio=ratio)
