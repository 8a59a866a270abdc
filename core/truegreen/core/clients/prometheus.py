"""What Prometheus (2.42 or newer, or what speaks its HTTP API) is asked: samples, series, rules, alerts, targets, retention."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed

HINT: Final = "start it or name another with --prometheus-url"
HOUR: Final = 3_600.0
FEW: Final = 20_000
MANY: Final = 500_000
"""Points of one answer: under FEW the next chunk is twice as long, over MANY half as long (some 40 MB of JSON)."""
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0, "y": 31536000.0}


@dataclass(frozen=True, slots=True)
class Sample:
    """One value; `time` in seconds since 1970. `labels` has `__name__` when the series has one."""

    labels: Mapping[str, str]
    value: float
    time: float


@dataclass(frozen=True, slots=True)
class Series:
    """Values over time: (seconds since 1970, value), oldest first."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Rule:
    """A loaded rule.

    Args:
        kind: `alerting` or `recording`.
        state: `inactive`, `pending` or `firing`; empty for a recording rule.
        health: `ok`, `err` or `unknown`; `error` has its last error.
        seconds_for: an alert's `for`, seconds.
    """

    group: str
    file: str
    name: str
    kind: str
    query: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    health: str
    error: str
    state: str
    seconds_for: float


@dataclass(frozen=True, slots=True)
class Alert:
    """An active alert: `state` is `pending` or `firing`, `since` in seconds since 1970."""

    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    state: str
    since: float
    value: float


@dataclass(frozen=True, slots=True)
class Target:
    """A scraped target: `health` is `up`, `down` or `unknown`; `interval` in seconds."""

    job: str
    address: str
    labels: Mapping[str, str]
    health: str
    error: str
    interval: float


def connect(url: str, environ: Mapping[str, str] = os.environ, hint: str = HINT) -> Server:
    """The Prometheus at `url`, with the token of TRUEGREEN_PROMETHEUS_TOKEN (or _FILE) when there is one."""
    return Server("Prometheus", url, hint, token=http.secret("TRUEGREEN_PROMETHEUS_TOKEN", environ))


def query(server: Server, expression: str, time: float | None = None) -> list[Sample]:
    """The value of a PromQL expression at `time` (seconds since 1970, default now).

    A scalar is one sample without labels; a range selector gives every raw sample in its range.

    Raises:
        Failed: Prometheus does not answer, or refuses the expression (with its words).
    """
    at = [] if time is None else [("time", repr(time))]
    path = "/api/v1/query"
    data = _data(server, path, [("query", expression), *at])
    return http.shaped(server, path, data, _samples)


def query_range(server: Server, expression: str, start: float, end: float, step: float) -> list[Series]:
    """The values of a PromQL expression from `start` to `end` (seconds since 1970), every `step` seconds; raises as `query`."""
    path = "/api/v1/query_range"
    data = _data(server, path, [("query", expression), ("start", repr(start)), ("end", repr(end)), ("step", repr(step))])
    return http.shaped(server, path, data, lambda found: [_series(item) for item in found["result"]])


def raw(server: Server, selector: str, start: float, end: float) -> Iterator[list[Series]]:
    """The stored samples of a selector from `start` to `end` (seconds since 1970), oldest first, in chunks of a minute to a day; raises as `query`.

    A sample on the border of two chunks is given once, whether the server counts a range with its first moment (2) or without (3).
    """
    path, last, chunk = "/api/v1/query", start - 0.001, HOUR
    while last < end:
        until = min(last + chunk, end)
        # One second more than the chunk, and what lies before it is left out: no border is lost or doubled.
        length = max(1, round((until - last) * 1_000) + 1_000)
        data = _data(server, path, [("query", f"{selector}[{length}ms]"), ("time", repr(until))])
        found = http.shaped(server, path, data, lambda told: [_series(item) for item in told["result"]])
        kept = [Series(one.labels, tuple(point for point in one.points if last < point[0] <= until)) for one in found]
        yield [one for one in kept if one.points]
        last = until
        points = sum(len(one.points) for one in kept)
        chunk = min(2 * chunk, 24 * HOUR) if points < FEW else max(chunk / 2, 60.0) if points > MANY else chunk


