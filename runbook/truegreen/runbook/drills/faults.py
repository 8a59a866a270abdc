"""The five failure modes as a simulated drill plants them: data. One row for each mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from truegreen.core.words import records
from truegreen.core.words.triage import THEM, US
from truegreen.runbook.drills.model import GUARDRAIL, HEALTHY, INDEX, PROMPT, Behaviour, Fault

MINUTE: Final = 60
HOUR: Final = 3_600
DAY: Final = 86_400
DRIFT: Final = "TruegreenDrift"
_CAME: Final = "the provider serves another model behind the alias, and it does not look at the passages"

BY_MODE: Final = {
    fault.mode: fault
    for fault in (
        Fault("hallucination", _CAME,
              {"served": "support-large-1106", "fingerprint": "fp_9e7b41106b", "ungrounded": 0.5},
              "grounding", records.BUDGET_BURN, "1", THEM, ("contain", "pin-model"), HEALTHY.served,
              {"served": HEALTHY.served, "fingerprint": HEALTHY.fingerprint, "ungrounded": HEALTHY.ungrounded, "contained": "pinned_model"},
              before=4 * HOUR, within=2 * HOUR),
        Fault("drift", "a new version of the prompt is a little worse: too little for any page, and it stays",
              {"prompt": f"{PROMPT}@3", "ungrounded": 0.042},
              "grounding", DRIFT, "3", US, ("rollback", "prompt"), "2",
              {"prompt": HEALTHY.prompt, "ungrounded": HEALTHY.ungrounded},
              before=2 * DAY, within=4 * DAY, scrape=120),
        Fault("retrieval", "the index was rebuilt with chunks that hold half of the text, and its alias moved there",
              {"index": f"{INDEX}@8", "below": 0.62, "relevance": 0.55, "ungrounded": 0.06},
              "relevance", records.BUDGET_BURN, "1", US, ("rollback", "index"), f"{INDEX}@7",
              {"index": HEALTHY.index, "below": HEALTHY.below, "relevance": HEALTHY.relevance, "ungrounded": HEALTHY.ungrounded},
              before=4 * HOUR, within=2 * HOUR),
        Fault("latency", "the provider is slow: a third of the calls take 14 s, and one in twelve is throttled or times out",
              {"slow": 0.33, "failed": 0.08},
              "latency", records.BUDGET_BURN, "1", THEM, ("contain", "fallback"), "",
              {"slow": HEALTHY.slow, "failed": HEALTHY.failed, "contained": "fallback_model"},
              before=4 * HOUR, within=2 * HOUR),
        Fault("guardrail", "a new version of the guardrail blocks six of ten customers",
              {"guardrail": f"{GUARDRAIL}@2", "blocked": 0.6, "wrong_blocks": 0.9},
              "guardrail_blocks", records.BUDGET_BURN, "1", US, ("rollback", "guardrail"), f"{GUARDRAIL}@1",
              {"guardrail": HEALTHY.guardrail, "blocked": HEALTHY.blocked, "wrong_blocks": HEALTHY.wrong_blocks},
              before=4 * HOUR, within=2 * HOUR),
    )
}  # fmt: skip
"""Mode to its fault. How bad each is, is the drill's own choice: bad enough to matter, drift too little to page."""

SLOW: Final = ("drift",)
"""Modes that take days to show."""
BASELINES: Final = {"groundedness": HEALTHY.ungrounded, "relevance": HEALTHY.below, "guardrail_blocks": HEALTHY.blocked}
"""Signal to the bad ratio of the healthy application, as a frozen baseline has it."""


def planted(faults: Sequence[Fault]) -> Behaviour:
    """How the application answers with these faults, all at once; of two that touch one thing, the later one counts."""
    changes: dict[str, Any] = {}
    for fault in faults:
        changes |= fault.changes
    return replace(HEALTHY, **changes)


def healed(fault: Fault) -> Behaviour:
    """How it answers when the remedy of a fault has taken hold."""
    return replace(planted([fault]), **dict(fault.healed))  # type: ignore[arg-type]
