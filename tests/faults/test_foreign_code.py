"""Files from others run no code: pickles in every place where a file is read are not executed."""

import base64
import io
import json
import os
import pickle
import pickletools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from attack import Attack
from stable_baselines3 import PPO

from tabletop_interaction.agents.stable_baselines import POLICY_VARIABLE, StableBaselinesAgent, with_policy_pictures
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.segmentation.checkpoints import load_checkpoint, load_state


class Table(gym.Env[Any, Any]):
    """Two black pictures."""

    observation_space = gym.spaces.Dict(
        {key: gym.spaces.Box(0, 255, (350, 430, 3), np.uint8) for key in ("view_0", "goal_0")}
    )
    action_space = gym.spaces.Box(-1.0, 1.0, (5,), np.float32)


class Malicious:
    """Makes a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.mkdir, (str(self.mark),)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy as stable-baselines3 writes it."""
    path = tmp_path_factory.mktemp("policy") / "policy.zip"
    PPO("CnnPolicy", with_policy_pictures(Table()), n_steps=2, batch_size=2, device="cpu").save(path)
    return path


def _entries(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _zip(path: Path, entries: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)


def _pickle(mark: Path) -> bytes:
    return pickletools.optimize(pickle.dumps(Malicious(mark)))


def _torch_file(mark: Path, zipped: bool) -> bytes:
    file = io.BytesIO()
    torch.save({"weight": Malicious(mark)}, file, _use_new_zipfile_serialization=zipped)
    return file.getvalue()


def test_a_policy_from_others_runs_no_code(
    attack: Callable[[str], Attack],
    samples: Callable[..., list[str]],
    policy: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mark, path = tmp_path / "code-ran", tmp_path / "policy.zip"
    monkeypatch.setenv(POLICY_VARIABLE, str(path))
    entries = _entries(policy)
    data = json.loads(entries["data"])
    payload = {":type:": "<class 'dict'>", ":serialized:": base64.b64encode(_pickle(mark)).decode()}
    evil = {f"data: {name}": {**entries, "data": _with(data, name, payload)} for name in data}
    evil |= {
        f"{name}, {kind}": {**entries, name: content}
        for name in ("policy.pth", "policy.optimizer.pth", "pytorch_variables.pth")
        for kind, content in (
            ("a pickle", _pickle(mark)),
            ("torch's zip", _torch_file(mark, True)),
            ("torch's old format", _torch_file(mark, False)),
        )
    }

    def load() -> StableBaselinesAgent:
        return StableBaselinesAgent((), None, np.random.default_rng(0))  # type: ignore[arg-type]

    with attack("policy: a pickle that runs code") as one:
        for name in samples(list(evil), short=8):
            _zip(path, evil[name])
            one.call(load, right=lambda _: not mark.exists(), what=name)
            assert not mark.exists(), name
    # torch advises to load such a file with its code.
    _zip(path, evil["policy.pth, torch's zip"])
    with pytest.raises(InvalidConfiguration, match="other things than weights") as refusal:
        load()
    assert "weights_only" not in str(refusal.value)


def _with(data: dict[str, Any], name: str, payload: dict[str, Any]) -> bytes:
    """The file's JSON with a malicious pickle beside the readable values of an entry."""
    readable = data[name] if isinstance(data[name], dict) else {}
    return json.dumps({**data, name: {**readable, **payload}}).encode()


def test_the_payload_of_these_tests_does_run_where_a_pickle_is_loaded(tmp_path: Path) -> None:
    pickle.loads(_pickle(tmp_path / "a"))
    torch.load(io.BytesIO(_torch_file(tmp_path / "b", True)), weights_only=False)
    assert (tmp_path / "a").exists()
    assert (tmp_path / "b").exists()


def test_checkpoints_and_states_from_others_run_no_code(attack: Callable[[str], Attack], tmp_path: Path) -> None:
    mark = tmp_path / "code-ran"
    with attack("checkpoint or state: a pickle that runs code") as one:
        for content in (_pickle(mark), _torch_file(mark, True), _torch_file(mark, False)):
            (tmp_path / "state.pt").write_bytes(content)
            one.call(lambda: load_state(tmp_path / "state.pt"), lambda _: False)
            (tmp_path / "model.safetensors").write_bytes(content)
            (tmp_path / "model.json").write_text("{}")
            one.call(lambda: load_checkpoint(tmp_path / "model.safetensors"), lambda _: False)
    assert not mark.exists()


def test_a_lab_file_from_others_runs_no_code(attack: Callable[[str], Attack], tmp_path: Path) -> None:
    lab, mark = tmp_path / "lab.yaml", tmp_path / "code-ran"
    with attack("lab file: a tag that runs code") as one:
        for tag in ("os.mkdir", "posix.mkdir", "subprocess.check_output"):
            for form in ("python/object/apply", "python/object/new", "python/name"):
                lab.write_text(f"schema_version: 1\ndriver: !!{form}:{tag} ['{mark}']\n")
                one.command("doctor", "--config", str(lab), right=lambda _: False, what=f"{form}:{tag}")
    assert not mark.exists()
