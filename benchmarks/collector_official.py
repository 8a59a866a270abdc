"""The plain way to count, for `python benchmarks/collector.py --official`: the official protobuf classes and prometheus_client."""

from __future__ import annotations

import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


def official(requests: list[bytes], seconds: float) -> float:
    """Spans a second of the plain way: official classes, `prometheus_client`, ten of the metrics."""
    from prometheus_client import CollectorRegistry, Counter, Histogram

    registry = CollectorRegistry()
    identity = ["service", "environment"]
    model = [*identity, "model"]
    wide = [*model, "cohort", "snapshot"]
    calls = Counter("llm_requests", "c", [*model, "outcome"], registry=registry)
    duration = Histogram("llm_duration", "c", model, registry=registry)
    first = Histogram("llm_first", "c", model, registry=registry)
    tokens = Counter("llm_tokens", "c", [*model, "type"], registry=registry)
    answers = Counter("answers", "c", wide, registry=registry)
    evaluated = Counter("evaluated", "c", [*identity, "evaluation", "result"], registry=registry)
    evaluations = Counter("evaluations", "c", [*wide, "evaluation", "result"], registry=registry)
    score = Histogram("score", "c", model, registry=registry)
    squared = Counter("squared", "c", model, registry=registry)
    served = Counter("served", "c", [*model, "served"], registry=registry)
    done, turn, began = 0, 0, time.process_time()
    while time.process_time() - began < seconds:
        parsed = ExportTraceServiceRequest.FromString(requests[turn % len(requests)])
        for rs in parsed.resource_spans:
            resource = {a.key: a.value.string_value for a in rs.resource.attributes}
            who = (resource["service.name"], resource["deployment.environment.name"])
            for ss in rs.scope_spans:
                for span in ss.spans:
                    a = {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in span.attributes}
                    m = (*who, a["gen_ai.request.model"])
                    w = (*m, a["truegreen.cohort"], a["truegreen.snapshot.id"])
                    label, value = a["truegreen.evaluation.groundedness.label"], a["truegreen.evaluation.groundedness.score"]
                    calls.labels(*m, "ok").inc()
                    duration.labels(*m).observe((span.end_time_unix_nano - span.start_time_unix_nano) * 1e-9)
                    first.labels(*m).observe(a["gen_ai.response.time_to_first_chunk"])
                    tokens.labels(*m, "input").inc(a["gen_ai.usage.input_tokens"])
                    tokens.labels(*m, "output").inc(a["gen_ai.usage.output_tokens"])
                    answers.labels(*w).inc()
                    evaluated.labels(*who, "groundedness", label).inc()
                    evaluations.labels(*w, "groundedness", label).inc()
                    score.labels(*m).observe(value)
                    squared.labels(*m).inc(value * value)
                    served.labels(*m, a["gen_ai.response.model"]).inc()
                    done += 1
        turn += 1
    return done / (time.process_time() - began)
