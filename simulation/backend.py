"""The simulated table behind the Backend protocol: pick, place, sweep and reset, from the arm's motions."""

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Self

import numpy as np

from tabletop_interaction.arrays import Floats, Floats32, Ids, Picture
from tabletop_interaction.envs.backend import SPLITS, Arena, Grasp, ObjectState, PickOutcome, Pictures
from tabletop_interaction.envs.gripper import Gripper
from tabletop_interaction.envs.targets import check_angle, check_inside
from tabletop_interaction.envs.views import View
from tabletop_interaction.errors import AlreadyHolding, InvalidConfiguration, NotReset
from tabletop_interaction.installation import installed_versions
from tabletop_interaction.ranges import check_choice
from tabletop_interaction.sim_assets import Catalogue
from tabletop_interaction.simulation.arm import AWAY
from tabletop_interaction.simulation.cameras import ARENA
from tabletop_interaction.simulation.clutter import gather
from tabletop_interaction.simulation.renderer import CleanPicture, ComposedRenderer, Renderer, depths_of, table_depths
from tabletop_interaction.simulation.scene import (
    Placement,
    Scene,
    SimulationConfig,
    catalogue_of,
    check_names,
    config_from_plain,
    config_to_plain,
    draw_scene,
    free_placement,
)
from tabletop_interaction.simulation.sensor import Sensor
from tabletop_interaction.simulation.third_person import ThirdPersonCamera
from tabletop_interaction.simulation.trays import arena_in_tray
from tabletop_interaction.simulation.world import World, has_fallen

_HOVER_M = 0.085
_GRASP_M = 0.009
# Objects up to this height stand below the pads of an arm that hovers at the usual height.
_STANDING_M = 0.075
_CLEAR_M = 0.012
_LIFT_M = 0.085
_RELEASE_ABOVE_M = 0.003
_SWEEP_M = 0.012
_DESCENT_S = 0.18
_LIFT_S = 0.18
_LOWER_S = 0.18
_RETREAT_S = 0.12
_SWEEP_SPEED = 0.5
_MAX_PRESSURE_N = 25.0
_MAX_JAM_N = 60.0
_EMPTY_TRAVEL_M = 0.0006
_PACKAGES = ("tabletop-interaction", "pybullet", "numpy", "opencv-python-headless")


