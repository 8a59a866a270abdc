"""What the far end counted of the canary: a collector's /metrics, or a Prometheus that scrapes it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

import httpx

from truegreen.core.clients import http, prometheus
from truegreen.core.clients.http import Server
from truegreen.core.errors import Failed
from truegreen.core.words import catalogue
from truegreen.core.words.promql import quoted, selector

SLICED: Final = catalogue.EVALUATIONS.prometheus
JUDGED: Final = catalogue.EVALUATED_ANSWERS.prometheus
"""What SLOs read."""
_LINE: Final = re.compile(r"(\w+)\{((?:[^\"}]|\"(?:[^\"\\]|\\.)*\")*)\} (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_HINT: Final = "start it or name another with --metrics"
_EITHER: Final = "collector or Prometheus"
Counts = Mapping[tuple[str, str, str], float]
"""By metric, model (of `SLICED` alone) and result."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Whose counts are read.

    Args:
        url: of a collector's pages, with or without /metrics, or of a Prometheus.
    """

    url: str
    service: str
    environment: str
    evaluation: str


def read(seen: Seen) -> Counts:
    """The counts now; raises `Failed` when nobody answers, `BadInput` when it is no address."""
    page = urlsplit(seen.url).path.rstrip("/").endswith("/metrics")
    if not page:
        try:
            return _from_prometheus(seen)
        except http.HttpFailed as error:
            if error.status != http.NOT_FOUND:
                raise
    return _from_page(seen, "" if page else "/metrics")


def grown(before: Counts, after: Counts, key: tuple[str, str, str]) -> float:
    """By how much a count grew; one that fell began anew."""
    old, new = before.get(key, 0.0), after.get(key, 0.0)
    return new - old if new >= old else new


def _from_prometheus(seen: Seen) -> Counts:
    # What answers neither as one nor with 404 may be anything.
    server = replace(prometheus.connect(seen.url, hint=_HINT), name=_EITHER)
    where = f"service={quoted(seen.service)}", f"environment={quoted(seen.environment)}", f"evaluation={quoted(seen.evaluation)}"
    sliced = prometheus.query(server, f"sum by (model, result) ({selector(SLICED, *where)})")
    judged = prometheus.query(server, f"sum by (result) ({selector(JUDGED, *where)})")
    found = {(SLICED, one.labels.get("model", ""), one.labels.get("result", "")): one.value for one in sliced}
    return found | {(JUDGED, "", one.labels.get("result", "")): one.value for one in judged}


def _from_page(seen: Seen, path: str) -> Counts:
    server = Server("the collector", seen.url, _HINT)
    where = http.address(server, path)
    try:
        with http.client(server) as sender:
            answer = sender.get(where, headers={"Accept": "text/plain"})
    except httpx.TransportError as error:
        raise http.unreached(server, error) from None
    if not answer.is_success:
        raise Failed(f"{http.bare(where)} answered {answer.status_code}: is it a collector or a Prometheus? ({_HINT})")
    return of_page(answer.text.splitlines(), seen)


def of_page(lines: Iterable[str], seen: Seen) -> Counts:
    """The counts in a page of metrics (text exposition)."""
    found: dict[tuple[str, str, str], float] = {}
    wanted = {"service": seen.service, "environment": seen.environment, "evaluation": seen.evaluation}
    for line in lines:
        told = _LINE.match(line) if line.startswith((SLICED, JUDGED)) else None
        if told is None or told[1] not in (SLICED, JUDGED):
            continue
        labels = {
            name: re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], value) for name, value in _LABEL.findall(told[2])
        }
        if wanted.items() <= labels.items():
            key = told[1], labels.get("model", "") if told[1] == SLICED else "", labels.get("result", "")
            found[key] = found.get(key, 0.0) + float(told[3])
    return found
