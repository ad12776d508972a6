"""Make, step, record, read and show with the installed wheel, in the working folder, without torch."""

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import gymnasium as gym

import tabletop_interaction
from tabletop_interaction.envs import RecordInteractions, read_interactions
from tabletop_interaction.extras import install_command

LARGE = ("torch", "scipy", "matplotlib", "ray", "stable_baselines3")
TABLETOP = Path(sys.executable).with_name("tabletop")


def tabletop(*arguments: str) -> str:
    """The output of a command that ends well."""
    return subprocess.run([TABLETOP, *arguments], check=True, capture_output=True, text=True).stdout


def main() -> None:
    """Raise AssertionError or CalledProcessError where something does not work."""
    package = Path(tabletop_interaction.__file__).parent
    assert package.is_relative_to(sys.prefix), f"{package} is not the installed wheel"
    if "--with-tests" not in sys.argv:
        came = [name for name in LARGE if find_spec(name)]
        assert not came, f"the core brought {came}"
    assert install_command("learn").endswith("pip install 'tabletop-interaction[learn]'"), install_command("learn")
    with TemporaryDirectory() as folder:
        records = Path(folder, "records")
        env = RecordInteractions(gym.make("tabletop_interaction:TabletopInteraction-v0"), records)
        env.reset(seed=0)
        env.step(env.action_space.sample())
        env.close()
        assert [row.before["view_0"].shape for row in read_interactions(records)] == [(350, 430, 3)]
        assert "holds 2 interactions" in tabletop("collect", "--interactions", "2", "--out", f"{folder}/collected")
        sheet = tabletop("show", f"{folder}/collected").splitlines()[0]
        refused = subprocess.run([TABLETOP, "segment", sheet, "--out", folder], capture_output=True, text=True)
    assert "checks passed" in tabletop("doctor")
    assert "pip install 'tabletop-interaction[learn]'" in refused.stderr, refused.stderr
    print(f"Python {sys.version.split()[0]}: the wheel's core works")


main()
