"""Rethink's Sawyer with its electric parallel gripper: tables of numbers, and the URDF generated from them.

Metres, kilograms, newtons and radians; `rpy` turns about the parent's fixed x, then y, then z axis. A child's frame is
parent * T(xyz, rpy) * motion about or along the joint's axis. The numbers are those that Rethink publishes for arm and
gripper, fingers in slot 2; the visual shapes are our own. No mesh file is needed.

Differences from the published tables:

- Rigidly connected parts share one frame, and unused massless frames are left out: pedestal, feet and controller box
  are in `base`, the parts of a link called `..._2` in that link, the connector plate and the gripper's body in
  `right_hand`.
- The head does not pan: it is fixed to the first link.
- The gripper's 0.47 kg are distributed: 0.03 kg to each finger with its tip and the rest to `right_hand`, each with the
  inertia of a solid box of its size. 1 g fingers with 0.01 kg m^2 would make contacts unstable.
- The remaining frames (`right_hand_camera`, `right_gripper_tip`) weigh 1 g: smaller masses are unstable in Bullet.

The pads' inner faces are 15.5 mm apart when closed and 57.2 mm when open. The pads end 2.8 mm beyond
`right_gripper_tip`, and their middle lies 3 mm beside it along the gripper's x axis, as published.
"""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Vector = tuple[float, float, float]
Inertia = tuple[float, float, float, float, float, float]

_ORIGIN: Vector = (0.0, 0.0, 0.0)

COLOURS: dict[str, tuple[float, float, float, float]] = {
    "red": (0.50, 0.07, 0.08, 1.0),
    "charcoal": (0.13, 0.13, 0.14, 1.0),
    "grey": (0.34, 0.35, 0.37, 1.0),
    "light": (0.78, 0.78, 0.76, 1.0),
    "screen": (0.10, 0.22, 0.36, 1.0),
    "white": (0.95, 0.95, 0.95, 1.0),
}


@dataclass(frozen=True)
class Shape:
    """A primitive with its centre at `xyz`, turned by `rpy`, in its link's frame.

    `size` is x, y, z of a box, radius and length (along z) of a cylinder, or radius of a sphere, metres; `colour` is a
    key of `COLOURS` and is used by visual shapes only.
    """

    kind: Literal["box", "cylinder", "sphere"]
    size: tuple[float, ...]
    xyz: Vector = _ORIGIN
    rpy: Vector = _ORIGIN
    colour: str = "charcoal"


@dataclass(frozen=True)
class Link:
    """A rigid body: mass (kg), centre of mass (m), inertia about it (kg m^2; xx xy xz yy yz zz), shapes."""

    name: str
    mass: float
    com: Vector = _ORIGIN
    inertia: Inertia = (1e-6, 0.0, 0.0, 1e-6, 0.0, 1e-6)
    collisions: tuple[Shape, ...] = ()
    visuals: tuple[Shape, ...] = ()


@dataclass(frozen=True)
class Limits:
    """Limits of a joint: rad, rad/s, N m, rad/s^2 if revolute; m, m/s, N, m/s^2 if prismatic."""

    lower: float
    upper: float
    velocity: float
    effort: float
    acceleration: float


@dataclass(frozen=True)
class Joint:
    """The connection of `child` to `parent`; `axis` and `limits` are used by moving joints only."""

    name: str
    kind: Literal["fixed", "revolute", "prismatic"]
    parent: str
    child: str
    xyz: Vector
    rpy: Vector = _ORIGIN
    axis: Vector = (0.0, 0.0, 1.0)
    limits: Limits | None = None


ARM_JOINT_NAMES = ("right_j0", "right_j1", "right_j2", "right_j3", "right_j4", "right_j5", "right_j6")
FINGER_JOINT_NAMES = ("right_gripper_l_finger_joint", "right_gripper_r_finger_joint")

NEUTRAL = (0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161)
"""The manufacturer's neutral posture, radians: the gripper points straight down."""

FINGER_TRAVEL = 0.020833
"""Travel of each finger from closed to open, metres."""

_QUARTER = 1.5708
_WRIST_TURN: Vector = (-_QUARTER, -0.17453, 3.1416)


