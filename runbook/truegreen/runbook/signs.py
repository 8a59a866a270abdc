"""Evidence to the signs of the verdict: what speaks for a change of the provider's, and for one of ours. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from truegreen.core.words.terms import SERVING_COMPONENTS
from truegreen.core.words.triage import THEM, US
from truegreen.evaluation.provider import verdict, weights
from truegreen.evaluation.provider.verdict import Sign
from truegreen.runbook import changes
from truegreen.runbook.model import SUPPORTED, Change, Evidence, Finding


def of(evidence: Evidence, theirs: Sequence[Change], ours: Sequence[Change], findings: Sequence[Finding]) -> Iterator[Sign]:
    """The signs; nothing is said of what was not seen on both sides of the onset."""
    low, high = (evidence.start.low, evidence.start.high) if evidence.start else (evidence.onset, evidence.onset)
    for change in theirs:
        only = change.old.partition(" (")[0] == change.new.partition(" (")[0]
        yield Sign(weights.FINGERPRINT_CHANGED if only else weights.SERVED_CHANGED, f"{change.old} -> {change.new}")
    same = changes.same(evidence, (*theirs, *ours))
    if not theirs and changes.SERVED_MODEL in same:
        yield Sign(weights.SERVED_SAME, ", ".join(sorted({s.served for s in evidence.served if s.after > 0})[:3]))
    for change in ours:
        yield Sign(weights.OURS_CHANGED, f"{change.component} {change.old or 'none'} -> {change.new or 'none'}")
    kept = [name for name in same if name in SERVING_COMPONENTS]
    if not ours and kept:
        yield Sign(weights.OURS_SAME, ", ".join(kept))
    models = {name for s in evidence.served for name in (s.model, s.served) if name}
    if evidence.start and (found := verdict.of_probes(evidence.probes, models, low, high, evidence.slack)):
        yield found
    yield from verdict.of_entries(evidence.entries or (), models, low, high, evidence.slack) if evidence.start else ()
    # A change that was seen explains what it causes: that is no sign beside it. What only a provider causes, no change of ours explains.
    for whose, weight, explained in ((THEM, weights.SYMPTOM_THEM, theirs), (US, weights.SYMPTOM_US, (*theirs, *ours))):
        strong = [f for f in findings if f.state == SUPPORTED and f.whose == whose]
        if strong and not explained:
            yield Sign(weight, f"{strong[0].says}: {strong[0].because}")
