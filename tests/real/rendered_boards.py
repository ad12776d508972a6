"""Pictures of a ChArUco board by the simulation's own renderer, with its table, lamp and sensor noise.

The board is a sheet with the pattern as its texture; the pictures do not show the arm. The renderer samples each pixel
at one point, which would put sharp edges on whole pixels: the pattern is blurred to the size of a pixel, as by a mip
map. The lenses have no distortion.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tabletop_interaction.arrays import Floats
from tabletop_interaction.envs.backend import Pictures
from tabletop_interaction.envs.views import View
from tabletop_interaction.real.calibration.arena_pose import BoardPlace, arena_from_board
from tabletop_interaction.real.calibration.charuco import Board
from tabletop_interaction.real.calibration.rigid import rigid
from tabletop_interaction.real.calibration.touch import HAND
from tabletop_interaction.sawyer.kinematics import HOME, forward
from tabletop_interaction.sim_assets import ObjectModel, TableTop, background_names, load_background
from tabletop_interaction.simulation import renderer
from tabletop_interaction.simulation.cameras import arena_views
from tabletop_interaction.simulation.scene import Light, Placement, Pose, Scene
from tabletop_interaction.simulation.sensor import Sensor

_PX_PER_MM = 12
_MARGIN_MM = 12.0
_SOFTNESS_PX = 0.7
_LAMP = Light(np.array([0.5, -0.6, 1.6]), np.ones(3), ambient=0.6, diffuse=0.35, softness=0.01)


def _transform(turn: Sequence[float], shift: Sequence[float]) -> Floats:
    """(4, 4) rigid transform from a rotation vector, radians, and a translation, metres."""
    return rigid(Rotation.from_rotvec(turn).as_matrix(), shift)


class RenderedLab:
    """A laboratory with known geometry, and the pictures of its calibration, taken at their first use.

    Its cameras have the poses of the simulation's, 1280 x 960 px and one lens; its robot has the pose of the twin's.
    """

    board = Board()
    lens = np.array([[1240.0, 0, 643.3], [0, 1237.0, 474.9], [0, 0, 1]])
    size = (1280, 960)
    small_views = arena_views()
    """The simulation's own cameras, 430 x 350 px."""
    places = (BoardPlace(), BoardPlace(0.03, -0.02, 0.4, 0.003))
    base_from_arena = np.array([[0, 1, 0, 0.575], [-1, 0, 0, 0], [0, 0, 1, -0.1], [0, 0, 0, 1.0]])
    hand_from_board = _transform((0.05, -0.04, 0.1), (0.05, -0.09, 0.09))

    @property
    def views(self) -> tuple[View, ...]:
        """The cameras, as views of their full pictures."""
        width, height = self.size
        return tuple(View(view.name, height, width, self.lens, view.camera_from_arena) for view in self.small_views)

    def joints(self) -> list[Floats]:
        """Twelve postures over the table, the hand tilted to all sides, (7,) radians each."""
        turns = np.random.default_rng(2).uniform(-1, 1, (12, 7)) * (0.1, 0.08, 0.15, 0.1, 0.45, 0.4, 0.5)
        return list(HOME + np.array([0.1, 0, 0, 0.1, 0, 0, 0]) + turns)

    @cached_property
    def held_to_a_camera(self) -> list[NDArray[np.uint8]]:
        """Sixteen pictures of view_0, the board in front of it in all parts of the picture, tilted to all sides."""
        arena_from_camera = np.linalg.inv(self.views[0].camera_from_arena)
        poses = [arena_from_camera @ each for each in _held_boards(self.board, 16)]
        return [shot["view_0"] for shot in render_boards(self.board, self.views[:1], poses)]

    @cached_property
    def in_the_arena(self) -> list[Pictures]:
        """Pictures of all views, the board at each of `places`."""
        return render_boards(self.board, self.views, [arena_from_board(self.board, place) for place in self.places])

    @cached_property
    def on_the_hand(self) -> list[Pictures]:
        """Pictures of view_0 and view_1, the board on the hand at each of `joints`."""
        arena_from_base = np.linalg.inv(self.base_from_arena)
        poses = [arena_from_base @ forward(q, HAND) @ self.hand_from_board for q in self.joints()]
        return render_boards(self.board, self.views[:2], poses)


