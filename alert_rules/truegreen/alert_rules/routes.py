"""Alertmanager: a fragment for below a team's own root with the receivers that it names, and a whole file for who has none."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from truegreen.alert_rules import templates
from truegreen.alert_rules.detectors import BUDGET_FORECAST, BURN_ADDS_UP
from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.receivers import receivers, remarks, told
from truegreen.alert_rules.text import any_of, quoted, to_yaml
from truegreen.alert_rules.watchers import EVALUATOR_STALLED, SAMPLING_FELL
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Mute, Routes
from truegreen.core.config.routes import WATCHDOG
from truegreen.core.words import records
from truegreen.core.words.slo import EvaluationSli

_AGAIN: Final = (records.COHORT_BURN, BURN_ADDS_UP, BUDGET_FORECAST)
NULL: Final = "null"
"""A receiver that sends nothing."""
FRAGMENT: Final = "routes.yml"
RECEIVERS: Final = "receivers.yml"
WHOLE: Final = "alertmanager.yml"
_WRITTEN: Final = "Written by `truegreen generate rules`; do not edit: change truegreen.yaml and write it anew.\n"
_PASTE: Final = """Routes and inhibitions of truegreen, for below your own root.

  route:
    receiver: yours
    routes:
      - ...                 # paste the entry of `routes` here: it takes the alerts named Truegreen… and no others
  inhibit_rules:
    - ...                   # paste the entries of `inhibit_rules` here
{intervals}
The receivers {receivers} must be there: in receivers.yml are those that truegreen.yaml has targets for; name your
own under routes.receivers in truegreen.yaml.
A sev 1 is never inhibited and never muted. Each inhibition asks for a service, so that an alert without one silences nothing.
Where the watchdog goes, point an outside service: it must notice when TruegreenWatchdog stops."""
_INTERVALS: Final = """  time_intervals:
    - ...                   # paste the entries of `time_intervals` here
"""
_RECEIVERS: Final = """Receivers for routes.yml, from routes.targets and routes.webhooks in truegreen.yaml, to paste into your own Alertmanager configuration.

  templates:
    - truegreen.tmpl        # a path beside that file: without it, every notification below fails
  receivers:
    - ...                   # paste the entries of `receivers` here

Secrets are in the files named here; Alertmanager reads them when it sends."""
_WHOLE: Final = """A whole Alertmanager configuration, for who has none: targets and webhooks from routes in truegreen.yaml.
A sev without one, and whatever is not truegreen's, goes to the receiver "null", which sends nothing."""


def files(routes: Routes, every: tuple[Judged, ...], clock: Clock) -> Mapping[str, str]:
    """All that Alertmanager needs: the fragment, its receivers, the whole file, and the templates that both call."""
    return {
        FRAGMENT: fragment(routes, every, clock),
        RECEIVERS: pasted(routes),
        WHOLE: whole(routes, every, clock),
        templates.NAME: templates.text(),
    }


def fragment(routes: Routes, every: tuple[Judged, ...], clock: Clock) -> str:
    """`routes.yml`."""
    muted = intervals(routes)
    said = _PASTE.format(receivers=", ".join(dict.fromkeys(routes.receivers.values())), intervals=_INTERVALS if muted else "")
    return to_yaml(
        {
            "routes": [_tree(routes.receivers, routes.mute, clock)],
            "inhibit_rules": inhibitions(every),
            **({"time_intervals": muted} if muted else {}),
        },
        _WRITTEN + said,
    )


def pasted(routes: Routes) -> str:
    """`receivers.yml`."""
    return to_yaml(
        {"templates": [templates.NAME], "receivers": receivers(routes)}, _WRITTEN + "\n".join([_RECEIVERS, *remarks(routes)])
    )


def whole(routes: Routes, every: tuple[Judged, ...], clock: Clock) -> str:
    """`alertmanager.yml`."""
    names = {key: routes.receivers[key] if told(routes, key) else NULL for key in routes.receivers}
    here, muted = set(names.values()), intervals(routes)
    root = {
        "receiver": NULL, "group_by": ["service", "environment", "slo"], "group_wait": clock.text("30s"), "group_interval": clock.text("5m"),
        "repeat_interval": clock.text("12h"), "routes": [_tree(names, routes.mute, clock)],
    }  # fmt: skip
    return to_yaml(
        {
            "templates": [templates.NAME],
            "route": root,
            "receivers": [{"name": NULL}, *(each for each in receivers(routes) if each["name"] in here)],
            "inhibit_rules": inhibitions(every),
            **({"time_intervals": muted} if muted else {}),
        },
        _WRITTEN + "\n".join([_WHOLE, *remarks(routes)]),
    )


