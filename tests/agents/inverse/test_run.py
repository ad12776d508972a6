"""Training of an inverse model: overfitting, stopping and resuming, and its errors against a fixed prior's."""

import json
import shutil
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch

from tabletop_interaction.agents.inverse.agent import InverseAgent
from tabletop_interaction.agents.inverse.batches import InverseSampler
from tabletop_interaction.agents.inverse.config import (
    Augmentation,
    InverseModelConfig,
    InverseRunOptions,
    InverseTrainingConfig,
)
from tabletop_interaction.agents.inverse.examples import InverseExample, inverse_examples
from tabletop_interaction.agents.inverse.model import load_inverse_model, new_inverse_model
from tabletop_interaction.agents.inverse.picture_actions import arena_actions, picture_actions
from tabletop_interaction.agents.inverse.run import (
    InverseTrainer,
    action_errors,
    chance_errors,
    held_out_errors,
    model_errors,
    train_inverse,
)
from tabletop_interaction.envs.actions import pick_place_from_action
from tabletop_interaction.errors import ForeignFolder, TrainingError
from tabletop_interaction.seals import run_id_of
from tabletop_interaction.segmentation.checkpoints import load_state, save_state
from tabletop_interaction.segmentation.training.trainer import learning_rate

pytestmark = pytest.mark.usefixtures("one_thread")

SIZE = (176, 216)
NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, 0)
SMALL = InverseModelConfig(height=64, width=80, channels=32)
TINY = InverseTrainingConfig(steps=4, batch_size=2, held_out=0.3, model=replace(SMALL, channels=8))


@pytest.fixture(scope="module")
def tiny(moves, tmp_path_factory):
    return inverse_examples(shutil.copytree(moves, tmp_path_factory.mktemp("copy") / "records"), TINY.model.size)


def test_a_model_trained_on_six_moves_repeats_them(tiny, painted_table):
    model = learned(tiny, tiny.examples[:6])
    errors = model_errors(model, tiny.examples[:6], tiny.pictures)
    assert errors.both_near == 1.0
    assert errors.pick_cm < 1
    assert errors.place_cm < 1
    assert errors.angle_deg < 6

    table, example = painted_table(), tiny.examples[0]
    done = arena_actions(example.action, example.view, SMALL.size)[0]
    table._square = done[3:5]
    goal = table.observe()["view_0"]
    table._square = done[0:2]
    agent = InverseAgent(model, table.views, table.arena, np.random.default_rng(0))
    action = agent.act({"view_0": table.observe()["view_0"], "goal_0": goal}, {"pick_outcome": 0})
    move = pick_place_from_action(action, table.arena)
    assert table.pick(move.pick_x, move.pick_y, move.angle).held
    table.place(move.place_x, move.place_y)
    assert np.linalg.norm(table._square - done[3:5]) < 0.015


def learned(source, examples):
    """Train a model on these examples only."""
    config = InverseTrainingConfig(steps=60, batch_size=6, learning_rate=6e-3, model=SMALL)
    trainer = InverseTrainer(new_inverse_model(SMALL, seed=0), config)
    sampler = InverseSampler(examples, source, SMALL, NO_AUGMENTATION)
    for number in range(config.steps):
        trainer.step(sampler.batch(0, number, config.batch_size))
    return trainer.network.eval()


def test_a_stopped_run_resumes_to_the_same_weights(tiny, tmp_path):
    whole = train_inverse(tiny, tmp_path / "whole", TINY)
    options = InverseRunOptions(checkpoint_every=2)

    def killed_after_three(step, steps, report):
        if step == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train_inverse(tiny, tmp_path / "stopped", TINY, options, callback=killed_after_three)
    assert not (tmp_path / "stopped" / "model.safetensors").exists()
    steps = []
    stopped = train_inverse(tiny, tmp_path / "stopped", TINY, options, callback=lambda step, *_: steps.append(step))
    assert steps == [3, 4]
    assert whole.read_bytes() == stopped.read_bytes()


def test_a_state_of_an_earlier_version_is_resumed(tiny, tmp_path):
    def killed_after_two(step, steps, report):
        if step == 3:
            raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train_inverse(tiny, tmp_path / "run", TINY, InverseRunOptions(checkpoint_every=2), callback=killed_after_two)
    run = run_id_of(tmp_path / "run" / "training.json")
    state = load_state(tmp_path / "run" / "state.pt", run)
    state["trainer"]["model"] = state["trainer"].pop("network")
    save_state(tmp_path / "run" / "state.pt", state, run)
    steps = []
    resumed = train_inverse(tiny, tmp_path / "run", TINY, callback=lambda step, *_: steps.append(step))
    assert steps == [3, 4]
    assert resumed.read_bytes() == train_inverse(tiny, tmp_path / "whole", TINY).read_bytes()


def test_ctrl_c_saves_the_current_step(tiny, tmp_path):
    def interrupted(step, steps, report):
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_inverse(tiny, tmp_path / "run", TINY, callback=interrupted)
    run = run_id_of(tmp_path / "run" / "training.json")
    assert load_state(tmp_path / "run" / "state.pt", run)["trainer"]["step_number"] == 3


