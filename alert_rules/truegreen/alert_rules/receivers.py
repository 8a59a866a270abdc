"""Alertmanager receivers: a target of `truegreen.yaml` to the configuration of its kind, with secrets read from files only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from truegreen.alert_rules.templates import TRACES, called
from truegreen.alert_rules.text import literal
from truegreen.core.config.model import Routes, Target
from truegreen.core.config.routes import WATCHDOG, version

SEVS: Final = ("1", "2", "3")
MOST_ALERTS: Final = 100
"""In one webhook request; `truncatedAlerts` says how many more there are."""
ROOTLY: Final = "https://webhooks.rootly.com/webhooks/incoming/alertmanager_webhooks"
"""https://docs.rootly.com/integrations/alertmanager"""
SLACK_API: Final = "https://slack.com/api/chat.postMessage"
NATIVE_INCIDENTIO: Final = (0, 29)
"""The first Alertmanager that has a receiver for incident.io: older ones post the same body as a webhook."""
TRIMS_OPSGENIE: Final = (0, 28)
"""The first Alertmanager that takes a line end off Opsgenie's key; before it, a key with one is no HTTP header."""

Configs = Mapping[str, Any]


def told(routes: Routes, key: str) -> tuple[Target, ...]:
    """Whom a sev, or the watchdog, is told to: `routes.webhooks` and `routes.targets` together."""
    hook = (Target("webhook", url=routes.webhooks[key]),) if key in routes.webhooks else ()
    return tuple(dict.fromkeys((*hook, *routes.targets.get(key, ()))))


def receivers(routes: Routes) -> list[Configs]:
    """A receiver for each sev that is told to somebody, and the watchdog's; sevs that share a name share one, and tell each target once."""
    named: dict[str, list[Target]] = {}
    for sev in SEVS:
        if found := told(routes, sev):
            named.setdefault(routes.receivers[sev], []).extend(found)
    made = [_receiver(each, dict.fromkeys(targets), routes.alertmanager, resolved=True) for each, targets in named.items()]
    # That the watchdog came back is no news to a service that waits for it.
    return [*made, _receiver(routes.receivers[WATCHDOG], told(routes, WATCHDOG), routes.alertmanager, resolved=False)]


def remarks(routes: Routes) -> list[str]:
    """What somebody must know of the targets, in sentences."""
    kinds = {target.type for key in (*SEVS, WATCHDOG) for target in told(routes, key)}
    lacking = [sev for sev in SEVS if not told(routes, sev)]
    said = [f"No target for sev {', '.join(lacking)}: alertmanager.yml tells nobody of it."] if kinds and lacking else []
    if "opsgenie" in kinds:
        said.append("Atlassian switches the API of Opsgenie off on 5 April 2027.")
        if version(routes.alertmanager) < TRIMS_OPSGENIE:
            said.append(
                "The file with Opsgenie's key must not end in a new line: this Alertmanager would send it along (write it with printf)."
            )
    return said


def _receiver(name: str, targets: Iterable[Target], alertmanager: str, *, resolved: bool) -> Configs:
    made: dict[str, list[Configs]] = {}
    for target in targets:
        section, config = _config(target, version(alertmanager))
        made.setdefault(f"{section}_configs", []).append({**config, "send_resolved": resolved})
    return {"name": name, **made}


def _config(target: Target, alertmanager: tuple[int, ...]) -> tuple[str, Configs]:
    match target.type:
        case "pagerduty":
            return "pagerduty", _pagerduty(target)
        case "opsgenie":
            return "opsgenie", _opsgenie(target)
        case "slack":
            return "slack", _slack(target)
        case "incidentio" if alertmanager >= NATIVE_INCIDENTIO:
            # Its own key for the token would be read once, when Alertmanager starts, and stop it where there is no file yet.
            return "incidentio", {"url": target.url, **_bearer(target)}
        case "rootly":
            return "webhook", {"url": target.url or ROOTLY, **_bearer(target), "max_alerts": MOST_ALERTS}
    address = {"url": target.url, **_bearer(target)} if target.url else {"url_file": target.secret_file}
    return "webhook", {**address, "max_alerts": MOST_ALERTS}


def _bearer(target: Target) -> Configs:
    return {"http_config": {"authorization": {"credentials_file": target.secret_file}}} if target.secret_file else {}


def _pagerduty(target: Target) -> Configs:
    links = {"Board": "board", "Runbook": "runbook", **{f"Failing trace {number}": f"trace{number}" for number in TRACES}}
    return {
        "routing_key_file": target.secret_file,
        **({"url": target.url} if target.url else {}),
        "description": called("title"),
        "severity": called("pagerduty.severity"),
        "source": called("source"),
        "class": called("mode"),
        "client": "truegreen",
        "client_url": called("board"),
        "details": {**_details(), "firing": called("text"), "resolved": called("resolved")},
        # A link without an address is left out by Alertmanager.
        "links": [{"href": called(name), "text": text} for text, name in links.items()],
    }


def _opsgenie(target: Target) -> Configs:
    return {
        "api_key_file": target.secret_file,
        **({"api_url": target.url} if target.url else {}),
        "message": called("title"),
        "description": called("text"),
        "source": "truegreen",
        "entity": called("source"),
        "priority": called("opsgenie.priority"),
        "tags": f"truegreen,{called('mode')}",
        "details": _details(),
    }


def _slack(target: Target) -> Configs:
    app = {"api_url": target.url or SLACK_API, **_bearer(target), "channel": literal(target.channel)}
    return {
        **(app if target.channel else {"api_url_file": target.secret_file}),
        "color": called("slack.color"),
        "title": called("slack.title"),
        "title_link": called("board"),
        "text": called("slack.text"),
        "fallback": called("slack.title"),
        "mrkdwn_in": ["text"],
    }


def _details() -> Mapping[str, str]:
    names = {
        "failure_mode": "mode",
        "first_suspect": "suspect",
        "failing_traces": "traces",
        "dashboard": "board",
        "runbook": "runbook",
        "next": "next",
    }
    return {key: called(name) for key, name in names.items()}
