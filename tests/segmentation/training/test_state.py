import pytest
import torch

from tabletop_interaction.errors import DamagedState
from tabletop_interaction.segmentation.training.state import load_state, save_state


def test_a_state_reads_back_and_replaces_the_one_before(tmp_path):
    path = tmp_path / "state.pt"
    assert load_state(path) is None
    save_state(path, {"step": 1})
    save_state(path, {"step": 2, "weights": torch.arange(3)})
    state = load_state(path)
    assert state["step"] == 2
    assert (state["weights"] == torch.arange(3)).all()
    assert [file.name for file in tmp_path.iterdir()] == ["state.pt"]


def test_another_devices_state_is_read_on_the_cpu(tmp_path, monkeypatch):
    asked = {}
    monkeypatch.setattr(torch, "load", lambda path, **options: asked.update(options) or {})
    (tmp_path / "state.pt").touch()
    load_state(tmp_path / "state.pt")
    assert asked == {"map_location": "cpu", "weights_only": True}


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"torn")
    with pytest.raises(DamagedState, match=r"state\.pt is damaged"):
        load_state(tmp_path / "state.pt")