def intervals(routes: Routes) -> list[Mapping[str, Any]]:
    """The mutes as Alertmanager's time intervals, under names that a team's own have not."""

    def spans(mute: Mute) -> Mapping[str, Any]:
        found = [dict(zip(("start_time", "end_time"), span.split("-"), strict=True)) for span in mute.times]
        days = {"weekdays": list(mute.weekdays)} if mute.weekdays else {}
        return {**days, **({"times": found} if found else {}), "location": mute.location}

    return [{"name": _interval(mute), "time_intervals": [spans(mute)]} for mute in routes.mute]


def _interval(mute: Mute) -> str:
    return f"truegreen-{mute.name}"


def _tree(names: Mapping[str, str], mutes: Iterable[Mute], clock: Clock) -> Mapping[str, Any]:
    def timers(wait: str, interval: str, repeat: str) -> Mapping[str, str]:
        return {"group_wait": clock.text(wait), "group_interval": clock.text(interval), "repeat_interval": clock.text(repeat)}

    def sev(number: str, by: list[str], wait: str, interval: str, repeat: str) -> Mapping[str, Any]:
        muted = [_interval(mute) for mute in mutes if number in mute.sev]
        return {
            "receiver": names[number], "matchers": [f'sev="{number}"'], "group_by": by, **timers(wait, interval, repeat),
            **({"mute_time_intervals": muted} if muted else {}),
        }  # fmt: skip

    return {
        "receiver": names["3"],
        "matchers": ['alertname=~"Truegreen.+"'],
        "group_by": ["service", "environment", "slo"],
        "routes": [
            {
                "receiver": names[WATCHDOG],
                "matchers": [f'alertname="{records.WATCHDOG}"'],
                **timers("30s", "1m", "5m"),
                "group_wait": "0s",
            },
            sev("1", ["service", "environment"], "10s", "5m", "1h"),
            sev("2", ["service", "environment", "slo"], "30s", "5m", "4h"),
            sev("3", ["service", "environment", "slo", "alertname"], "5m", "1h", "3d"),
        ],
    }


def inhibitions(every: tuple[Judged, ...]) -> list[Mapping[str, Any]]:
    """Who is silent while another speaks: within one SLO all three identity labels must be equal, between SLOs service and environment."""
    burn, named = f'alertname="{records.BUDGET_BURN}"', 'service!=""'
    within, between = ["service", "environment", "slo"], ["service", "environment"]
    low = 'sev=~"2|3"'

    def rule(source: list[str], target: list[str], equal: list[str]) -> Mapping[str, Any]:
        return {"source_matchers": [*source, named], "target_matchers": [*target, low, named], "equal": equal}

    made = [
        rule([burn, 'burn_tier="fast"'], [burn, 'burn_tier=~"slow|ticket"'], within),
        rule([burn, 'burn_tier="slow"'], [burn, 'burn_tier="ticket"'], within),
        # A page says all that the notification says which it was raised from, and which holds on for its hour.
        *(rule([burn, tier, 'sev="1"'], [burn, tier], within) for tier in ('burn_tier="fast"', 'burn_tier="slow"')),
        rule(['layer="infrastructure"', 'sev=~"1|2"'], ['layer="quality"'], between),
        rule(['failure_mode="retrieval"', 'sev=~"1|2"'], ['layer="quality"', 'failure_mode!="retrieval"'], between),
        rule([f'alertname="{EVALUATOR_STALLED}"'], [f'alertname="{SAMPLING_FELL}"'], [*between, "evaluation"]),
    ]
    if any(what.slo.cohorts or what.slo.detectors for what in every):
        # Of an SLO that burns, these say the same once more.
        again = f"alertname=~{quoted(any_of(_AGAIN))}"
        made.append(rule([burn, 'burn_tier=~"fast|slow"', 'sev=~"1|2"'], [again], within))
    evaluated: dict[str, list[str]] = {}
    for what in every:
        if isinstance(what.slo.sli, EvaluationSli):
            evaluated.setdefault(what.slo.sli.evaluation, []).append(what.slo.name)
    for evaluation, slos in sorted(evaluated.items()):
        stalled = [f'alertname="{EVALUATOR_STALLED}"', f'evaluation="{evaluation}"']
        made.append(rule(stalled, [burn, 'sev="3"', f'slo=~"{any_of(sorted(slos))}"'], between))
    return made
