"""What the runbook speaks of: targets, incidents, events, evidence, verdicts and checks. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from truegreen.evaluation.provider.model import Entry, Round
from truegreen.evaluation.start import TrueStart

SUPPORTED: Final = "supported"
RULED_OUT: Final = "ruled out"
UNKNOWN: Final = "unknown"

OK: Final = "ok"
NOT_OK: Final = "not ok"


@dataclass(frozen=True, slots=True)
class Target:
    """Whose promise is broken: the identity of every rule and alert."""

    service: str
    environment: str
    slo: str

    def __str__(self) -> str:
        return f"{self.service}/{self.environment} {self.slo}"


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; `sev` is that of now, `closed` is None while it is open. Times in unix seconds."""

    id: int
    target: Target
    sev: str
    opened: float
    closed: float | None = None


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the log.

    Args:
        phase: one of `terms.PHASES`.
        kind: what happened in two words, such as `contain applied`.
        data: JSON; never the text of a prompt or an answer.
        previous: the hash of the event before it.
    """

    seq: int
    incident: int
    time: float
    phase: str
    kind: str
    text: str
    data: Mapping[str, Any]
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Served:
    """A served model under a requested one, with its requests on each side of the onset; `first_seen` is None when it was always there."""

    model: str
    served: str
    fingerprint: str
    first_seen: float | None
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One set of versions with its answers on each side of the onset; `since` is None when unknown."""

    id: str
    versions: Mapping[str, str]
    since: float | None
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a query of the triage table said before the onset and says now: one number for each label set."""

    before: Mapping[str, float]
    after: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that triage looks at.

    Args:
        start: None when no change was found; `onset` is then where the windows were split all the same.
        slack: seconds by which a change may lie apart from the onset and still be its cause.
        begin: how far back was looked, unix seconds.
        answers: name of a table query to its answer; a query without data is absent.
        relevance: mean retrieval relevance before and after, None without retrievals.
        affected: bad events since the onset; `sessions` and `users` are None when nobody counts them.
        missing: what could not be asked, in words.
        fired: when the alert fired, None when none does.
        entries: the provider's changelog from 14 days before the onset on, None where none is kept.
        probes: rounds of probes, the oldest first.
    """

    target: Target
    now: float
    sev: str
    failure_mode: str
    pillar: str
    start: TrueStart | None
    onset: float
    slack: float
    begin: float = 0.0
    served: tuple[Served, ...] = ()
    snapshots: tuple[Snapshot, ...] = ()
    answers: Mapping[str, Answer] = field(default_factory=dict)
    relevance: tuple[float, float] | None = None
    affected: float = 0.0
    sessions: float | None = None
    failing: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    fired: float | None = None
    entries: tuple[Entry, ...] | None = None
    probes: tuple[Round, ...] = ()
    users: float | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """One hypothesis with what the evidence says of it."""

    says: str
    whose: str
    state: str
    because: str


@dataclass(frozen=True, slots=True)
class Change:
    """Something that began to serve near the onset; `component` is one of the seven, or `served_model`; `model` is the requested one that it concerns."""

    component: str
    whose: str
    old: str
    new: str
    time: float | None
    model: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What triage says.

    Args:
        whose: `us`, `them`, `both` or `not sure`.
        because: one sentence.
        signs: what speaks for and against either, with its weights, the heaviest first.
        same: components that were looked at and did not change.
        commands: what to do next, targets filled in.
        board: uid of the board to open.
        models: requested names whose answers are in doubt (what containment must replace).
    """

    whose: str
    because: str
    findings: tuple[Finding, ...]
    changes: tuple[Change, ...]
    same: tuple[str, ...]
    commands: tuple[str, ...]
    board: str
    models: tuple[str, ...] = ()
    signs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """One of the six: `state` is ok, not ok or unknown; `number` and `bound` are printed as they are."""

    name: str
    state: str
    number: str
    bound: str
    says: str = ""
