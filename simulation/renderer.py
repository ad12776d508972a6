"""Composed pictures of the table: a warped table top, exact planar shadows, and the objects by TinyRenderer.

A software renderer spends most of its time on the table's pixels. The table is therefore not rasterised: its texture is
warped through each view's homography once per scene. The shadow of an object on a plane is its silhouette, as seen from
the lamp, warped through the plane's homography; one small picture from the lamp gives the shadows of all views. Each
object that moved is rasterised alone, in its bounding rectangle; the layers are merged by their depths.

The table top is drawn 1.0 x 1.0 m: beyond its texture of 0.8 x 0.7 m it continues mirrored. Beyond its edge, and above
the horizon, stands a plain grey room.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import cv2
import numpy as np
import pybullet

from tabletop_interaction.arrays import Bools, Bytes, Floats, Floats32, Ids, Mask, Picture
from tabletop_interaction.envs.views import View, camera_pose
from tabletop_interaction.rotations import rotated
from tabletop_interaction.sim_assets import BACKGROUND_PX_PER_M, ObjectModel
from tabletop_interaction.simulation.bodies import VisualBodies
from tabletop_interaction.simulation.client import BulletClient
from tabletop_interaction.simulation.lenses import is_pinhole, lens_of
from tabletop_interaction.simulation.scene import Light, Pose, Poses, Scene
from tabletop_interaction.simulation.trays import Tray

_NEAR_M, _FAR_M, _BEYOND_M = 0.05, 4.0, 1.0
_SHADOW_PX = 256
_SHADOW_REACH_M = 0.46
_LENS_BLUR_PX = 0.6
_TABLE_HALF_M = 0.5
_ROOM_GREY, _ROOM_DIFFUSE = 118.0, 0.6
_JITTER_M = 1e-4
# In the instance maps, the tray has the id of the table.
_TRAY = 0
_JITTER_TURN = 5e-4


@dataclass(frozen=True, eq=False)
class CleanPicture:
    """A picture before the sensor.

    Attributes:
        rgb: uint8 (H, W, 3) RGB.
        instances: int32 (H, W), ids of the objects, 0 for the table.
        nearest: float32 (H, W), depth buffer of objects and tray, 0 near to 1 far; 1 for the table top.
    """

    rgb: Picture
    instances: Ids
    nearest: Floats32


class Renderer(Protocol):
    """Makes pictures of a scene from the objects' poses."""

    name: str

    def show_scene(self, scene: Scene) -> None:
        """Replace the scene; its objects have the ids 1, 2, ... in the order of `scene.placements`."""

    def render(self, poses: Poses) -> tuple[CleanPicture, ...]:
        """One picture per view."""

    def close(self) -> None:
        """Release everything."""


@dataclass(frozen=True, eq=False)
class _LitTable:
    """A view's table in full light and the light lost in full shadow, uint8 (H, W, 3) each."""

    lit: Picture
    shadow_loss: Picture
    view_from_lamp: Floats


@dataclass(frozen=True, eq=False)
class _ObjectLayer:
    """One object in one view: its bounding rectangle, and in it colours, mask and depths (0 near, 1 far)."""

    rectangle: tuple[slice, slice]
    rgb: Picture
    covered: Mask
    depth: Floats32


@dataclass(frozen=True, eq=False)
class _DrawnObject:
    """An object as last drawn: its pose, and one layer per view, then the lamp's; None where it is out of sight."""

    pose: Pose
    layers: tuple[_ObjectLayer | None, ...]


