"""Whether a step is passed, holds, or goes back. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Final

from truegreen.evaluation.measure.statistics import wilson
from truegreen.runbook.rollout.model import ERROR, Counts, Rule

WORSE: Final = 3.0
"""Standard errors by which the candidate must be worse to go back: it is looked at all the time, and going back is cheap."""
PROMOTE, HOLD, GO_BACK = "promote", "hold", "go back"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do, and why."""

    do: str
    says: str


def look(held: float, rule: Rule) -> int:
    """The number of the newest look at the evidence, 0 before the first: looks lie one window apart, however often somebody asks."""
    return int(held / rule.window)


def difference(candidate: Counts, incumbent: Counts, z: float) -> tuple[float, float]:
    """The interval of the candidate's bad ratio less the incumbent's, with `z` standard errors on either side.

    Newcombe's hybrid of two Wilson intervals (Statistics in Medicine 17, 1998, method 10), which holds its level for small shares.

    Raises:
        ValueError: one side has no events.
    """
    if candidate.events <= 0 or incumbent.events <= 0:
        raise ValueError("a share of nothing cannot be compared")
    (low, high), (low_of, high_of) = (wilson(c.bad, c.events, z=z) for c in (candidate, incumbent))
    share, of = candidate.bad / candidate.events, incumbent.bad / incumbent.events
    return share - of - sqrt((share - low) ** 2 + (high_of - of) ** 2), share - of + sqrt(
        (high - share) ** 2 + (of - low_of) ** 2
    )


def passed(candidate: Counts, incumbent: Counts, number: int, rule: Rule) -> Decision:
    """Whether the evidence at look `number` promotes: the upper bound of the difference is under the margin.

    Look n may err with a chance of ERROR / (n (n + 1)); all looks of a step together with ERROR, for these add up to it.
    """
    few = min(candidate.events, incumbent.events)
    if number < 1 or few < rule.least:
        return Decision(HOLD, f"candidate {candidate}, incumbent {incumbent}; {rule.least} of each are needed")
    z = NormalDist().inv_cdf(1 - ERROR / (number * (number + 1)))
    _, high = difference(candidate, incumbent, z)
    told = f"candidate {candidate}, incumbent {incumbent}, at most {high:+.1%} (margin {rule.margin:.1%}, look {number})"
    return Decision(PROMOTE if high < rule.margin else HOLD, told)


def worse(candidate: Counts, incumbent: Counts, rule: Rule) -> Decision | None:
    """To go back, when the candidate is worse beyond chance; None while it is not known to be."""
    if min(candidate.events, incumbent.events) <= 0 or candidate.events < min(rule.least, 30):
        return None
    low, _ = difference(candidate, incumbent, WORSE)
    if low <= 0:
        return None
    return Decision(GO_BACK, f"the candidate is worse: {candidate}, incumbent {incumbent}, at least {low:+.1%}")
