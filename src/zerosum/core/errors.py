"""What Zerosum says when it cannot go on. Every message tells what came, what was wanted and what to do."""

import difflib
from collections.abc import Iterable


class Refusal(Exception):
    """A clear refusal. Its message is all that a user sees; the command line exits with 1 and no traceback."""


class Interrupted(Exception):
    """The user stopped a run (Ctrl-C, SIGTERM); all is saved. The command line exits with 130."""


def require(condition: bool, message: str) -> None:
    """Raises Refusal with the message unless the condition holds: for the settings of games."""
    if not condition:
        raise Refusal(message)


def nearest(name: str, known: Iterable[str]) -> str:
    """`"; did you mean 'dcgan'?"` where a known name is close to `name`, else the list of known names."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean '{close[0]}'?" if close else f"; known: {', '.join(known)}."
