"""Check that a wheel holds every file of our packages, and an sdist every tracked file: CHECKOUT WHEEL SDIST."""

import configparser
import subprocess
import sys
import tarfile
import zipfile
from pathlib import PurePosixPath

LEFT_OUT = (".ci/", ".gitignore")
"""Of the tracked files, those that a sdist does not need."""


def in_wheel(tracked: list[str], folders: dict[str, str]) -> set[str]:
    """Paths in the wheel of the tracked files of packages; `folders` are the folders by package."""
    packages = {folder: package for package, folder in folders.items()}
    paths = set()
    for name in tracked:
        path = PurePosixPath(name)
        for parent in path.parents:
            if package := packages.get(str(parent)):
                paths.add(str(PurePosixPath(package.replace(".", "/")) / path.relative_to(parent)))
                break
    return paths


def main(checkout: str, wheel: str, sdist: str) -> None:
    """Raise SystemExit with the names of missing files."""
    setup = configparser.ConfigParser()
    setup.read(f"{checkout}/setup.cfg")
    folders = dict(line.split(" = ") for line in setup["options"]["package_dir"].strip().splitlines())
    listed = subprocess.run(["git", "-C", checkout, "ls-files", "-z"], check=True, capture_output=True, text=True)
    tracked = [name for name in listed.stdout.split("\0") if name]
    wanted = in_wheel(tracked, folders)
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    missing = {wheel: wanted - held, sdist: {name for name in tracked if not name.startswith(LEFT_OUT)} - packed}
    assert wanted, "no package was found"
    for archive_name, names in missing.items():
        if names:
            raise SystemExit(f"{archive_name} lacks {len(names)} files, such as {sorted(names)[:5]}")
    strange = sorted(name for name in held - wanted if ".dist-info/" not in name)
    if strange:
        raise SystemExit(f"{wheel} holds files that are not ours, such as {strange[:5]}")
    print(f"the wheel holds all {len(wanted)} files of our packages, the sdist all that are tracked")


main(*sys.argv[1:])
