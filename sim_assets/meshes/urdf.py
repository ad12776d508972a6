"""The visual shapes of a URDF file whose links are fixed to each other, in the frame of its root link."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from xml.etree import ElementTree

import numpy as np

from tabletop_interaction.arrays import Floats
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets.meshes.parts import read_urdf

Kind = Literal["mesh", "box", "cylinder", "sphere"]


@dataclass(frozen=True, eq=False)
class UrdfShape:
    """One visual shape.

    Attributes:
        kind: what the shape is.
        mesh: the mesh file's name as the URDF gives it; None for a box, cylinder or sphere.
        size: (3,) of a box, radius and length of a cylinder, radius of a sphere.
        scale: (3,) by which a mesh is scaled.
        transform: (4, 4) root_from_shape.
        colour: RGB, 0 to 255; None if the file states none.
    """

    kind: Kind
    mesh: str | None
    size: tuple[float, ...]
    scale: Floats
    transform: Floats
    colour: tuple[int, ...] | None


def read_shapes(path: Path) -> list[UrdfShape]:
    """All visual shapes of a URDF file.

    Raises:
        InvalidConfiguration: it is no URDF, a joint can move, or a value is damaged.
    """
    robot = read_urdf(path)
    try:
        links = {link.get("name", ""): link for link in robot.findall("link")}
        poses = _link_poses(path, robot, links)
        colours = {each.get("name"): _colour(each) for each in robot.findall("material")}
        return [
            _shape(visual, poses[name], colours) for name, link in links.items() for visual in link.findall("visual")
        ]
    except InvalidConfiguration:
        raise
    except (ValueError, LookupError, AttributeError) as error:
        raise InvalidConfiguration(f"{path} cannot be read as URDF ({error}); correct it there") from error


def stated_mass(path: Path) -> float | None:
    """Kilograms of all links together; None if the file states none."""
    masses = [float(mass.get("value", 0)) for mass in read_urdf(path).iterfind("link/inertial/mass")]
    return sum(masses) or None


def _link_poses(path: Path, robot: ElementTree.Element, links: dict[str, ElementTree.Element]) -> dict[str, Floats]:
    """root_from_link (4, 4) of every link."""
    parents = {}
    for joint in robot.findall("joint"):
        if joint.get("type") != "fixed":
            raise InvalidConfiguration(
                f"{path} has the joint {joint.get('name')!r} of type {joint.get('type')}; accepted are fixed joints: "
                "an object is one rigid body"
            )
        child, parent = (_required(joint, tag).get("link", "") for tag in ("child", "parent"))
        parents[child] = (parent, _origin(joint))
    poses = {}
    for name in links:
        pose, link, seen = np.eye(4), name, {name}
        while link in parents:
            link, origin = parents[link]
            if link in seen:
                raise ValueError(f"link {link!r} is fixed to itself")
            seen.add(link)
            pose = origin @ pose
        poses[name] = pose
    return poses


def _shape(visual: ElementTree.Element, pose: Floats, colours: dict[str | None, tuple[int, ...] | None]) -> UrdfShape:
    geometry = _required(visual, "geometry")
    shape = next(iter(geometry))
    material = visual.find("material")
    colour = None if material is None else _colour(material) or colours.get(material.get("name"))
    transform = pose @ _origin(visual)
    one = np.ones(3)
    if shape.tag == "mesh":
        scale = _numbers(shape.get("scale", "1 1 1"), 3)
        return UrdfShape("mesh", shape.attrib["filename"], (), scale, transform, colour)
    if shape.tag == "box":
        return UrdfShape("box", None, tuple(_numbers(shape.attrib["size"], 3)), one, transform, colour)
    if shape.tag == "cylinder":
        size = (float(shape.attrib["radius"]), float(shape.attrib["length"]))
        return UrdfShape("cylinder", None, size, one, transform, colour)
    if shape.tag == "sphere":
        return UrdfShape("sphere", None, (float(shape.attrib["radius"]),), one, transform, colour)
    raise ValueError(f"a shape is a {shape.tag}; accepted are mesh, box, cylinder and sphere")


def _origin(element: ElementTree.Element) -> Floats:
    """(4, 4) of an element's origin."""
    pose = np.eye(4)
    if (origin := element.find("origin")) is not None:
        # SciPy comes with the extra `meshes`.
        from scipy.spatial.transform import Rotation

        pose[:3, 3] = _numbers(origin.get("xyz", "0 0 0"), 3)
        pose[:3, :3] = Rotation.from_euler("xyz", _numbers(origin.get("rpy", "0 0 0"), 3)).as_matrix()
    return pose


def _colour(material: ElementTree.Element) -> tuple[int, ...] | None:
    colour = material.find("color")
    return None if colour is None else tuple(round(255 * c) for c in _numbers(colour.attrib["rgba"], 4)[:3])


def _numbers(text: str, count: int) -> Floats:
    numbers = np.array([float(each) for each in text.split()])
    if len(numbers) != count or not np.isfinite(numbers).all():
        raise ValueError(f"{text!r} has not {count} finite numbers")
    return numbers


def _required(element: ElementTree.Element, tag: str) -> ElementTree.Element:
    found = element.find(tag)
    if found is None:
        raise ValueError(f"a {element.tag} has no {tag}")
    return found