class ComposedRenderer:
    """The renderer described above, on a separate PyBullet client with visual shapes only."""

    name = "composed-tinyrenderer-1"

    def __init__(self, views: tuple[View, ...], *, shadows: bool = True) -> None:
        self._lenses = tuple(None if is_pinhole(view) else lens_of(view) for view in views)
        # Without distortion; the lenses make the views' pictures of theirs.
        self._views = tuple(
            view if lens is None else lens.pinhole for view, lens in zip(views, self._lenses, strict=True)
        )
        # Here, because cameras beyond those that are cached would compute them for every scene.
        self._table_points = tuple(_table_points(view) for view in self._views)
        self._shadows = shadows
        self._client = BulletClient()
        self._looks = VisualBodies(self._client)
        self._models: dict[int, ObjectModel] = {}
        self._drawn: dict[int, _DrawnObject] = {}
        self._shown: tuple[int, ...] = ()
        self._pictures: tuple[CleanPicture, ...] = ()
        self._tables: tuple[_LitTable, ...] = ()
        self._light: Light
        self._lamp: View

    def show_scene(self, scene: Scene) -> None:
        """Replace the scene: load its objects, and warp and light its table for every view."""
        self._models = {id_: placement.model for id_, placement in enumerate(scene.placements, start=1)}
        self._light = scene.light
        self._lamp = lamp_view(scene.light)
        self._drawn = {} if scene.tray is None else {_TRAY: self._draw_tray(scene.tray)}
        self._pictures = ()
        self._tables = tuple(
            _light_table(view, seen, self._lamp, scene.table.picture, scene.light)
            for view, seen in zip(self._views, self._table_points, strict=True)
        )

    def render(self, poses: Poses) -> tuple[CleanPicture, ...]:
        """One picture and instance map per view, without noise: equal poses give equal pictures.

        Objects without a pose are not shown.
        """
        moved = [id_ for id_, pose in poses.items() if id_ not in self._drawn or _moved(self._drawn[id_].pose, pose)]
        if self._pictures and not moved and self._shown == tuple(poses):
            return self._pictures
        self._shown = tuple(poses)
        for id_ in moved:
            self._drawn[id_] = self._draw(id_, poses[id_])
        shadow = self._lamp_shadow() if self._shadows else None
        self._pictures = tuple(self._compose(number, shadow) for number in range(len(self._views)))
        return self._pictures

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        self._client.close()

    def _draw(self, id_: int, pose: Pose) -> _DrawnObject:
        """Rasterise one object, alone in the client, in every view and from the lamp."""
        position, quaternion = pose
        points = rotated(self._models[id_].vertices, quaternion) + position
        body = self._looks.add_object(self._models[id_])
        self._client.resetBasePositionAndOrientation(body, position, quaternion)
        return _DrawnObject(pose, self._layers(points))

    def _draw_tray(self, tray: Tray) -> _DrawnObject:
        self._looks.add_tray(tray)
        return _DrawnObject((np.zeros(3), np.array([0.0, 0.0, 0.0, 1.0])), self._layers(tray.corners))

    def _layers(self, points: Floats) -> tuple[_ObjectLayer | None, ...]:
        """What the client shows in every view and from the lamp, by its corners (N, 3); then the client is emptied."""
        layers = tuple(_draw_layer(self._client, view, points, self._light) for view in (*self._views, self._lamp))
        self._looks.clear()
        return layers

    def _layers_in(self, number: int) -> Iterator[tuple[int, _ObjectLayer]]:
        """The layers of tray and objects in a view, each with its id; the last view is the lamp's."""
        for id_ in (_TRAY, *self._shown):
            if id_ in self._drawn and (layer := self._drawn[id_].layers[number]) is not None:
                yield id_, layer

    def _lamp_shadow(self) -> Bytes:
        """uint8 (256, 256): hidden share of the lamp at each point of the table, in the lamp's view, blurred."""
        hidden = np.zeros((_SHADOW_PX, _SHADOW_PX), np.uint8)
        for _, layer in self._layers_in(-1):
            hidden[layer.rectangle][layer.covered] = 255
        px_per_m = self._lamp.intrinsics[0, 0] / float(np.linalg.norm(self._light.position))
        return np.asarray(cv2.GaussianBlur(hidden, (0, 0), self._light.softness * px_per_m), np.uint8)

    def _compose(self, number: int, shadow: Bytes | None) -> CleanPicture:
        view, table = self._views[number], self._tables[number]
        if shadow is None:
            picture = table.lit.copy()
        else:
            hidden = cv2.warpPerspective(shadow, table.view_from_lamp, (view.width, view.height))
            loss = cv2.multiply(table.shadow_loss, cv2.merge([hidden] * 3), scale=1 / 255)
            picture = np.asarray(cv2.subtract(table.lit, loss), np.uint8)
        instances = np.zeros((view.height, view.width), np.int32)
        nearest = np.ones((view.height, view.width), np.float32)
        for id_, layer in self._layers_in(number):
            _lay_over(picture, instances, nearest, layer, id_)
        if (lens := self._lenses[number]) is not None:
            picture, instances, nearest = lens.picture(picture), lens.values(instances), lens.values(nearest)
        blurred = cv2.GaussianBlur(picture, (3, 3), _LENS_BLUR_PX)
        return CleanPicture(np.asarray(blurred, np.uint8), instances, nearest)


def table_depths(view: View) -> Floats32:
    """(H, W) distances of the table top along the camera's axis, metres; 0 where a pixel sees the room beside it."""
    points, is_table = _table_points(view)
    depths = points @ view.camera_from_arena[2, :3] + view.camera_from_arena[2, 3]
    return np.where(is_table, depths, 0).astype(np.float32).reshape(view.height, view.width)


