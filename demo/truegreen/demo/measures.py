"""What the story says in numbers: read from Prometheus, never assumed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from truegreen.core.words import records
from truegreen.demo import contrast
from truegreen.demo.model import ENVIRONMENT
from truegreen.demo.stage import Stage

_JOB = 'job="support-agent"'


@dataclass(frozen=True, slots=True)
class Count:
    """Evaluated answers so far, and how many of them failed."""

    all: float
    bad: float

    def since(self, earlier: Count) -> Count:
        """What came after `earlier`."""
        return Count(self.all - earlier.all, self.bad - earlier.bad)

    @property
    def ratio(self) -> float:
        """Bad over all, 0 when there was none."""
        return self.bad / self.all if self.all else 0.0


@dataclass(frozen=True, slots=True)
class Green:
    """What a good shop looks at today: p99 in seconds, error ratio, CPU as cores."""

    p99: float
    errors: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Burn:
    """How a budget burns over 15 minutes: counts, burn rate, lower confidence bound of the bad ratio, budget."""

    bad: float
    all: float
    rate: float
    lower: float
    budget: float


def burn(on: Stage, service: str, slo: str) -> Burn:
    """The burn of one SLO now, from its recording rules."""
    chosen = f'{{service="{service}",environment="{ENVIRONMENT}",slo="{slo}"}}'
    names = (
        records.bad("15m"),
        records.events("15m"),
        records.burn_rate("15m"),
        records.bad_lower_bound("15m"),
        records.ERROR_BUDGET,
    )
    return Burn(*(on.number(name + chosen) for name in names))


def evaluated(on: Stage, service: str) -> Count:
    """The evaluated answers of a service."""
    chosen = f'truegreen_evaluated_answers_total{{service="{service}",environment="{ENVIRONMENT}",evaluation="groundedness"'
    return Count(on.number(f"sum({chosen}}})", 0.0), on.number(f'sum({chosen},result="fail"}})', 0.0))


def green(on: Stage, seconds: float) -> Green:
    """The golden signals of the agent over the last `seconds`."""
    window = f"{max(2, round(seconds))}s"
    return Green(
        on.number(f"histogram_quantile(0.99, sum by (le) (rate(http_request_duration_seconds_bucket{{{_JOB}}}[{window}])))"),
        on.number(
            f'(sum(rate(http_requests_total{{{_JOB},code=~"5.."}}[{window}])) or vector(0))'
            f" / sum(rate(http_requests_total{{{_JOB}}}[{window}]))"
        ),
        on.number(f"max(rate(process_cpu_seconds_total{{{_JOB}}}[{window}]))"),
    )


def firing(on: Stage) -> list[dict[str, str]]:
    """Alerts of truegreen that fire, the watchdog left out."""
    found = on.samples('ALERTS{alertstate="firing",contrast=""}')
    return [dict(s.labels) for s in found if s.labels.get("alertname") != records.WATCHDOG]


def contrast_firing(on: Stage) -> list[str]:
    """Names of the contrast alerts that fire."""
    return sorted({str(s.labels["alertname"]) for s in on.samples('ALERTS{alertstate="firing",contrast="true"}')})


def contrast_ever(on: Stage, seconds: float) -> list[str]:
    """Names of the contrast alerts that fired at any time in the last `seconds`."""
    found = on.samples(
        f'count by (alertname) (count_over_time(ALERTS{{alertstate="firing",contrast="true"}}[{max(1, round(seconds))}s]))'
    )
    return sorted(str(s.labels["alertname"]) for s in found)


def of_contrast(names: list[str]) -> str:
    """`0 of 5`, with their names when there are any."""
    return f"{len(names)} of {contrast.COUNT}" + (f" ({', '.join(names)})" if names else "")


def collector(on: Stage) -> dict[str, Any]:
    """The collector's own counters: spans accepted and dropped."""
    return {
        "accepted": on.number("sum(truegreen_collector_accepted_spans_total)", 0.0),
        "dropped": on.number("sum(truegreen_collector_dropped_spans_total)", 0.0),
    }
