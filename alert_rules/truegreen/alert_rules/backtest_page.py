"""What a backtest says: a table of alerts, and one sentence for each SLO and service."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

from truegreen.alert_rules.backtest_alerts import Fired, episodes
from truegreen.alert_rules.backtest_inputs import plain
from truegreen.alert_rules.backtest_score import DAYS, Score, TierScore, Trial
from truegreen.alert_rules.text import number
from truegreen.core.words.slo import LIVE

ENOUGH_DAYS: Final = 7
"""A past that has not seen every day of the week does not say how a service behaves."""
SHOWN: Final = 5
"""Episodes of one alert that are written out; the JSON has all."""


def percent(objective: Decimal) -> str:
    """An objective as `truegreen.yaml` has it."""
    return f"{number(100 * objective)}%"


def verdict(score: Score) -> str:
    """One sentence: what the past says of this objective, and what to write."""
    if score.budget is None:
        return "it has no budget: the objective is `baseline` and no calibration file speaks of it; take one with truegreen baseline take, or write an objective."
    if score.incidents is None:
        return _unlabelled(score)
    pages, missed = len(score.page.false), score.missed
    known = len(score.incidents)
    told = f"{known - missed} of {many(known, 'incident')} paged" if known else "no incident was in it"
    if pages == 0 and missed == 0:
        sure = f"0 false pages in {_days(score)} (at most {rate(score.at_most)} in {DAYS} days with 95 % confidence)"
        if score.days < ENOUGH_DAYS:
            return f"{told}, {sure}: too short a time to go live on; backtest over {ENOUGH_DAYS} days and more in which it had events."
        if not known:
            return f"{told}, {sure}: nothing speaks against mode: live; to be sure, backtest over a time in which something was wrong."
        return f"{told}, {sure}: {'it is live; keep it' if score.mode == LIVE else 'go live with: mode: live'}."
    fired = f"; it fired {span(score.page.outside)} outside incidents" if pages else ""
    seen = f"{told}, {many(pages, 'false page')} in {_days(score)} ({rate(score.false_pages)} in {DAYS} days{fired})"
    best = better(score)
    if best is None:
        stay = "set mode: shadow" if score.mode == LIVE else "stay in shadow"
        return f"{seen}: {stay}; no objective from {percent(score.trials[0].objective)} to {percent(score.trials[-1].objective)} does better here."
    also = "" if not known else f" and {best.paged} of {many(known, 'incident')} paged"
    return f"{seen}: write objective: {percent(best.objective)}, which gives {many(best.false, 'false page')} here{also}, and backtest again."


def better(score: Score) -> Trial | None:
    """The objective with the most incidents paged, then the fewest false pages, then the strictest; None when none beats the present one.

    Never one that pages fewer incidents than the present one, or that is no objective for this service (`Trial.fit`).
    """
    found = len(score.incidents or ()) - score.missed
    fit = [one for one in score.trials if one.fit and one.paged >= found]
    best = min(fit, key=lambda one: (-one.paged, one.false, -one.objective), default=None)
    if best is None or (-best.paged, best.false) >= (-found, len(score.page.false)):
        return None
    return best


def _unlabelled(score: Score) -> str:
    pages = len(score.page.episodes)
    if pages:
        fired = span(sum(b - a for a, b in score.page.episodes))
        return (
            f"{many(pages, 'page')} in {_days(score)} ({rate(pages * DAYS / score.days)} in {DAYS} days; it fired {fired}): "
            f"{'were they' if pages > 1 else 'was it'} right? Write start,end of what was truly wrong into a file and name it: --incidents FILE."
        )
    return (
        f"silent for {_days(score)} (at most {rate(score.at_most)} pages in {DAYS} days with 95 % confidence); whether it finds an incident is not "
        "known: backtest over one, or name those that were with --incidents FILE."
    )


def lines(
    scores: Sequence[Score],
    fired: Sequence[Fired],
    silent: Sequence[str],
    lacking: Sequence[tuple[str, str]],
    notes: Sequence[str],
) -> Iterator[str]:
    """The page.

    Args:
        silent: the names of alerts that were evaluated and never fired.
        lacking: SLOs and alerts without data, each with what is not there.
    """
    yield from map(plain, notes)
    for score in scores:
        yield ""
        yield f"{score.slo} of {plain(score.service) or '(no service)'} in {plain(score.environment) or '(no environment)'}: {_counts(score)}"
        for tier in score.tiers:
            yield f"  {tier.name:<7} sev {tier.sev}  {_tier(tier, score)}"
        for place, one in enumerate(score.incidents or ()):
            yield f"  incident {said(one.start)} to {said(one.end)}: {_delay(score.page.delays[place])}"
        yield from _tried(score)
        yield f"  verdict: {verdict(score)}"
    yield ""
    yield f"alerts that fired: {len(fired)}"
    for each in fired:
        joined = episodes(each.intervals)
        who = ", ".join(
            v
            for v in (
                each.label("slo"),
                each.label("service"),
                each.label("environment"),
                each.label("burn_tier"),
                each.label("mode"),
            )
            if v not in ("", "none")
        )
        shown = "; ".join(f"{said(a)} for {span(b - a)}" for a, b in joined[:SHOWN])
        yield f"  {each.alert} ({plain(who)}): {len(joined)}: {shown}{'; …' if len(joined) > SHOWN else ''}"
    if silent:
        yield f"evaluated and silent: {', '.join(silent)}"
    for name, missing in lacking:
        yield f"no data: {name} ({missing})"


def _tried(score: Score) -> Iterator[str]:
    if not score.trials:
        return
    known = score.incidents is not None
    counted = ((t, t.false if known else t.pages) for t in score.trials)
    tried = "  ".join(f"{percent(t.objective)}: {count}{f' ({span(t.outside)})' if count else ''}" for t, count in counted)
    yield f"  {'false pages' if known else 'pages'} at other objectives (estimate{', and for how long' if '(' in tried else ''}): {tried}"
    unfit = [percent(t.objective) for t in score.trials if known and not t.fit]
    if unfit:
        ratio = "" if score.healthy is None else f", in which {100 * score.healthy:.3g} % are bad"
        yield f"  too strict for a time without incidents{ratio}: {', '.join(unfit)}"


def facts(
    scores: Sequence[Score],
    fired: Sequence[Fired],
    silent: Sequence[str],
    lacking: Sequence[tuple[str, str]],
    notes: Sequence[str],
) -> dict[str, Any]:
    """The same as JSON."""
    return {
        "slos": [_facts(score) for score in scores],
        "alerts": [
            {"alert": f.alert, "labels": dict(f.labels), "intervals": [[said(a), said(b)] for a, b in f.intervals]} for f in fired
        ],
        "silent": list(silent),
        "no_data": dict(lacking),
        "notes": list(notes),
    }


def _facts(score: Score) -> dict[str, Any]:
    labelled = score.incidents is not None
    return {
        "slo": score.slo, "service": score.service, "environment": score.environment, "mode": score.mode, "days": round(score.watched, 3), "judged_days": round(score.days, 3),
        "events": round(score.events, 1), "bad": round(score.bad, 1), "budget": None if score.budget is None else number(score.budget),
        "labelled": labelled, "pages": len(score.page.episodes),
        "false_pages": len(score.page.false) if labelled else None,
        "false_pages_30d": round(score.false_pages, 3) if labelled else None,
        "hours_outside_incidents": round(score.page.outside / 3600, 2) if labelled else None,
        "at_most_30d": round(score.at_most, 3) if not score.page.false else None,
        "missed": score.missed if labelled else None,
        "incidents": [
            {"start": said(one.start), "end": said(one.end), "seconds": score.page.delays[place],
             "by_tier": {tier.name: tier.delays[place] for tier in score.tiers}}
            for place, one in enumerate(score.incidents or ())
        ],
        "tiers": {t.name: {"episodes": [[said(a), said(b)] for a, b in t.episodes], "false": len(t.false) if labelled else None} for t in score.tiers},
        "objectives": {percent(t.objective): {"pages": t.pages, "false": t.false if labelled else None, "paged": t.paged, "hours": round(t.outside / 3600, 2), "fit": t.fit} for t in score.trials},
        "verdict": verdict(score),
    }  # fmt: skip


def said(time: float) -> str:
    """A moment, UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%dT%H:%MZ")


