"""Whether a guardrail errs more often than it did: a test that may be looked at after every answer. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from truegreen.evaluation.guardrails.model import Decision
from truegreen.evaluation.measure.statistics import wilson

ALPHA: Final = 0.01
WITHIN: Final = 200
"""Answers within which a false alarm may happen with the probability ALPHA."""
ODDS: Final = (1.5, 2.0, 3.0, 5.0, 10.0)
"""By how much the odds of an error may have risen: each is looked for, and their mean is the statistic."""
Z99: Final = 2.3263478740408408
"""One-sided 99 %: the healthy rate is not more than this bound of the baseline's."""
BLOCKS, PASSES, OVER, UNDER = "wrong blocks", "wrong passes", "over-triggering", "under-triggering"
"""Streams of errors: among the blocks, the passes, what reviewers call harmless, what they call harmful."""


@dataclass(frozen=True, slots=True)
class Excess:
    """What was seen.

    Args:
        at: the answer, counted from 1, at which the statistic crossed `bound`; None when it did not.
        highest: the greatest statistic.
        healthy: the rate, 0 to 1, that the stream was held against.
    """

    at: int | None
    highest: float
    bound: float
    healthy: float


def excess(flags: Iterable[bool], bad: float, events: float, alpha: float = ALPHA, within: int = WITHIN) -> Excess:
    """The first answer at which errors are more frequent than in a baseline, whenever that began (Shiryaev 1963; Roberts 1966).

    The statistic R grows by R = (1 + R) x likelihood ratio; under the healthy rate R - n is a martingale, so that it crosses
    `within / alpha` within `within` answers with probability at most `alpha` (Doob; Pollak 1985), and for any lower rate less often.

    Args:
        flags: an error or not, in the order of time.
        bad: errors among the `events` of the baseline; its upper 99 % bound is the healthy rate.
    """
    healthy = min(0.999, max(1e-6, wilson(bad, events, z=Z99)[1]))
    raised = [odds * healthy / (1 - healthy + odds * healthy) for odds in ODDS]
    seen, missed = [rate / healthy for rate in raised], [(1 - rate) / (1 - healthy) for rate in raised]
    bound, highest, grown = within / alpha, 0.0, [0.0] * len(ODDS)
    for at, flag in enumerate(flags, 1):
        grown = [(1 + before) * by for before, by in zip(grown, seen if flag else missed, strict=True)]
        highest = max(highest, sum(grown) / len(grown))
        if highest >= bound:
            return Excess(at, highest, bound, healthy)
    return Excess(None, highest, bound, healthy)


def risen(now: Sequence[Decision], healthy: Sequence[Decision]) -> dict[str, Excess]:
    """Each kind of error of one guardrail in the order of time, against that of a healthy time; a stream that either lacks is left out.

    Over- and under-triggering compare blocks with passes, so that they are there only where blocks and passes of both were reviewed, all
    blocks drawn at one rate and all passes at one: else what changed may be the drawing.
    """
    known = [OVER, UNDER] if _drawn_alike(now, healthy) else []
    found = {}
    for kind in (BLOCKS, PASSES, *known):
        before, flags = ([flag for _, flag in stream(kind, one)] for one in (healthy, now))
        if before and flags:
            found[kind] = excess(flags, sum(before), len(before))
    return found


def stream(kind: str, found: Sequence[Decision]) -> list[tuple[Decision, bool]]:
    """The decisions that a kind of error is among, in the order of time, each with whether it is one.

    Whether an input is harmless is not known of a disputed decision: it is in the streams of blocks and of passes alone, as no error.
    """
    ordered = sorted(found, key=lambda one: (one.time is None, one.time or 0.0))
    if kind in (BLOCKS, PASSES):
        return [(one, one.wrong is True) for one in ordered if one.blocked == (kind == BLOCKS)]
    harmful = kind == UNDER
    return [(one, one.wrong) for one in ordered if one.wrong is not None and (one.blocked != one.wrong) == harmful]


def _drawn_alike(now: Sequence[Decision], healthy: Sequence[Decision]) -> bool:
    plans = [{(one.blocked, one.weight) for one in found} for found in (now, healthy)]
    return plans[0] == plans[1] and sorted(blocked for blocked, _ in plans[0]) == [False, True]