def _arm_joint(number: int, parent: str, xyz: Vector, rpy: Vector, *limits: float) -> Joint:
    name, child = ARM_JOINT_NAMES[number], f"right_l{number}"
    return Joint(name, "revolute", parent, child, xyz, rpy, limits=Limits(*limits))


def _fixed(parent: str, child: str, xyz: Vector, rpy: Vector = _ORIGIN) -> Joint:
    return Joint(f"{child}_mount", "fixed", parent, child, xyz, rpy)


def _finger_joint(name: str, child: str, y: float, lower: float, upper: float) -> Joint:
    # No limit of a finger's acceleration is published.
    limits = Limits(lower, upper, velocity=5.0, effort=20.0, acceleration=math.inf)
    return Joint(name, "prismatic", "right_hand", child, (0.003, y, 0.05992), _ORIGIN, (0, 1, 0), limits)


JOINTS: tuple[Joint, ...] = (
    _fixed("base", "right_arm_base_link", _ORIGIN),
    _arm_joint(0, "right_arm_base_link", (0, 0, 0.08), _ORIGIN, -3.0503, 3.0503, 1.74, 80, 10),
    _fixed("right_l0", "head", (0, 0, 0.2965)),
    _arm_joint(1, "right_l0", (0.081, 0.05, 0.237), (-_QUARTER, _QUARTER, 0), -3.8095, 2.2736, 1.328, 80, 8),
    _arm_joint(2, "right_l1", (0, -0.14, 0.1425), (_QUARTER, 0, 0), -3.0426, 3.0426, 1.957, 40, 10),
    _arm_joint(3, "right_l2", (0, -0.042, 0.26), (-_QUARTER, 0, 0), -3.0439, 3.0439, 1.957, 40, 10),
    _arm_joint(4, "right_l3", (0, -0.125, -0.1265), (_QUARTER, 0, 0), -2.9761, 2.9761, 3.485, 9, 12),
    _arm_joint(5, "right_l4", (0, 0.031, 0.275), (-_QUARTER, 0, 0), -2.9761, 2.9761, 3.485, 9, 12),
    _fixed("right_l5", "right_hand_camera", (0.039552, -0.033, 0.0695), (0, _QUARTER, 0)),
    _arm_joint(6, "right_l5", (0, -0.11, 0.1053), _WRIST_TURN, -4.7124, 4.7124, 4.545, 9, 12),
    _fixed("right_l6", "right_hand", (0, 0, 0.0245), (0, 0, _QUARTER)),
    _fixed("right_hand", "right_gripper_tip", (0, 0, 0.13562)),
    _finger_joint(FINGER_JOINT_NAMES[0], "right_gripper_l_finger", -0.0015, 0.0, FINGER_TRAVEL),
    _finger_joint(FINGER_JOINT_NAMES[1], "right_gripper_r_finger", 0.0015, -FINGER_TRAVEL, 0.0),
    _fixed("right_gripper_l_finger", "right_gripper_l_finger_tip", (0, 0.01725, 0.075)),
    _fixed("right_gripper_r_finger", "right_gripper_r_finger_tip", (0, -0.01725, 0.075)),
)


def _tube(start: Vector, end: Vector, radius: float, colour: str) -> Shape:
    dx, dy, dz = (b - a for a, b in zip(start, end, strict=True))
    middle = (start[0] + dx / 2, start[1] + dy / 2, start[2] + dz / 2)
    rpy = (0.0, math.atan2(math.hypot(dx, dy), dz), math.atan2(dy, dx))
    return Shape("cylinder", (radius, math.hypot(dx, dy, dz)), middle, rpy, colour)


def _bar(start: Vector, end: Vector, radius: float) -> tuple[Shape, ...]:
    """A red tube with a ball at each end."""
    balls = (Shape("sphere", (radius,), centre, colour="red") for centre in (start, end))
    return (_tube(start, end, radius, "red"), *balls)


def _drum(radius: float, bottom: float, top: float, colour: str = "charcoal", x: float = 0.0) -> Shape:
    """A flat-ended cylinder along the link's z axis, which is the axis of the link's joint."""
    return Shape("cylinder", (radius, top - bottom), (x, 0, (bottom + top) / 2), colour=colour)


