"""Distances between segments, and from boxes and cylinders to segments, against samples and laws."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tabletop_interaction.sawyer.distances import segment_distances, solid_distances
from tabletop_interaction.sawyer.kinematics import Solid

coordinates = st.floats(-0.5, 0.5)
points = st.tuples(coordinates, coordinates, coordinates).map(np.array)
box_or_cylinder = st.sampled_from(
    [Solid("a", 0, "box", (0.2, 0.3, 0.1), np.eye(4)), Solid("a", 0, "cylinder", (0.12, 0.3), np.eye(4))]
)


@example(np.zeros(3), np.array([0, 0, 0.25]), np.array([0, 0, 0.25]), np.array([0, 1e-5, 0]))
@given(points, points, points, points)
@settings(max_examples=60, deadline=None)
def test_segment_distances_equal_those_of_samples_and_are_symmetric(start, end, other, other_end):
    way, other_way = (end - start)[None], (other_end - other)[None]
    exact = segment_distances(start[None], way, other[None], other_way)[0]
    along = np.linspace(0, 1, 60)[:, None]
    gaps = (start + along * way)[:, None] - (other + along * other_way)[None]
    sampled = np.linalg.norm(gaps, axis=2).min()
    assert sampled - 0.03 < exact < sampled + 1e-6
    # Nearly parallel segments lose some digits.
    assert segment_distances(other[None], other_way, start[None], way)[0] == pytest.approx(exact, abs=1e-5)


@given(box_or_cylinder, points, points)
@settings(max_examples=60, deadline=None)
def test_solid_distances_equal_those_of_samples_and_of_mirror_images(solid, start, end):
    way = (end - start)[None]
    exact = solid_distances(solid, start[None], way)[0]
    along = start + np.linspace(0, 1, 200)[:, None] * way
    sampled = solid_distances(solid, along, np.zeros_like(along)).min()
    assert sampled - 0.01 < exact < sampled + 1e-4
    mirror = np.array([1, -1, -1])
    assert solid_distances(solid, start[None] * mirror, way * mirror)[0] == pytest.approx(exact, abs=1e-4)


@pytest.mark.parametrize(("point", "distance"), [((0.3, 0, 0), 0.2), ((0.4, 0.35, 0.05), 0.36056), ((0, 0, 0), 0.0)])
def test_a_points_distance_from_a_box_follows_pythagoras(point, distance):
    box = Solid("a", 0, "box", (0.2, 0.3, 0.1), np.eye(4))
    assert solid_distances(box, np.array([point]), np.zeros((1, 3)))[0] == pytest.approx(distance, abs=1e-4)
