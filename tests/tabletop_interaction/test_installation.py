"""The doctor compares versions, names two OpenCVs and too long a folder for sockets, and outlives broken packages."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tabletop_interaction import installation
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.findings import Finding, found_by
from tabletop_interaction.installation import PYBULLET, check_ray_folder, installed, installed_versions

_DOCTOR = "import sys; from tabletop_interaction.cli.main import main; sys.exit(main(['doctor']))"


def _install(folder: Path, name: str, version: str) -> None:
    """A distribution as pip records it, without content."""
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")


@pytest.mark.parametrize(
    ("found", "ok"), [("4.12.0.88", False), ("4.13.0", True), ("4.14.0.94", True), ("5.0.0.93", False)]
)
def test_versions_are_compared_with_the_required_ones(found: str, ok: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "version", lambda name: found)
    (finding,) = [one for one in installed() if one.name == "opencv-python-headless"]
    assert finding.ok == ok
    if not ok:
        assert finding.said == f"{found}; required is <5,>=4.13"
        assert finding.remedy == "`pip install 'opencv-python-headless<5,>=4.13'`"


def test_a_version_that_is_none_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "version", lambda name: "unknown")
    (finding,) = [one for one in installed() if one.name == "numpy"]
    assert (finding.ok, finding.said) == (False, "unknown; required is >=2.0")


def test_two_distributions_of_opencv_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _install(tmp_path, "opencv-python", "5.0.0.93")
    monkeypatch.syspath_prepend(tmp_path)
    (finding,) = [one for one in installed() if one.name == "cv2"]
    assert not finding.ok
    assert finding.said.startswith("opencv-python 5.0.0.93 and opencv-python-headless 4.")
    assert finding.remedy.startswith("`pip uninstall -y opencv-python opencv-python-headless`, then `pip install 'op")


@pytest.mark.parametrize("broken", ["raise ImportError('libGL.so.1: no such file')", "__version__ = '5.0.0'"])
def test_the_doctor_outlives_a_broken_opencv(broken: str, tmp_path: Path) -> None:
    (tmp_path / "cv2.py").write_text(broken + "\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {_DOCTOR}"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "Traceback" not in ended.stdout + ended.stderr
    assert "FAIL  simulation: " in ended.stdout
    assert ended.stderr.count("\n") == 1


def test_any_error_of_a_check_is_a_finding_of_one_line() -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("first line\nsecond line")

    (finding,) = found_by("part", broken)
    assert (finding.name, finding.ok, finding.said) == ("part", False, "RuntimeError: first line second line")


@pytest.mark.parametrize("variable", ["TMPDIR", "RAY_TMPDIR"])
def test_a_folder_that_is_too_long_for_rays_sockets_is_explained(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv(variable, "/" + "x" * 38)
    check_ray_folder()
    monkeypatch.setenv(variable, "/" + "x" * 39)
    with pytest.raises(InvalidConfiguration, match=rf"{variable} /x+ has 40 bytes.* to 108.* 107; .* 39 bytes"):
        check_ray_folder()
    (finding,) = [one for one in installed() if one.name == "ray's sockets"]
    assert not finding.ok


def test_two_distributions_of_pybullet_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PYBULLET:
        _install(tmp_path, name, "3.2.9")
    monkeypatch.syspath_prepend(tmp_path)
    (finding,) = [one for one in installed() if one.name == "pybullet" and not one.ok]
    assert finding.said == "pybullet 3.2.9 and pybullet-arm64 3.2.9 overwrite each other's module"


@pytest.mark.parametrize("name", PYBULLET)
def test_either_distribution_of_pybullet_is_accepted_and_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def version(asked: str) -> str:
        if asked in PYBULLET and asked != name:
            raise PackageNotFoundError(asked)
        return "3.2.9"

    monkeypatch.setattr(installation, "version", version)
    assert [one.said for one in installed() if one.name.startswith("pybullet")] == ["3.2.9"]
    assert installed_versions("pybullet", "numpy") == {name: "3.2.9", "numpy": "3.2.9"}
