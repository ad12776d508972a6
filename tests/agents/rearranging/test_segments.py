"""Hypotheses of high score become objects, none a part of another, none off the table; masks become metres."""

from types import SimpleNamespace

import numpy as np
import pytest

from tabletop_interaction.agents.rearranging.segments import SegmentConfig, centroid_of, footprint_of, segment_table
from tabletop_interaction.envs import Arena
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.simulation.cameras import arena_views

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
VIEW = arena_views()[0]
IMAGE = np.full((350, 430, 3), 100, np.uint8)


def _box(left, top, width=40, height=40):
    mask = np.zeros((350, 430), bool)
    mask[top : top + height, left : left + width] = True
    return mask


def _segmented(masks, scores):
    answer = SimpleNamespace(masks=np.array(masks), scores=np.array(scores, np.float32))
    return segment_table(IMAGE, SimpleNamespace(segment=lambda image: answer), VIEW, ARENA)


def test_hypotheses_of_high_score_are_kept_the_highest_first():
    found = _segmented([_box(50, 50), _box(150, 50), _box(250, 50)], [0.85, 0.3, 0.95])
    assert found.masks[0, 60, 260]
    assert found.masks[1, 60, 60]
    assert len(found) == 2


def test_a_part_of_a_segment_of_higher_score_is_dropped_and_a_neighbour_is_not():
    found = _segmented([_box(100, 100), _box(110, 110, 15, 15), _box(130, 100)], [0.95, 0.9, 0.85])
    assert found.centroids_xy.tolist() == [[119.5, 119.5], [149.5, 119.5]]


def test_a_segment_outside_the_arena_is_dropped():
    corner = VIEW.unproject(np.array([[3.0, 3.0]]), 0.02)[0]
    assert not ARENA.contains(*corner[:2])
    assert len(_segmented([_box(0, 0, 8, 8)], [0.9])) == 0


def test_a_picture_without_hypotheses_has_no_segments():
    assert _segmented(np.zeros((0, 350, 430), bool), []).masks.shape == (0, 350, 430)


@pytest.mark.parametrize("left", [60, 200, 330])
def test_a_footprint_covers_what_the_mask_does_on_the_plane(left):
    mask = _box(left, 150)
    corners = VIEW.unproject(np.array([(left - 0.5, 149.5), (left + 39.5, 149.5), (left - 0.5, 189.5)]), 0.02)[:, :2]
    area = np.linalg.norm(corners[1] - corners[0]) * np.linalg.norm(corners[2] - corners[0])
    footprint = footprint_of(mask, VIEW)
    # Cells of 3 mm; those that the outline cuts count whole, which may shift the mean by half of one.
    assert area < len(footprint) * 0.003**2 < 1.25 * area
    np.testing.assert_allclose(footprint.mean(0), centroid_of(mask, VIEW), atol=0.0016)


@pytest.mark.parametrize(("name", "value"), [("least_score", 1.5), ("most_covered", -1), ("beyond_m", -1)])
def test_settings_outside_their_range_are_refused(name, value):
    with pytest.raises(InvalidConfiguration, match=f"{name} is {value}"):
        SegmentConfig(**{name: value})
