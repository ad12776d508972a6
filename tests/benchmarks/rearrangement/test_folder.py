"""A folder holds the episodes of one setting and the same weights."""

import json
from dataclasses import asdict, replace

import pytest

from tabletop_interaction.benchmarks.rearrangement.folder import check_setting, keep_setting, picture_path
from tabletop_interaction.benchmarks.rearrangement.setting import Setting
from tabletop_interaction.errors import ForeignFolder

SETTING = Setting(displaced=1, most_interactions=2)


def test_an_inverse_model_may_come_later_but_not_be_exchanged(tmp_path):
    keep_setting(tmp_path, SETTING)
    later = replace(SETTING, inverse_model="a.safetensors")
    check_setting(tmp_path, later)
    keep_setting(tmp_path, later)
    check_setting(tmp_path, SETTING)
    with pytest.raises(ForeignFolder, match=r"'a.safetensors' there and 'b.safetensors' now"):
        check_setting(tmp_path, replace(SETTING, inverse_model="b.safetensors"))


@pytest.mark.parametrize("name", ["model", "inverse_model"])
def test_a_model_that_was_trained_anew_under_the_same_name_is_refused(tmp_path, name):
    weights, out = tmp_path / "model.safetensors", tmp_path / "out"
    out.mkdir()
    weights.write_bytes(b"first")
    setting = replace(SETTING, **{name: str(weights)})
    keep_setting(out, SETTING if name == "inverse_model" else setting)
    keep_setting(out, setting)
    check_setting(out, setting)
    weights.write_bytes(b"second")
    with pytest.raises(ForeignFolder, match=f"other weights of {name} .*name a new folder"):
        check_setting(out, setting)


def test_a_folder_without_checksums_is_resumed_and_not_changed(tmp_path):
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps(asdict(SETTING)))
    check_setting(tmp_path, SETTING)
    assert json.loads(settings.read_text()) == json.loads(json.dumps(asdict(SETTING)))


def test_an_agent_of_ones_own_has_a_folder_of_its_own(tmp_path, episode_of):
    path = picture_path(tmp_path, episode_of(agent="mine:Agent", tables="val").key)
    assert path == tmp_path / "pictures" / "mine.Agent" / "test-on-val" / "000200.jpg"
