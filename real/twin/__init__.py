"""A Sawyer that is not there: the simulated arm behind `intera_interface`'s names, so that driver, motion, safety and
backend run unchanged, in simulated time. The only part of `real` that knows the simulation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tabletop_interaction.envs.views import View
from tabletop_interaction.real.arm.intera_driver import InteraDriver, connect
from tabletop_interaction.real.arm.intera_modules import InteraModules
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.cameras.array import CameraArray, CameraSettings
from tabletop_interaction.real.twin.cameras import TwinCamera, TwinShutter
from tabletop_interaction.real.twin.clock import TwinClock
from tabletop_interaction.real.twin.intera_stand_in import intera_stand_in
from tabletop_interaction.real.twin.operator import TwinOperator
from tabletop_interaction.real.twin.robot import TwinRobot
from tabletop_interaction.real.twin.rospy_stand_in import JointState, TwinRospy
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.world import World


@dataclass(frozen=True, eq=False)
class Twin:
    """All that the backend is made from, and the robot behind it.

    Attributes:
        table: the simulated table; it knows where the objects truly are.
        robot: moves the simulated arm; faults are switched on here.
        modules: the stand-ins for rospy and intera_interface.
        clock: simulated time.
        cameras: see the simulated table.
        operator: lays simulated scenes.
    """

    table: SimulationBackend
    robot: TwinRobot
    modules: InteraModules
    clock: TwinClock
    cameras: CameraArray
    operator: TwinOperator

    def connect(self, settings: SawyerSettings) -> InteraDriver:
        """The real robot's driver, connected to the twin.

        Raises:
            RobotUnavailable: as for `intera_driver.connect`.
            RobotFault: likewise.
        """
        return connect(self.modules, self.clock, settings, "twin")

    def camera_of(self, view: View) -> CameraArray:
        """The camera of one of its views alone."""
        shutter = TwinShutter(self.table, self.robot, self.clock)
        settings = CameraSettings("device", "twin", view.width, view.height)
        return CameraArray({view.name: TwinCamera(view.name, shutter)}, {view.name: settings}, (view,))

    def close(self) -> None:
        """Release the simulation."""
        self.table.close()


def open_twin(split: str, views: tuple[View, ...]) -> Twin:
    """A twin with a first scene on its table.

    Args:
        split: which objects and backgrounds its scenes draw.
        views: the cameras it looks through.
    """
    table = SimulationBackend(split, SimulationConfig(), World(), ComposedRenderer(views), views)
    table.reset(np.random.default_rng(0), new_scene=True)
    robot = TwinRobot(table)
    rospy = TwinRospy(robot)
    clock = TwinClock(robot, rospy.publish_joints)
    shutter = TwinShutter(table, robot, clock)
    cameras = CameraArray(
        {view.name: TwinCamera(view.name, shutter) for view in views},
        {view.name: CameraSettings("device", "twin", view.width, view.height) for view in views},
        views,
    )
    return Twin(
        table=table,
        robot=robot,
        modules=InteraModules(rospy, intera_stand_in(robot), JointState),
        clock=clock,
        cameras=cameras,
        operator=TwinOperator(table, robot),
    )
