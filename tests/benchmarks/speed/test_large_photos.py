"""The photos of the benchmark have the size that they are called by, and the same objects at every size."""

import numpy as np

from tabletop_interaction.benchmarks.speed.large_photos import draw_photo


def test_a_photo_has_its_size_and_its_objects_at_every_size() -> None:
    small, large = draw_photo(0.1, 5, seed=1), draw_photo(0.4, 5, seed=1)
    assert large.shape == (548, 731, 3)
    vivid = [(np.ptp(photo.astype(int), axis=2) > 60).mean() for photo in (small, large)]
    assert 0.02 < vivid[0] < 0.5
    assert abs(vivid[0] - vivid[1]) < 0.01
