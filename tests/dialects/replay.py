"""Plays a recording again as real spans of an SDK provider: the same scopes, parents, attributes, states and order of starts and ends.

Standard library and OpenTelemetry only.
"""

from __future__ import annotations

import contextvars
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, set_span_in_context

RECORDED = Path(__file__).parent / "recorded"
AT_START = ("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.system", "gen_ai.request.model")
"""What the libraries that look at a request before it is sent put on a span when they start it."""


def recorded(driver: str) -> Mapping[str, list[dict[str, Any]]]:
    """The cases of a recording: spans in the order of their end."""
    cases: Mapping[str, list[dict[str, Any]]] = json.loads((RECORDED / f"{driver}.json").read_text(encoding="utf-8"))["cases"]
    return cases


def replay(
    spans: Sequence[Mapping[str, Any]],
    provider: TracerProvider,
    *,
    at_start: Sequence[str] = AT_START,
    task: Callable[[Mapping[str, Any]], object] = lambda _: None,
) -> None:
    """Start and end each span; a span starts as late as the recorded orders of starts and of ends allow.

    Args:
        spans: one case.
        at_start: attributes that a span has from its start; the others are set when it ends.
        task: what names the thread or task that a span is of; all are of one where it is not said.
    """
    waiting = sorted(spans, key=lambda span: span["start"])
    opened: dict[str, Span] = {}
    tasks: dict[object, contextvars.Context] = {}

    def within(span: Mapping[str, Any]) -> contextvars.Context:
        return tasks.setdefault(task(span), contextvars.Context())

    for ending in spans:
        while waiting and waiting[0]["start"] <= ending["start"]:
            starting = waiting.pop(0)
            opened[starting["span"]] = within(starting).run(_start, starting, provider, opened.get(starting["parent"]), at_start)
        within(ending).run(_end, ending, opened[ending["span"]], at_start)


def _start(recorded: Mapping[str, Any], provider: TracerProvider, parent: Span | None, at_start: Sequence[str]) -> Span:
    tracer = provider.get_tracer(recorded["scope"]["name"], recorded["scope"]["version"])
    return tracer.start_span(
        recorded["name"],
        Context() if parent is None else set_span_in_context(parent, Context()),
        SpanKind[recorded["kind"]],
        {name: value for name, value in recorded["attributes"].items() if name in at_start},
    )


def _end(recorded: Mapping[str, Any], span: Span, at_start: Sequence[str]) -> None:
    for name, value in recorded["attributes"].items():
        if name not in at_start:
            span.set_attribute(name, value)
    for event in recorded["events"]:
        span.add_event(event["name"], event["attributes"])
    code = StatusCode[recorded["status"]["code"]]
    if code is not StatusCode.UNSET:
        span.set_status(Status(code, recorded["status"]["description"] if code is StatusCode.ERROR else None))
    span.end()
