"""Classes that a user names as `module:Class`. Their modules are imported: their code runs with the user's rights."""

import importlib
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from tabletop_interaction.errors import InvalidConfiguration

_PACKAGE = __name__.partition(".")[0]


def import_named(name: str, what: str) -> Callable[..., Any]:
    """The class or function that "module:Class" names; modules in the current folder are found, after all others.

    Args:
        what: the name's role in messages, such as "agent".

    Raises:
        InvalidConfiguration: the module cannot be imported, has no such attribute, or it cannot be called.
    """
    module, _, attribute = name.partition(":")
    if (here := os.getcwd()) not in sys.path:
        sys.path.append(here)
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:  # The module may raise anything.
        remedy = "run where its module is, or set PYTHONPATH"
        if module.endswith(".py"):
            remedy = f"name the module without .py, as {module.removesuffix('.py').replace('/', '.')}:{attribute}"
        raise InvalidConfiguration(f"the {what} {name!r} cannot be imported ({reason_of(error)}); {remedy}") from error
    if not callable(found):
        raise InvalidConfiguration(
            f"the {what} {name!r} is a {type(found).__name__}; accepted is a class, or a function that makes {_a(what)}"
        )
    return found


def make_named(name: str, what: str) -> Any:
    """What the class or function that "module:Class" names gives when it is called without arguments.

    Raises:
        InvalidConfiguration: as `import_named`, or the call fails.
    """
    make = import_named(name, what)
    try:
        return make()
    except Exception as error:  # The class may raise anything.
        raise InvalidConfiguration(
            f"the {what} {name!r} cannot be made without arguments ({reason_of(error)}); correct its class"
        ) from error


def reason_of(error: Exception) -> str:
    """An error of a user's code in one line, with its place there."""
    text = " ".join(str(error).split())
    if isinstance(error, ImportError):
        return text
    places = [
        f", in {frame.f_code.co_filename} line {line}"
        for frame, line in traceback.walk_tb(error.__traceback__)
        if not frame.f_globals.get("__name__", "").startswith(_PACKAGE)
    ]
    if isinstance(error, AttributeError) and not places:
        return text
    # The place of a syntax error is in its text.
    return f"{type(error).__name__}: {text}{'' if isinstance(error, SyntaxError) or not places else places[-1]}"


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
