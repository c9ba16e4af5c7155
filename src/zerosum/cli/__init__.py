"""The command line: `zerosum VERB ...`. One file per verb; the first line of its docstring is its line of help."""

from __future__ import annotations

import ast
import errno
import importlib
import json
import sys
from pathlib import Path

from zerosum.core.errors import Interrupted, Refusal, nearest
from zerosum.core.files import FULL

EXIT_REFUSED, EXIT_USAGE, EXIT_INTERRUPTED = 1, 2, 130
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)  # one may not, or cannot, write there


def verbs() -> dict[str, str]:
    """Each verb with its one line of help. Imports none of them."""
    files = sorted(p for p in Path(__file__).parent.glob("*.py") if not p.stem.startswith("_"))
    return {p.stem: (ast.get_docstring(ast.parse(p.read_text(encoding="utf-8"))) or "").split("\n")[0] for p in files}


def usage() -> str:
    """What `zerosum --help` prints."""
    lines = [f"  {verb:<10} {summary}" for verb, summary in verbs().items()]
    return "\n".join(
        [
            "Zerosum trains generative networks on your own pictures, says honestly how good they are,",
            "and puts them to work.",
            "",
            "usage: zerosum VERB [...]",
            "",
            *lines,
            "",
            "Begin with:  zerosum train photos/ --minutes 10       (any folder or zip of pictures)",
            "             zerosum train avatars --minutes 4        (drawn faces; nothing needed)",
            "Settings:    zerosum VERB --help                      What was trained: zerosum runs",
            "Trouble:     zerosum doctor",
        ]
    )


def main(argv: list[str] | None = None) -> int:
    """Runs one command; returns its exit code: 0 done, 1 a clear refusal, 2 a command that cannot be read, 130
    interrupted and saved."""
    argv = sys.argv[1:] if argv is None else argv
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(usage())
        return 0
    if argv[0] == "--version":
        from zerosum import __version__

        print(f"zerosum {__version__}")
        return 0
    if argv[0] not in verbs():
        print(f"zerosum: no verb '{argv[0]}'{nearest(argv[0], verbs())} See `zerosum --help`.", file=sys.stderr)
        return EXIT_USAGE
    return _dispatch(argv[0], argv[1:])


def _dispatch(verb: str, argv: list[str]) -> int:
    try:
        return importlib.import_module(f"zerosum.cli.{verb}").main(argv) or 0
    except Refusal as refusal:
        return _refuse(f"zerosum {verb}: {refusal}", argv, EXIT_REFUSED)
    except Interrupted as interrupted:
        return _refuse(f"\n{interrupted}", argv, EXIT_INTERRUPTED)
    except KeyboardInterrupt:
        return _refuse(
            "\nStopped at once; nothing that was saved is lost. Run the same command again.", argv, EXIT_INTERRUPTED
        )
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        return _refuse(f"zerosum {verb}: {error}.{_remedy(error)}", argv, EXIT_REFUSED)
    except SystemExit as exit_:  # the parser's own: 0 after --help, 2 for wrong usage
        return exit_.code if isinstance(exit_.code, int) else EXIT_USAGE


def _remedy(error: OSError) -> str:
    """What to do about a full disk, or a place that may not be written; of other faults, the system's word is all."""
    if error.errno in FULL:
        return " Free space, or choose another place."
    return " Choose another place." if error.errno in CLOSED else ""


def _refuse(sentence: str, argv: list[str], code: int) -> int:
    """Says it on stderr, and with --json as a record on stdout too."""
    print(sentence, file=sys.stderr)
    if "--json" in argv:
        print(json.dumps({"error": sentence.strip()}, indent=2))
    return code
