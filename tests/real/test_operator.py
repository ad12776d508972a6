"""Operators: nobody, or a person at the terminal."""

import os
import pty
import sys

import numpy as np
import pytest

from tabletop_interaction.errors import GripperNotReady, RobotFault
from tabletop_interaction.real.operator import AtConsole, BesideTwin, Unattended, ask_at_terminal

RNG = np.random.default_rng(0)


def test_unattended_changes_nothing():
    Unattended().lay_table(RNG)
    assert Unattended().bring_back(RNG) == 0


@pytest.mark.parametrize(("answer", "count"), [("", 0), ("3", 3), (" 2 ", 2), ("none", 0), ("²", 0)])
def test_a_person_is_asked_how_many_objects_were_put_back(answer, count, monkeypatch):
    monkeypatch.setattr("builtins.input", lambda prompt: answer)
    AtConsole().lay_table(RNG)
    assert AtConsole("oak").bring_back(RNG) == count
    assert AtConsole("oak").background == "oak"


@pytest.mark.parametrize(
    ("answer", "goes_on"), [("yes", True), (" YES ", True), ("y", False), ("", False), ("no", False)]
)
def test_only_the_whole_word_yes_lets_the_arm_continue(answer, goes_on):
    asked = []
    console = AtConsole(ask=lambda question: (asked.append(question), answer)[1])
    assert console.may_continue(RobotFault("picking: the robot reports a collision")) is goes_on
    assert "picking: the robot reports a collision" in asked[0]
    assert console.may_calibrate(GripperNotReady("the gripper reports an error")) is goes_on
    assert "the gripper reports an error" in asked[1]


def test_without_an_answer_the_arm_does_not_continue():
    assert not Unattended().may_continue(RobotFault("stopped"))
    assert not Unattended().may_calibrate(GripperNotReady("error"))

    def closed(question):
        raise EOFError

    console = AtConsole(ask=closed)
    assert not console.may_continue(RobotFault("stopped"))
    assert not console.may_calibrate(GripperNotReady("error"))
    with pytest.raises(RobotFault, match="nobody answers"):
        console.lay_table(RNG)
    with pytest.raises(RobotFault, match="nobody answers"):
        console.bring_back(RNG)


def test_input_typed_before_a_question_does_not_answer_it(monkeypatch, capsys):
    keyboard, terminal = pty.openpty()
    with os.fdopen(terminal) as typed:
        monkeypatch.setattr(sys, "stdin", typed)
        os.write(keyboard, b"yes\n")
        show = sys.stdout.write

        def answered_when_asked(text):
            if "Go on?" in text:
                os.write(keyboard, b"no\n")
            return show(text)

        monkeypatch.setattr(sys.stdout, "write", answered_when_asked)
        assert ask_at_terminal("Go on? ") == "no"
    os.close(keyboard)


def test_a_person_beside_a_twin_is_asked_only_after_faults():
    asked = []
    person = AtConsole(ask=lambda question: (asked.append(question), "yes")[1])
    beside = BesideTwin(Unattended("oak"), person)
    beside.lay_table(RNG)
    assert (beside.background, beside.bring_back(RNG), asked) == ("oak", 0, [])
    assert beside.may_continue(RobotFault("stopped"))
    assert len(asked) == 1
