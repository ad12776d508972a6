"""Frame difference: which changes are objects, and how closely masks outline them."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tabletop_interaction.errors import InvalidPicturePair
from tabletop_interaction.frame_difference import FrameDifferenceConfig, differing_pixels, frame_difference
from tabletop_interaction.segmentation.rle import mask_iou

HEIGHT, WIDTH = 350, 430
CLICK = (215, 175)


def _texture(seed, mean, contrast=18.0, blotch_px=3.0):
    """(H, W, 3) float32: smooth blotches and fine grain around a colour."""
    rng = np.random.default_rng(seed)
    blotches = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH, 1)).astype(np.float32), (0, 0), blotch_px)
    grain = rng.standard_normal((HEIGHT, WIDTH, 1)).astype(np.float32)
    shade = 1 + (blotches / blotches.std() * contrast + grain[..., 0] * 3) / 140
    return np.asarray(mean, np.float32) * shade[..., None]


def _disc(x, y, radius):
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def _ellipse(x, y, half_width, half_height):
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH]
    return ((columns - x) / half_width) ** 2 + ((rows - y) / half_height) ** 2 <= 1


TABLE = _texture(0, (150, 110, 75))
OBJECT = _texture(1, (60, 120, 160), contrast=30)


def _with_object(table, shape, surface=OBJECT, shadow=None, darkness=0.5):
    """The object on the table, beside it a soft shadow of the shape `shadow`."""
    picture = table.copy()
    if shadow is not None:
        hidden = cv2.GaussianBlur(shadow.astype(np.float32), (0, 0), 4)[..., None]
        picture = picture * (1 - darkness * hidden)
    return np.where(shape[..., None], surface, picture)


def _exposed(picture, seed, gain=1.0, noise=2.0):
    """uint8: through a lens with a little blur, and a sensor with noise."""
    blurred = cv2.GaussianBlur(np.asarray(picture, np.float32), (3, 3), 0.6) * gain
    noisy = blurred + np.random.default_rng(seed).standard_normal(picture.shape) * noise
    return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def test_equal_pictures_show_nothing():
    picture = _exposed(TABLE, 1)
    found = frame_difference(picture, picture, CLICK)
    assert not found.moved
    assert found.mask.shape == (HEIGHT, WIDTH)
    assert found.mask.dtype == bool
    assert not found.mask.any()


@pytest.mark.parametrize("gain", [0.93, 1.0, 1.03])
def test_noise_and_another_exposure_are_no_object(gain):
    assert not frame_difference(_exposed(TABLE, 1), _exposed(TABLE, 2, gain), CLICK).moved


def test_another_white_balance_is_no_object():
    warmer = TABLE * np.array([1.03, 1.0, 0.96], np.float32)
    assert not frame_difference(_exposed(TABLE, 1), _exposed(warmer, 2), CLICK).moved


@pytest.mark.parametrize("appears", [True, False])
def test_an_object_is_outlined_closely_before_and_after(appears):
    shape = _ellipse(*CLICK, 40, 24)
    pair = _exposed(TABLE, 1), _exposed(_with_object(TABLE, shape), 2, 1.01)
    found = frame_difference(*(pair if appears else pair[::-1]), CLICK)
    assert found.moved
    assert mask_iou(found.mask, shape) > 0.93


@pytest.mark.parametrize("darkness", [0.2, 0.4, 0.55])
def test_a_shadow_alone_is_no_object(darkness):
    shadowed = _with_object(TABLE, np.zeros((HEIGHT, WIDTH), bool), shadow=_disc(*CLICK, 35), darkness=darkness)
    assert not frame_difference(_exposed(TABLE, 1), _exposed(shadowed, 2), CLICK).moved


def test_an_objects_shadow_stays_out_of_its_mask():
    shape = _ellipse(*CLICK, 36, 24)
    shadow = _ellipse(CLICK[0] + 25, CLICK[1] + 18, 36, 24)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, shape, shadow=shadow), 2), CLICK)
    assert mask_iou(found.mask, shape) > 0.9


def test_an_object_of_the_tables_colour_is_found_by_its_finer_texture():
    shape = _disc(*CLICK, 30)
    alike = _texture(7, (150, 110, 75), contrast=30, blotch_px=1.2)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, shape, alike), 2), CLICK)
    assert found.moved
    assert mask_iou(found.mask, shape) > 0.75


def test_the_mask_is_one_piece_without_holes():
    ring = _disc(*CLICK, 36) & ~_disc(*CLICK, 16)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, ring), 2), CLICK)
    assert mask_iou(found.mask, _disc(*CLICK, 36)) > 0.93
    assert cv2.connectedComponents(found.mask.astype(np.uint8))[0] == 2
    assert cv2.connectedComponents((~found.mask).astype(np.uint8))[0] == 2


def test_the_object_at_the_click_is_chosen():
    near, far = _disc(*CLICK, 24), _disc(CLICK[0] - 85, CLICK[1], 28)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, near | far), 2), CLICK)
    assert mask_iou(found.mask, near) > 0.9


def test_touching_objects_become_one_mask():
    both = _disc(CLICK[0] - 22, CLICK[1], 24) | _disc(CLICK[0] + 22, CLICK[1], 24)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, both), 2), CLICK)
    assert mask_iou(found.mask, both) > 0.93


def test_changes_outside_the_window_are_ignored():
    before, after = _exposed(TABLE, 1), _exposed(_with_object(TABLE, _disc(60, 175, 30)), 2)
    assert frame_difference(before, after, (100, 175)).moved
    assert not frame_difference(before, after, (215, 175)).moved


def test_a_mask_ends_at_the_windows_edge():
    shape = _disc(95, 175, 40)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, shape), 2), (215, 175))
    assert found.moved
    assert np.nonzero(found.mask)[1].min() == 215 - 120
    assert mask_iou(found.mask, shape & (np.arange(WIDTH) >= 95)) > 0.9


@pytest.mark.parametrize("click", [(3, 2), (WIDTH - 1, HEIGHT - 1), (-40, 100), (WIDTH + 40, HEIGHT + 30)])
def test_an_object_at_the_pictures_border_is_found(click):
    corner = np.clip(click, 0, (WIDTH - 1, HEIGHT - 1))
    shape = _disc(*corner, 48)
    found = frame_difference(_exposed(TABLE, 1), _exposed(_with_object(TABLE, shape), 2), click)
    assert found.moved
    assert mask_iou(found.mask, shape) > 0.9


def test_an_object_needs_more_than_the_least_area():
    shape = _disc(*CLICK, 25)
    pair = _exposed(TABLE, 1), _exposed(_with_object(TABLE, shape), 2)
    area = int(frame_difference(*pair, CLICK).mask.sum())
    at_limit = frame_difference(*pair, CLICK, FrameDifferenceConfig(min_area=area))
    assert not at_limit.moved
    assert not at_limit.mask.any()
    assert frame_difference(*pair, CLICK, FrameDifferenceConfig(min_area=area - 1)).moved


def test_the_papers_least_area_is_1000_px():
    def moved(radius):
        after = _exposed(_with_object(TABLE, _disc(*CLICK, radius)), 2)
        return frame_difference(_exposed(TABLE, 1), after, CLICK).moved

    assert _disc(*CLICK, 16).sum() < 900
    assert not moved(16)
    assert _disc(*CLICK, 19).sum() > 1100
    assert moved(19)


def test_a_neighbour_nudged_by_less_than_a_pixel_is_no_object():
    shape = _ellipse(*CLICK, 40, 24)
    shifted = cv2.warpAffine(_with_object(TABLE, shape), np.array([[1, 0, 0.6], [0, 1, 0.0]]), (WIDTH, HEIGHT))
    nudged = np.where(cv2.dilate(shape.astype(np.uint8), np.ones((5, 5)))[..., None] > 0, shifted, TABLE)
    assert not frame_difference(_exposed(_with_object(TABLE, shape), 1), _exposed(nudged, 2), CLICK).moved


@settings(max_examples=12, deadline=None)
@given(st.integers(60, 370), st.integers(60, 290), st.integers(0, 2**31), st.booleans())
def test_exchanging_the_pictures_hardly_changes_the_mask(x, y, seed, shadowed):
    shape = _ellipse(x, y, 36, 24)
    shadow = _ellipse(x + 14, y + 10, 36, 24) if shadowed else None
    before, after = _exposed(TABLE, seed), _exposed(_with_object(TABLE, shape, shadow=shadow), seed + 1)
    there, back = frame_difference(before, after, (x, y)), frame_difference(after, before, (x, y))
    assert there.moved
    assert back.moved
    assert mask_iou(there.mask, back.mask) > 0.9
    assert mask_iou(there.mask, shape) > 0.85


def test_the_pictures_are_not_changed():
    before, after = _exposed(TABLE, 1), _exposed(_with_object(TABLE, _disc(*CLICK, 30)), 2)
    copies = before.copy(), after.copy()
    frame_difference(before, after, CLICK)
    np.testing.assert_array_equal(before, copies[0])
    np.testing.assert_array_equal(after, copies[1])


@pytest.mark.parametrize(
    ("before", "after", "click", "said"),
    [
        (np.zeros((9, 9, 3)), np.zeros((9, 9, 3), np.uint8), (4, 4), "before is float64"),
        (np.zeros((9, 9, 3), np.uint8), [[0]], (4, 4), "after is list"),
        (np.zeros((9, 9), np.uint8), np.zeros((9, 9), np.uint8), (4, 4), r"before is uint8 \(9, 9\)"),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 8, 3), np.uint8), (4, 4), "two pictures of one view"),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), (4, np.nan), "finite"),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), (4, 4, 4), "finite"),
        (
            np.zeros((9, 9, 3), np.uint8),
            np.zeros((9, 9, 3), np.uint8),
            "here",
            "click 'here' is not two finite numbers",
        ),
        (np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9, 3), np.uint8), (4, 129), "outside the picture of 9 x 9"),
    ],
)
def test_wrong_input_is_named(before, after, click, said):
    with pytest.raises(InvalidPicturePair, match=said):
        frame_difference(before, after, click)


@pytest.mark.parametrize(
    "wrong",
    [
        {"window": 241},
        {"window": 0},
        {"min_area": -1},
        {"open_px": 0},
        {"darkest_shadow": 1.0},
        {"reach_px": 0.0},
    ],
)
def test_settings_outside_their_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FrameDifferenceConfig(**wrong)


def test_pixels_differ_by_an_object_and_not_by_noise_and_exposure():
    shape = _disc(*CLICK, 30)
    both = _exposed(_with_object(TABLE, shape), 1)
    assert differing_pixels(both, _exposed(_with_object(TABLE, shape), 2, gain=1.08)).mean() < 0.002
    differing = differing_pixels(both, _exposed(TABLE, 3))
    assert differing[_disc(*CLICK, 28)].mean() > 0.9
    assert differing[~_disc(*CLICK, 36)].mean() < 0.002


def test_all_black_pictures_are_no_object():
    black = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    assert not frame_difference(black, black, CLICK).moved
