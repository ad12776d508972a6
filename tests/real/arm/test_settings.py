"""Settings come from the lab file's sections; what is unknown or out of range is refused by name."""

import pytest

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.real.arm.settings import SawyerSettings, settings_of


def test_silent_sections_mean_the_defaults():
    assert settings_of({"motion": {}}) == SawyerSettings()


def test_what_a_section_says_is_taken_and_the_rest_stays():
    settings = settings_of({"motion": {"speed_ratio": 0.1}, "safety": {"workspace_low": [-0.5, -1.2, 0.01]}})
    assert settings.motion.speed_ratio == 0.1
    assert settings.safety.workspace_low == (-0.5, -1.2, 0.01)
    assert settings.gripper == SawyerSettings().gripper


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ({"motion": {"speed": 0.1}}, "unknown 'speed'; accepted are speed_ratio"),
        ({"motion": {"speed_ratio": 1.5}}, "motion: .*speed_ratio is 1.5; accepted is 0.01 to 1"),
        ({"motion": {"away": [0.0, 1.0]}}, "motion: .*away"),
        ({"safety": {"max_force_change_n": "much"}}, "safety: .*max_force_change_n"),
        ({"safety": {"workspace_low": [1.0, -1.0, 0.01]}}, "x runs from 1.0 to 0.9 m"),
        ({"gripper": {"timeout_s": 60}}, "timeout_s is 60"),
    ],
)
def test_a_wrong_setting_is_named(sections, message):
    with pytest.raises(InvalidConfiguration, match=message):
        settings_of(sections)
