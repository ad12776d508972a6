"""Rotations agree with SciPy's, and undo each other."""

import itertools

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tabletop_interaction.rotations import inverse, matrix_from_quaternion, product, quaternion_from_matrix, rotated

# Half and quarter turns, and none, with either sign: where one component or another is the largest, or two are equal.
TURNS = [np.array(turn, float) for turn in itertools.product((-1, 0, 1), repeat=4) if any(turn)]
NEARLY_HALF = [np.array([np.cos(angle), 0, 0, np.sin(angle)]) for angle in (1e-9, -1e-9, 1e-160)]
DRAWN = [*np.random.default_rng(0).normal(size=(40, 4)), *np.random.default_rng(1).normal(size=(20, 4)) * 1e3]
QUATERNIONS = [*TURNS, *NEARLY_HALF, *DRAWN]
POINTS = np.random.default_rng(2).normal(size=(7, 3))


@pytest.mark.parametrize("quaternion", QUATERNIONS, ids=str)
def test_rotations_agree_with_scipys(quaternion: np.ndarray) -> None:
    rotation = Rotation.from_quat(quaternion)
    matrix = rotation.as_matrix()
    np.testing.assert_allclose(matrix_from_quaternion(quaternion), matrix, atol=1e-15)
    np.testing.assert_allclose(quaternion_from_matrix(matrix), Rotation.from_matrix(matrix).as_quat(), atol=1e-15)
    np.testing.assert_allclose(rotated(POINTS, quaternion), rotation.apply(POINTS), atol=1e-14)
    for other in DRAWN[:5]:
        expected = rotation * Rotation.from_quat(other)
        np.testing.assert_allclose(product(quaternion, other), expected.as_quat(), atol=1e-15)


@pytest.mark.parametrize("quaternion", QUATERNIONS, ids=str)
def test_a_rotation_and_its_inverse_cancel(quaternion: np.ndarray) -> None:
    np.testing.assert_allclose(rotated(rotated(POINTS, quaternion), inverse(quaternion)), POINTS, atol=1e-14)
    np.testing.assert_allclose(product(quaternion, inverse(quaternion)), [0, 0, 0, 1], atol=1e-15)


@pytest.mark.parametrize("quaternion", QUATERNIONS, ids=str)
def test_the_quaternion_of_a_matrix_gives_the_matrix_back(quaternion: np.ndarray) -> None:
    matrix = matrix_from_quaternion(quaternion)
    np.testing.assert_allclose(matrix_from_quaternion(quaternion_from_matrix(matrix)), matrix, atol=1e-14)


def test_a_quaternion_of_length_0_is_refused() -> None:
    """It became NaN, with a warning of numpy."""
    for function in (matrix_from_quaternion, lambda zero: product(zero, TURNS[0]), lambda zero: rotated(POINTS, zero)):
        with pytest.raises(ValueError, match="has length 0"):
            function(np.zeros(4))
