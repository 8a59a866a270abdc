"""What a drill is made of: frozen dataclasses, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

SERVICE: Final = "support-agent"
ENVIRONMENT: Final = "production"
PROMPT: Final = "support-answer"
MODEL: Final = "support-large"
INDEX: Final = "help-centre"
GUARDRAIL: Final = "scope"
SIMULATED: Final = "simulated"
AT_SCALE: Final = "at scale"
STAGING: Final = "staging"
GAME_DAY: Final = "game day"
"""How a drill is held.

At scale is the demo's own agent with shortened windows; in staging and on a game day windows are those of the rules that are loaded."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """How an application answers for a while; shares are 0 to 1.

    Args:
        served, fingerprint: of the model that answers behind the alias.
        prompt, index, guardrail: versions, as the snapshot names them.
        ungrounded: share of answers that the evaluator fails.
        below: share of retrieved chunks under the similarity floor; relevance: the mean score of the others.
        slow: share of calls that take longer than the slowest that the SLO allows; failed: share that the provider throttles or times out.
        blocked: share of questions that the guardrail blocks; wrong_blocks: share of those that a reviewer calls wrong.
        seconds: the median of the calls that are not slow.
        contained: which switch of containment is on, empty for none.
    """

    served: str = "support-large-0613"
    fingerprint: str = "fp_5c1d0e613a"
    prompt: str = f"{PROMPT}@2"
    index: str = f"{INDEX}@7"
    guardrail: str = f"{GUARDRAIL}@1"
    ungrounded: float = 0.02
    below: float = 0.08
    relevance: float = 0.78
    slow: float = 0.001
    failed: float = 0.0005
    blocked: float = 0.05
    wrong_blocks: float = 0.02
    seconds: float = 0.6
    contained: str = ""


HEALTHY: Final = Behaviour()


@dataclass(frozen=True, slots=True)
class Fault:
    """One failure mode as a drill plants it.

    Args:
        mode: one of `terms.FAILURE_MODES`.
        says: what is done to the application, in words.
        changes: the fields of `Behaviour` that it changes.
        slo: the ready-made SLO whose alert must find it.
        alert: the alert's name.
        sev: the gravest severity that must be reached; later alarms of a lesser one count as late.
        whose: the truth, as triage must say it.
        remedy: the first words of the command that mends it; each must be what triage offers.
        to: what the command must name, empty where it names nothing.
        healed: the fields of `Behaviour` as the remedy leaves them.
        before, within: seconds of healthy time before it, and after which it must have been found.
        scrape: seconds between two scrapes.
    """

    mode: str
    says: str
    changes: Mapping[str, object]
    slo: str
    alert: str
    sev: str
    whose: str
    remedy: tuple[str, ...]
    to: str
    healed: Mapping[str, object]
    before: int
    within: int
    scrape: int = 30


@dataclass(frozen=True, slots=True)
class Timings:
    """When what happened, seconds after the fault was planted; None where it never did."""

    detected: float | None = None
    triaged: float | None = None
    contained: float | None = None
    recovered: float | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """One target: what was asked, what was found, whether it holds."""

    name: str
    target: str
    found: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Drill:
    """What is kept of a drill.

    Args:
        modes: the failure modes that were planted; more than one is a mixed drill.
        how: `simulated`, `at scale`, `staging` or `game day`.
        completed: unix seconds at which it ended.
        triage: whose fault it was, as triage said.
        command: what triage offered first.
    """

    modes: tuple[str, ...]
    how: str
    service: str
    environment: str
    started: float
    completed: float
    seed: int
    timings: Timings
    triage: str
    because: str
    command: str
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    version: str = ""

    @property
    def ok(self) -> bool:
        """Whether every target was met."""
        return bool(self.verdicts) and all(each.ok for each in self.verdicts)