def depths_of(picture: CleanPicture, view: View, table: Floats32) -> Floats32:
    """(H, W) distances of what a picture shows along the camera's axis, metres, before the table's `table_depths`."""
    far = _far_m(view)
    # Inverse of OpenGL's depth buffer.
    depths = _NEAR_M * far / (far - picture.nearest * (far - _NEAR_M))
    return np.where(picture.nearest < 1, depths, table).astype(np.float32)


def _moved(before: Pose, now: Pose) -> bool:
    """Whether a pose differs by more than a resting body's jitter, which is below a tenth of a pixel."""
    shift = float(np.abs(now[0] - before[0]).max())
    return shift > _JITTER_M or 1 - abs(float(now[1] @ before[1])) > _JITTER_TURN**2


def _draw_layer(client: BulletClient, view: View, points: Floats, light: Light) -> _ObjectLayer | None:
    """Rasterise the client's only object, with surface points (N, 3), metres; None where it is out of sight."""
    depths = points @ view.camera_from_arena[2, :3] + view.camera_from_arena[2, 3]
    if depths.max() < _NEAR_M:
        return None
    left, top, right, bottom = 0, 0, view.width, view.height
    if depths.min() >= _NEAR_M:
        pixels = view.project(points)
        left, top = np.maximum(np.floor(pixels.min(axis=0)).astype(int) - 1, 0)
        right, bottom = np.minimum(np.ceil(pixels.max(axis=0)).astype(int) + 2, (view.width, view.height))
    if left >= right or top >= bottom:
        return None
    crop = view.cropped(int(left), int(top), int(right - left), int(bottom - top))
    rgb, segmentation, depth = tiny_render(client, crop, light)
    return _ObjectLayer((slice(top, bottom), slice(left, right)), rgb, segmentation >= 0, depth)


def _lay_over(picture: Picture, instances: Ids, nearest: Floats32, layer: _ObjectLayer, id_: int) -> None:
    """Draw a layer into all three arrays, where it is nearer than the content so far."""
    seen = layer.covered & (layer.depth < nearest[layer.rectangle])
    np.copyto(picture[layer.rectangle], layer.rgb, where=seen[:, :, None])
    np.copyto(nearest[layer.rectangle], layer.depth, where=seen)
    instances[layer.rectangle][seen] = id_


def lamp_view(light: Light) -> View:
    """The lamp as a camera that sees the whole table, 256 x 256 px."""
    distance = float(np.linalg.norm(light.position))
    focal = _SHADOW_PX / 2 * distance / _SHADOW_REACH_M
    middle = (_SHADOW_PX - 1) / 2
    intrinsics = np.array([[focal, 0, middle], [0, focal, middle], [0, 0, 1.0]])
    pose = camera_pose(light.position, np.zeros(3), np.array([0.0, 1.0, 0.0]))
    return View("lamp", _SHADOW_PX, _SHADOW_PX, intrinsics, pose)


def tiny_render(client: BulletClient, view: View, light: Light) -> tuple[Picture, Ids, Floats32]:
    """Render a client's bodies with TinyRenderer.

    Returns:
        RGB uint8 (H, W, 3); body ids int32 (H, W), -1 for none; depths float32 (H, W), 0 near to 1 far.
    """
    view_matrix, projection_matrix = gl_matrices(view)
    strength = light.ambient + light.diffuse
    _, _, rgba, depth, segmentation = client.getCameraImage(
        view.width,
        view.height,
        view_matrix,
        projection_matrix,
        lightDirection=light.position.tolist(),
        lightColor=light.colour.tolist(),
        lightAmbientCoeff=light.ambient * 0.85,
        lightDiffuseCoeff=light.diffuse * 0.4 + 0.35 * strength,
        lightSpecularCoeff=0.05,
        shadow=0,
        renderer=pybullet.ER_TINY_RENDERER,
    )
    shape = (view.height, view.width)
    rgb = cv2.cvtColor(np.asarray(rgba, np.uint8).reshape(*shape, 4), cv2.COLOR_RGBA2RGB)
    bodies = np.array(segmentation, np.int32).reshape(shape)
    return np.asarray(rgb, np.uint8), bodies, np.array(depth, np.float32).reshape(shape)


