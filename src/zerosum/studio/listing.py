"""What there is to look at: the runs of a folder and the zoo, each by a name that is looked up and never a path."""

from __future__ import annotations

import threading
from pathlib import Path

from zerosum.core import zoo
from zerosum.studio.watched import Watched, name_of


class Listing:
    """The runs under one folder, and the generators of the zoo."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._known: dict[str, Watched] = {}
        self._lock = threading.Lock()

    def runs(self) -> list[Watched]:
        """The runs there are now, newest number first."""
        paths = sorted((path.parent for path in self.folder.glob("*/run.json")), reverse=True)
        with self._lock:
            here = {watched.id: watched for watched in (self._known.get(name_of(p)) or Watched(p) for p in paths)}
            self._known = here
        return list(here.values())

    def run(self, name: str) -> Watched:
        """The run of this name. Raises LookupError for any other word."""
        for watched in self.runs():
            if watched.id == name:
                return watched
        raise LookupError("There is no such run here. It may have been moved or deleted.")

    def zoo(self) -> dict[str, str]:
        """The generators that come with the package, by the names the browser knows them by."""
        return {name_of(name): name for name in zoo.names()}

    def snapshot(self, name: str) -> Path:
        """The file with the best generator of a run, or of the zoo. Raises LookupError for an unknown name, and Refusal
        where nothing is saved yet."""
        if name in (known := self.zoo()):
            return zoo.place(known[name])
        return self.run(name).snapshot()
