"""A mask's centroid and principal axis, through a calibrated view, become a pick in metres."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tabletop_interaction.agents.grasp import TYPICAL_HALF_HEIGHT_M, grasp_from_mask
from tabletop_interaction.simulation.cameras import arena_views

VIEWS = arena_views()


def _mask_of_rectangle(view, x, y, angle, length=0.10, width=0.03, height=TYPICAL_HALF_HEIGHT_M):
    """The pixels of a flat rectangle whose long side stands at `angle` + 90 degrees."""
    along = np.array([-np.sin(angle), np.cos(angle)]) * length / 2
    across = np.array([np.cos(angle), np.sin(angle)]) * width / 2
    corners = [(x, y) + i * along + j * across for i, j in ((1, 1), (1, -1), (-1, -1), (-1, 1))]
    pixels = view.project(np.array([(*corner, height) for corner in corners]))
    # OpenCV's polygons also fill the pixels that their border touches, which moves the centroid by half a pixel.
    columns, rows = np.meshgrid(np.arange(view.width), np.arange(view.height))
    (edge_x, edge_y), (corner_x, corner_y) = (np.roll(pixels, -1, 0) - pixels).T, pixels.T
    side = np.array([edge_x[i] * (rows - corner_y[i]) - edge_y[i] * (columns - corner_x[i]) for i in range(4)])
    return (side >= 0).all(0) | (side <= 0).all(0)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(VIEWS), st.floats(-0.22, 0.22), st.floats(-0.17, 0.17), st.floats(-np.pi / 2, np.pi / 2 - 1e-3))
@example(VIEWS[0], 0.00390625, 0.0, 0.0)
def test_the_grasp_of_a_flat_rectangle_is_its_centre_across_its_long_side(view, x, y, angle):
    grasp = grasp_from_mask(_mask_of_rectangle(view, x, y, angle), view)
    # Whole pixels move the centroid by up to half a pixel in each direction, perspective by less than the other half.
    found, true = view.project(np.array([(grasp.x, grasp.y, TYPICAL_HALF_HEIGHT_M), (x, y, TYPICAL_HALF_HEIGHT_M)]))
    assert np.abs(found - true).max() < 1.0
    assert abs(np.sin(grasp.angle - angle)) < 0.06


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(VIEWS), st.floats(-0.25, 0.25), st.floats(-0.2, 0.2))
def test_pixel_to_arena_to_pixel_returns_within_a_pixel_and_a_millimetre(view, x, y):
    point = np.array([[x, y, 0.02]])
    pixel = np.round(view.project(point))
    again = view.unproject(pixel, 0.02)
    assert np.abs(view.project(again) - pixel).max() < 1e-6
    assert np.linalg.norm(again - point) < 0.0015


def test_an_empty_mask_and_one_of_another_size_are_refused():
    with pytest.raises(ValueError, match="empty"):
        grasp_from_mask(np.zeros((350, 430), bool), VIEWS[0])
    with pytest.raises(ValueError, match="rows, columns"):
        grasp_from_mask(np.ones((10, 10), bool), VIEWS[0])
