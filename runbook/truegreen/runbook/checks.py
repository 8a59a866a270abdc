"""The six checks of `truegreen validate`, from numbers to ok, not ok or unknown. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from truegreen.evaluation.measure.statistics import wilson
from truegreen.runbook.model import NOT_OK, OK, UNKNOWN, Check
from truegreen.runbook.statistics import two_shares_z, wilson_low
from truegreen.runbook.times import span

QUIET: Final = 900
"""Seconds, before scaling."""
LEAST: Final = 20
"""Judged events, or decisions, without which nothing is called good: one good answer says nothing of the next."""
REVIEWED: Final = 5
"""The same of an SLO whose events people review, or that are otherwise not judged answer by answer: they come more slowly."""
ONE_SIDED: Final = 1.645
"""Standard errors: 95 %, one-sided."""
SLOWER: Final = 1.25
"""The p99 may be a quarter above what it was before the onset."""
LESS_RELEVANT: Final = 0.05
DIFFERENT: Final = 3.0
"""Standard errors between two block shares."""
ALL: Final = 0.99
"""The share of answers sampled that counts as all: a scrape may lie between an answer and its evaluation."""


@dataclass(frozen=True, slots=True)
class Calm:
    """What the check of quiet minutes reads, over the last quiet window.

    Args:
        since: seconds since the last change, or since the onset where nothing was changed.
        wanted: seconds that must be quiet.
        bad, events: judged events of the SLO.
        answers, sampled: all answers, and those that are sampled.
        by_judges: whether the SLO's events are answers that an evaluator judged, so that each sampled one must be among them.
        pending: alerts of sev 1 or 2 that are pending; others: those of other SLOs that fire; still: those of this SLO that still fire.
    """

    since: float
    wanted: float
    bad: float
    events: float
    answers: float
    sampled: float
    pending: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    by_judges: bool = True


def smoke(code: int | None, said: str) -> Check:
    """The smoke suite; `code` is None when it was not run, `said` its last line or why."""
    if code is None:
        return Check("smoke", UNKNOWN, "not run", "exit code 0", said)
    return Check("smoke", OK if code == 0 else NOT_OK, f"exit code {code}", "exit code 0", said)


def ratio(
    bad: float,
    events: float,
    baseline: float | None,
    budget: float | None,
    whence: str,
    of: float | None = None,
    least: int = LEAST,
) -> Check:
    """The bad ratio since the change: not significantly (95 %, one-sided) above the baseline, and at most the budget.

    Args:
        whence: where the baseline comes from, in words.
        of: events behind the baseline; it is a sample too, and taken for the truth it would call a healthy service bad once enough was judged.
            None where nobody knows.
        least: events below which it is not called good.
    """
    name = "bad ratio"
    if events <= 0:
        return Check(name, UNKNOWN, "no judged events", "some", "nothing was judged since the change")
    number = f"{bad / events:.1%} ({bad:.0f} of {events:.0f})"
    if baseline is None or budget is None:
        return Check(
            name, UNKNOWN, number, "unknown", "no baseline to compare with" if baseline is None else "no error budget is known"
        )
    if of:
        z = two_shares_z(bad, events, baseline * of, of)
        like, told = z <= ONE_SIDED, f"z {z:.1f}, at most {ONE_SIDED:.1f}"
    else:
        low = wilson_low(bad, events, ONE_SIDED)
        like, told = low <= baseline, f"lower bound {low:.1%}"
    good = like and bad / events <= budget
    low, high = wilson(bad, events)
    told += f", 95% interval {low:.1%} to {high:.1%}"
    if good and events < least:
        return Check(name, UNKNOWN, number, f"at least {least} judged", f"too few to say; {told}")
    return Check(name, OK if good else NOT_OK, number, f"{baseline:.1%} {whence}, budget {budget:.1%}", told)


def latency(now: float | None, before: float | None) -> Check:
    """The 99th percentile of calls, in seconds, against what it was before the onset."""
    if now is None or before is None or math.isnan(now) or math.isnan(before):
        return Check(
            "p99 latency", UNKNOWN, "no calls" if now is None else f"{now:.2f} s", "unknown", "no calls were timed on both sides"
        )
    return Check(
        "p99 latency", OK if now <= SLOWER * before else NOT_OK, f"{now:.2f} s", f"{SLOWER * before:.2f} s", f"was {before:.2f} s"
    )


def guardrail(
    blocked: float, decided: float, blocked_before: float, decided_before: float,
    errors: Mapping[str, tuple[float, float, float, float]], seen: bool = False,
) -> Check:  # fmt: skip
    """The share of blocks against what it was, and its error rates, where people reviewed its decisions on both sides.

    Args:
        errors: name of an error to the decisions reviewed before and now, and the wrong ones before and now.
        seen: whether calls of the service were seen on both sides: only then does no decision mean that it makes none.
    """
    if decided <= 0 and decided_before <= 0 and seen:
        return _none("guardrail", "guardrail decisions")
    rates = {name: each for name, each in errors.items() if each[0] > 0 and each[1] > 0}
    told = "" if rates else "error rates unknown: no reviews on both sides"
    if decided <= 0 or decided_before <= 0:
        return Check("guardrail", UNKNOWN, "no decisions", "some on both sides", told or "nothing to compare")
    z = two_shares_z(blocked, decided, blocked_before, decided_before)
    number = f"{blocked / decided:.1%} blocked ({decided:.0f})"
    bound = f"{blocked_before / decided_before:.1%} before, |z| at most {DIFFERENT:g}"
    worse = {
        name: two_shares_z(wrong, of, wrong_before, of_before) for name, (of_before, of, wrong_before, wrong) in rates.items()
    }
    said = [f"z {z:+.1f}", *(f"{name} {rates[name][3] / rates[name][1]:.1%} (z {by:+.1f})" for name, by in worse.items()), told]
    good = abs(z) <= DIFFERENT and all(by <= DIFFERENT for by in worse.values())
    if good and min(decided, decided_before) < LEAST:
        few = f"{decided:.0f} decisions now, {decided_before:.0f} before: too few to say"
        return Check("guardrail", UNKNOWN, number, f"at least {LEAST} on both sides", "; ".join(filter(None, [few, *said])))
    return Check("guardrail", OK if good else NOT_OK, number, bound, "; ".join(filter(None, said)))


def relevance(now: float | None, before: float | None, retrievals: float = 0.0, seen: bool = False) -> Check:
    """The mean retrieval relevance against what it was.

    Args:
        retrievals: how many were seen on both sides together, scored or not.
        seen: as in `guardrail`.
    """
    if now is None and before is None and retrievals <= 0 and seen:
        return _none("retrieval relevance", "retrievals")
    if now is None or before is None:
        return Check(
            "retrieval relevance",
            UNKNOWN,
            "no scored retrievals" if now is None else f"{now:.2f}",
            "unknown",
            "no scored retrievals on both sides",
        )
    floor = before - LESS_RELEVANT
    return Check("retrieval relevance", OK if now >= floor else NOT_OK, f"{now:.2f}", f"{floor:.2f}", f"was {before:.2f}")


def _none(name: str, what: str) -> Check:
    return Check(name, OK, "none", "none before", f"no {what}, before or since: nothing to compare")


def quiet(calm: Calm, budget: float | None) -> Check:
    """Fifteen quiet minutes with every answer sampled, read from ratios: an alert that only keeps firing is named and does not count."""
    name, bound = "quiet", f"{span(calm.wanted)} at 100% sampling"
    if budget is None:
        return Check(name, UNKNOWN, "no error budget is known", bound)
    if calm.events <= 0 or calm.answers <= 0:
        return Check(name, UNKNOWN, "no judged events" if calm.events <= 0 else "no answers", bound)
    share, sampled, judged = (
        calm.bad / calm.events,
        calm.sampled / calm.answers,
        calm.events / calm.sampled if calm.sampled else 0.0,
    )
    threshold = min(4 * budget, 0.45)
    wrong = [f"{text}" for text, is_so in (
        (f"only {span(calm.since)} since the last change", calm.since < calm.wanted),
        (f"ratio {share:.1%} is over the sev 2 threshold {threshold:.1%}", share > threshold),
        (f"ratio {share:.1%} is over the budget beyond chance", wilson_low(calm.bad, calm.events) > budget),
        (f"only {sampled:.0%} of answers are sampled: truegreen contain boost 100%", sampled < ALL),
        (f"only {judged:.0%} of sampled answers were judged", calm.by_judges and judged < 0.9),
        (f"pending: {', '.join(calm.pending)}", bool(calm.pending)),
        (f"firing: {', '.join(calm.others)}", bool(calm.others)),
    ) if is_so]  # fmt: skip
    told = (
        [f"{', '.join(calm.still)} only keeps firing"]
        if calm.still and not wrong
        else [f"still firing: {', '.join(calm.still)}"]
        if calm.still
        else []
    )
    number = f"ratio {share:.1%}, {sampled:.0%} sampled"
    # Of an SLO that few events count for, such as people's reviews, the bad ratio since the change asks for enough of them.
    if not wrong and calm.answers < LEAST:
        few = f"only {calm.answers:.0f} answers, expected {LEAST}: too few to say"
        return Check(name, UNKNOWN, number, bound, "; ".join([few, *told]))
    return Check(name, NOT_OK if wrong else OK, number, bound, "; ".join([*wrong, *told]))
