"""The exception that takes errors of options past the parser."""


class Refused(Exception):
    """Carries the error of a configuration, its cause, through tyro, which would show any ValueError as its own."""
