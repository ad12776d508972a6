"""Options that are refused because they have no effect beside another one.

Imports nothing heavy, so that `tabletop doctor` starts where a package is broken.
"""

import dataclasses
from typing import Any

from tabletop_interaction.errors import InvalidConfiguration


def refuse_ignored(given: Any, where: str, *names: str, **defaults: Any) -> None:
    """Refuse options that have no effect beside another one.

    Args:
        given: dataclass of options.
        where: the option beside which they have none, such as "with --policy random".
        names: fields that are to have their class' defaults.
        defaults: fields that are to have these values.

    Raises:
        InvalidConfiguration: one of them has another value.
    """
    defaults |= {field.name: field.default for field in dataclasses.fields(given) if field.name in names}
    for name, default in defaults.items():
        if (value := getattr(given, name)) != default:
            option = name.replace("_", "-")
            shown = f"--{option} {value}"
            if isinstance(value, bool):
                shown = f"--{option}" if value else f"--no-{option}"
            raise InvalidConfiguration(f"{shown} has no effect {where}; leave it out")
