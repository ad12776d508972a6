"""The training script in small: run as a user does, resumed, and its policy as an agent of the benchmark."""

import json
import subprocess
import sys

import pytest
from stable_baselines3 import PPO

from tabletop_interaction.agents.stable_baselines import POLICY_VARIABLE, StableBaselinesAgent
from tabletop_interaction.cli.main import main

NAME = f"{StableBaselinesAgent.__module__}:{StableBaselinesAgent.__name__}"


@pytest.fixture(scope="module")
def script(example):
    return example("stable_baselines")


@pytest.fixture(scope="module")
def policy(script, tmp_path_factory):
    """Of two updates of two tables, each in a process."""
    out = tmp_path_factory.mktemp("ppo")
    arguments = ["--steps", "8", "--workers", "2", "--rollout", "2", "--out", str(out)]
    subprocess.run([sys.executable, script.__file__, *arguments], check=True, capture_output=True)
    return out / "policy.zip"


def _weights(path):
    return PPO.load(path, device="cpu").policy.state_dict()


def test_a_stopped_training_resumes_with_other_workers_too(script, policy):
    before = _weights(policy)
    script.train(script.Options(out=policy.parent, steps=10, workers=1, rollout=2))
    assert PPO.load(policy, device="cpu").num_timesteps == 10
    assert any((before[name] != weights).any() for name, weights in _weights(policy).items())
    assert [path.name for path in policy.parent.glob("policy*")] == ["policy.zip"]


def test_a_training_that_is_done_changes_nothing(script, policy):
    before = _weights(policy)
    script.train(script.Options(out=policy.parent, steps=8, workers=1, rollout=2))
    assert all((before[name] == weights).all() for name, weights in _weights(policy).items())


def test_the_policy_plays_in_the_benchmark_by_name(policy, tmp_path, monkeypatch):
    monkeypatch.setenv(POLICY_VARIABLE, str(policy))
    main(["benchmark", "rearrangement", "--episodes", "1", "--agents", NAME, "--out", str(tmp_path / "bench")])
    played = json.loads((tmp_path / "bench" / "results.json").read_text())["agents"][NAME]
    assert played["success"]["trials"] == 1
