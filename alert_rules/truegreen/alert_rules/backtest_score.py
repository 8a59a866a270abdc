"""What a backtest is worth: false pages, delays, missed incidents, and the objective at which it would be quiet."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import median
from typing import Final

from truegreen.alert_rules import budgets
from truegreen.alert_rules.backtest_alerts import EPISODE, Fired, episodes, firing
from truegreen.alert_rules.backtest_inputs import Incident
from truegreen.alert_rules.ladder import TIERS, Tier
from truegreen.alert_rules.ladder import sev as sev_of
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.oracle import Phase, burning
from truegreen.alert_rules.windows import parse
from truegreen.core.clients.prometheus import Series
from truegreen.core.words import records

DAYS: Final = 30
RULE_OF_THREE: Final = 3
"""None seen in T days: with 95 % confidence fewer than 3 in T days."""
OBJECTIVES: Final = tuple(Decimal(text) for text in ("0.9", "0.95", "0.97", "0.98", "0.99", "0.995", "0.999"))
STEP: Final = 300
HOUR: Final = 3_600
PIECE: Final = 100
"""Events of which a bad ratio is worth something."""
OFTEN: Final = 0.1
"""The share of the time outside incidents from which on an alert that fires tells nobody anything: such an objective is not offered."""

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class TierScore:
    """Of one tier: its episodes, the stretches of them outside incidents, and for each incident the seconds until it fired (None: never)."""

    name: str
    sev: str
    episodes: tuple[Span, ...]
    false: tuple[Span, ...]
    delays: tuple[int | None, ...]

    @property
    def outside(self) -> int:
        """Seconds of firing that no incident explains."""
        return sum(end - start for start, end in self.false)


@dataclass(frozen=True, slots=True)
class Trial:
    """The same past at another objective, by the ladder in plain Python from counts of five minutes.

    Args:
        outside: seconds of firing that no incident explains.
        fit: whether it may be offered: its budget is over what a healthy time spends, and it does not fire most of the time.
    """

    objective: Decimal
    pages: int
    false: int
    paged: int
    outside: int = 0
    fit: bool = True


@dataclass(frozen=True, slots=True)
class Score:
    """One SLO of one service in one environment.

    Args:
        days: in which the service had events, hour by hour, less its incidents: what none was false in.
        budget: 1 - objective there; None where a `baseline` objective has no baseline.
        incidents: None where nobody labelled the past.
        page: fast and slow tier together; `sev` is empty.
        watched: days in which it had events, incidents and all.
        healthy: the usual bad ratio outside incidents; None where nobody labelled the past, or nothing was outside.
    """

    slo: str
    service: str
    environment: str
    mode: str
    events: float
    bad: float
    days: float
    budget: Decimal | None
    incidents: tuple[Incident, ...] | None
    page: TierScore
    tiers: tuple[TierScore, ...]
    trials: tuple[Trial, ...]
    watched: float = 0.0
    healthy: float | None = None

    @property
    def false_pages(self) -> float:
        """In 30 days, as seen."""
        return len(self.page.false) * DAYS / self.days

    @property
    def at_most(self) -> float:
        """In 30 days, with 95 % confidence; only told where none was seen."""
        return RULE_OF_THREE * DAYS / self.days

    @property
    def missed(self) -> int:
        """Incidents that no page told of."""
        return sum(1 for delay in self.page.delays if delay is None)


Labelled = Callable[[Judged, Decimal], Sequence[Incident] | None]


def scores(
    every: Sequence[Judged], counts: Mapping[str, tuple[Sequence[Series], Sequence[Series]]], fired: Sequence[Fired], start: float, end: float,
    labelled: Labelled,
) -> list[Score]:  # fmt: skip
    """The score of each SLO at each service that had events.

    Args:
        counts: SLO to its events and bad events of 5 min, at every whole 5 min.
        labelled: an SLO and its budget to the incidents of the past, None where nobody knows.
    """
    found: list[Score] = []
    for what in every:
        events, bad = counts[what.slo.name]
        wrong = {_who(one): one for one in bad}
        for one in events:
            service, environment = _who(one)
            points = [(int(t), n, x) for (t, n), x in zip(one.points, _along(one, wrong.get(_who(one))), strict=True)]
            inside = [(t, n, x) for t, n, x in points if start <= t <= end]
            if not sum(n for _, n, _ in inside):
                continue
            mine = [f for f in fired if _is(f, what.slo.name, service, environment)]
            found.append(_score(what, (service, environment), points, inside, mine, labelled, (start, end)))
    return found


def _score(
    what: Judged, who: tuple[str, str], points: Sequence[tuple[int, float, float]], inside: Sequence[tuple[int, float, float]],
    fired: Sequence[Fired], labelled: Labelled, span: tuple[float, float],
) -> Score:  # fmt: skip
    budget = budgets.budget(what, *who)
    known = None if budget is None else labelled(what, budget)
    incidents = None if known is None else tuple(one for one in known if concerns(one, who[0], span))
    spans = {tier.name: [s for f in fired if f.label("burn_tier") == tier.name for s in f.intervals] for tier in TIERS}
    tiers = tuple(tier_score(tier.name, sev_of(what.slo, tier), spans[tier.name], incidents, (tier,)) for tier in TIERS)
    loud = [tier for tier in TIERS if sev_of(what.slo, tier) in ("1", "2")]
    page = tier_score("page", "", [s for tier in loud for s in spans[tier.name]], incidents, loud)
    effect = budgets.design_effect(what, *who)
    # The count at a moment is of the five minutes before it.
    hours = {(t - 1) // HOUR for t, n, _ in inside if n > 0}
    seen = [(t, n, x) for t, n, x in _even(inside) if (t - 1) // HOUR in hours]
    calm = [(t, n, x) for t, n, x in seen if not any(one.start < t <= one.end + STEP for one in incidents or ())]
    watched, days = (len(some) * STEP / 86_400 for some in (seen, calm))
    healthy = usual(calm) if incidents is not None else None
    trials = tuple(_trial(objective, loud, points, effect, incidents, span) for objective in OBJECTIVES)
    trials = tuple(replace(one, fit=_is_fit(one, healthy, days)) for one in trials)
    return Score(
        what.slo.name, *who, what.slo.mode, sum(n for _, n, _ in inside), sum(x for _, _, x in inside), max(days, 1 / 24), budget, incidents,
        page, tiers, trials, max(watched, 1 / 24), healthy,
    )  # fmt: skip


def usual(points: Sequence[tuple[int, float, float]]) -> float | None:
    """The median bad ratio of pieces of a hundred events and more, so that a false page's own hours do not count as usual; None without events."""
    pieces, n, x = [], 0.0, 0.0
    for _, events, bad in points:
        n, x = n + events, x + bad
        if n >= PIECE:
            pieces.append(x / n)
            n = x = 0.0
    return median(pieces) if pieces else x / n if n else None


