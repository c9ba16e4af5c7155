"""`zerosum data` and `zerosum weights`."""

from __future__ import annotations

import json

from zerosum.cli import main


def test_lists(capsys):
    assert main(["data", "list"]) == 0
    text = capsys.readouterr().out
    assert "avatars" in text
    assert "MIT" in text
    assert main(["data", "list", "--json"]) == 0
    assert {"avatars", "fruit"} <= set(json.loads(capsys.readouterr().out))
    assert main(["weights", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["efficientnet-lite0"]["licence"] == "Apache-2.0"
    assert main(["weights", "list"]) == 0
    assert "Apache-2.0" in capsys.readouterr().out


def test_get(capsys):
    assert main(["data", "get", "fruit", "--resolution", "32", "--json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["pictures"] + record["heldout"] == 2054
    assert main(["weights", "get", "efficientnet-lite0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"].endswith(".pth")


def test_wrong_names_and_usage(capsys):
    assert main(["data", "get", "avatar"]) == 1
    assert "did you mean 'avatars'?" in capsys.readouterr().err
    assert main(["weights", "get", "fruit"]) == 1
    assert main(["data", "get"]) == 2
    assert main(["weights"]) == 2
