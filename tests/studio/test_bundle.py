"""The page that is committed is the one that is built of the committed sources, and small."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path

import pytest

from zerosum.core.errors import Refusal
from zerosum.studio import pages

WEB = pages.FOLDER.with_name("web")
LARGEST = 300_000  # bytes, compressed


def hashes(folder: Path) -> dict[str, str]:
    """Each file's SHA-256 by its name, as `web/vite.config.ts` notes them."""
    files = {path.relative_to(folder): path for path in folder.rglob("*") if path.is_file()}
    kept = {
        name.as_posix(): path
        for name, path in files.items()
        if not any(part.startswith(".") or part == "node_modules" for part in name.parts)
    }
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in kept.items()}


def test_it_is_built_of_these_sources() -> None:
    built = json.loads((pages.FOLDER / "built.json").read_text(encoding="utf-8"))
    assert hashes(WEB) == built["sources"], "the sources have changed: run `make studio` and commit what it builds"
    assert {k: v for k, v in hashes(pages.FOLDER).items() if k != "built.json"} == built["files"]


def test_it_is_small() -> None:
    assert sum(len(gzip.compress(path.read_bytes())) for path in pages.FOLDER.rglob("*") if path.is_file()) < LARGEST


def test_it_names_no_other_machine() -> None:
    """But the names of XML's kinds, which nobody asks for, and the framework's own pages on its errors."""
    known = re.compile(r"https?://(www\.w3\.org/|svelte\.dev/e/)")
    for path in [p for p in pages.FOLDER.rglob("*") if p.suffix in pages.KINDS]:
        text = path.read_text(encoding="utf-8")
        assert [found for found in re.findall(r"(?:https?:)?//[\w-]+\.[\w./-]+", text) if not known.match(found)] == []


def test_the_lock_file_names_no_place() -> None:
    assert '"resolved"' not in (WEB / "package-lock.json").read_text(encoding="utf-8")


def test_a_checkout_without_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Refusal, match="make studio"):
        pages.pages(tmp_path)
