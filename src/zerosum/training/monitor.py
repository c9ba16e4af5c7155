"""What a run's numbers mean: the rules applied, now and then while it trains, or to any record."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from zerosum.core.files import save_json
from zerosum.core.run import Run
from zerosum.training.patience import outlook
from zerosum.training.record import Finding, Record
from zerosum.training.rules import RULES


def diagnose(record: Record) -> list[Finding]:
    """What is to be said: the cause before its consequences, and notes last."""
    found = [finding for rule in RULES if (finding := rule(record)) is not None]
    return sorted(found, key=lambda finding: finding.severity == "note")


def diagnosis(record: Record) -> dict[str, Any]:
    """`diagnosis.json`: {"images", "findings" as `Finding`s' fields, "balance": the probability that the judge ranks a
    real picture above a made one (None without a judge), "outlook": `patience.Outlook`'s fields}."""
    balance = record.recent("judge") if record.looks else math.nan
    return {
        "images": record.images,
        "findings": [asdict(finding) for finding in diagnose(record)],
        "balance": balance if math.isfinite(balance) else None,
        "outlook": asdict(outlook(record.metrics)),
    }


def standing(record: Record) -> set[str]:
    """The kinds of the findings that held at the look before too: one odd look is not worth a word."""
    return {finding.kind for finding in diagnose(record)} & {finding.kind for finding in diagnose(record.before())}


def watch(run: Run) -> list[dict[str, Any]]:
    """Judges the run as it stands, writes diagnosis.json, and returns the findings that stand for the first time; they
    are kept in findings.jsonl."""
    record = Record.of(run)
    now, stand = diagnosis(record), standing(record)
    save_json(run.path / "diagnosis.json", now)
    known = {line["kind"] for line in run.findings()}
    new = [finding for finding in now["findings"] if finding["kind"] in stand - known]
    for finding in new:
        run.append("findings.jsonl", {"images": now["images"], **finding})
    return new
