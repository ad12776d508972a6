"""Batches depend on their number only, and a pair and its action are warped alike."""

import shutil
from collections import Counter

import numpy as np
import pytest

from tabletop_interaction.agents.inverse.batches import InverseSampler, _in_turn
from tabletop_interaction.agents.inverse.config import Augmentation, InverseModelConfig
from tabletop_interaction.agents.inverse.examples import inverse_examples
from tabletop_interaction.agents.inverse.model import point_of

NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, 0)
SMALL = InverseModelConfig(height=88, width=104, channels=8)


@pytest.fixture(scope="module")
def source(moves, tmp_path_factory):
    return inverse_examples(shutil.copytree(moves, tmp_path_factory.mktemp("copy") / "records"), SMALL.size)


def sampler(source, augmentation):
    return InverseSampler(source.examples, source, SMALL, augmentation)


def square_near(picture, point_xy):
    """Return the centre, pixels, of the square near a point, whose colour channels may be exchanged."""
    rows, columns = np.mgrid[: picture.shape[1], : picture.shape[2]]
    near = np.maximum(np.abs(columns - point_xy[0]), np.abs(rows - point_xy[1])) <= 7
    square = near & (np.ptp(picture.astype(int), axis=0) > 60)
    return np.array([columns[square].mean(), rows[square].mean()])


def test_a_batch_depends_on_seed_and_number_only(source):
    one = sampler(source, Augmentation()).batch(3, 7, 4)
    again = sampler(source, Augmentation()).batch(3, 7, 4)
    other = sampler(source, Augmentation()).batch(3, 8, 4)
    assert all((a == b).all() for a, b in zip(one, again, strict=True))
    assert not (one.now == other.now).all()


def test_the_warped_action_points_to_the_square(source):
    augmentation = Augmentation(colour=0, exposure=0)
    for number in range(4):
        batch = sampler(source, augmentation).batch(0, number, 6)
        for index in range(6):
            for picture, shares in ((batch.now, batch.pick), (batch.goal, batch.place)):
                cells = shares[index].numpy().astype(np.float64)
                point = point_of(cells, int(cells.argmax()))
                assert np.abs(square_near(picture[index].numpy(), point) - point).max() < 2.5


def test_mirrored_pairs_are_mirror_images(source):
    plain = sampler(source, NO_AUGMENTATION).batch(0, 0, 4)
    mirrored = sampler(source, Augmentation(1, 0, 0, 0, 0, 0, 0)).batch(0, 0, 4)
    assert (mirrored.now == plain.now.flip(3)).all()
    np.testing.assert_allclose(mirrored.pick, plain.pick.flip(2), atol=1e-5)
    np.testing.assert_allclose(mirrored.angle[:, 1:], plain.angle[:, 1:].flip(1), atol=1e-5)


def test_without_augmentation_pictures_are_unchanged(source):
    batch = sampler(source, NO_AUGMENTATION).batch(0, 0, 3)
    kept = {picture.tobytes() for picture in source.pictures.values()}
    assert all(one.permute(1, 2, 0).numpy().tobytes() in kept for one in (*batch.now, *batch.goal))


def test_the_cell_of_the_pick_has_a_share(source):
    batch = sampler(source, Augmentation()).batch(1, 0, 8)
    shares = batch.pick.flatten(1).gather(1, batch.pick_cells[:, None])
    assert (shares > 0).all()


def test_each_example_comes_once_before_any_comes_again():
    taken = [index for number in range(10) for index in _in_turn(8, 5, 4 * number, 4)]
    assert Counter(taken) == dict.fromkeys(range(8), 5)
    assert taken[:8] != taken[8:16]
    assert sorted(_in_turn(3, 0, 0, 9)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
