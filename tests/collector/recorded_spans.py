"""Recorded spans of libraries (`tests/dialects/recorded`) as OTLP."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import START, span


def as_otlp(recorded: Mapping[str, Any], attributes: Mapping[str, Any]) -> Span:
    """A recorded span with these attributes, one second long."""
    made = span(attributes, error=recorded["status"]["code"] == "ERROR")
    made.name = recorded["name"]
    for event in recorded["events"]:
        at = START + event["time"] - recorded["start"]
        made.events.append(Span.Event(name=event["name"], time_unix_nano=at, attributes=span(event["attributes"]).attributes))
    return made


def moved(recorded: Mapping[str, Any]) -> Mapping[str, Any]:
    """Its attributes, with the moment that they name where the test's span is."""
    at = datetime.fromtimestamp((START + 250_000_000) / 1e9, UTC).isoformat()
    key = "langfuse.observation.completion_start_time"
    return recorded["attributes"] | ({key: json.dumps(at)} if key in recorded["attributes"] else {})
