"""The inverse model: its parts, predictions, targets and checkpoints."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from tabletop_interaction.agents.inverse.config import InverseModelConfig
from tabletop_interaction.agents.inverse.model import (
    INVERSE_MODEL,
    InverseModel,
    angle_of,
    load_inverse_model,
    new_inverse_model,
    point_of,
    predict_action,
    shares_of_angles,
    shares_of_cells,
)
from tabletop_interaction.errors import CheckpointError
from tabletop_interaction.seals import read_sealed, write_sealed
from tabletop_interaction.segmentation.checkpoints import checkpoint_metadata, save_checkpoint

SMALL = InverseModelConfig(height=64, width=80, channels=8, angles=6)


@pytest.fixture(scope="module")
def model():
    return new_inverse_model(SMALL, seed=0).eval()


def picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (*SMALL.size, 3), np.uint8)


def test_the_predicted_action_lies_in_the_picture(model):
    x, y, angle, *_ = predict_action(model, picture(0), picture(1))
    assert 0 <= x < SMALL.width
    assert 0 <= y < SMALL.height
    assert abs(angle) <= np.pi / 2


def test_a_drawn_pick_follows_its_probabilities(model):
    rng = np.random.default_rng(0)
    drawn = {tuple(predict_action(model, picture(0), picture(1), rng)[:2]) for _ in range(8)}
    assert len(drawn) > 1
    greedy = {tuple(predict_action(model, picture(0), picture(1))) for _ in range(2)}
    assert len(greedy) == 1


def test_angle_and_place_depend_on_the_pick(model):
    with torch.inference_mode():
        pair = [torch.from_numpy(picture(seed)).permute(2, 0, 1)[None] for seed in (0, 1)]
        maps, pick = model.compare(*pair)
        (angle, place), (other_angle, other_place) = (model.given_pick(maps, torch.tensor([cell])) for cell in (0, 40))
    assert pick.shape == place.shape == (1, *SMALL.cells)
    assert angle.shape == (1, 6)
    assert not torch.allclose(angle, other_angle)
    assert not torch.allclose(place, other_place)


def test_features_of_a_picture_do_not_depend_on_its_place_in_the_pair(model):
    one, other = (torch.from_numpy(picture(seed)).permute(2, 0, 1)[None] for seed in (0, 1))
    with torch.inference_mode():
        first, second = model._seen(torch.cat([one, other])).chunk(2)
        swapped = model._seen(torch.cat([other, one])).chunk(2)
    torch.testing.assert_close(first, swapped[1])
    torch.testing.assert_close(second, swapped[0])


def test_the_trunk_keeps_its_imagenet_weights(model):
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
    assert trained
    assert not [name for name in trained if name.startswith("trunk.")]
    model.train()
    assert not any(one.training for one in model.trunk.modules() if isinstance(one, torch.nn.BatchNorm2d))
    model.eval()


def test_first_weights_depend_on_the_seed_only():
    first, again, other = (new_inverse_model(SMALL, seed).pick.weight for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_saved_model_loads_with_the_same_predictions(model, tmp_path):
    save_checkpoint(model, tmp_path / "model.safetensors", metadata={"held_out": {"pick_cm": 1.5}}, kind=INVERSE_MODEL)
    loaded = load_inverse_model(tmp_path / "model.safetensors")
    assert not loaded.training
    assert loaded.config == SMALL
    np.testing.assert_array_equal(
        predict_action(loaded, picture(0), picture(1)), predict_action(model, picture(0), picture(1))
    )
    assert checkpoint_metadata(tmp_path / "model.safetensors", INVERSE_MODEL)["held_out"] == {"pick_cm": 1.5}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model.json", "model.safetensors"]


def change_json(folder, **changes):
    path = folder / "model.json"
    content, run = read_sealed(path)
    write_sealed(path, {**content, **changes}, run)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "model.safetensors").unlink(), "there is no .*model.safetensors; train one"),
        (lambda folder: (folder / "model.json").unlink(), "there is no .*model.json"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"torn"), "is damaged, or"),
        (lambda folder: (folder / "model.json").write_text("[]"), "is damaged"),
        (lambda folder: (folder / "model.json").write_text("{"), "is damaged"),
        (lambda folder: change_json(folder, kind=None), "describes another network"),
        (lambda folder: change_json(folder, schema_version=9), "schema version 9"),
        (lambda folder: change_json(folder, network={"channels": 16}), "do not fit the network"),
        (lambda folder: change_json(folder, network={"wings": 2}), "wings"),
    ],
)
def test_a_damaged_or_foreign_checkpoint_is_refused(model, tmp_path, spoil, said):
    save_checkpoint(model, tmp_path / "model.safetensors", kind=INVERSE_MODEL)
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said):
        load_inverse_model(tmp_path / "model.safetensors")


@pytest.mark.parametrize("wrong", [{"height": 60}, {"channels": 0}, {"angles": 0}])
def test_invalid_sizes_are_refused(wrong):
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is "):
        InverseModel(InverseModelConfig(**wrong))


@given(st.floats(3.5, 211.5), st.floats(3.5, 171.5))
def test_point_of_inverts_shares_of_cells_to_a_fraction_of_a_cell(x, y):
    shares = shares_of_cells(np.array([[x, y]]), (22, 27))[0].astype(np.float64)
    assert shares.sum() == pytest.approx(1, abs=1e-6)
    assert (shares > 0).sum() <= 4
    assert point_of(shares, int(shares.argmax())) == pytest.approx((x, y), abs=1e-3)


def test_points_beyond_the_outermost_centres_are_moved_to_them():
    corner = shares_of_cells(np.array([[-0.5, 175.5]]), (22, 27))[0]
    assert corner[21, 0] == 1


@given(st.floats(-1.57, 1.57))
def test_angle_of_inverts_shares_of_angles_around_the_half_circle(angle):
    shares = shares_of_angles(np.array([angle]), 18)[0].astype(np.float64)
    assert shares.sum() == pytest.approx(1, abs=1e-5)
    assert abs((angle_of(shares) - angle + np.pi / 2) % np.pi - np.pi / 2) < 1e-4


def test_opposite_directions_have_equal_shares():
    first, second = shares_of_angles(np.array([0.3, 0.3 - np.pi]), 18)
    np.testing.assert_allclose(first, second, atol=1e-6)
