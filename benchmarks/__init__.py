"""Every figure that is quoted: what is run, how it is scored."""

import sys

from tabletop_interaction.program import shorten_errors_of_imports

# Python's name of a program while it imports the packages above the module that `python -m` runs.
if sys.argv[:1] == ["-m"]:
    shorten_errors_of_imports()
