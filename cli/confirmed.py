"""Ask before a command moves the arm."""

from tabletop_interaction.errors import NotConfirmed

_CONFIRMATION = "move"


def confirm_motion() -> None:
    """Ask for the word that starts the arm.

    Raises:
        NotConfirmed: another answer, or nobody answers; nothing was moved.
    """
    try:
        answer = input(f'Type "{_CONFIRMATION}" to start: ')
    except EOFError:
        answer = ""
    if answer.strip() != _CONFIRMATION:
        raise NotConfirmed(f'{answer!r} came; only "{_CONFIRMATION}" starts the arm; nothing was moved')