def _solid_box(link: Link, size: Vector) -> Link:
    """The link with the inertia of a solid box of its mass."""
    xx, yy, zz = (link.mass / 12 * (math.hypot(*size) ** 2 - edge**2) for edge in size)
    return replace(link, inertia=(xx, 0.0, 0.0, yy, 0.0, zz))


def _finger(name: str, side: int) -> Link:
    """A finger without its pad; `side` is 1 for the left one, -1 for the right."""
    shapes = (
        Shape("box", (0.01, 0.0135, 0.075), (0, side * 0.01725, 0.04)),
        Shape("box", (0.01, 0.05, 0.017), (side * -0.005, side * -0.003, 0.0083)),
    )
    link = Link(name, 0.025, (0, side * 0.01, 0.03), collisions=shapes, visuals=shapes)
    return _solid_box(link, (0.01, 0.03, 0.075))


def _finger_tip(name: str, side: int) -> Link:
    pad = Shape("box", (0.016, 0.007, 0.037), (0, side * -0.0045, -0.015), colour="light")
    return _solid_box(Link(name, 0.005, pad.xyz, collisions=(pad,), visuals=(pad,)), (0.016, 0.007, 0.037))


_BASE = Link(
    "base",
    60.864,
    (0, 0, -0.5),
    (5.06359, 0.00103417, 0.801996, 6.08689, 0.00105311, 4.96192),
    collisions=(
        Shape("cylinder", (0.18, 0.62), (-0.02, 0, -0.29)),
        Shape("box", (0.22, 0.4, 0.53), (-0.325, 0, -0.38)),
        Shape("box", (0.77, 0.7, 0.31), (-0.1225, 0, -0.758)),
    ),
    visuals=(
        _drum(0.12, -0.66, -0.03, "charcoal", x=-0.02),
        _drum(0.15, -0.03, 0.0, "grey", x=-0.02),
        _drum(0.17, -0.70, -0.64, "grey", x=-0.02),
        Shape("box", (0.20, 0.38, 0.52), (-0.325, 0, -0.38)),
        Shape("box", (0.72, 0.12, 0.10), (-0.12, 0.26, -0.83)),
        Shape("box", (0.72, 0.12, 0.10), (-0.12, -0.26, -0.83)),
        Shape("box", (0.30, 0.60, 0.16), (-0.12, 0, -0.78)),
    ),
)

_HEAD = Link(
    "head",
    1.5795,
    (0.0053207, -2.6549e-05, 0.1021),
    (0.011833, -4.4669e-06, 4.9425e-05, 0.0082709, 4.2124e-07, 0.0049661),
    collisions=(Shape("sphere", (0.18,), (0, 0, 0.08)),),
    visuals=(
        _drum(0.05, 0.0, 0.06, "charcoal"),
        Shape("box", (0.05, 0.26, 0.18), (0, 0, 0.105), colour="red"),
        Shape("box", (0.02, 0.27, 0.19), (0.03, 0, 0.105)),
        Shape("box", (0.004, 0.23, 0.15), (0.041, 0, 0.105), colour="screen"),
        *(_tube((0.041, y, 0.11), (0.045, y, 0.11), 0.032, "white") for y in (-0.05, 0.05)),
        *(_tube((0.045, y, 0.11), (0.048, y, 0.11), 0.014, "charcoal") for y in (-0.05, 0.05)),
    ),
)

