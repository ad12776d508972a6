"""The benchmark of picture formats counts bytes of all pictures, and compares labels with PNG's and with the truth."""

from __future__ import annotations

import numpy as np
import pytest

from tabletop_interaction.benchmarks.accuracy.label_quality import PairTruth, TruePair
from tabletop_interaction.benchmarks.accuracy.picture_formats import figures, formats, measure
from tabletop_interaction.envs.records.picture_format import encode_jpeg
from tabletop_interaction.envs.records.png import encode_picture


def pair(number: int) -> TruePair:
    """A blue square of 60 px that vanishes from a noisy table."""
    rng = np.random.default_rng(number)
    before, after = (rng.normal(120, 3, (200, 240, 3)).clip(0, 255).astype(np.uint8) for _ in range(2))
    mask = np.zeros((200, 240), bool)
    mask[70:130, 90:150] = True
    before[mask] = (30, 40, 200)
    return TruePair(number, "pick", "view_0", before, after, np.array([120.0, 100.0]), PairTruth(mask, 1, False))


def test_labels_and_bytes_of_each_format_are_compared() -> None:
    encoders = {"PNG *": encode_picture, "fine": encode_jpeg, "coarse": lambda picture: encode_jpeg(picture, 255)}
    pairs = [pair(number) for number in range(3)]
    rows = figures(measure(iter(pairs), encoders))
    lossless, fine, coarse = rows.values()
    sizes = [len(encode_picture(picture)) for each in pairs for picture in (each.before, each.after)]
    assert lossless["MB an interaction"].value == pytest.approx(12 * np.mean(sizes) / 1e6)
    assert lossless["encoding over PNG"].value == lossless["decoding over PNG"].value == 1
    assert lossless["IoU with PNG's"].value == 100
    assert lossless["recall"].value == fine["recall"].value == 100
    assert fine["mean IoU"].value > 95
    assert fine["IoU with PNG's"].value > 95 > coarse["IoU with PNG's"].value
    assert fine["other decision"].value == 0
    assert fine["MB an interaction"].value < 0.5 * lossless["MB an interaction"].value


def test_a_picture_of_two_pairs_is_encoded_once() -> None:
    first = pair(0)
    second = TruePair(0, "place", "view_0", first.after, first.before, first.click, first.truth)
    records = measure(iter([first, second, pair(1)]), {"PNG *": encode_picture})
    assert records["PNG *"].cost.pictures == 4


def test_every_format_gives_a_picture_of_the_same_size() -> None:
    encoders = formats()
    records = measure(iter([pair(0)]), encoders)
    assert len(records) == len(encoders)
    assert all(one.answers[0].mask.shape == (200, 240) for one in records.values())