def span(seconds: float) -> str:
    """How long, in minutes or hours."""
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.1f} h"


def many(count: int, what: str) -> str:
    """A count with its noun."""
    return f"{count} {what}{'' if count == 1 else 's'}"


def rate(value: float) -> str:
    """A number to two digits, never as a power of ten."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _days(score: Score) -> str:
    return _time(score.days)


def _time(days: float) -> str:
    told = f"{days:.3g}"
    return f"{told} day{'' if told == '1' else 's'}"


def _counts(score: Score) -> str:
    ratio = score.bad / score.events
    budget = "no budget" if score.budget is None else f"objective {percent(1 - score.budget)}"
    return f"{score.bad:.0f} of {score.events:.0f} bad ({100 * ratio:.2f} %), {budget}, {_time(score.watched)}, {score.events / score.watched / 24:.0f} events an hour"


def _tier(tier: TierScore, score: Score) -> str:
    count = len(tier.episodes)
    if score.incidents is None:
        return many(count, "episode")
    late = sorted(delay for delay in tier.delays if delay is not None)
    delay = f", after {', '.join(span(each) for each in late)}" if late else ""
    return (
        f"{many(count, 'episode')}, {len(tier.false)} false ({rate(len(tier.false) * DAYS / score.days)} in {DAYS} days){delay}"
    )


def _delay(delay: int | None) -> str:
    return "missed" if delay is None else f"paged after {span(delay)}"
