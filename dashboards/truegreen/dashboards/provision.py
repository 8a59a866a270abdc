"""Grafana's provisioning: where the data comes from, where an exemplar leads, where the boards lie."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import yaml

from truegreen.core.config.model import Config
from truegreen.core.words import boards

FOLDER: Final = "/etc/grafana/truegreen"
TRACES: Final = "truegreen-traces"
ALERTS: Final = "truegreen-alerts"
_LANGFUSE: Final = "langfuse"


def sources(config: Config, scrape_seconds: int) -> str:
    """Data sources: Prometheus, Tempo, Alertmanager. An exemplar leads to `routes.trace_url`, where that is set, and to the Tempo."""
    prometheus: dict[str, Any] = {
        "name": "truegreen", "uid": "truegreen", "type": "prometheus", "access": "proxy", "url": config.incidents.prometheus_url,
        "jsonData": {"timeInterval": f"{scrape_seconds}s", "httpMethod": "POST", "alertmanagerUid": ALERTS,
                     "exemplarTraceIdDestinations": [*_trace(config.routes.trace_url), {"name": "trace_id", "datasourceUid": TRACES}]},
    }  # fmt: skip
    tempo = {"name": "truegreen traces", "uid": TRACES, "type": "tempo", "access": "proxy", "url": "http://127.0.0.1:3200"}
    alertmanager = {
        "name": "truegreen alerts", "uid": ALERTS, "type": "alertmanager", "access": "proxy", "url": config.incidents.alertmanager_url,
        "jsonData": {"implementation": "prometheus", "handleGrafanaManagedAlerts": False},
    }  # fmt: skip
    return _text(
        "Copy to Grafana's provisioning/datasources/. Where there is no Tempo, its links lead nowhere: take it out here.",
        {"apiVersion": 1, "datasources": [prometheus, tempo, alertmanager]},
    )


def _trace(address: str) -> list[dict[str, str]]:
    if not address:
        return []
    host = urlsplit(address).hostname or address
    # Grafana fills in environment variables here, so its own variables are written with two dollar signs.
    url = address.replace("$", "$$").replace("{trace_id}", "$${__value.raw}")
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
