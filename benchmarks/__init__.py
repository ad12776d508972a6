"""Every figure that is quoted: what is run, how it is scored."""

from tabletop_interaction.program import shorten_errors_of_imports

shorten_errors_of_imports()
