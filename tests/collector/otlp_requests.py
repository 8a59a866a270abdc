"""OTLP requests for tests, made with the official classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from truegreen.collector.processor import Processor
from truegreen.core.words.metric import Metric

SECOND = 1_000_000_000
INTERVAL = 30.0
HOLD = 61.0
START = 1_700_000_000 * SECOND


class Clock:
    """A clock that a test moves."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


def value(given: Any) -> AnyValue:
    """An AnyValue of a Python value."""
    made = AnyValue()
    if isinstance(given, bool):
        made.bool_value = given
    elif isinstance(given, int):
        made.int_value = given
    elif isinstance(given, float):
        made.double_value = given
    elif isinstance(given, str):
        made.string_value = given
    else:
        made.array_value.values.extend(value(item) for item in given)
    return made


def span(attributes: Mapping[str, Any], seconds: float = 1.0, error: bool = False, trace_id: bytes = b"\x01" * 16) -> Span:
    """A span that lasted so long."""
    made = Span(
        trace_id=trace_id,
        span_id=b"\x02" * 8,
        name="x",
        start_time_unix_nano=START,
        end_time_unix_nano=START + int(seconds * SECOND),
    )
    if error:
        made.status.code = 2
        made.status.message = "failed"
    for key, given in attributes.items():
        made.attributes.add(key=key).value.CopyFrom(value(given))
    return made


def traces(spans: Sequence[Span], service: str | None = "bot", environment: str | None = "production") -> bytes:
    """The bytes of a request with these spans."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    for key, given in (("service.name", service), ("deployment.environment.name", environment)):
        if given is not None:
            resource.resource.attributes.add(key=key).value.string_value = given
    resource.scope_spans.add().spans.extend(spans)
    return made.SerializeToString()


def scoped(scope: str, spans: Sequence[Span]) -> bytes:
    """The bytes of a request with these spans of one instrumentation scope."""
    made = ExportTraceServiceRequest.FromString(traces(spans))
    made.resource_spans[0].scope_spans[0].scope.name = scope
    return made.SerializeToString()


def events(
    attributes: Sequence[Mapping[str, Any]], name: str = "gen_ai.evaluation.result", trace_id: bytes = b"\x03" * 16
) -> bytes:
    """The bytes of a logs request with one event for each set of attributes."""
    made = ExportLogsServiceRequest()
    resource = made.resource_logs.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "bot"
    resource.resource.attributes.add(key="deployment.environment.name").value.string_value = "production"
    scope = resource.scope_logs.add()
    for one in attributes:
        record = scope.log_records.add(time_unix_nano=START, event_name=name, trace_id=trace_id)
        for key, given in one.items():
            record.attributes.add(key=key).value.CopyFrom(value(given))
    return made.SerializeToString()


def llm(**more: Any) -> dict[str, Any]:
    """Attributes of a chat call; a keyword such as `truegreen__cohort` is the attribute `truegreen.cohort`."""
    base = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "large"}
    return base | {key.replace("__", "."): given for key, given in more.items()}


def judged(label: str = "pass", score: float = 0.5, raw: float = 1.5, sampled: str = "base", **more: Any) -> dict[str, Any]:
    """Attributes of an evaluated chat call."""
    prefix = "truegreen.evaluation.groundedness."
    parts = {
        "label": label,
        "score": score,
        "raw": raw,
        "evaluator": "context_support",
        "scale": "relative",
        "calibration": "9f3c12ab34cd",
    }
    evaluated = {prefix + part: given for part, given in parts.items()}
    return llm(**more) | {"truegreen.evaluation.sampled": sampled} | evaluated


def shown(processor: Processor, of: Metric, /, **labels: str) -> dict[tuple[str, ...], list[float]]:
    """The exposed series of a metric that have these labels, by the values of its own labels (service and environment left out)."""
    own = len(of.labels) - len(of.label_set)
    return {key[own:]: numbers for key, numbers in _exposed(processor, of, labels).items()}


def total(processor: Processor, of: Metric, /, **labels: str) -> float:
    """The sum of a metric's series, of all services: values of counters and gauges, counts of histograms."""
    series = _exposed(processor, of, labels).values()
    return sum(sum(numbers[1:]) if of.kind == "histogram" else numbers[0] for numbers in series)


def _exposed(processor: Processor, of: Metric, labels: Mapping[str, str]) -> dict[tuple[str, ...], list[float]]:
    exposed = next(one for one in processor.copy() if one.metric is of)
    wanted = {of.labels.index(name): given for name, given in labels.items()}
    return {
        key: list(numbers) for key, numbers in exposed.series.items() if all(key[at] == given for at, given in wanted.items())
    }
