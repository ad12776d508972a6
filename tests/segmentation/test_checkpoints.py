"""Networks and states survive saving and loading; damaged ones are refused."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tabletop_interaction.errors import CheckpointError, DamagedState, DiskFull
from tabletop_interaction.segmentation.checkpoints import (
    checkpoint_metadata,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_state,
)
from tabletop_interaction.segmentation.config import NetworkConfig
from tabletop_interaction.segmentation.network import DeepMask


@cache
def network() -> DeepMask:
    torch.manual_seed(0)
    return DeepMask(NetworkConfig("deepmask", end_channels=4, code_channels=8))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "made" / "model.safetensors"
    save_checkpoint(network(), path, metadata={"seed": 3, "steps": 400})
    return path


def test_a_saved_network_loads_in_evaluation_mode(saved: Path) -> None:
    loaded = load_checkpoint(saved)
    assert loaded.config == network().config
    assert not loaded.training
    for name, tensor in network().state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)
    assert checkpoint_metadata(saved) == {"seed": 3, "steps": 400}
    assert sorted(file.name for file in saved.parent.iterdir()) == ["model.json", "model.safetensors"]


def test_half_precision_halves_the_file_and_keeps_the_statistics(saved: Path, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    save_checkpoint(network(), half, half=True)
    assert half.stat().st_size < 0.52 * saved.stat().st_size
    loaded = load_checkpoint(half)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float32}
    for name, tensor in network().state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], tensor, rtol=1e-3, atol=1e-6)
    assert load_file(half)["stem.1.running_var"].dtype == torch.float32


def test_saving_again_replaces(saved: Path) -> None:
    save_checkpoint(network(), saved, metadata={"seed": 4})
    assert checkpoint_metadata(saved) == {"seed": 4}


def test_missing_files_are_named(tmp_path: Path, saved: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no .*absent\.safetensors; train one"):
        load_checkpoint(tmp_path / "absent.safetensors")
    saved.with_suffix(".json").unlink()
    with pytest.raises(CheckpointError, match=r"no .*model\.json"):
        load_checkpoint(saved)


def test_weights_that_do_not_fit_are_named(saved: Path) -> None:
    tensors = load_file(saved)
    tensors["surplus"] = tensors.pop("score_end.bias")
    tensors["score_end.weight"] = torch.zeros(2, 2)
    save_file(tensors, saved)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(saved)
    for part in (
        'Missing key(s) in state_dict: "score_end.bias"',
        'Unexpected key(s) in state_dict: "surplus"',
        "size mismatch for score_end.weight: copying a param with shape torch.Size([2, 2])",
        "torch.Size([1, 128, 1, 1])",
    ):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"network": {"colour": 1}}, "colour"),
        ({"network": {"mask_branch": "fancy"}}, "fancy"),
        ({"network": {"code_channels": "many"}}, "no network that can be made"),
        ({"network": {"end_channels": 64.5}}, r"Expected `int`, got `float` - at `[$].end_channels`"),
        ({"network": {"end_channels": True}}, r"Expected `int`, got `bool` - at `[$].end_channels`"),
        ({"network": {"code_channels": 10**12}}, "code_channels is 1000000000000; accepted is 2 to 65,536"),
        ({"network": {"mask_branch": "deepmask", "code_channels": 65536, "end_channels": 65536}}, "do not fit"),
        ({"network": None}, "network in .* is None"),
        ({"network": 3}, "network in .* is 3"),
        ({"metadata": None}, "metadata in .* is None"),
    ],
)
def test_invalid_descriptions_are_named(saved: Path, change: dict[str, object], message: str) -> None:
    description = saved.with_suffix(".json")
    description.write_text(json.dumps(json.loads(description.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        load_checkpoint(saved)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 1}', "3"])
def test_damaged_descriptions_are_named(saved: Path, text: str) -> None:
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(CheckpointError, match=r"model\.json"):
        load_checkpoint(saved)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_named(saved: Path, value: float) -> None:
    # Such a network scores nothing anywhere, which reads like a picture without objects.
    tensors = load_file(saved)
    tensors["score_end.bias"][0] = value
    save_file(tensors, saved)
    with pytest.raises(CheckpointError, match=r"not finite: score_end\.bias;"):
        load_checkpoint(saved)


def test_a_kill_between_the_files_leaves_no_weights_without_description(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced: list[str] = []

    def killed_after_one(_: Path, target: Path) -> None:
        if replaced:
            raise KeyboardInterrupt
        replaced.append(target.name)

    monkeypatch.setattr(Path, "replace", killed_after_one)
    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(network(), tmp_path / "model.safetensors")
    assert replaced == ["model.json"]


def test_damaged_weights_are_named(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_checkpoint(saved)


def test_nothing_is_written_with_invalid_arguments(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="end"):
        save_checkpoint(network(), tmp_path / "model.pt")
    with pytest.raises(CheckpointError, match="JSON"):
        save_checkpoint(network(), tmp_path / "model.safetensors", metadata={"bad": object()})
    assert list(tmp_path.iterdir()) == []


def test_file_modes_follow_the_umask(saved: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    assert {file.stat().st_mode & 0o777 for file in saved.parent.iterdir()} == {0o666 & ~umask}


def test_a_full_disk_is_named_and_changes_nothing(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_bytes() for file in saved.parent.iterdir()}

    def no_space_for_weights(*_: object) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    def no_space_for_states(*_: object) -> None:
        raise RuntimeError("[enforce fail at inline_container.cc:664] . PytorchStreamWriter failed writing file")

    monkeypatch.setattr("tabletop_interaction.segmentation.checkpoints.save_file", no_space_for_weights)
    monkeypatch.setattr("torch.save", no_space_for_states)
    with pytest.raises(DiskFull, match=r"no space is left for .*model\.safetensors"):
        save_checkpoint(network(), saved)
    with pytest.raises(DiskFull, match=r"no space is left for .*state\.pt"):
        save_state(saved.parent / "state.pt", {})
    assert {file.name: file.read_bytes() for file in saved.parent.iterdir()} == before


def test_a_state_replaces_the_one_before(tmp_path):
    path = tmp_path / "state.pt"
    assert load_state(path) is None
    save_state(path, {"step": 1})
    save_state(path, {"step": 2, "weights": torch.arange(3)})
    state = load_state(path)
    assert state["step"] == 2
    assert (state["weights"] == torch.arange(3)).all()
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_states_are_loaded_on_the_cpu(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(torch, "load", lambda path, **options: asked.update(options) or {})
    (tmp_path / "state.pt").touch()
    load_state(tmp_path / "state.pt")
    assert asked == {"map_location": "cpu", "weights_only": True}


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"torn")
    with pytest.raises(DamagedState, match=r"state\.pt is damaged"):
        load_state(tmp_path / "state.pt")
