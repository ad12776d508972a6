"""Which episodes are played: agents, kinds of scene and seeds."""

import pytest

from tabletop_interaction.benchmarks.rearrangement.setting import Scenes, Setting, scenes_of
from tabletop_interaction.errors import InvalidConfiguration


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Scenes(tables="tset"), "unknown split 'tset'"),
    (lambda: Setting(displaced=4), "displaced is 4"),
])  # fmt: skip
def test_unknown_splits_and_numbers_are_refused(make, message):
    with pytest.raises(InvalidConfiguration, match=message):
        make()


def test_objects_stand_on_table_tops_of_their_own_split_or_of_every_one_that_is_named():
    assert scenes_of(["val", "test"]) == (Scenes("val", "val"), Scenes("test", "test"))
    kinds = scenes_of(["train", "test"], ["train", "test"])
    assert [one.name for one in kinds] == [
        "train objects on train tables (A)", "train objects on test tables (B)",
        "test objects on train tables (C)", "test objects on test tables (D)",
    ]  # fmt: skip
