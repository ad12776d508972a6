"""Gain and noise between two pictures are found although objects differ."""

import numpy as np
import pytest

from tabletop_interaction.exposure import relative_exposure


def _picture(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(60, 160, (40, 50, 3)).astype(np.float32)


def test_gain_and_noise_are_found_beside_an_object() -> None:
    picture, gain = _picture(0), np.array([1.1, 0.95, 1.02], np.float32)
    reference = picture * gain + np.random.default_rng(1).normal(0, 2, picture.shape).astype(np.float32)
    reference[10:20, 10:20] = 50
    found = relative_exposure(picture, reference)
    assert found is not None
    np.testing.assert_allclose(found.gain, gain, rtol=0.01)
    assert found.noise == pytest.approx(2, abs=0.2)


def test_equal_pictures_have_gain_one_and_no_noise() -> None:
    found = relative_exposure(_picture(0), _picture(0))
    assert found is not None
    assert (found.gain == 1).all()
    assert found.noise == 0


@pytest.mark.parametrize("gain", [0.974, 0.99, 1.013, 1.03])
def test_the_gain_of_a_dark_table_is_exact_enough_for_its_bright_objects(gain: float) -> None:
    """Pixels are integers: at 40 grey levels, a step of one is more than two per cent."""
    rng = np.random.default_rng(0)
    table = rng.normal(40, 3, (70, 86, 3))
    table[:10, :10] = 220
    picture, reference = (np.rint(table * light + rng.normal(0, 1.5, table.shape)) for light in (1, gain))
    reference[30:50, 30:50] = 150
    found = relative_exposure(picture.astype(np.float32), reference.astype(np.float32))
    assert found is not None
    np.testing.assert_allclose(220 * found.gain, 220 * gain, atol=0.8)


@pytest.mark.parametrize("level", [0, 255])
def test_too_few_pixels_between_the_limits_give_none(level: int) -> None:
    picture = _picture(0)
    picture[:, 2:] = level
    assert relative_exposure(picture, _picture(1)) is None
    assert relative_exposure(picture, _picture(1), least_samples=1) is not None
