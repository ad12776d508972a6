"""Batches made ahead of the step that learns from them, by one thread: warping leaves Python's lock to the learner."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from tabletop_interaction.segmentation.training.crops import Batch, CropSampler

_AHEAD = 2


def batches(sampler: CropSampler, seed: int, numbers: range, size: int) -> Iterator[Batch]:
    """The batches of a run with these numbers, in order; each depends on (seed, number) and the examples alone."""
    waiting: deque[Future[Batch]] = deque()
    pool = ThreadPoolExecutor(1, thread_name_prefix="crops")
    try:
        for number in numbers:
            waiting.append(pool.submit(sampler.batch, seed, number, size))
            if len(waiting) > _AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
