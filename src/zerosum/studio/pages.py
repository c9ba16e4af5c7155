"""The browser's side as it was built: read once, and served by name from memory."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

from zerosum.core.errors import Refusal

FOLDER = Path(__file__).with_name("static")
KINDS = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True)
class Page:
    """A file for the browser, compressed."""

    kind: str
    body: bytes


def pages(folder: Path = FOLDER) -> dict[str, Page]:
    """By the path in the address, such as "/assets/index-1a2b.js"; "/" is the page itself. What is not in here cannot
    be asked for. Raises Refusal where the bundle was not built."""
    files = [path for path in sorted(folder.rglob("*")) if path.suffix in KINDS]
    found = {f"/{path.relative_to(folder).as_posix()}": _page(path) for path in files}
    if "/index.html" not in found:
        raise Refusal("the studio's page is not built in this checkout. Run: make studio")
    return {**found, "/": found["/index.html"]}


def _page(path: Path) -> Page:
    return Page(KINDS[path.suffix], gzip.compress(path.read_bytes(), mtime=0))
