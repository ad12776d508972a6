"""Recorded interactions as examples for an inverse model."""

import shutil

import numpy as np
import pytest

from tabletop_interaction.agents.inverse import examples as module
from tabletop_interaction.agents.inverse.examples import FEWEST_MOVES, inverse_examples, split_by_scene
from tabletop_interaction.agents.inverse.picture_actions import arena_actions
from tabletop_interaction.envs import PickPlace, RecordInteractions, TabletopInteraction
from tabletop_interaction.envs.records.reading import open_interactions
from tabletop_interaction.errors import NoExamples

SIZE = (88, 104)


@pytest.fixture(scope="module")
def examples(moves, tmp_path_factory):
    return inverse_examples(shutil.copytree(moves, tmp_path_factory.mktemp("copy") / "records"), SIZE)


@pytest.fixture
def records(moves, tmp_path):
    return shutil.copytree(moves, tmp_path / "records")


def square_xy(picture):
    """Centre of the red square, pixels."""
    red = (picture[..., 0].astype(int) - picture[..., 1] > 60).astype(float)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return np.array([(columns * red).sum(), (rows * red).sum()]) / red.sum()


def test_every_move_is_an_example_forwards_and_backwards(examples, moves):
    forwards, backwards = examples.examples[0::2], examples.examples[1::2]
    for row, there, back in zip(open_interactions(moves, columns=()), forwards, backwards, strict=True):
        done = arena_actions([there.action, back.action], there.view, SIZE)
        np.testing.assert_allclose(done[0], row.pick_place.to_array(), atol=1e-3)
        np.testing.assert_allclose(done[1][[3, 4, 2, 0, 1]], row.pick_place.to_array(), atol=1e-3)
        assert (there.now, there.goal) == (back.goal, back.now)


def test_the_action_picks_and_places_where_the_pictures_show_the_square(examples):
    for example in examples.examples:
        now, goal = (examples.pictures[key] for key in (example.now, example.goal))
        assert now.shape == (*SIZE, 3)
        assert np.abs(square_xy(now) - example.action[0:2]).max() < 1.5
        assert np.abs(square_xy(goal) - example.action[3:5]).max() < 1.5


def test_judged_interactions_are_not_judged_again(records, monkeypatch):
    first = inverse_examples(records, SIZE)
    monkeypatch.setattr(module, "differing_regions", None)
    again = inverse_examples(records, SIZE)
    assert [one.now for one in first.examples] == [one.now for one in again.examples]


def test_a_kill_between_pictures_and_judgements_costs_a_chunk_only(records):
    whole = inverse_examples(records, SIZE)
    lines = records / f"inverse-{SIZE[0]}x{SIZE[1]}" / "judged.jsonl"
    kept = lines.read_bytes().splitlines(keepends=True)
    lines.write_bytes(b"".join(kept[:4]) + kept[4][:10])
    again = inverse_examples(records, SIZE)
    assert len(again.pictures) == len(whole.pictures)
    assert [one.action.tolist() for one in again.examples] == [one.action.tolist() for one in whole.examples]
    assert lines.read_bytes().splitlines(keepends=True) == kept


def test_a_span_adds_no_pairs_that_move_one_object_twice(records):
    # The table has one square, which each move picks up again.
    single, longer = (inverse_examples(records, SIZE, span=span) for span in (1, 3))
    assert len(longer.examples) == len(single.examples)


def test_objects_that_are_not_picked_again_stay():
    carried = np.array([[0.0, 0.0, 0, 0.2, 0.2], [-0.2, 0.1, 0, 0.1, -0.2]])
    assert module._stays(carried)
    assert module._stays(carried[:1])
    again = np.array([[0.0, 0.0, 0, 0.2, 0.2], [0.21, 0.18, 0, 0.1, -0.2]])
    assert not module._stays(again)


