"""A catalogue loads what is asked for, once, and refuses other names."""

import numpy as np
import pytest

from tabletop_interaction.envs import SPLITS
from tabletop_interaction.errors import InvalidConfiguration
from tabletop_interaction.sim_assets import background_names, generated_catalogue, load_object, object_names
from tabletop_interaction.sim_assets.catalogue import Asset, Catalogue


@pytest.mark.parametrize("split", SPLITS)
def test_the_generated_catalogue_has_the_names_of_each_split_in_their_order(split):
    catalogue = generated_catalogue()
    assert catalogue.object_names(split) == object_names(split)
    assert catalogue.table_names(split) == background_names(split)


def test_an_asset_is_loaded_when_it_is_asked_for_and_once():
    loaded = []

    def load(name):
        loaded.append(name)
        return load_object(object_names("train")[0])

    catalogue = Catalogue([Asset(name, ("train", "val"), lambda name=name: load(name)) for name in "ab"], [])
    assert catalogue.object_names("val") == catalogue.object_names() == ("a", "b")
    assert catalogue.object_names("test") == ()
    assert loaded == []
    assert catalogue.object("b") is catalogue.object("b")
    assert loaded == ["b"]


def test_an_unknown_name_is_refused_with_the_known_ones():
    picture = np.zeros((840, 960, 3), np.uint8)
    catalogue = Catalogue([], [Asset("oak", ("train",), lambda: picture)])
    assert catalogue.table("oak").picture is picture
    with pytest.raises(InvalidConfiguration, match="unknown table top 'ash'; accepted are oak"):
        catalogue.table("ash")
