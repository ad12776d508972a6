"""A PyBullet client as an object: each PyBullet function is a method that knows its client."""

import functools
from typing import Any

import pybullet


class BulletClient:
    """A headless PyBullet client of its own, for example `client.stepSimulation()`.

    PyBullet's own `pybullet_utils.bullet_client` does the same, but prints to standard output.

    Attributes:
        id: PyBullet's `physicsClientId`, -1 once closed.
    """

    def __init__(self) -> None:
        self.id = int(pybullet.connect(pybullet.DIRECT))
        # PyBullet would keep every mesh file that it reads until the process ends, and ours never have the same name.
        self.setPhysicsEngineParameter(enableFileCaching=0)

    def __getattr__(self, name: str) -> Any:
        """The PyBullet function of this name, bound to this client; looked up once."""
        bound = functools.partial(getattr(pybullet, name), physicsClientId=self.id)
        setattr(self, name, bound)
        return bound

    def close(self) -> None:
        """Disconnect; calling it again does nothing."""
        if self.id >= 0:
            pybullet.disconnect(self.id)
            # PyBullet gives the id to the next client, which this object must not reach.
            self.__dict__.clear()
            self.id = -1
