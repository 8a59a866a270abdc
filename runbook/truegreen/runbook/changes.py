"""What began to serve near the onset: served models (theirs) and snapshot components (ours). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from truegreen.core.words.terms import SERVING_COMPONENTS
from truegreen.core.words.triage import THEM, US
from truegreen.runbook.model import Change, Evidence, Served, Snapshot

_T = TypeVar("_T", Served, Snapshot)
SERVED_MODEL: Final = "served_model"
SHIFT: Final = 0.3
"""Total variation distance of the served mix that counts as a change (facts of the mix-shift alert: > 0.3)."""


def served(evidence: Evidence) -> tuple[Change, ...]:
    """Requested models that another served model or fingerprint answers since the onset: the provider's doing."""
    made = []
    for model in sorted({s.model for s in evidence.served}):
        pairs = [s for s in evidence.served if s.model == model]
        old, new = _most(pairs, "before"), _most(pairs, "after")
        if old is None or new is None or old == new or shift(pairs) <= SHIFT or not near(evidence, new.first_seen):
            continue
        made.append(Change(SERVED_MODEL, THEM, _name(old, new), _name(new, old), new.first_seen, model))
    return tuple(made)


def ours(evidence: Evidence) -> tuple[Change, ...]:
    """Components of the snapshot that another version serves since the onset.

    Whether the model is ours to answer for is read from what was *requested*: a model version of the snapshot may only repeat
    what the provider served, and is looked at only where no served models were seen.
    """
    made = [*_requested(evidence)]
    old, new = _most(evidence.snapshots, "before"), _most(evidence.snapshots, "after")
    if old is None or new is None or old.id == new.id or shift(evidence.snapshots) <= SHIFT or not near(evidence, new.since):
        return tuple(made)
    for component in SERVING_COMPONENTS:
        was, now = old.versions.get(component, ""), new.versions.get(component, "")
        if was != now and not (component == "model" and evidence.served):
            made.append(Change(component, US, was, now, new.since))
    return tuple(made)


def _requested(evidence: Evidence) -> tuple[Change, ...]:
    models = sorted({s.model for s in evidence.served})
    totals = [
        Served(m, m, "", _earliest([s.first_seen for s in evidence.served if s.model == m]),
               sum(s.before for s in evidence.served if s.model == m), sum(s.after for s in evidence.served if s.model == m))
        for m in models
    ]  # fmt: skip
    old, new = _most(totals, "before"), _most(totals, "after")
    if old is None or new is None or old == new or shift(totals) <= SHIFT or not near(evidence, new.first_seen):
        return ()
    return (Change("model", US, old.model, new.model, new.first_seen, new.model),)


def same(evidence: Evidence, changed: Iterable[Change]) -> tuple[str, ...]:
    """Components that were seen on both sides of the onset and did not change."""
    moved = {c.component for c in changed}
    old, new = _most(evidence.snapshots, "before"), _most(evidence.snapshots, "after")
    seen = [
        component for component in SERVING_COMPONENTS
        if component != "model" and component not in moved and old and new
        and old.versions.get(component) and old.versions.get(component) == new.versions.get(component)
    ]  # fmt: skip
    models = [s for s in evidence.served if s.before > 0 and s.after > 0]
    return (*seen, SERVED_MODEL) if models and SERVED_MODEL not in moved else tuple(seen)


def near(evidence: Evidence, time: float | None) -> bool:
    """Whether something that began at `time` may have caused what began at the onset; an unknown time is no alibi."""
    if time is None:
        return False
    low, high = (evidence.start.low, evidence.start.high) if evidence.start else (evidence.onset, evidence.onset)
    return low - evidence.slack <= time <= high + evidence.slack


def shift(parts: Iterable[Served] | Iterable[Snapshot]) -> float:
    """Total variation distance, 0 to 1, between the shares before and after; 0 where one side has no traffic."""
    pairs = [(p.before, p.after) for p in parts]
    before, after = sum(b for b, _ in pairs), sum(a for _, a in pairs)
    if before <= 0 or after <= 0:
        return 0.0
    return 0.5 * sum(abs(b / before - a / after) for b, a in pairs)


def versions_of(labels: Mapping[str, str]) -> Mapping[str, str]:
    """Component to version, from the labels of `truegreen_snapshot_info`."""
    return {name.removesuffix("_version"): value for name, value in sorted(labels.items()) if name.endswith("_version") and value}


def _most(parts: Iterable[_T], side: str) -> _T | None:
    kept = [p for p in parts if getattr(p, side) > 0]
    return max(kept, key=lambda p: float(getattr(p, side)), default=None)


def _earliest(times: Sequence[float | None]) -> float | None:
    # None is earlier than any time: it was there when the window began.
    return None if None in times else min(t for t in times if t is not None)


def _name(pair: Served, other: Served) -> str:
    return pair.served if pair.served != other.served or not pair.fingerprint else f"{pair.served} ({pair.fingerprint})"
