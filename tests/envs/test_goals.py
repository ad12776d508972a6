"""Goals: free places inside the arena and far enough, and pictures from files."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tabletop_interaction.envs import Arena, ObjectState
from tabletop_interaction.envs.goals import draw_arrangement, load_goal
from tabletop_interaction.errors import InvalidConfiguration, InvalidPicture
from tests.picture_zoo import exif

ARENA = Arena(-0.30, 0.30, -0.245, 0.245)
HALF = 0.03
SQUARE = HALF * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
START_XY = np.array([(-0.2, -0.15), (0.2, -0.15), (-0.2, 0.15), (0.2, 0.15), (0.0, 0.0)])


def _draw(seed, displaced, occupied, start_xy=START_XY):
    start = [ObjectState(i, "square", np.array([*xy, 0.02]), np.eye(4)[3]) for i, xy in enumerate(start_xy, 1)]
    outlines = {state.id: SQUARE + state.position[:2] for state in start}
    return draw_arrangement(np.random.default_rng(seed), start, outlines, ARENA, displaced, occupied=occupied)


def _xy(states):
    return np.array([state.position[:2] for state in states])


def _gap(one, other):
    """Between two axis-parallel squares, metres, below 0 where they overlap."""
    return np.abs(one - other).max() - 2 * HALF


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), displaced=st.integers(1, 3), occupied=st.booleans())
def test_goals_are_far_from_their_starts_and_clear_of_all_other_objects(seed, displaced, occupied):
    occupied = occupied and displaced > 1
    wanted = _draw(seed, displaced, occupied)
    start, goal = _xy(wanted.start), _xy(wanted.goal)
    moved = np.isin(np.arange(1, 6), wanted.displaced)
    assert moved.sum() == displaced
    np.testing.assert_array_equal(goal[~moved], start[~moved])
    assert (np.linalg.norm(goal - start, axis=1)[moved] >= 0.08).all()
    assert all(ARENA.contains(*place) for place in goal)
    for i in np.flatnonzero(moved):
        assert all(_gap(goal[i], goal[j]) > 0.02 for j in range(5) if j != i)
    taken = [(i, j) for i in np.flatnonzero(moved) for j in range(5) if i != j and _gap(goal[i], start[j]) < 0.02]
    assert len(taken) == int(occupied)
    assert all(moved[j] and np.linalg.norm(goal[i] - start[j]) <= 0.02 for i, j in taken)


def test_the_same_seed_draws_the_same_places():
    np.testing.assert_array_equal(_xy(_draw(3, 2, True).goal), _xy(_draw(3, 2, True).goal))


def test_a_full_table_gives_no_goal():
    x, y = np.meshgrid(np.arange(-0.27, 0.28, 0.09), np.arange(-0.21, 0.22, 0.09))
    assert _draw(0, 1, False, np.column_stack([x.ravel(), y.ravel()])) is None


def test_fewer_objects_than_displaced_give_no_goal():
    assert _draw(0, 3, False, START_XY[:2]) is None
    assert _draw(0, 2, True, START_XY[:1]) is None


def test_files_give_the_first_views_and_the_others_are_black(tmp_path, painted_table):
    view = painted_table().views[0]
    picture = np.random.default_rng(0).integers(0, 256, (view.height, view.width, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "goal.png"), picture[:, :, ::-1])
    second = type(view)("view_1", view.height, view.width, view.intrinsics, view.camera_from_arena)
    goal = load_goal(tmp_path / "goal.png", [view, second])
    np.testing.assert_array_equal(goal.pictures["view_0"], picture)
    assert not goal.pictures["view_1"].any()
    assert goal.arrangement is None


def test_a_goal_is_turned_upright_only_where_its_stored_size_does_not_fit(tmp_path, painted_table):
    view = painted_table().views[0]
    right = np.random.default_rng(0).integers(0, 256, (view.height, view.width, 3), np.uint8)
    Image.fromarray(np.rot90(right)).save(tmp_path / "lying.png", exif=exif(6))
    Image.fromarray(right).save(tmp_path / "stored.png", exif=exif(6))
    Image.fromarray(right).save(tmp_path / "mirrored.png", exif=exif(2))
    for name in ("lying.png", "stored.png"):
        np.testing.assert_array_equal(load_goal(tmp_path / name, [view]).pictures["view_0"], right)
    with pytest.raises(InvalidConfiguration, match="EXIF orientation 2"):
        load_goal(tmp_path / "mirrored.png", [view])


def test_pictures_that_cannot_be_the_goal_are_refused(tmp_path, painted_table):
    views = painted_table().views
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((10, 20, 3), np.uint8))
    (tmp_path / "text.png").write_text("no picture")
    for paths, message in (
        (tmp_path / "small.png", "20 x 10 px"),
        (tmp_path / "text.png", "cannot be read as a picture"),
        (tmp_path / "missing.png", "does not exist"),
        ([tmp_path / "small.png"] * 2, "2 picture files"),
        ([], "0 picture files"),
    ):
        with pytest.raises((InvalidConfiguration, InvalidPicture), match=message):
            load_goal(paths, views)
