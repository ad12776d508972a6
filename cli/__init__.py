"""The `tabletop` command: a file a subcommand."""

from tabletop_interaction.program import shorten_errors_of_imports

shorten_errors_of_imports()
