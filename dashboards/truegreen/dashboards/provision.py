"""Grafana's provisioning: where the data comes from, where an exemplar leads, where the boards lie."""

from __future__ import annotations

from typing import Any

import yaml

from truegreen.core.config.model import Config

FOLDER = "/etc/grafana/truegreen"
TRACES = "truegreen-traces"


def sources(config: Config, scrape_seconds: int) -> str:
    """Data sources. Exemplars lead to `routes.trace_url` where it is set, else to a Tempo, which is provisioned with them."""
    address = config.routes.trace_url
    # Grafana fills in environment variables here, so its own variables are written with two dollar signs.
    target = {"url": address.replace("{trace_id}", "$${__value.raw}")} if address else {"datasourceUid": TRACES}
    prometheus: dict[str, Any] = {
        "name": "truegreen", "uid": "truegreen", "type": "prometheus", "access": "proxy", "url": config.incidents.prometheus_url,
        "jsonData": {"timeInterval": f"{scrape_seconds}s", "httpMethod": "POST", "exemplarTraceIdDestinations": [{"name": "trace_id", **target}]},
    }  # fmt: skip
    tempo = {"name": "truegreen traces", "uid": TRACES, "type": "tempo", "access": "proxy", "url": "http://127.0.0.1:3200"}
    return _text(
        "Copy to Grafana's provisioning/datasources/.",
        {"apiVersion": 1, "datasources": [prometheus, *([] if address else [tempo])]},
    )


def provider() -> str:
    """The dashboard provider: the boards lie in `FOLDER`."""
    boards = {
        "name": "truegreen", "folder": "truegreen", "type": "file", "disableDeletion": True, "allowUiUpdates": False, "updateIntervalSeconds": 30,
        "options": {"path": FOLDER},
    }  # fmt: skip
    return _text(
        f"Copy to Grafana's provisioning/dashboards/, and the boards (*.json) to {FOLDER}/.",
        {"apiVersion": 1, "providers": [boards]},
    )


def _text(says: str, data: Any) -> str:
    return f"# {says}\n" + yaml.safe_dump(data, sort_keys=False, default_flow_style=False, width=130)