def _held_boards(board: Board, count: int) -> list[Floats]:
    """camera_from_board (4, 4) of a board in each corner of the picture in turn."""
    rng, poses = np.random.default_rng(1), []
    for number in range(count):
        distance = rng.uniform(0.30, 0.42)
        pose = _transform(rng.uniform(-1, 1, 3) * (0.55, 0.55, 0.4), (0, 0, 0))
        towards = np.array([(-1) ** number, (-1) ** (number // 2)]) * rng.uniform((0.08, 0.06), (0.36, 0.26))
        pose[:3, 3] = [*towards * distance, distance] - pose[:3, :3] @ [board.size[0] / 2, board.size[1] / 2, 0]
        poses.append(pose)
    return poses


def render_boards(
    board: Board, views: tuple[View, ...], arena_from_boards: Sequence[Floats], *, noise: float = 1.5
) -> list[Pictures]:
    """Pictures of all views, the board at each of its poses.

    Args:
        board: its printed side faces the cameras.
        views: without distortion; all of about the same resolution on the board.
        arena_from_boards: (4, 4) rigid transforms, metres.
        noise: standard deviation of the sensor's noise, grey levels.
    """
    spans = [_metres_per_pixel(board, view, pose) for view in views for pose in arena_from_boards]
    sheet = _sheet(board, _SOFTNESS_PX * float(np.median(spans)))
    sensor = Sensor(0, noise, 0.01, max(v.height for v in views), max(v.width for v in views))
    cameras = renderer.ComposedRenderer(views)
    try:
        table = TableTop("table", load_background(background_names("test")[0]))
        cameras.show_scene(Scene(table, _LAMP, (Placement(sheet, 0, 0, 0),), 0))
        return [sensor.expose(views, cameras.render({1: _pose(each)})) for each in arena_from_boards]
    finally:
        cameras.close()


def _metres_per_pixel(board: Board, view: View, arena_from_board: Floats) -> float:
    middle = arena_from_board @ [board.size[0] / 2, board.size[1] / 2, 0, 1]
    return float((view.camera_from_arena @ middle)[2] / view.intrinsics[0, 0])


def _pose(transform: Floats) -> Pose:
    return transform[:3, 3], np.asarray(Rotation.from_matrix(transform[:3, :3]).as_quat(), np.float64)


def _sheet(board: Board, softness: float) -> ObjectModel:
    """The pattern with a white margin as a flat mesh in the board's frame, softened by `softness` metres."""
    margin = round(_MARGIN_MM * _PX_PER_MM)
    print_ = cv2.copyMakeBorder(board.picture(_PX_PER_MM), *[margin] * 4, cv2.BORDER_CONSTANT, value=255)
    soft = cv2.GaussianBlur(print_, (0, 0), softness * 1000 * _PX_PER_MM)
    edge, (width, height) = _MARGIN_MM / 1000, board.size
    left, top, right, bottom = -edge, -edge, width + edge, height + edge
    vertices = np.array([(left, top, 0), (right, top, 0), (right, bottom, 0), (left, bottom, 0)], np.float32)
    return ObjectModel(
        name="board",
        family="box",
        vertices=vertices,
        faces=np.array([(0, 3, 2), (0, 2, 1)], np.int32),
        normals=np.array([(0, 0, -1)] * 4, np.float32),
        uv=np.array([(0, 1), (1, 1), (1, 0), (0, 0)], np.float32),
        texture=np.asarray(cv2.cvtColor(soft, cv2.COLOR_GRAY2RGB), np.uint8),
        collision=(vertices,),
        mass=0.1,
        friction=0.5,
        specular=0.0,
    )
