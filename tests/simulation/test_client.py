"""PyBullet clients are independent of each other and can be closed twice."""

import pybullet
import pytest

from tabletop_interaction.benchmarks.speed.interactions import resident_mb
from tabletop_interaction.sim_assets import load_object, object_names
from tabletop_interaction.simulation.bodies import collision_shape
from tabletop_interaction.simulation.client import BulletClient


def test_functions_act_on_their_own_client():
    one, other = BulletClient(), BulletClient()
    one.createMultiBody(1.0)
    assert (one.getNumBodies(), other.getNumBodies()) == (1, 0)
    one.close()
    other.close()


def test_a_closed_client_does_not_reach_the_next_one_that_gets_its_id():
    closed = BulletClient()
    closed.stepSimulation()
    id_ = closed.id
    closed.close()
    following = BulletClient()
    assert following.id == id_
    closed.close()
    with pytest.raises(pybullet.error, match="Not connected"):
        closed.stepSimulation()
    assert following.isConnected()
    following.close()


def test_an_unknown_function_is_an_attribute_error():
    client = BulletClient()
    with pytest.raises(AttributeError, match="stepTheSimulation"):
        client.stepTheSimulation()
    client.close()


def test_the_meshes_of_earlier_scenes_leave_nothing_in_memory():
    """PyBullet would keep 4 KiB of each mesh file."""
    client, models = BulletClient(), [load_object(name) for name in object_names("train")[:6]]

    def scenes(count):
        for _ in range(count):
            client.resetSimulation()
            for model in models:
                with collision_shape(client, model) as shape:
                    client.createMultiBody(model.mass, shape)
        return resident_mb()

    before = scenes(20)
    assert scenes(200) - before < 2
    client.close()
