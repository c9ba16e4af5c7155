"""Ctrl-C and SIGTERM while a run goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator

from zerosum.core.errors import Interrupted


class Stop:
    """What Ctrl-C and SIGTERM ask for. The first lets the step end and all be saved; a second one stops at once, and
    so does the first while the run is being prepared and nothing is there to be saved."""

    def __init__(self) -> None:
        self.asked, self.at_once = False, True

    def ask(self, number: int, frame: object) -> None:
        """The handler of the signal."""
        if self.at_once:
            self.asked = True
            signal.alarm(1)  # Python drops what is raised amid an import or a destructor: ask again
            self.refuse()
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        os.write(2, b"\nfinishing the step, then saving; Ctrl-C again stops at once\n")

    def begin(self) -> None:
        """From here on there is something to save."""
        signal.alarm(0)
        if self.asked:
            self.refuse()
        self.at_once = False

    def refuse(self) -> None:
        """Ends a run that has not begun."""
        raise Interrupted("Stopped before it began; nothing was lost. Run the same command again.")


@contextlib.contextmanager
def heeded() -> Iterator[Stop]:
    """Within the block, Ctrl-C and SIGTERM ask the run to stop; outside the main thread they cannot."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = {number: signal.signal(number, stop.ask) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)}
    try:
        yield stop
    finally:
        signal.alarm(0)
        for number, handler in before.items():
            signal.signal(number, handler)
