"""Rotations agree with SciPy's, and undo each other."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.rotations import inverse, matrix_from_quaternion, product, quaternion_from_matrix, rotated

SEEDS = range(20)


def _drawn(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return (*rng.normal(size=(2, 4)), rng.normal(size=(7, 3)))


@pytest.mark.parametrize("seed", SEEDS)
def test_rotations_agree_with_scipys(seed: int) -> None:
    first, second, points = _drawn(seed)
    one, two = Rotation.from_quat(first), Rotation.from_quat(second)
    np.testing.assert_allclose(matrix_from_quaternion(first), one.as_matrix(), atol=1e-15)
    np.testing.assert_allclose(rotated(points, first), one.apply(points), atol=1e-14)
    np.testing.assert_allclose(product(first, second), (one * two).as_quat(), atol=1e-15)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rotation_and_its_inverse_cancel(seed: int) -> None:
    quaternion, _, points = _drawn(seed)
    np.testing.assert_allclose(rotated(rotated(points, quaternion), inverse(quaternion)), points, atol=1e-14)
    np.testing.assert_allclose(product(quaternion, inverse(quaternion)), [0, 0, 0, 1], atol=1e-15)


# Half turns about each axis, and none, are where one component or another is the largest.
@pytest.mark.parametrize("rotation", [*np.eye(4), *np.random.default_rng(0).normal(size=(20, 4))])
def test_the_quaternion_of_a_matrix_gives_the_matrix_back(rotation: np.ndarray) -> None:
    matrix = matrix_from_quaternion(rotation)
    np.testing.assert_allclose(matrix_from_quaternion(quaternion_from_matrix(matrix)), matrix, atol=1e-14)
