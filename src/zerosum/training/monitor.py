"""What a run's numbers mean: the rules applied, now and then while it trains, or to any record."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from zerosum.core.files import save_json
from zerosum.core.run import Run
from zerosum.training.patience import outlook
from zerosum.training.record import Finding, Record
from zerosum.training.rules import POOR, RULES


def diagnose(record: Record) -> list[Finding]:
    """What is to be said: the cause before its consequences, and notes last."""
    found = [finding for rule in RULES if (finding := rule(record)) is not None]
    return sorted(found, key=lambda finding: finding.severity == "note")


def diagnosis(record: Record) -> dict[str, Any]:
    """`diagnosis.json`: {"images", "findings" as `Finding`s' fields, "well": what is to be said where none of them
    accuses, "balance": the probability that the judge ranks a real picture above a made one (None without a judge),
    "outlook": `patience.Outlook`'s fields}."""
    balance = record.recent("judge") if record.looks else math.nan
    return {
        "images": record.images,
        "findings": [asdict(finding) for finding in diagnose(record)],
        "well": _well(record),
        "balance": balance if math.isfinite(balance) else None,
        "outlook": asdict(outlook(record.metrics)),
    }


def _well(record: Record) -> str:
    """What is to be said of a run that nothing accuses."""
    known = {name: record.recent(name) for name in ("spread", "coverage")}
    if not all(map(math.isfinite, known.values())):
        return "Nothing to complain of, as far as could be measured."
    begin = "Nothing to complain of" if known["coverage"] >= POOR else "Poor as yet, but of no known fault"
    made = "made rows" if record.info.get("shape", {}).get("height") == 1 else "made pictures"
    return (
        f"{begin}: {made} differ from each other by {100 * known['spread']:.0f} % of what real ones do, and cover "
        f"{100 * known['coverage']:.0f} % of what real ones cover."
    )


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