def _is_fit(one: Trial, healthy: float | None, days: float) -> bool:
    return (healthy is None or float(1 - one.objective) > healthy) and one.outside <= OFTEN * days * 86_400


def concerns(one: Incident, service: str, span: tuple[float, float]) -> bool:
    """Whether an incident was of the service, between two moments."""
    return one.service in ("", service) and one.end > span[0] and one.start < span[1]


def after(tier: Tier) -> int:
    """Seconds after an incident's end in which an alert may still be of it: its longest short window holds the last bad events so long."""
    return max(records.SECONDS[rung.short] for rung in tier.rungs)


def tier_score(
    name: str, sev: str, spans: Sequence[Span], incidents: Sequence[Incident] | None, tiers: Sequence[Tier]
) -> TierScore:
    """Episodes against incidents: one that begins before an incident's end (and the grace) and ends after its start tells of it.

    What fires outside of incidents is false, also where it goes on into one: an alert that never ends explains nothing.

    Args:
        spans: when it fired, [from, to).
        tiers: those that made the spans: they say how long an incident's last bad events are held.
    """
    seen = episodes(spans)
    if incidents is None:
        return TierScore(name, sev, tuple(seen), (), ())
    grace = max((after(tier) for tier in tiers), default=0)
    held = max((parse(tier.keep) for tier in tiers), default=0) + STEP

    def of(span: Span, one: Incident) -> bool:
        return span[0] <= one.end + grace and span[1] > one.start

    delays = tuple(min((max(0, s[0] - one.start) for s in sorted(spans) if of(s, one)), default=None) for one in incidents)
    left = [part for span in spans for part in _outside(span, incidents, grace, held)]
    return TierScore(name, sev, tuple(seen), tuple(episodes(left)), delays)


def _outside(span: Span, incidents: Sequence[Incident], grace: int, held: int) -> list[Span]:
    # What began in time for an incident may be held beyond it; what is over within an hour of that is of the same page.
    left = [span]
    for one in incidents:
        begin, end = one.start - grace, one.end + grace
        if span[0] <= end and span[1] > begin:
            cut = [part for a, b in left for part in ((a, min(b, begin), STEP), (max(a, end + held), b, EPISODE))]
            left = [(a, b) for a, b, least in cut if b - a >= least]
    return left


def _trial(
    objective: Decimal, loud: Sequence[Tier], points: Sequence[tuple[int, float, float]], effect: Decimal,
    incidents: Sequence[Incident] | None, span: tuple[float, float],
) -> Trial:  # fmt: skip
    phases = [Phase(5, Decimal(repr(n * 12)), Decimal(repr(x / n)) if n > 0 else Decimal(0)) for _, n, x in _even(points)]
    origin = points[0][0] - STEP
    spans: list[Span] = []
    for tier in loud:
        moments = [origin + 60 * at for at, burns in enumerate(burning(phases, tier, 1 - objective, effect)) if burns]
        spans += [s for s in firing(moments, 60, 0, parse(tier.keep)) if s[1] > span[0] and s[0] <= span[1]]
    told = tier_score("page", "", spans, incidents, loud)
    paged = sum(1 for delay in told.delays if delay is not None)
    outside = told.outside if incidents is not None else sum(b - a for a, b in told.episodes)
    return Trial(objective, len(told.episodes), len(told.false), paged, outside)


def _even(points: Sequence[tuple[int, float, float]]) -> list[tuple[int, float, float]]:
    # A gap in the data is time without events.
    known = {t: (n, x) for t, n, x in points}
    return [(t, *known.get(t, (0.0, 0.0))) for t in range(points[0][0], points[-1][0] + 1, STEP)]


def _along(one: Series, bad: Series | None) -> list[float]:
    known = dict(bad.points) if bad else {}
    return [x if math.isfinite(x := known.get(time, 0.0)) else 0.0 for time, _ in one.points]


def _who(one: Series) -> tuple[str, str]:
    return one.labels.get("service", ""), one.labels.get("environment", "")


def _is(fired: Fired, slo: str, service: str, environment: str) -> bool:
    named = (fired.label("slo"), fired.label("service"), fired.label("environment"))
    return fired.alert == records.BUDGET_BURN and named == (slo, service, environment)
