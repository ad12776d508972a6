"""Former names of the JSON-lines functions of `files`."""

from tabletop_interaction.files import append_json_line as append_line
from tabletop_interaction.files import keep_json_lines as keep_lines
from tabletop_interaction.files import read_json_lines as read_lines
from tabletop_interaction.files import repair_json_lines as repair_lines

__all__ = ["append_line", "keep_lines", "read_lines", "repair_lines"]