def label_values(server: Server, label: str, selector: str = "") -> list[str]:
    """The values that a label has in its stored series, in those of a selector where one is given; raises as `query`."""
    path = f"/api/v1/label/{label}/values"
    asked = _data(server, path, [("match[]", selector)] if selector else [])
    return http.shaped(server, path, asked, lambda found: [str(value) for value in found])


def rules(server: Server) -> list[Rule]:
    """Every loaded rule."""
    path = "/api/v1/rules"
    return http.shaped(
        server,
        path,
        _data(server, path),
        lambda data: [_rule(group, rule) for group in data["groups"] for rule in group["rules"]],
    )


def alerts(server: Server) -> list[Alert]:
    """Every pending or firing alert."""
    path = "/api/v1/alerts"
    return http.shaped(server, path, _data(server, path), lambda data: [_alert(item) for item in data["alerts"]])


def targets(server: Server) -> list[Target]:
    """Every active target."""
    path = "/api/v1/targets"
    return http.shaped(
        server, path, _data(server, path, [("state", "active")]), lambda data: [_target(item) for item in data["activeTargets"]]
    )


def runtimeinfo(server: Server) -> Mapping[str, Any]:
    """Prometheus's own account of itself: start time, last reload (`reloadConfigSuccess`), `storageRetention`."""
    return _mapping(server, "/api/v1/status/runtimeinfo")


def buildinfo(server: Server) -> Mapping[str, Any]:
    """Its `version` and how it was built."""
    return _mapping(server, "/api/v1/status/buildinfo")


def flags(server: Server) -> Mapping[str, Any]:
    """Its command-line flags, names without dashes."""
    return _mapping(server, "/api/v1/status/flags")


def retention(server: Server) -> float | None:
    """Seconds that samples are kept; None when it does not say (kept by size alone, or an engine without that call)."""
    try:
        told = runtimeinfo(server).get("storageRetention", "")
    except http.HttpFailed as error:
        if error.status == http.NOT_FOUND:
            return None
        raise
    found = (duration(part.strip()) for part in str(told).split(" or "))
    return next((seconds for seconds in found if seconds is not None), None)


def duration(text: str) -> float | None:
    """Seconds of a Prometheus duration such as `1d12h`; None when it is not one."""
    parts = re.findall(r"(\d+)(ms|[smhdwy])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        return None
    return sum(int(number) * _UNITS[unit] for number, unit in parts)


def _data(server: Server, path: str, params: http.Params = ()) -> Any:
    answer = http.get(server, path, params)
    if not isinstance(answer, dict) or answer.get("status") != "success" or "data" not in answer:
        raise Failed(f"what {http.bare(server.url)}{path} answers is JSON, but not {server.name}'s: {server.hint}")
    return answer["data"]


def _mapping(server: Server, path: str) -> Mapping[str, Any]:
    return http.shaped(server, path, _data(server, path), lambda data: {str(key): value for key, value in data.items()})


def _samples(data: Any) -> list[Sample]:
    result = data["result"]
    if data["resultType"] == "scalar":
        return [Sample({}, float(result[1]), float(result[0]))]
    if data["resultType"] == "vector":
        return [Sample(item["metric"], float(item["value"][1]), float(item["value"][0])) for item in result]
    return [Sample(series.labels, value, time) for series in map(_series, result) for time, value in series.points]


def _series(item: Any) -> Series:
    return Series(item["metric"], tuple((float(time), float(value)) for time, value in item["values"]))


def _rule(group: Any, rule: Any) -> Rule:
    return Rule(
        group=group["name"],
        file=group["file"],
        name=rule["name"],
        kind=rule["type"],
        query=rule["query"],
        labels=rule.get("labels") or {},
        annotations=rule.get("annotations") or {},
        health=rule["health"],
        error=rule.get("lastError", ""),
        state=rule.get("state", ""),
        seconds_for=float(rule.get("duration", 0)),
    )


def _alert(item: Any) -> Alert:
    return Alert(
        labels=item["labels"],
        annotations=item.get("annotations") or {},
        state=item["state"],
        since=datetime.fromisoformat(item["activeAt"]).timestamp(),
        value=float(item["value"]),
    )


def _target(item: Any) -> Target:
    labels = item["labels"]
    return Target(
        job=labels.get("job", ""),
        address=item["scrapeUrl"],
        labels=labels,
        health=item["health"],
        error=item["lastError"],
        interval=duration(item.get("scrapeInterval", "")) or 0.0,
    )
