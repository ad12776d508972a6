"""Errors have one base and one place, and pass from process to process."""

import pickle

import pytest

from tabletop_interaction import errors
from tabletop_interaction.errors import RobotFault, SelfCollision, TabletopError

ALL = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, TabletopError)]


@pytest.mark.parametrize("kind", ALL)
def test_an_error_survives_pickling(kind):
    copy = pickle.loads(pickle.dumps(kind("what happened")))
    assert (type(copy), str(copy), copy.recoverable) == (kind, "what happened", kind("").recoverable)


def test_errors_with_details_keep_them():
    copy = pickle.loads(pickle.dumps(SelfCollision("too near", links=("a", "b"), index=3, distance=0.01)))
    assert (str(copy), copy.links, copy.index, copy.distance) == ("too near", ("a", "b"), 3, 0.01)
    assert pickle.loads(pickle.dumps(RobotFault("stopped", recoverable=True))).recoverable


def test_each_error_says_its_cause():
    assert all(kind.__doc__ and kind.__doc__ != TabletopError.__doc__ for kind in ALL if kind is not TabletopError)
