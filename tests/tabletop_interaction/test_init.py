"""Importing the package registers the environments, and loads sub-packages and torch only when they are used."""

import subprocess
import sys

import pytest

import tabletop_interaction


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_help_of_a_class_works_after_importing_the_package_alone():
    shown = run("import tabletop_interaction\nhelp(tabletop_interaction.envs.TabletopInteraction)")
    assert "class TabletopInteraction" in shown


def test_importing_the_package_registers_the_environments_and_loads_no_sub_package():
    shown = run("""
import sys, gymnasium, tabletop_interaction
print(sorted(name for name in gymnasium.registry if name.startswith("Tabletop")))
print([name for name in sys.modules if name.startswith("tabletop_interaction.") or name in ("torch", "pybullet")])
""")
    assert shown.split("\n") == [
        "['TabletopInteraction-v0', 'TabletopPushing-v0', 'TabletopRearrangement-v0']",
        "['tabletop_interaction.starting']",
        "",
    ]


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'environments'"):
        tabletop_interaction.environments  # noqa: B018
    assert "envs" in dir(tabletop_interaction)
