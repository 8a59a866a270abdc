"""Grafana's provisioning: where the data comes from, where an exemplar leads, where the boards lie."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote, urlsplit

import yaml

from truegreen.core.clients import http
from truegreen.core.config.model import Config
from truegreen.core.words import boards

FOLDER: Final = "/etc/grafana/truegreen"
TRACES: Final = "truegreen-traces"
ALERTS: Final = "truegreen-alerts"
PROMETHEUS_PASSWORD: Final = "TRUEGREEN_PROMETHEUS_PASSWORD"  # the name of a variable
ALERTMANAGER_PASSWORD: Final = "TRUEGREEN_ALERTMANAGER_PASSWORD"  # the name of a variable
_LANGFUSE: Final = "langfuse"


def sources(config: Config, scrape_seconds: int) -> str:
    """Data sources: Prometheus, Tempo, Alertmanager. An exemplar leads to `routes.trace_url`, where that is set, and to the Tempo.

    No password of an address is written: Grafana fills in its own environment's `PROMETHEUS_PASSWORD` and `ALERTMANAGER_PASSWORD`.
    """
    prometheus: dict[str, Any] = {
        "name": "truegreen", "uid": "truegreen", "type": "prometheus", "access": "proxy", **_server(config.incidents.prometheus_url, PROMETHEUS_PASSWORD),
        "jsonData": {"timeInterval": f"{scrape_seconds}s", "httpMethod": "POST", "alertmanagerUid": ALERTS,
                     "exemplarTraceIdDestinations": [*_trace(config.routes.trace_url), {"name": "trace_id", "datasourceUid": TRACES}]},
    }  # fmt: skip
    tempo = {"name": "truegreen traces", "uid": TRACES, "type": "tempo", "access": "proxy", "url": "http://127.0.0.1:3200"}
    alertmanager = {
        "name": "truegreen alerts", "uid": ALERTS, "type": "alertmanager", "access": "proxy", **_server(config.incidents.alertmanager_url, ALERTMANAGER_PASSWORD),
        "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
    }  # fmt: skip
    says = "Copy to Grafana's provisioning/datasources/. Where there is no Tempo, its links lead nowhere: take it out here."
    if wanted := passwords(config):
        says += f" Passwords are not in here: give Grafana's own process {' and '.join(wanted)}."
    return _text(says, {"apiVersion": 1, "datasources": [prometheus, tempo, alertmanager]})


def passwords(config: Config) -> tuple[str, ...]:
    """The variables of Grafana's environment that hold the passwords of the data sources; none where no address has a user."""
    addresses = (
        (config.incidents.prometheus_url, PROMETHEUS_PASSWORD),
        (config.incidents.alertmanager_url, ALERTMANAGER_PASSWORD),
    )
    return tuple(name for url, name in addresses if urlsplit(url).username)


def _server(url: str, password: str) -> dict[str, Any]:
    # The variable without braces: Grafana would fill in a dollar sign inside of the password of one with braces.
    user = unquote(urlsplit(url).username or "")
    known = {"basicAuth": True, "basicAuthUser": _literal(user), "secureJsonData": {"basicAuthPassword": f"${password}"}}
    return {"url": _literal(http.bare(url)), **(known if user else {})}


def _literal(text: str) -> str:
    # Grafana fills in variables of its environment wherever there is a dollar sign; two stand for one.
    return text.replace("$", "$$")


def _trace(address: str) -> list[dict[str, str]]:
    if not address:
        return []
    host = urlsplit(address).hostname or address
    url = _literal(address).replace("{trace_id}", _literal("${__value.raw}"))
    return [{"name": "trace_id", "url": url, "urlDisplayLabel": "Langfuse" if _LANGFUSE in host else host}]


def provider() -> str:
    """The dashboard provider: the boards lie in `FOLDER`, and come into the folder that a push uses too."""
    provided = {
        "name": "truegreen", "folder": "truegreen", "folderUid": boards.FOLDER_UID, "type": "file", "disableDeletion": True, "allowUiUpdates": False,
        "updateIntervalSeconds": 30, "options": {"path": FOLDER},
    }  # fmt: skip
    return _text(
        f"Copy to Grafana's provisioning/dashboards/, and the boards (*.json) to {FOLDER}/.",
        {"apiVersion": 1, "providers": [provided]},
    )


def _text(says: str, data: Any) -> str:
    return f"# {says}\n" + yaml.safe_dump(data, sort_keys=False, default_flow_style=False, width=130)
