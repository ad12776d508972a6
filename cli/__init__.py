"""The `tabletop` command: a file a subcommand."""