class SimulationBackend:
    """A Sawyer at a table in PyBullet with composed pictures of its cameras.

    It also implements `GroundTruth`, `Arranging` and `ThirdPerson`.

    Args:
        split: objects and backgrounds that scenes draw from: "train", "val", "test" or "dev".
        catalogue: holds these objects and backgrounds.
        renderer: makes the pictures of `views`; closed with the backend.
    """

    def __init__(
        self,
        split: str,
        config: SimulationConfig,
        catalogue: Catalogue,
        world: World,
        renderer: Renderer,
        views: tuple[View, ...],
    ) -> None:
        self._split = split
        self._config = config
        self._catalogue = catalogue
        self._world = world
        self._renderer = renderer
        self._views = views
        self._camera: ThirdPersonCamera | None = None
        self._scene: Scene | None = None
        self._sensor: Sensor | None = None
        self._held: frozenset[int] = frozenset()
        self._held_angle = 0.0
        self._held_above_m = 0.0
        self._held_turn = 0.0

    @property
    def arena(self) -> Arena:
        """0.60 x 0.49 m around the table's centre; with a tray 0.52 x 0.41 m."""
        return arena_in_tray(ARENA) if self._config.tray else ARENA

    @property
    def views(self) -> tuple[View, ...]:
        """The configuration's cameras; by default one on each side of the arena, view_0 on the robot's."""
        return self._views

    @property
    def background(self) -> str:
        """Name of the current table top, empty before the first reset."""
        return self._scene.table.name if self._scene else ""

    @property
    def gripper(self) -> Gripper:
        """See `HasGripper.gripper`."""
        return self._config.fitted_gripper

    @property
    def world(self) -> World:
        """The physics, for code that drives the arm itself (the Sawyer's twin)."""
        return self._world

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Backend, renderer, versions and settings; checksums of objects and table tops that come from files."""
        return {
            "backend": "simulation",
            "split": self._split,
            "renderer": self._renderer.name,
            "versions": installed_versions(*_PACKAGES),
            "config": config_to_plain(self._config),
            **({"assets": checksums} if (checksums := self._catalogue.checksums()) else {}),
        }

    def reset(self, rng: np.random.Generator, *, new_scene: bool) -> int:
        """See `Backend.reset`."""
        if new_scene or self._scene is None:
            self._lay(draw_scene(rng, self._split, ARENA, self._config, self._catalogue))
            return 0
        self.place(*self.arena.centre)
        returned = self._bring_back(rng)
        self._world.settle()
        return returned

    def observe(self) -> Pictures:
        """RGB pictures now; each call is a new exposure, but objects are rendered again only when they moved."""
        if self._sensor is None:
            raise NotReset("observe was called before reset; call reset first")
        return self._sensor.expose(self._views, self._look())

    def pick(self, x: float, y: float, angle: float) -> Grasp:
        """See `Backend.pick`."""
        self._check_free("pick")
        check_inside(self.arena, "pick", (x, y))
        check_angle("pick", angle)
        arm = self._world.arm
        hover_m = self._hover_m()
        path = arm.vertical_path(x, y, angle, hover_m, _GRASP_M)
        self._held_angle, self._held_turn = angle, arm.half_turn(path[-1], angle)
        arm.jump(path[0])
        blocked = not arm.follow(path, _DESCENT_S * hover_m / _HOVER_M, stop=self._pressed)
        self._held_above_m = arm.height_above(path[-1])
        arm.close_fingers()
        between = bool(self._world.pinched())
        touched = bool(self._world.touched_by_fingers()) or self._world.touches_tray()
        arm.rise(path, _LIFT_S, squeeze=True)
        self._held = frozenset(self._world.pinched()) if arm.finger_travel() > _EMPTY_TRAVEL_M else frozenset()
        outcome = _outcome(held=bool(self._held), between=between, touched=touched, blocked=blocked)
        self._leave()
        return Grasp(outcome)

    def place(self, x: float, y: float, angle: float | None = None) -> None:
        """See `Backend.place`."""
        check_inside(self.arena, "place", (x, y))
        if angle is not None:
            check_angle("place", angle)
        if not self._held:
            return
        arm, release_m = self._world.arm, _GRASP_M + _RELEASE_ABOVE_M
        # What was grasped far above the table reaches as far below the pads.
        lift_m = _LIFT_M + (self._held_above_m if self._held_above_m > _STANDING_M else 0.0)
        if angle is None:
            path = arm.vertical_path(x, y, self._held_angle, lift_m, release_m)
        else:
            path = arm.vertical_path(x, y, angle + self._held_turn, lift_m, release_m, exact=True)
        self._world.carry(self._held, path[0])
        arm.hold(0.04)
        arm.follow(path, _LOWER_S * lift_m / _LIFT_M, stop=self._pressed, squeeze=True)
        arm.open_fingers()
        self._held = frozenset()
        arm.rise(path, _RETREAT_S)
        self._leave()

    def sweep(self, start_xy: tuple[float, float], end_xy: tuple[float, float]) -> None:
        """Drag the closed gripper through the objects at 0.5 m/s, 12 mm above the table."""
        self._check_free("sweep")
        assert self._scene is not None
        check_inside(self.arena, "sweep", start_xy)
        check_inside(self.arena, "sweep", end_xy)
        arm = self._world.arm
        start, end = np.array(start_xy), np.array(end_xy)
        length = float(np.linalg.norm(end - start))
        across = float(np.arctan2(end[1] - start[1], end[0] - start[0]) + np.pi / 2)
        points = start + np.linspace(0, 1, max(2, round(length / 0.08) + 1))[:, None] * (end - start)
        hover_m = self._hover_m()
        down = arm.vertical_path(start_xy[0], start_xy[1], across, hover_m, _SWEEP_M)
        along = np.array([arm.vertical_path(x, y, across, _SWEEP_M, _SWEEP_M)[0] for x, y in points.tolist()])
        arm.jump(down[0])
        arm.set_fingers(0.0)
        arm.follow(down, _DESCENT_S * hover_m / _HOVER_M, stop=self._pressed)
        arm.follow(along, length / _SWEEP_SPEED, stop=self._jammed if self._scene.tray else None)
        self._leave()

    def third_person_picture(self) -> Picture:
        """uint8 (360, 480, 3) RGB: table, objects and arm from the side."""
        if self._scene is None:
            raise NotReset("third_person_picture was called before reset; call reset first")
        if self._camera is None:
            self._camera = ThirdPersonCamera(self.gripper)
            self._camera.show_scene(self._scene)
        return self._camera.render(self._world.poses(), self._world.arm.all_joint_positions())

    def close(self) -> None:
        """Disconnect from PyBullet; calling it again does nothing."""
        if self._camera is not None:
            self._camera.close()
        self._renderer.close()
        self._world.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def object_states(self) -> tuple[ObjectState, ...]:
        """See `GroundTruth.object_states`."""
        return tuple(
            ObjectState(id_, self._world.models[id_].name, position, quaternion, self._world.models[id_].vertices)
            for id_, (position, quaternion) in sorted(self._world.poses().items())
        )

    @property
    def max_objects(self) -> int:
        """See `GroundTruth.max_objects`."""
        return self._config.objects_max

    def instance_maps(self) -> dict[str, Ids]:
        """See `GroundTruth.instance_maps`."""
        clean = self._look()
        return {view.name: picture.instances for view, picture in zip(self._views, clean, strict=True)}

    def depth_maps(self) -> dict[str, Floats32]:
        """See `GroundTruth.depth_maps`."""
        each = zip(self._views, self._look(), self._table_depths, strict=True)
        return {view.name: depths_of(picture, view, table) for view, picture, table in each}

    def outlines(self) -> dict[int, Floats]:
        """See `Arranging.outlines`."""
        return self._world.outlines()

    def arrange(self, states: Sequence[ObjectState]) -> None:
        """See `Arranging.arrange`."""
        self._check_free("arrange")
        if unknown := [state.id for state in states if state.id not in self._world.bodies]:
            raise InvalidConfiguration(
                f"arrange got object id {unknown[0]}; the ids are 1 to {len(self._world.bodies)}; nothing was moved"
            )
        for state in states:
            self._world.put(state.id, (state.position, state.quaternion_xyzw))
        self._world.settle()

    def _lay(self, scene: Scene) -> None:
        self._scene = scene
        self._held = frozenset()
        self._world.build(scene, self.gripper)
        if self._is_crowded:
            gather(self._world, dict(enumerate(scene.placements, start=1)), self.arena)
        self._renderer.show_scene(scene)
        if self._camera is not None:
            self._camera.show_scene(scene)
        config, views = self._config, self._views
        height, width = max(view.height for view in views), max(view.width for view in views)
        self._sensor = Sensor(scene.noise_seed, config.noise_sigma, config.exposure_jitter, height, width)

    @cached_property
    def _table_depths(self) -> tuple[Floats32, ...]:
        return tuple(map(table_depths, self._views))

    def _look(self) -> tuple[CleanPicture, ...]:
        # A held object hangs behind the robot, with the arm, which is in no picture; the table hides what fell off it.
        poses = self._world.poses().items()
        return self._renderer.render({id_: pose for id_, pose in poses if not (id_ in self._held or has_fallen(pose))})

    def _leave(self) -> None:
        """Jump out of every view with the held objects, and let the table settle."""
        self._world.carry(self._held, AWAY)
        if not self._held:
            self._world.arm.set_fingers(self._world.arm.full_travel)
        self._world.settle(ignore=self._held)

    def _bring_back(self, rng: np.random.Generator) -> int:
        assert self._scene is not None
        strayed = self._world.strayed(self.arena)
        standing = [
            Placement(self._world.models[state.id], float(state.position[0]), float(state.position[1]), 0.0)
            for state in self.object_states()
            if state.id not in strayed
        ]
        for id_ in strayed:
            placement = free_placement(rng, self._world.models[id_], self.arena, standing, onto_others=self._is_crowded)
            if placement.dropped:
                self._world.drop({id_: placement})
            else:
                self._world.set_down(id_, placement)
            standing.append(placement)
        return len(strayed)

    @property
    def _is_crowded(self) -> bool:
        """Whether some objects of the scene do not stand on the table itself."""
        return self._scene is not None and any(placement.dropped for placement in self._scene.placements)

    def _hover_m(self) -> float:
        """Height from which the arm, which jumps there, descends: clear of all objects where a scene has tall ones."""
        tall = any(np.ptp(model.vertices[:, 2]) > _STANDING_M for model in self._world.models.values())
        return max(_HOVER_M, self._world.top() + _CLEAR_M) if tall else _HOVER_M

    def _pressed(self) -> bool:
        """Whether the arm, with the objects it pinches, pushes downwards too hard."""
        return bool(self._world.push_on_arm()[2] > _MAX_PRESSURE_N)

    def _jammed(self) -> bool:
        """Whether the arm pushes sideways too hard, as against an object that a wall holds."""
        return float(np.linalg.norm(self._world.push_on_arm()[:2])) > _MAX_JAM_N

    def _check_free(self, what: str) -> None:
        if self._scene is None:
            raise NotReset(f"{what} was called before reset; call reset first")
        if self._held:
            raise AlreadyHolding(f"{what} was called while an object is held; nothing was moved; call place first")


def open_simulation(split: str, config: SimulationConfig | Mapping[str, Any] | None) -> SimulationBackend:
    """A simulation backend with the composed renderer; `config` may have the plain form of a SimulationConfig.

    Raises:
        InvalidConfiguration: there is no such split, or `config` is no SimulationConfig or has unknown names; nothing
            was opened.
    """
    check_choice("split", split, SPLITS)
    if isinstance(config, Mapping):
        config = config_from_plain(config)
    if config is None:
        config = SimulationConfig()
    if not isinstance(config, SimulationConfig):
        raise InvalidConfiguration(
            f"config is a {type(config).__name__}; accepted for the simulation are a SimulationConfig, its fields as a "
            "dict, and None"
        )
    catalogue = catalogue_of(config)
    check_names(split, config, catalogue)
    views = config.cameras
    return SimulationBackend(split, config, catalogue, World(), ComposedRenderer(views, shadows=config.shadows), views)


def _outcome(*, held: bool, between: bool, touched: bool, blocked: bool) -> PickOutcome:
    if held:
        return PickOutcome.HELD
    if between:
        return PickOutcome.SLIPPED
    if blocked:
        return PickOutcome.BLOCKED
    return PickOutcome.PUSHED_AWAY if touched else PickOutcome.NOTHING_THERE
