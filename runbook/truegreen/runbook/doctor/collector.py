"""Whether spans arrive at the collector, and with what evaluations need: its ports, its own counters, passages, a baseline."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import bare
from truegreen.core.words import catalogue
from truegreen.runbook.doctor.model import OK, SECONDS, UNKNOWN, WRONG, Env, Finding

ENDPOINT: Final = "OTEL_EXPORTER_OTLP_ENDPOINT"
TRACES: Final = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
PROTOCOL: Final = "OTEL_EXPORTER_OTLP_PROTOCOL"
SHARE: Final = 0.5
"""A service that skips more than half of its sampled answers for want of passages is not judged."""
_ACCEPTED: Final = catalogue.COLLECTOR_ACCEPTED_SPANS.prometheus
_EVALUATIONS: Final = catalogue.EVALUATIONS.prometheus


def port(env: Env) -> Finding:
    """Whether the collector listens where the application sends, and speaks the protocol that it sends."""
    name, asked = "port", env.config.collector
    variable = TRACES if env.environ.get(TRACES) else ENDPOINT
    given = env.environ.get(variable, "")
    protocol = env.environ.get("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL") or env.environ.get(PROTOCOL, "")
    places = {"http/protobuf": asked.http_endpoint, "grpc": asked.grpc_endpoint}
    http, grpc = (place.rpartition(":")[2] for place in places.values())
    if given:
        return _given(name, variable, given, protocol, http, grpc)
    closed = [f"{place} ({kind})" for kind, place in places.items() if not _open(place)]
    if len(closed) == len(places):
        return Finding(name, WRONG, f"nothing listens on {' or '.join(closed)}", "truegreen collect")
    there = " and ".join(place for place in places.values())
    return Finding(
        name,
        OK,
        f"the collector listens on {there}; spans are sent to nowhere that is said here ({ENDPOINT} is not set in this shell)",
    )


def _given(name: str, variable: str, given: str, protocol: str, http: str, grpc: str) -> Finding:
    """Of the place to which the application sends. It may have a user and a password, which are shown to nobody."""
    said = given.rpartition("@")[2]
    here = f"export {variable}=http://127.0.0.1:{http}"
    address = given if "//" in given else f"//{given}"
    try:
        parts = urlsplit(address)
        number = str(parts.port or (443 if parts.scheme == "https" else 80))
    except ValueError:
        parts = None
    if parts is None or not parts.hostname:
        return Finding(name, WRONG, f"{variable}={said} has no host and port that can be read", here)
    said = bare(address).removeprefix("//")
    if number == http and protocol == "grpc":
        return Finding(
            name, WRONG, f"gRPC is sent to {number}, where the collector speaks HTTP", f"export {PROTOCOL}=http/protobuf"
        )
    if number == grpc and protocol.startswith("http"):
        return Finding(name, WRONG, f"HTTP is sent to {number}, where the collector speaks gRPC", f"export {variable}=http://{parts.hostname}:{http}")  # fmt: skip
    if not _open(f"{parts.hostname}:{number}"):
        return Finding(
            name, WRONG, f"nothing listens on {parts.hostname}:{number}, where spans are sent ({variable}={said})", f"truegreen collect   # or {here}"
        )  # fmt: skip
    return Finding(name, OK, f"something listens on {parts.hostname}:{number}, where spans are sent ({variable}={said})")


def spans(env: Env) -> Finding:
    """Whether the collector took any span."""
    found = prom.query(env.soon(), f"sum({_ACCEPTED})")
    if not found:
        return Finding("spans", UNKNOWN, "Prometheus has no counter of the collector: it is not scraped", "scrape_config_files: [scrape.yml] (before Prometheus 2.43: copy its jobs)")  # fmt: skip
    start = f"start the application as: {ENDPOINT}=http://{env.config.collector.http_endpoint} {PROTOCOL}=http/protobuf opentelemetry-instrument python app.py"
    if found[0].value > 0:
        recent = prom.query(env.soon(), f"sum(increase({_ACCEPTED}[15m]))")
        said = f"{found[0].value:.0f} since it started" + (f", {recent[0].value:.0f} in the last 15 minutes" if recent else "")
        if recent and recent[0].value <= 0:
            return Finding(
                "spans",
                UNKNOWN,
                f"the collector took spans, and none lately: {said}",
                f"ask the application something; if that changes nothing, {start}",
            )
        return Finding("spans", OK, f"the collector took spans: {said}")
    return Finding("spans", WRONG, "the collector took no span since it started", start)


def passages(env: Env) -> Finding:
    """Whether sampled answers come with the passages that groundedness is judged by."""
    skipped = _by_service(env, f'sum by (service) (increase({_EVALUATIONS}{{result="skipped",reason="no_context"}}[1h]))')
    every = _by_service(env, f"sum by (service) (increase({_EVALUATIONS}[1h]))")
    wrong = sorted(s for s, count in skipped.items() if count > SHARE * every.get(s, 0) > 0)
    if wrong:
        return Finding(
            "passages", WRONG, f"most answers of {', '.join(wrong)} come without passages, so nobody judges them",
            "with truegreen.instrumentation.retrieval(...) as found: found.documents(passages)   # docs/evaluation.md",
        )  # fmt: skip
    return Finding("passages", OK if every else UNKNOWN, "answers come with passages" if every else "no answer was sampled in the last hour")  # fmt: skip


def baseline(env: Env) -> Finding:
    """Whether there is a frozen baseline for each service that is evaluated."""
    skipped = _by_service(env, f'sum by (service) (increase({_EVALUATIONS}{{result="skipped",reason="no_baseline"}}[1h])) > 0')
    folder = env.config.calibration_folder()
    if skipped:
        service = min(skipped)
        return Finding(
            "baseline", WRONG, f"answers of {', '.join(sorted(skipped))} are scored and not judged: no frozen baseline",
            f"truegreen baseline take --service {service} --environment ENVIRONMENT --from http://{env.config.collector.metrics_endpoint} --out {folder}",
        )  # fmt: skip
    files = len(list(folder.glob("*.json"))) if folder.is_dir() else 0
    return Finding("baseline", OK if files else UNKNOWN, f"{files} calibration files in {folder}", "" if files else "truegreen baseline take --help")  # fmt: skip


def _by_service(env: Env, expression: str) -> dict[str, float]:
    return {s.labels.get("service", "?"): s.value for s in prom.query(env.soon(), expression)}


def _open(place: str) -> bool:
    host, _, number = place.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]") or "127.0.0.1", int(number)), timeout=SECONDS):
            return True
    except (OSError, ValueError):
        return False