def test_a_finished_run_has_held_out_errors_and_is_not_changed(tiny, tmp_path):
    counted = []
    path = train_inverse(tiny, tmp_path / "run", TINY, progress=lambda *counts: counted.append(counts))
    assert load_inverse_model(path).config == TINY.model
    errors, chance = held_out_errors(path)
    assert errors.examples == chance.examples == 6
    assert counted[-1] == (6, 6)
    assert 1 < chance.pick_cm < 40
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    stamp = path.stat().st_mtime_ns
    assert train_inverse(tiny, tmp_path / "run", TINY) == path
    assert path.stat().st_mtime_ns == stamp


def test_another_configuration_other_examples_and_foreign_folders_are_refused(tiny, tmp_path):
    train_inverse(tiny, tmp_path / "run", replace(TINY, steps=1))
    with pytest.raises(ForeignFolder, match=r"holds a training with other settings: config\.seed is 0 there and 5 now"):
        train_inverse(tiny, tmp_path / "run", replace(TINY, steps=1, seed=5))
    fewer = replace(tiny, examples=tiny.examples[:-2])
    with pytest.raises(ForeignFolder, match="other settings: examples is '18-"):
        train_inverse(fewer, tmp_path / "run", replace(TINY, steps=1))
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(ForeignFolder, match=r"thesis\.txt"):
        train_inverse(tiny, tmp_path / "mine", TINY)


def test_a_damaged_state_is_named(tiny, tmp_path):
    def killed(step, steps, report):
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError, match="killed"):
        train_inverse(tiny, tmp_path / "run", TINY, callback=killed)
    (tmp_path / "run" / "state.pt").write_bytes(b"torn")
    with pytest.raises(TrainingError, match=r"state\.pt is damaged"):
        train_inverse(tiny, tmp_path / "run", TINY)
    assert json.loads((tmp_path / "run" / "training.json").read_text())["config"]["span"] == 1


def test_a_diverging_step_does_not_change_the_weights(tiny):
    trainer = InverseTrainer(new_inverse_model(TINY.model, seed=0), TINY)
    batch = InverseSampler(tiny.examples, tiny, TINY.model, NO_AUGMENTATION).batch(0, 0, 2)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    with pytest.raises(TrainingError, match="lower the learning rate"):
        trainer.step(batch._replace(place=batch.place * torch.inf))
    assert all(torch.equal(value, before[name]) for name, value in trainer.network.state_dict().items())


def test_the_learning_rate_rises_and_falls():
    config = InverseTrainingConfig(steps=100, warm_up_steps=10)
    rates = [learning_rate(step, config) for step in range(100)]
    assert max(rates) == rates[10] == config.learning_rate
    assert rates[0] < rates[5] < rates[10] > rates[50] > rates[99] > 0


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"span": 0}, {"held_out": 0.0}, {"held_out": 1.0}, {"learning_rate": -1.0}, {"seed": -1}]
)
def test_invalid_settings_are_refused(wrong):
    with pytest.raises(TrainingError, match=f"{next(iter(wrong))} is "):
        InverseTrainingConfig(**wrong)


@pytest.fixture
def two_examples(painted_table):
    view = painted_table().views[0]
    done = [[0.1, 0.1, 0.2, -0.1, 0.0], [-0.1, -0.1, 0.2, 0.1, 0.0]]
    return [InverseExample("a", "b", picture_actions(one, view, SIZE)[0], view, "scene") for one in done]


def test_the_carried_out_action_has_no_error(two_examples):
    errors = action_errors(np.array([one.action for one in two_examples]), two_examples, SIZE)
    assert (errors.examples, errors.both_near) == (2, 1.0)
    assert errors.pick_cm == pytest.approx(0, abs=1e-6)
    assert errors.angle_deg == pytest.approx(0, abs=1e-6)


def test_errors_are_centimetres_on_the_table_and_degrees_between_lines(two_examples):
    off = [[0.13, 0.14, 0.2 + np.pi, -0.1, 0.01], [-0.1, -0.1, 0.2 + np.pi / 2, 0.1, 0.0]]
    actions = np.array([picture_actions(one, two_examples[0].view, SIZE)[0] for one in off])
    errors = action_errors(actions, two_examples, SIZE)
    assert errors.pick_cm == pytest.approx(2.5, abs=1e-3)
    assert errors.place_cm == pytest.approx(0.5, abs=1e-3)
    assert errors.angle_deg == pytest.approx(45, abs=0.1)
    assert errors.both_near == 0.5


def test_chance_is_the_mean_training_action(two_examples):
    errors = chance_errors(two_examples, two_examples, SIZE)
    assert errors.pick_cm == pytest.approx(100 * np.hypot(0.1, 0.1), abs=0.05)
    assert errors.place_cm == pytest.approx(10, abs=0.05)
    assert errors.angle_deg == pytest.approx(0, abs=0.1)


def test_the_angle_of_chance_is_a_mean_of_lines(two_examples):
    actions = [one.action.copy() for one in two_examples]
    actions[0][2], actions[1][2] = 1.5, -1.5
    turned = [replace(one, action=action) for one, action in zip(two_examples, actions, strict=True)]
    assert chance_errors(turned, turned, SIZE).angle_deg == pytest.approx(np.rad2deg(np.pi / 2 - 1.5), abs=0.3)