def gl_matrices(view: View) -> tuple[list[float], list[float]]:
    """PyBullet's view and projection matrices (column by column) of a calibrated camera.

    TinyRenderer samples a pixel at its left and lower edge instead of its centre; the principal point is moved by
    half a pixel to compensate.
    """
    k, width, height = view.intrinsics, view.width, view.height
    camera = np.diag([1.0, -1.0, -1.0, 1.0]) @ view.camera_from_arena
    far = _far_m(view)
    depth = far - _NEAR_M
    projection = np.array(
        [
            [2 * k[0, 0] / width, 0, 1 - 2 * k[0, 2] / width, 0],
            [0, 2 * k[1, 1] / height, 2 * (k[1, 2] + 1) / height - 1, 0],
            [0, 0, -(far + _NEAR_M) / depth, -2 * far * _NEAR_M / depth],
            [0, 0, -1, 0],
        ]
    )
    return camera.T.ravel().tolist(), projection.T.ravel().tolist()


def _far_m(view: View) -> float:
    """Depth beyond which a camera sees nothing, metres: all of the table is nearer."""
    to_centre = float(view.camera_from_arena[2, 3])
    return _FAR_M if to_centre < _FAR_M - _BEYOND_M else to_centre + _BEYOND_M


# As many as the default cameras: computing them takes longer than a picture.
@lru_cache(maxsize=4)
def _table_points(view: View) -> tuple[Floats, Bools]:
    """What the pixels of a view see of the table's plane.

    Returns:
        (H * W, 3) points, metres, one per pixel, row by row, 0 beside the table top; (H * W,) whether they lie on it.
    """
    rows, columns = np.mgrid[0 : view.height, 0 : view.width]
    points = view.unproject(np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64))
    # A pixel that does not see the plane has NaN.
    is_table = np.asarray((np.abs(points[:, :2]) <= _TABLE_HALF_M).all(axis=1), np.bool_)
    points[~is_table] = 0.0
    points.setflags(write=False)
    is_table.setflags(write=False)
    return points, is_table


def _light_table(view: View, seen: tuple[Floats, Bools], lamp: View, texture: Picture, light: Light) -> _LitTable:
    """Warp the table's texture into a view and shade it as a matt plane under a point lamp, in a plain room.

    `seen` is what the view's pixels see of the table, as of `_table_points`.
    """
    view_from_table = view.homography_from_table()
    size = (view.width, view.height)
    shrunk = _shrunk(texture, view)
    warped = cv2.warpPerspective(
        shrunk,
        view_from_table @ _table_from_texture(shrunk, texture.shape),
        size,
        flags=cv2.INTER_AREA,
        borderMode=cv2.BORDER_REFLECT_101,
    ).astype(np.float32)
    points, is_table = seen
    lamp_gain = _lambert(points, light.position)
    lamp_gain = lamp_gain.reshape(view.height, view.width, 1).astype(np.float32)
    colour = light.colour.astype(np.float32)
    lit = warped * (light.ambient + light.diffuse * lamp_gain) * colour
    loss = warped * (light.diffuse * lamp_gain) * colour
    in_room = ~is_table.reshape(view.height, view.width)
    lit[in_room] = _ROOM_GREY * (light.ambient + light.diffuse * _ROOM_DIFFUSE) * colour
    loss[in_room] = 0
    return _LitTable(
        lit=np.clip(lit, 0, 255).astype(np.uint8),
        shadow_loss=np.clip(loss - np.maximum(lit - 255, 0), 0, 255).astype(np.uint8),
        view_from_lamp=view_from_table @ np.linalg.inv(lamp.homography_from_table()),
    )


def _lambert(points: Floats, lamp: Floats) -> Floats:
    """Irradiance (N,) of a horizontal plane at points (N, 3), relative to the arena's centre."""
    to_lamp = lamp - points
    received = to_lamp[:, 2] / np.linalg.norm(to_lamp, axis=1) ** 3
    at_centre = lamp[2] / np.linalg.norm(lamp) ** 3
    return np.asarray(received / at_centre)


def _shrunk(texture: Picture, view: View) -> Picture:
    """The texture with fewer pixels where a view would skip every second one or more: they would flicker as noise."""
    centre = float(view.camera_from_arena[2, 3])
    skipped = int(BACKGROUND_PX_PER_M * centre / float(view.intrinsics[0, 0])) if centre > 0 else 1
    if skipped < 2:
        return texture
    height, width = (max(1, side // skipped) for side in texture.shape[:2])
    return np.asarray(cv2.resize(texture, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _table_from_texture(texture: Picture, shape: tuple[int, ...]) -> Floats:
    """(3, 3): texture pixels (x, y, 1), row 0 farthest from the robot, to metres on the table.

    Args:
        shape: of the texture before it was shrunk.
    """
    height, width = texture.shape[:2]
    x, y = shape[1] / width / BACKGROUND_PX_PER_M, shape[0] / height / BACKGROUND_PX_PER_M
    return np.array([[x, 0, -(width - 1) / 2 * x], [0, -y, (height - 1) / 2 * y], [0, 0, 1]])
