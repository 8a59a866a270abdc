"""The five drills in simulated time, end to end, and two mixed ones; `benchmarks/runbook.py` prints it."""

from __future__ import annotations

import time
from typing import Any, Final

from truegreen.core.config import parse_text
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.evaluation.provider.verdict import NOT_SURE
from truegreen.runbook.drills import simulated
from truegreen.runbook.drills.faults import BY_MODE
from truegreen.runbook.drills.model import ENVIRONMENT, SERVICE

MIXED: Final = (("latency", "retrieval"), ("latency", "drift"))
"""Faults of the provider's and of ours at once."""


def run(seed: int) -> dict[str, Any]:
    """Hold each drill, and give the table and whether each is inside its targets."""
    config = parse_text("{}", "", {}, None)
    rows, good, unsure = [], [], []
    for modes in (*((mode,) for mode in FAILURE_MODES), *MIXED):
        faults, began = [BY_MODE[mode] for mode in modes], time.perf_counter()
        found = simulated.run(faults, config, (SERVICE, ENVIRONMENT), seed)
        took, said = simulated.timings(found), found.seen[1].whose if found.seen else "none"
        verdicts = simulated.verdicts(faults, found)
        outside = ", ".join(one.name for one in verdicts if not one.ok) or "nothing"
        rows.append({
            "drill": " and ".join(modes), "to the alert": _minutes(took.detected, 0.0), "to triage": _minutes(took.triaged, took.detected),
            "to containment": _minutes(took.contained, took.detected), "to recovery": _minutes(took.recovered, took.detected),
            "triage said": said, "command s": found.took, "outside its target": outside, "s of this machine": time.perf_counter() - began,
        })  # fmt: skip
        (good if len(modes) == 1 else unsure).append((outside == "nothing", said))
    inside = sum(ok for ok, _ in good)
    sure = sum(said == NOT_SURE for _, said in unsure)
    return {
        "title": "Drills in simulated time, at true windows",
        "rows": rows,
        "bars": [
            {"says": "the five drills are inside their targets, triage right on each", "found": f"{inside} of {len(good)}", "held": inside == len(good)},
            {"says": "triage is not sure on the mixed ones", "found": f"{sure} of {len(unsure)}", "held": sure == len(unsure)},
        ],
        "note": f"{simulated.PER_HOUR:g} questions an hour; the person looks {simulated.RESPOND / 60:g} min after the page and acts "
        f"{simulated.RESPOND / 60:g} min after knowing. Minutes; after the alert they are counted from it.",
    }  # fmt: skip


def _minutes(at: float | None, since: float | None) -> str:
    return "never" if at is None or since is None else f"{(at - since) / 60:.0f}"
