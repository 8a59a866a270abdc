"""What Alertmanager (0.25 or newer, API v2) is asked: its alerts and its state."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.clients.http import Server

HINT: Final = "start it or name another with --alertmanager-url"


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as Alertmanager holds it.

    Args:
        state: `active`, `suppressed` (silenced or inhibited) or `unprocessed`.
        starts, ends: seconds since 1970.
        receivers: names of the receivers that it is routed to.
        generator: the link that Prometheus put on it.
    """

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    starts: float
    ends: float
    receivers: tuple[str, ...]
    silenced_by: tuple[str, ...]
    inhibited_by: tuple[str, ...]
    fingerprint: str
    generator: str


def connect(url: str, environ: Mapping[str, str] = os.environ, hint: str = HINT) -> Server:
    """The Alertmanager at `url`, with the token of TRUEGREEN_ALERTMANAGER_TOKEN (or _FILE) when there is one."""
    return Server("Alertmanager", url, hint, token=http.secret("TRUEGREEN_ALERTMANAGER_TOKEN", environ))


def alerts(
    server: Server, *, active: bool = True, silenced: bool = True, inhibited: bool = True, matchers: Sequence[str] = ()
) -> list[Alert]:
    """The alerts that have not ended.

    Args:
        server: from `connect`.
        active, silenced, inhibited: which of them are wanted.
        matchers: all must hold, each as `sev="1"`.

    Raises:
        Failed: Alertmanager does not answer, or refuses a matcher.
    """
    path = "/api/v2/alerts"
    wanted = [("active", active), ("silenced", silenced), ("inhibited", inhibited)]
    params = [(name, str(value).lower()) for name, value in wanted] + [("filter", matcher) for matcher in matchers]
    return http.shaped(server, path, http.get(server, path, params), lambda found: [_alert(item) for item in found])


def version(server: Server) -> str:
    """Its version, such as `0.25.0`; empty when it was built without one."""
    path = "/api/v2/status"
    return http.shaped(server, path, http.get(server, path), lambda found: str(found["versionInfo"]["version"]))


def _alert(item: Any) -> Alert:
    status = item["status"]
    return Alert(
        labels=item["labels"],
        annotations=item.get("annotations") or {},
        state=status["state"],
        starts=datetime.fromisoformat(item["startsAt"]).timestamp(),
        ends=datetime.fromisoformat(item["endsAt"]).timestamp(),
        receivers=tuple(receiver["name"] for receiver in item["receivers"]),
        silenced_by=tuple(status["silencedBy"]),
        inhibited_by=tuple(status["inhibitedBy"]),
        fingerprint=item["fingerprint"],
        generator=item.get("generatorURL", ""),
    )