_ARM: tuple[Link, ...] = (
    Link(
        "right_arm_base_link",
        2.0687,
        (-0.0006241, -2.8025e-05, 0.065404),
        (0.0067599, -4.2024e-05, -6.1904e-07, 0.0067877, 1.5888e-05, 0.0074031),
        collisions=(Shape("cylinder", (0.08, 0.24), (0, 0, 0.12)),),
        visuals=(_drum(0.09, 0.0, 0.03, "charcoal"), _drum(0.08, 0.03, 0.09, "grey")),
    ),
    Link(
        "right_l0",
        5.3213,
        (0.024366, 0.010969, 0.14363),
        (0.053314, 0.0047093, 0.011734, 0.057902, 0.0080179, 0.023659),
        collisions=(Shape("sphere", (0.07,), (0.08, 0, 0.23)),),
        visuals=(
            _drum(0.08, 0.01, 0.28, "red"),
            _drum(0.065, 0.28, 0.30, "charcoal"),
            *_bar((0.0, 0.0, 0.237), (0.081, 0.0, 0.237), 0.068),
            _tube((0.081, -0.055, 0.237), (0.081, 0.055, 0.237), 0.070, "charcoal"),
        ),
    ),
    Link(
        "right_l1",
        4.505,
        (-0.0030849, -0.026811, 0.092521),
        (0.022398, -0.00023986, -0.00029362, 0.014613, -0.0060875, 0.017295),
        collisions=(Shape("sphere", (0.07,), (0, 0, 0.1225)), Shape("cylinder", (0.07, 0.14), (0, 0, 0.035))),
        visuals=(
            _drum(0.07, 0.01, 0.1425, "red"),
            *_bar((0, 0, 0.1425), (0, -0.075, 0.1425), 0.066),
            _tube((0, -0.075, 0.1425), (0, -0.13, 0.1425), 0.060, "charcoal"),
            _drum(0.05, 0.1425, 0.214, "grey"),
        ),
    ),
    Link(
        "right_l2",
        1.745,
        (-0.00016044, -0.014967, 0.13582),
        (0.025506, 4.4101e-06, 1.4955e-05, 0.0253, -0.0033204, 0.0034179),
        collisions=(Shape("cylinder", (0.06, 0.34), (0, 0, 0.08)), Shape("sphere", (0.06,), (0, 0, 0.26))),
        visuals=(
            _drum(0.062, -0.005, 0.05, "grey"),
            *_bar((0, 0, 0.05), (0, 0, 0.25), 0.055),
            _tube((0, -0.05, 0.26), (0, 0.05, 0.26), 0.060, "charcoal"),
        ),
    ),
    Link(
        "right_l3",
        2.5097,
        (-0.0048135, -0.0281, -0.084154),
        (0.01016, -9.7452e-06, 0.00026624, 0.0065685, 0.0030316, 0.0069078),
        collisions=(Shape("sphere", (0.06,), (0, -0.01, -0.12)),),
        visuals=(
            _drum(0.060, -0.1265, -0.01, "red"),
            *_bar((0, 0, -0.1265), (0, -0.07, -0.1265), 0.056),
            _tube((0, -0.07, -0.1265), (0, -0.12, -0.1265), 0.050, "charcoal"),
            _drum(0.042, -0.19, -0.1265, "grey"),
        ),
    ),
    Link(
        "right_l4",
        1.1136,
        (-0.0018844, 0.0069001, 0.1341),
        (0.013557, 1.8109e-05, 0.00013523, 0.013555, 0.0010561, 0.0013658),
        collisions=(Shape("cylinder", (0.045, 0.3), (0, 0, 0.11)), Shape("sphere", (0.06,), (0, 0.01, 0.26))),
        visuals=(
            _drum(0.052, -0.005, 0.04, "grey"),
            *_bar((0, 0, 0.04), (0, 0, 0.265), 0.045),
            _tube((0, -0.045, 0.275), (0, 0.045, 0.275), 0.050, "charcoal"),
        ),
    ),
    Link(
        "right_l5",
        1.5625,
        (0.0061133, -0.023697, 0.076416),
        (0.0047328, 0.00011526, 4.6269e-05, 0.0029676, -0.0011557, 0.0031762),
        collisions=(Shape("sphere", (0.06,), (0, 0, 0.1)),),
        visuals=(
            _drum(0.050, 0.012, 0.1053, "red"),
            *_bar((0, 0, 0.1053), (0, -0.055, 0.1053), 0.048),
            _tube((0, -0.055, 0.1053), (0, -0.095, 0.1053), 0.045, "charcoal"),
            _drum(0.038, 0.1053, 0.165, "grey"),
        ),
    ),
    Link(
        "right_l6",
        0.3292,
        (-8.0726e-06, 0.0085838, -0.0049566),
        (0.00031105, 1.4771e-06, -3.7074e-07, 0.00021549, -8.4533e-06, 0.00035976),
        collisions=(Shape("cylinder", (0.055, 0.05), (0, 0.015, -0.01)),),
        visuals=(_drum(0.045, -0.02, 0.015, "grey"), _drum(0.040, 0.015, 0.0245, "charcoal")),
    ),
)

_GRIPPER_BODY = Shape("cylinder", (0.029, 0.1), (0.004, 0, 0.0394), (-_QUARTER, 3.14159, 0))

