"""Networks and states survive saving and loading; damaged ones are refused."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tabletop_interaction.errors import CheckpointError, DamagedState, DiskFull, ForeignFolder
from tabletop_interaction.files import checksum
from tabletop_interaction.segmentation.checkpoints import (
    checkpoint_metadata,
    is_checkpoint_of,
    load_checkpoint,
    load_state,
    save_checkpoint,
    save_state,
)
from tabletop_interaction.segmentation.config import DEFAULT_CHECKPOINT, NetworkConfig
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


@pytest.fixture
def without_checksums(saved: Path) -> Path:
    """As an earlier version saved it."""
    description = saved.with_suffix(".json")
    content = json.loads(description.read_text())
    description.write_text(json.dumps({name: content[name] for name in ("schema_version", "network", "metadata")}))
    return saved


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


def test_weights_that_do_not_fit_are_named(without_checksums: Path) -> None:
    saved = without_checksums
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
def test_invalid_descriptions_are_named(without_checksums: Path, change: dict[str, object], message: str) -> None:
    saved = without_checksums
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
def test_weights_that_are_not_finite_are_named(without_checksums: Path, value: float) -> None:
    saved = without_checksums
    # Such a network scores nothing anywhere, which reads like a picture without objects.
    tensors = load_file(saved)
    tensors["score_end.bias"][0] = value
    save_file(tensors, saved)
    with pytest.raises(CheckpointError, match=r"not finite: score_end\.bias;"):
        load_checkpoint(saved)


@cache
def other_network() -> DeepMask:
    torch.manual_seed(1)
    return DeepMask(NetworkConfig("refining", end_channels=2, code_channels=8, refining_channels=2))


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("count", range(1, 5))
def test_a_kill_leaves_the_old_network_or_the_new_one(
    saved: Path, killed_at: Callable[[str, int, Callable[[], object]], bool], count: int
) -> None:
    # Made here: a forked child must not compute.
    network_after = other_network()
    was_killed = killed_at(
        "pathlib.Path.replace", count, lambda: save_checkpoint(network_after, saved, metadata={"seed": 4})
    )
    assert was_killed is (count <= 3)
    is_new = count >= 2
    expected = network_after if is_new else network()
    assert checkpoint_metadata(saved) == ({"seed": 4} if is_new else {"seed": 3, "steps": 400})
    loaded = load_checkpoint(saved).state_dict()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in expected.state_dict().items())
    # A later save starts from what the kill left.
    save_checkpoint(network(), saved)
    assert load_checkpoint(saved).config == network().config
    assert "previous" not in json.loads(saved.with_suffix(".json").read_text())


@pytest.mark.usefixtures("one_thread")
def test_a_kill_leaves_the_old_network_of_an_earlier_version(
    without_checksums: Path, killed_at: Callable[[str, int, Callable[[], object]], bool]
) -> None:
    network_after = other_network()
    assert killed_at("pathlib.Path.replace", 1, lambda: save_checkpoint(network_after, without_checksums))
    assert load_checkpoint(without_checksums).config == network().config


def test_a_checkpoint_of_another_run_is_refused(saved: Path) -> None:
    assert is_checkpoint_of(saved, None)
    with pytest.raises(ForeignFolder, match=r"model\.safetensors belongs to a run without an id, .* to run abc;"):
        is_checkpoint_of(saved, "abc")
    save_checkpoint(network(), saved, run="abc")
    assert is_checkpoint_of(saved, "abc")
    saved.write_bytes(saved.read_bytes()[:-1])
    assert not is_checkpoint_of(saved, "abc")


def test_the_shipped_network_has_checksums() -> None:
    content = json.loads(DEFAULT_CHECKPOINT.with_suffix(".json").read_text())
    assert content["weights"] == checksum(DEFAULT_CHECKPOINT)
    assert checkpoint_metadata(DEFAULT_CHECKPOINT)["interactions"] == 5000


def test_damaged_weights_are_named(without_checksums: Path) -> None:
    saved = without_checksums
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


def test_a_full_disk_is_named_and_changes_nothing(small_disk: Any) -> None:
    folder = small_disk.folder
    with pytest.raises(DiskFull, match=r"no space is left for .*model\.safetensors"):
        save_checkpoint(network(), folder / "model.safetensors")
    save_state(folder / "state.pt", {"step": 1})
    small_disk.fill()
    with pytest.raises(DiskFull, match=r"no space is left for .*state\.pt"):
        save_state(folder / "state.pt", {"step": 2})
    small_disk.free()
    assert load_state(folder / "state.pt") == {"step": 1}
    assert os.listdir(folder) == ["state.pt"]


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
    save_state(tmp_path / "state.pt", {})
    load_state(tmp_path / "state.pt")
    assert asked == {"map_location": "cpu", "weights_only": True}


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"torn")
    with pytest.raises(DamagedState, match=r"state\.pt is damaged"):
        load_state(tmp_path / "state.pt")


def test_every_flipped_bit_of_a_state_is_found(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1, "weights": torch.arange(3)}, "abc")
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 61):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        with pytest.raises(DamagedState):
            load_state(path, "abc")


def test_a_state_of_another_run_is_refused_and_one_of_an_earlier_version_is_read(tmp_path):
    path = tmp_path / "state.pt"
    save_state(path, {"step": 1}, "abc")
    with pytest.raises(ForeignFolder, match=r"state\.pt belongs to run abc, and its folder to run def;"):
        load_state(path, "def")
    torch.save({"step": 1}, path)
    assert load_state(path) == {"step": 1}
