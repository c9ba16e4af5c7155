"""Who may import whom: DESIGN's rooms, read off the imports of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import zerosum

ROOT = Path(zerosum.__file__).parent
ALL = {
    "core",
    "features",
    "layers",
    "data",
    "losses",
    "metrics",
    "games",
    "training",
    "report",
    "bench",
    "cli",
    "latent",
    "studio",
}
MAY = {
    "core": set(),
    "features": {"core"},
    "layers": {"core"},
    "data": {"core"},
    "losses": {"core", "features", "layers"},
    "metrics": {"core", "features", "layers"},
    "latent": {"core", "features", "losses"},
    "games": {"core", "features", "layers", "losses"},
    "training": {"core", "data", "metrics"},
    "report": {"core", "metrics"},
    "studio": {"core", "metrics", "latent"},
    "api": {"core", "data", "report", "training"},
    "bench": ALL | {"api"},
    "cli": ALL | {"api"},
    "__init__": {"api", "core", "data"},
    "__main__": {"cli"},
}
FILES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    """The rooms that a file imports, with the file's name for games."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "zerosum":
            parts = node.module.split(".")[1:]
            found |= {".".join(parts)} if parts else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("zerosum.") for alias in node.names if alias.name.startswith("zerosum.")}
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_rooms_import_only_what_they_may(path: Path) -> None:
    here = room(path)
    for module in imports(path):
        there = module.split(".")[0]
        if there in (here, "__version__"):
            continue
        assert there in MAY[here], f"{path.relative_to(ROOT)} imports {module}: {here} may import {sorted(MAY[here])}"


def test_a_game_takes_only_networks_from_another() -> None:
    for path in (ROOT / "games").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("zerosum.games."):
                names = {alias.name for alias in node.names}
                other = ROOT / "games" / f"{node.module.rpartition('.')[2]}.py"
                games = [
                    c.name
                    for c in ast.parse(other.read_text(encoding="utf-8")).body
                    if isinstance(c, ast.ClassDef) and any(isinstance(b, ast.Name) and b.id == "Game" for b in c.bases)
                ]
                assert not names & {*games, "Config", "Settings"}, (
                    f"{path.name} takes {names & {*games, 'Config', 'Settings'}} from {other.name}"
                )


def test_the_trainer_knows_no_game() -> None:
    names = {p.stem for p in (ROOT / "games").glob("*.py")} - {"__init__"}
    for path in (ROOT / "training").glob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        words = {n.id.lower() for n in nodes if isinstance(n, ast.Name)}
        words |= {str(n.value).lower() for n in nodes if isinstance(n, ast.Constant)}
        assert not words & names, f"{path.name} names {words & names}"
    assert len((ROOT / "training" / "trainer.py").read_text(encoding="utf-8").splitlines()) <= 350


def test_no_pickle_and_no_unsafe_load() -> None:
    for path in FILES:
        text = path.read_text(encoding="utf-8")
        assert "import pickle" not in text, path
        assert "weights_only=False" not in text, path
        assert "torch.save(" not in text, path


@pytest.mark.parametrize("statement", ["import zerosum", "from zerosum.cli import main; main(['--help'])"])
def test_help_and_import_do_not_import_torch(statement: str) -> None:
    code = f"import sys; {statement}; assert 'torch' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_room_hides_a_public_name() -> None:
    """`import zerosum.train.x` would put a module where the function `zerosum.train` should be."""
    rooms = {p.stem for p in ROOT.iterdir() if p.is_dir() or p.suffix == ".py"}
    assert not rooms & set(zerosum.__all__)
