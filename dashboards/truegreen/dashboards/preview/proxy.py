"""Questions of the page, passed on to a Prometheus: five paths, their parameters, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from truegreen.core.clients import http
from truegreen.core.clients.http import Params, Server
from truegreen.core.errors import Failed

LONGEST_ANSWER: Final = 64 * 2**20
"""Bytes: a browser that must draw more than that has stopped answering."""
_TIMES: Final = frozenset({"start", "end"})
_ASKED: Final = {
    "query": frozenset({"query", "time"}),
    "query_range": _TIMES | {"query", "step"},
    "query_exemplars": _TIMES | {"query"},
    "series": _TIMES | {"match[]"},
}
_VALUES: Final = re.compile(r"label/\w+/values", re.ASCII)
_PREFIX: Final = "/api/v1/"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back: a status, the kind of the content, the content; `packed` when it is gzip."""

    status: int
    kind: str
    body: bytes
    packed: bool = False
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Upstream:
    """A Prometheus and the connections that are kept open to it."""

    server: Server
    client: httpx.Client


def failed(status: int, words: str) -> Answer:
    """An error as Prometheus writes one, so that the page says its words in the panel."""
    return of_json({"status": "error", "errorType": "preview", "error": words}, status)


def of_json(value: Any, status: int = 200) -> Answer:
    """A JSON answer."""
    return Answer(status, "application/json", json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())


def pass_on(upstream: Upstream, path: str, params: Params) -> Answer:
    """Prometheus's own answer to a question below `/api/v1/`; an error in words where there is none, or none that is JSON."""
    name = path.removeprefix(_PREFIX)
    allowed = _TIMES | {"match[]"} if _VALUES.fullmatch(name) else _ASKED.get(name)
    if allowed is None:
        return failed(404, f"{path} is not passed on: the preview asks {', '.join(_ASKED)} and label/NAME/values")
    if unknown := sorted({key for key, _ in params} - allowed):
        return failed(400, f"{path} is not asked with {', '.join(unknown)}")
    server = upstream.server
    where = f"{server.name} at {http.bare(server.url)}"
    try:
        with upstream.client.stream("GET", http.address(server, path), params=list(params)) as answer:
            body = _whole(answer)
    except httpx.TransportError as error:
        return failed(504 if isinstance(error, httpx.ReadTimeout) else 502, str(http.unreached(server, error)))
    except (httpx.HTTPError, httpx.InvalidURL, Failed) as error:
        return failed(502, f"{where} cannot be asked: {error}")
    if body is None:
        return failed(502, f"{where} answers more than {LONGEST_ANSWER // 2**20} MiB: choose a shorter time or fewer series")
    if answer.status_code in (401, 403):
        return failed(
            answer.status_code, f"{where} answered {answer.status_code}; give it credentials: TRUEGREEN_PROMETHEUS_TOKEN"
        )
    if "json" in answer.headers.get("Content-Type", "") and not answer.is_redirect:
        return Answer(answer.status_code, "application/json", body)
    return failed(502, f"{where} answered {answer.status_code}, and not as Prometheus does: is it its address?")


def _whole(answer: httpx.Response) -> bytes | None:
    parts, size = [], 0
    for part in answer.iter_bytes():
        size += len(part)
        if size > LONGEST_ANSWER:
            return None
        parts.append(part)
    return b"".join(parts)
