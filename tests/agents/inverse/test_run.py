"""An inverse model learns a handful of moves exactly; its training stops and resumes to the same result."""

import json
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
from tabletop_interaction.agents.inverse.errors import model_errors
from tabletop_interaction.agents.inverse.examples import inverse_examples
from tabletop_interaction.agents.inverse.model import load_inverse_model, new_inverse_model
from tabletop_interaction.agents.inverse.picture_actions import arena_actions
from tabletop_interaction.agents.inverse.run import InverseTrainer, held_out_errors, train_inverse
from tabletop_interaction.envs.actions import pick_place_from_action
from tabletop_interaction.errors import ForeignFolder, TrainingError
from tabletop_interaction.segmentation.checkpoints import load_state, save_state
from tabletop_interaction.segmentation.training.trainer import learning_rate

pytestmark = pytest.mark.usefixtures("one_thread")

NO_AUGMENTATION = Augmentation(0, 0, 0, 0, 0, 0, 0)
SMALL = InverseModelConfig(height=64, width=80, channels=32)
TINY = InverseTrainingConfig(steps=4, batch_size=2, held_out=0.3, model=replace(SMALL, channels=8))


@pytest.fixture(scope="module")
def tiny(moves, tmp_path_factory):
    return inverse_examples(moves, TINY.model.size, cache=tmp_path_factory.mktemp("tiny") / "there")


def test_a_handful_of_moves_is_learned_exactly_and_then_carried_out(tiny, painted_table):
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
    """A model that has seen nothing but these examples, many times."""
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
    state = load_state(tmp_path / "run" / "state.pt")
    state["trainer"]["model"] = state["trainer"].pop("network")
    save_state(tmp_path / "run" / "state.pt", state)
    steps = []
    resumed = train_inverse(tiny, tmp_path / "run", TINY, callback=lambda step, *_: steps.append(step))
    assert steps == [3, 4]
    assert resumed.read_bytes() == train_inverse(tiny, tmp_path / "whole", TINY).read_bytes()


def test_ctrl_c_keeps_the_step_that_was_under_way(tiny, tmp_path):
    def interrupted(step, steps, report):
        if step == 3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        train_inverse(tiny, tmp_path / "run", TINY, callback=interrupted)
    assert load_state(tmp_path / "run" / "state.pt")["trainer"]["step_number"] == 3


def test_a_finished_run_says_how_far_off_it_is_and_stays_as_it_is(tiny, tmp_path):
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


def test_another_configuration_other_records_and_foreign_folders_are_refused(tiny, tmp_path):
    train_inverse(tiny, tmp_path / "run", replace(TINY, steps=1))
    with pytest.raises(ForeignFolder, match=r"holds a training with config\.seed 0, not 5"):
        train_inverse(tiny, tmp_path / "run", replace(TINY, steps=1, seed=5))
    fewer = replace(tiny, examples=tiny.examples[:-2])
    with pytest.raises(ForeignFolder, match="holds a training with examples '18-"):
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


def test_a_step_that_diverges_leaves_the_weights_as_they_were(tiny):
    trainer = InverseTrainer(new_inverse_model(TINY.model, seed=0), TINY)
    batch = InverseSampler(tiny.examples, tiny, TINY.model, NO_AUGMENTATION).batch(0, 0, 2)
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    with pytest.raises(TrainingError, match="lower the learning rate"):
        trainer.step(batch._replace(place=batch.place * torch.inf))
    assert all(torch.equal(value, before[name]) for name, value in trainer.network.state_dict().items())


def test_the_rate_rises_and_falls():
    config = InverseTrainingConfig(steps=100, warm_up_steps=10)
    rates = [learning_rate(step, config) for step in range(100)]
    assert max(rates) == rates[10] == config.learning_rate
    assert rates[0] < rates[5] < rates[10] > rates[50] > rates[99] > 0


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"span": 0}, {"held_out": 0.0}, {"held_out": 1.0}, {"learning_rate": -1.0}, {"seed": -1}]
)
def test_what_cannot_be_trained_is_refused(wrong):
    with pytest.raises(TrainingError, match=f"{next(iter(wrong))} is "):
        InverseTrainingConfig(**wrong)
