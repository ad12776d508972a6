"""Result files: figures with their command, commit, seeds, date and machine, and the tables made from them."""
