"""A mesh is decomposed in a process of its own, so that one that ends CoACD, or never ends, is refused in one line."""

import numpy as np
import pytest
import trimesh

from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets.meshes import solid
from tabletop_interaction.sim_assets.meshes.decomposition import DecompositionFailed, MeshPart, convex_pieces


def part(mesh, most=8, closed=True):
    return MeshPart(np.asarray(mesh.vertices), np.asarray(mesh.faces), most, closed)


def test_pieces_of_several_parts_come_in_order_and_cover_their_parts():
    ring, ball = trimesh.creation.torus(0.03, 0.01), trimesh.creation.icosphere(3, 0.02)
    pieces = convex_pieces([part(ring), part(ball, most=1)])
    assert 4 <= len(pieces) <= 9
    assert all(corners.shape[1] == 3 and len(corners) <= 32 for corners in pieces)
    np.testing.assert_allclose(np.ptp(pieces[-1], axis=0), 0.04, atol=0.004)
    np.testing.assert_allclose(np.ptp(np.concatenate(pieces[:-1]), axis=0), (0.08, 0.08, 0.02), atol=0.003)


def test_a_mesh_that_ends_the_process_does_not_end_this_one():
    ball = part(trimesh.creation.icosphere(2, 0.02))
    with pytest.raises(DecompositionFailed, match="ended with code"):
        convex_pieces([ball._replace(faces=ball.faces + 10**7)])


def test_a_decomposition_has_a_limit_of_time():
    with pytest.raises(DecompositionFailed, match="took more than 1 s"):
        convex_pieces([part(trimesh.creation.torus(0.03, 0.01, 200, 100), most=16)], 1)


def test_a_mesh_that_cannot_be_decomposed_is_refused_in_one_line(monkeypatch):
    def failing(parts):
        raise DecompositionFailed("took more than 240 s")

    monkeypatch.setattr(solid, "convex_pieces", failing)
    ring = trimesh.creation.torus(0.03, 0.01)
    with pytest.raises(InvalidConfiguration, match="its decomposition into convex pieces took more than 240 s; repair"):
        solid.solid_of(ring.vertices, ring.faces)
