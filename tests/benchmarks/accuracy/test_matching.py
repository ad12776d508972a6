"""The matching benchmark shows each object twice, elsewhere, and counts what is matched with itself."""

import numpy as np

from tabletop_interaction.agents.features import Colours
from tabletop_interaction.benchmarks.accuracy.matching import PicturePair, measure, render_pairs


class Misled:
    """Matches each segment with certainty, but in bright pictures with the next one."""

    def describe(self, image, masks):
        return np.roll(np.eye(len(masks), dtype=np.float32), int(image.max() > 0), axis=0)


def test_a_pair_shows_the_same_objects_elsewhere_and_is_the_same_for_a_seed():
    pair, again = (next(render_pairs(1, "test", seed=3)) for _ in range(2))
    np.testing.assert_array_equal(pair.now, again.now)
    np.testing.assert_array_equal(pair.goal_masks, again.goal_masks)
    assert len(pair.now_masks) == len(pair.goal_masks) >= 3
    before, after = (np.array([np.argwhere(mask).mean(0) for mask in one]) for one in (pair.now_masks, pair.goal_masks))
    assert np.linalg.norm(after - before, axis=1).max() > 20
    assert measure(Colours(), [pair]).pairs_right == 1


def test_objects_and_pairs_that_are_matched_rightly_are_counted():
    masks = np.eye(3, dtype=bool)[:, None]
    dark, bright = np.zeros((1, 3, 3), np.uint8), np.full((1, 3, 3), 255, np.uint8)
    found = measure(Misled(), [PicturePair(dark, bright, masks, masks), PicturePair(dark, dark, masks, masks)])
    assert (found.objects, found.objects_right) == (6, 3)
    assert (found.pairs, found.pairs_right) == (2, 1)
    assert (found.same, found.other) == (0, 1)
