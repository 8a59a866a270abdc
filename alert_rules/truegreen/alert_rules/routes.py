"""Alertmanager: a fragment for below a team's own root, and a whole file for who has none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from truegreen.alert_rules.model import Judged
from truegreen.alert_rules.text import any_of, to_yaml
from truegreen.alert_rules.watchers import EVALUATOR_STALLED, SAMPLING_FELL
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import records
from truegreen.core.words.slo import EvaluationSli

NULL: Final = "null"
"""A receiver that sends nothing."""
SEVS: Final = ("1", "2", "3")
_PASTE: Final = """Routes and inhibitions of truegreen, for below your own root.

  route:
    receiver: yours
    routes:
      - ...                 # paste the entry of `routes` here: it takes the alerts named Truegreen… and no others
  inhibit_rules:
    - ...                   # paste the entries of `inhibit_rules` here

The receivers {receivers} must be yours: name them under routes.receivers in truegreen.yaml.
A sev 1 is never inhibited. Each inhibition asks for a service, so that an alert without one silences nothing.
Where the watchdog goes, point an outside service: it must notice when TruegreenWatchdog stops."""
_WHOLE: Final = """A whole Alertmanager configuration, for who has none: webhooks from routes.webhooks in truegreen.yaml.
A sev without a webhook, and whatever is not truegreen's, goes to the receiver "null", which sends nothing."""


def fragment(routes: Routes, every: tuple[Judged, ...], clock: Clock) -> str:
    """`routes.yml`."""
    names = {sev: routes.receivers[sev] for sev in SEVS}
    return to_yaml(
        {"routes": [_tree(names, names["3"], clock)], "inhibit_rules": inhibitions(every)},
        _PASTE.format(receivers=", ".join(dict.fromkeys(names.values()))),
    )


def whole(routes: Routes, every: tuple[Judged, ...], clock: Clock) -> str:
    """`alertmanager.yml`."""
    names = {sev: routes.receivers[sev] if routes.webhooks.get(sev) else NULL for sev in SEVS}
    # Two sevs may share a receiver's name: then it posts to both addresses.
    hooks: dict[str, list[Mapping[str, Any]]] = {}
    for sev in SEVS:
        if names[sev] != NULL:
            hooks.setdefault(names[sev], []).append({"url": routes.webhooks[sev], "send_resolved": True, "max_alerts": 100})
    receivers = [{"name": NULL}, *({"name": name, "webhook_configs": configs} for name, configs in hooks.items())]
    root = {
        "receiver": NULL, "group_by": ["service", "environment", "slo"], "group_wait": clock.text("30s"), "group_interval": clock.text("5m"),
        "repeat_interval": clock.text("12h"), "routes": [_tree(names, NULL, clock)],
    }  # fmt: skip
    return to_yaml({"route": root, "receivers": receivers, "inhibit_rules": inhibitions(every)}, _WHOLE)


def _tree(names: Mapping[str, str], watchdog: str, clock: Clock) -> Mapping[str, Any]:
    def timers(wait: str, interval: str, repeat: str) -> Mapping[str, str]:
        return {"group_wait": clock.text(wait), "group_interval": clock.text(interval), "repeat_interval": clock.text(repeat)}

    def sev(number: str, by: list[str], wait: str, interval: str, repeat: str) -> Mapping[str, Any]:
        return {"receiver": names[number], "matchers": [f'sev="{number}"'], "group_by": by, **timers(wait, interval, repeat)}

    return {
        "receiver": names["3"],
        "matchers": ['alertname=~"Truegreen.+"'],
        "group_by": ["service", "environment", "slo"],
        "routes": [
            {
                "receiver": watchdog,
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
        rule(['layer="infrastructure"', 'sev=~"1|2"'], ['layer="quality"'], between),
        rule(['failure_mode="retrieval"', 'sev=~"1|2"'], ['layer="quality"', 'failure_mode!="retrieval"'], between),
        rule([f'alertname="{EVALUATOR_STALLED}"'], [f'alertname="{SAMPLING_FELL}"'], [*between, "evaluation"]),
    ]
    evaluated: dict[str, list[str]] = {}
    for what in every:
        if isinstance(what.slo.sli, EvaluationSli):
            evaluated.setdefault(what.slo.sli.evaluation, []).append(what.slo.name)
    for evaluation, slos in sorted(evaluated.items()):
        stalled = [f'alertname="{EVALUATOR_STALLED}"', f'evaluation="{evaluation}"']
        made.append(rule(stalled, [burn, 'sev="3"', f'slo=~"{any_of(sorted(slos))}"'], between))
    return made
