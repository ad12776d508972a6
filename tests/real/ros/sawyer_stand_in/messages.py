"""The robot's message types as Python: Debian's genpy generates `intera_core_msgs` from `definitions.txt`.

The definitions have the names and fields of the robot's types, so their md5 sums, by which ROS 1 compares types, are
equal. Comments and the order of constants do not count.
"""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

PACKAGE = "intera_core_msgs"

_DEFINITIONS = Path(__file__).parent / "definitions.txt"
_USED = {
    "std_msgs": ("Header",),
    "geometry_msgs": ("Point", "Quaternion", "Pose", "PoseStamped", "Vector3", "Twist", "Wrench"),
    "sensor_msgs": ("JointState",),
}


def generate_messages(folder: Path) -> None:
    """Write the package `intera_core_msgs` with `msg` and `srv` into `folder`, which belongs on `sys.path`."""
    from genpy import generate_initpy, generator

    sources = folder / "definitions"
    paths = {package: [str(sources / package)] for package in (PACKAGE, *_USED)}
    written = list(_write_definitions(sources))
    for kind, generate in (("msg", generator.MsgGenerator()), ("srv", generator.SrvGenerator())):
        out = folder / PACKAGE / kind
        out.mkdir(parents=True)
        files = [str(path) for path in written if path.suffix == f".{kind}"]
        if generate.generate_messages(PACKAGE, files, str(out), paths):
            raise RuntimeError(f"genpy generated no {kind} from {_DEFINITIONS}")
        generate_initpy.write_modules(str(out))
    (folder / PACKAGE / "__init__.py").touch()


def _write_definitions(folder: Path) -> Iterator[Path]:
    """Our definitions, which are yielded, and beside them those of Debian's types that they use."""
    for package, names in _USED.items():
        types = import_module(f"{package}.msg")
        (folder / package).mkdir(parents=True)
        for name in names:
            full = getattr(types, name)._full_text
            (folder / package / f"{name}.msg").write_text(re.split("^=+$", full, maxsplit=1, flags=re.M)[0])
    (folder / PACKAGE).mkdir()
    for section in re.split("^=+$\n", _DEFINITIONS.read_text(), flags=re.M):
        heading, _, body = section.partition("\n")
        kind, _, name = heading.partition(f": {PACKAGE}/")
        path = folder / PACKAGE / f"{name}.{kind.lower()}"
        path.write_text(body)
        yield path
