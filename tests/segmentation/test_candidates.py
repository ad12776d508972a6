"""The best positions of score maps: local maxima, over all scales, by falling score."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tabletop_interaction.segmentation.candidates import best_candidates
from tabletop_interaction.segmentation.config import ProposalConfig

score_map = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.integers(-9, 9).map(float))
)


def peaks_of(logits):
    height, width = logits.shape
    return [
        (logits[r, c], r, c)
        for r in range(height)
        for c in range(width)
        if logits[r, c] == logits[max(r - 1, 0) : r + 2, max(c - 1, 0) : c + 2].max()
    ]


@given(st.lists(score_map, min_size=1, max_size=3), st.integers(1, 6), st.integers(1, 6))
def test_candidates_are_the_best_local_maxima(score_maps, per_scale, most):
    config = ProposalConfig(candidates_per_scale=per_scale, max_masks=most, min_score=0.1)
    found = best_candidates(score_maps, config)
    logits = [score_maps[scale][*position] for scale, position in zip(found.scale, found.position_rc, strict=True)]
    kept = [sorted((value for value, *_ in peaks_of(one)), reverse=True)[:per_scale] for one in score_maps]
    wanted = sorted((value for values in kept for value in values), reverse=True)[:most]
    assert logits == [value for value in wanted if 1 / (1 + np.exp(-value)) >= 0.1]
    np.testing.assert_allclose(found.score, 1 / (1 + np.exp(-np.array(logits, np.float64))), rtol=1e-6)
    chosen = set(zip(found.scale.tolist(), map(tuple, found.position_rc.tolist()), strict=True))
    assert len(chosen) == len(logits)
    assert chosen <= {(scale, (r, c)) for scale, one in enumerate(score_maps) for _, r, c in peaks_of(one)}