_HAND = Link(
    "right_hand",
    0.47 - 2 * 0.03 - 0.001,
    (0.0028, -0.0004, 0.0293),
    collisions=(_drum(0.035, 0.005, 0.035), _drum(0.04, -0.0048, 0.0254), _GRIPPER_BODY),
    visuals=(_drum(0.04, 0.0, 0.0254, "light"), Shape("box", (0.055, 0.10, 0.036), (0.004, 0, 0.0424))),
)

_GRIPPER: tuple[Link, ...] = (
    _solid_box(_HAND, (0.06, 0.10, 0.06)),
    Link("right_gripper_tip", 0.001),
    _finger("right_gripper_l_finger", 1),
    _finger_tip("right_gripper_l_finger_tip", 1),
    _finger("right_gripper_r_finger", -1),
    _finger_tip("right_gripper_r_finger_tip", -1),
)

LINKS: tuple[Link, ...] = (_BASE, _HEAD, *_ARM, Link("right_hand_camera", 0.001), *_GRIPPER)


def sawyer_urdf(links: Sequence[Link] = LINKS, joints: Sequence[Joint] = JOINTS) -> str:
    """The arm as a self-contained URDF, of these links and joints.

    Load it with `URDF_USE_INERTIA_FROM_FILE`, otherwise Bullet computes inertias from the collision shapes; leave
    self-collision off because neighbouring links overlap.
    """
    robot = ElementTree.Element("robot", name="sawyer")
    for name, rgba in COLOURS.items():
        material = ElementTree.SubElement(robot, "material", name=name)
        ElementTree.SubElement(material, "color", rgba=_numbers(rgba))
    for link in links:
        _add_link(robot, link)
    for joint in joints:
        _add_joint(robot, joint)
    ElementTree.indent(robot)
    return ElementTree.tostring(robot, encoding="unicode", xml_declaration=True) + "\n"


def _numbers(values: tuple[float, ...]) -> str:
    return " ".join(f"{value:.9g}" for value in values)


def _add_link(robot: ElementTree.Element, link: Link) -> None:
    element = ElementTree.SubElement(robot, "link", name=link.name)
    inertial = ElementTree.SubElement(element, "inertial")
    ElementTree.SubElement(inertial, "origin", xyz=_numbers(link.com), rpy="0 0 0")
    ElementTree.SubElement(inertial, "mass", value=_numbers((link.mass,)))
    moments = zip(("ixx", "ixy", "ixz", "iyy", "iyz", "izz"), link.inertia, strict=True)
    ElementTree.SubElement(inertial, "inertia", {name: _numbers((value,)) for name, value in moments})
    for shape in link.visuals:
        ElementTree.SubElement(_add_shape(element, "visual", shape), "material", name=shape.colour)
    for shape in link.collisions:
        _add_shape(element, "collision", shape)


def _add_shape(link: ElementTree.Element, purpose: str, shape: Shape) -> ElementTree.Element:
    element = ElementTree.SubElement(link, purpose)
    ElementTree.SubElement(element, "origin", xyz=_numbers(shape.xyz), rpy=_numbers(shape.rpy))
    sizes = {"size": shape.size}
    if shape.kind != "box":
        sizes = {name: (size,) for name, size in zip(("radius", "length"), shape.size, strict=False)}
    geometry = ElementTree.SubElement(element, "geometry")
    ElementTree.SubElement(geometry, shape.kind, {name: _numbers(size) for name, size in sizes.items()})
    return element


def _add_joint(robot: ElementTree.Element, joint: Joint) -> None:
    element = ElementTree.SubElement(robot, "joint", name=joint.name, type=joint.kind)
    ElementTree.SubElement(element, "parent", link=joint.parent)
    ElementTree.SubElement(element, "child", link=joint.child)
    ElementTree.SubElement(element, "origin", xyz=_numbers(joint.xyz), rpy=_numbers(joint.rpy))
    if joint.limits is None:
        return
    ElementTree.SubElement(element, "axis", xyz=_numbers(joint.axis))
    bounds = ("lower", "upper", "velocity", "effort")
    limits = {name: _numbers((getattr(joint.limits, name),)) for name in bounds}
    ElementTree.SubElement(element, "limit", limits)
