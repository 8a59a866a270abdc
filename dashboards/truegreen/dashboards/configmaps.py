"""The boards and data sources as ConfigMaps, for the sidecar that Grafana's Helm chart runs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from truegreen.core.generate import MARK
from truegreen.dashboards.model import Json

HEAD: Final = f"""\
# {MARK} dashboards`. Apply where Grafana runs: kubectl apply -n NAMESPACE -f boards.yaml
# The chart's values (grafana, or grafana: in kube-prometheus-stack) switch its sidecar on; without the last two lines the boards come into no folder:
#   sidecar:
#     datasources: {{enabled: true}}
#     dashboards:
#       enabled: true
#       folderAnnotation: grafana_folder
#       provider: {{foldersFromFilesStructure: true}}
# A Grafana that gets its boards in this way refuses `truegreen dashboard push`. The data sources come last: take them out where you have your own.
"""
LARGEST: Final = 262_144
"""Bytes that `kubectl apply` can keep of an object in its annotation."""


def file(boards: Mapping[str, Json], sources: str) -> str:
    """The text of `kubernetes/boards.yaml`.

    Args:
        boards: file name, such as `overview.json`, to board.
        sources: the provisioning of the data sources.
    """
    # Written as text: a literal block holds JSON as it is, and a YAML emitter looks at each of half a million characters.
    made = [
        _object(f"truegreen-board-{name.removesuffix('.json')}", "grafana_dashboard", name,
                json.dumps(board, separators=(",", ":"), sort_keys=True), "\n  annotations:\n    grafana_folder: truegreen")
        for name, board in boards.items()
    ]  # fmt: skip
    return HEAD + "".join(
        [*made, _object("truegreen-datasources", "grafana_datasource", "truegreen-datasources.yaml", sources, "")]
    )


def _object(name: str, label: str, key: str, text: str, more: str) -> str:
    inside = "\n".join(f"    {line}" for line in text.rstrip("\n").split("\n"))
    return f"""\
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {name}
  labels:
    app.kubernetes.io/name: {name}
    app.kubernetes.io/part-of: truegreen
    {label}: "1"{more}
data:
  {key}: |
{inside}
"""
