"""Extras: what they require, which one brings a module, and the command that installs it here."""

import configparser
import json
import sys
from pathlib import Path

import pytest

from tabletop_interaction import extras
from tabletop_interaction.extras import explained, explaining, install_command, required

ROOT = Path(__file__).parents[2]


def test_extras_are_required_only_by_their_names() -> None:
    assert not {"ray", "torch", "scipy"} & set(required())
    assert list(required("ray")) == ["ray"]
    assert "numpy" in required()


def test_the_sum_of_the_extras_requires_what_they_require() -> None:
    named = set().union(*(required(extra) for extra in extras.extras()))
    assert set(required("all")) == named
    assert named < set(required("dev"))


def test_the_purpose_of_every_extra_for_users_is_stated() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert set(setup["options.extras_require"]) - {"all", "dev", "docs"} == set(extras.PURPOSES)


def test_one_distribution_of_pybullet_is_required_here() -> None:
    assert len({"pybullet", "pybullet-arm64"} & set(required())) == 1


def test_in_its_folder_a_checkout_is_named_by_a_dot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "_pip", lambda: "pip")
    monkeypatch.chdir(ROOT)
    assert install_command("sawyer") == "pip install -e '.[sawyer]'"
    monkeypatch.chdir(ROOT / "docs")
    assert install_command("sawyer") == f"pip install -e '{ROOT}[sawyer]'"


@pytest.mark.parametrize(("is_there", "named"), [(True, "{checkout}[learn]"), (False, "tabletop-interaction[learn]")])
def test_a_copy_names_the_checkout_that_it_was_installed_from(
    is_there: bool, named: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    packages, checkout = tmp_path / "site-packages", tmp_path / "mein Ordner ü"
    info = packages / "tabletop_interaction-0.1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tabletop-interaction\nVersion: 0.1.0\n")
    # As pip writes it.
    (info / "direct_url.json").write_text(json.dumps({"dir_info": {}, "url": checkout.as_uri()}))
    if is_there:
        checkout.mkdir()
        (checkout / "setup.cfg").touch()
    monkeypatch.syspath_prepend(packages)
    monkeypatch.setattr(extras, "__file__", str(packages / "tabletop_interaction" / "extras.py"))
    monkeypatch.setattr(extras, "_pip", lambda: "pip")
    assert install_command("learn") == f"pip install '{named.format(checkout=checkout)}'"


@pytest.mark.parametrize(("inside", "said"), [(True, ".venv/bin/python -m pip"), (False, "{venv}/bin/python -m pip")])
def test_the_pip_of_another_python_is_not_named(
    inside: bool, said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    venv = tmp_path / ".venv"
    monkeypatch.chdir(tmp_path if inside else ROOT)
    monkeypatch.setattr(sys, "executable", str(venv / "bin" / "python"))
    monkeypatch.setattr(extras.shutil, "which", lambda name: "/usr/bin/pip")
    assert install_command("ray").startswith(f"{said.format(venv=venv)} install ")
    monkeypatch.setattr(extras.shutil, "which", lambda name: f"{venv}/bin/pip")
    monkeypatch.setattr(extras.sysconfig, "get_path", lambda name: f"{venv}/bin")
    assert install_command("ray").startswith("pip install ")


@pytest.mark.parametrize(
    ("module", "extra"),
    [("torch", "learn"), ("skimage.segmentation", "learn"), ("ruckig", "sawyer"), ("stable_baselines3", "rl")],
)
def test_a_missing_module_is_explained_by_its_extra(module: str, extra: str) -> None:
    said = str(explained(ModuleNotFoundError(f"No module named {module!r}", name=module)))
    assert said == f"this needs {module.partition('.')[0]}, which is not installed; run `{install_command(extra)}`"


def test_an_unknown_module_keeps_its_error() -> None:
    with pytest.raises(ModuleNotFoundError, match="No module named 'nowhere_at_all'"), explaining():
        import nowhere_at_all  # noqa: F401
