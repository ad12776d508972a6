"""A simulated Sawyer behind the names of `intera_interface`: driver, motion, safety and backend run unchanged, in
simulated time. Only this part of `real` imports the simulation.
"""

from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace

import numpy as np

from tabletop_interaction.envs.views import View
from tabletop_interaction.real.arm.intera_connection import InteraModules, MayCalibrate, confirmed, connect, never
from tabletop_interaction.real.arm.intera_driver import InteraDriver
from tabletop_interaction.real.arm.settings import SawyerSettings
from tabletop_interaction.real.cameras.array import CameraArray, CameraSettings
from tabletop_interaction.real.cameras.framing import ViewCrop
from tabletop_interaction.real.twin.assistant import TwinAssistant
from tabletop_interaction.real.twin.robot import TwinClock, TwinRobot
from tabletop_interaction.real.twin.stand_ins import MESSAGES, STD_MESSAGES, TwinRospy, intera_stand_in, io_stand_in
from tabletop_interaction.real.twin.table import TwinCamera, TwinOperator, TwinShutter
from tabletop_interaction.simulation import SimulationBackend, SimulationConfig
from tabletop_interaction.simulation.renderer import ComposedRenderer
from tabletop_interaction.simulation.scene import catalogue_of
from tabletop_interaction.simulation.world import World


@dataclass(frozen=True, eq=False)
class Twin:
    """The parts of a backend on a simulated table.

    `table` has the true state of the objects, `robot` has the switches for faults, and `modules` are the stand-ins for
    rospy, intera_interface and its messages.
    """

    table: SimulationBackend
    robot: TwinRobot
    modules: InteraModules
    clock: TwinClock
    cameras: CameraArray
    operator: TwinOperator

    def connect(self, settings: SawyerSettings, may_calibrate: MayCalibrate = never) -> InteraDriver:
        """The real robot's driver, connected to the twin; raises as `intera_connection.connect`."""
        return confirmed(partial(connect, self.modules, self.clock, settings, "twin"), may_calibrate)

    @property
    def assistant(self) -> TwinAssistant:
        """Stands beside the robot while its stop button is tried."""
        return TwinAssistant(self.robot)

    def camera_of(self, view: View) -> CameraArray:
        """The camera of one view."""
        return _cameras_of((view,), TwinShutter(self.table, self.robot, self.clock))

    def close(self) -> None:
        """Release the simulation."""
        self.table.close()


def open_twin(split: str, views: tuple[View, ...]) -> Twin:
    """A twin with a first scene of `split` on its table; `views` are those of its cameras."""
    config = SimulationConfig()
    table = SimulationBackend(split, config, catalogue_of(config), World(), ComposedRenderer(views), views)
    table.reset(np.random.default_rng(0), new_scene=True)
    robot = TwinRobot(table)
    rospy = TwinRospy(robot)
    clock = TwinClock(robot, rospy.publish)
    return Twin(
        table=table,
        robot=robot,
        modules=InteraModules(
            rospy, intera_stand_in(robot), SimpleNamespace, MESSAGES, io_stand_in(robot), STD_MESSAGES
        ),
        clock=clock,
        cameras=_cameras_of(views, TwinShutter(table, robot, clock)),
        operator=TwinOperator(table, robot),
    )


def _cameras_of(views: tuple[View, ...], shutter: TwinShutter) -> CameraArray:
    return CameraArray(
        {view.name: TwinCamera(view.name, shutter) for view in views},
        {view.name: CameraSettings("device", "twin", view.width, view.height) for view in views},
        views,
        {view.name: ViewCrop(0, 0, view.width, view.height) for view in views},
    )
