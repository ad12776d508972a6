"""Whoever lays the table: nobody, or a person at the terminal."""

import numpy as np
import pytest

from tabletop_interaction.real.operator import AtConsole, Unattended

RNG = np.random.default_rng(0)


def test_nobody_changes_nothing():
    Unattended().lay_table(RNG)
    assert Unattended().bring_back(RNG) == 0


@pytest.mark.parametrize(("answer", "count"), [("", 0), ("3", 3), (" 2 ", 2), ("none", 0)])
def test_a_person_is_asked_how_many_objects_were_put_back(answer, count, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    AtConsole().lay_table(RNG)
    assert AtConsole("oak").bring_back(RNG) == count
    assert AtConsole("oak").background == "oak"