def test_a_longer_pair_has_its_first_move_in_either_direction(moves, monkeypatch):
    monkeypatch.setattr(module, "_stays", lambda moves: True)
    rows = list(open_interactions(moves, columns=()))[:3]
    found = list(module._examples_of(rows, SIZE, span=2))
    assert len(found) == 2 * (3 + 2)
    assert sorted(one.moves for one in found) == [1] * 6 + [2] * 4
    whole = [one for one in found if (one.now[-1], one.goal[-1]) in (("0", "2"), ("2", "0"))]
    done = [arena_actions(one.action, one.view, SIZE)[0] for one in whole]
    np.testing.assert_allclose(done[0], rows[0].pick_place.to_array(), atol=1e-3)
    np.testing.assert_allclose(done[1][[3, 4, 2, 0, 1]], rows[1].pick_place.to_array(), atol=1e-3)


def test_an_interaction_that_moved_nothing_is_no_example(painted_table, tmp_path):
    backend = painted_table()
    env = RecordInteractions(TabletopInteraction(backend), tmp_path / "records")
    env.reset(seed=0)
    for number in range(FEWEST_MOVES):
        x, y = backend._square
        place = (x + 0.002, y) if number else (-x, -y)
        env.step(PickPlace(x, y, 0.0, *place).to_action(backend.arena))
    env.close()
    with pytest.raises(NoExamples, match=r"^1 interactions in .*records moved something; .* needs 8 or more"):
        inverse_examples(tmp_path / "records", SIZE)


def test_records_in_which_nothing_was_held_are_refused_before_anything_is_written(painted_table, tmp_path):
    backend = painted_table()
    env = RecordInteractions(TabletopInteraction(backend), tmp_path / "records")
    env.reset(seed=0)
    env.step(PickPlace(*-backend._square, 0.0, 0.0, 0.0).to_action(backend.arena))
    env.close()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(NoExamples, match=r"^0 interactions in .* held something; .*tabletop collect"):
        inverse_examples(tmp_path / "records", SIZE)
    assert sorted(tmp_path.rglob("*")) == before


def test_pictures_are_kept_beside_the_records(moves, tmp_path):
    shutil.copytree(moves, tmp_path / "records")
    counted = []
    inverse_examples(tmp_path / "records", SIZE, progress=lambda done, total: counted.append((done, total)))
    assert (tmp_path / "records" / "inverse-88x104" / "pictures").is_dir()
    assert counted[-1] == (9, 9)


def test_whole_scenes_are_held_out(examples):
    learned, held_out = split_by_scene(examples.examples, 0.3, seed=0)
    assert len(learned) + len(held_out) == len(examples.examples)
    assert len({one.scene for one in held_out}) == 1
    assert not {one.scene for one in learned} & {one.scene for one in held_out}
    again, _ = split_by_scene(examples.examples, 0.3, seed=0)
    assert again == learned


def test_two_writers_with_one_seed_have_the_same_scenes(record_moves, tmp_path):
    for _ in range(2):
        record_moves(tmp_path / "records", episodes=2, steps=3)
    found = inverse_examples(tmp_path / "records", SIZE)
    assert len(found.examples) == 24
    learned, held_out = split_by_scene(found.examples, 0.5, seed=0)
    assert len(learned) == len(held_out) == 12
    seen = [{one.action.round(3).tobytes() for one in side} for side in (learned, held_out)]
    assert not seen[0] & seen[1]


@pytest.mark.parametrize("share", [0.01, 0.99])
def test_each_side_of_a_split_has_a_scene(examples, share):
    assert all(split_by_scene(examples.examples, share, seed=0))


def test_a_single_scene_is_refused(examples):
    with pytest.raises(NoExamples, match="all 6 examples are of one scene"):
        split_by_scene([one for one in examples.examples if one.scene == examples.examples[0].scene], 0.5, seed=0)


def test_lost_pictures_are_made_again(records):
    whole = inverse_examples(records, SIZE)
    shutil.rmtree(records / f"inverse-{SIZE[0]}x{SIZE[1]}" / "pictures")
    again = inverse_examples(records, SIZE)
    assert [(one.now, one.goal) for one in again.examples] == [(one.now, one.goal) for one in whole.examples]
    assert all((again.pictures[one.now] == whole.pictures[one.now]).all() for one in whole.examples)
