"""The requests of the collector's benchmarks: 200 LLM spans of 32 attributes and 2.7 kB each, in 4 resources and 48 combinations of model, cohort and version."""

from __future__ import annotations

import random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = 200
REQUESTS = 20
WORDS = [
    "the", "refund", "window", "for", "unopened", "items", "is", "thirty", "days", "counted", "from", "the", "day", "of", "delivery", "and", "a",
    "receipt", "is", "needed",
]  # fmt: skip


def request(seed: int) -> bytes:
    """One ExportTraceServiceRequest of 200 LLM spans."""
    r = random.Random(seed)
    made = ExportTraceServiceRequest()
    for service in range(4):
        resource = made.resource_spans.add()
        for key, value in (
            ("service.name", f"bot-{service}"),
            ("deployment.environment.name", "production"),
            ("host.name", "h1"),
        ):
            resource.resource.attributes.add(key=key).value.string_value = value
        scope = resource.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.genai.openai"
        for _ in range(SPANS // 4):
            _span(scope.spans.add(), r)
    return made.SerializeToString()


def alone(seed: int) -> list[bytes]:
    """The spans of such a request, each in a request of its own."""
    whole = ExportTraceServiceRequest.FromString(request(seed))
    found = []
    for one in whole.resource_spans:
        for span in one.scope_spans[0].spans:
            made = ExportTraceServiceRequest()
            resource = made.resource_spans.add(resource=one.resource)
            resource.scope_spans.add(scope=one.scope_spans[0].scope).spans.append(span)
            found.append(made.SerializeToString())
    return found


def _span(span, r: random.Random) -> None:  # type: ignore[no-untyped-def]
    span.trace_id, span.span_id, span.name, span.kind = r.randbytes(16), r.randbytes(8), "chat support-large", 3
    span.start_time_unix_nano = 1_700_000_000_000_000_000 + r.randrange(10**9)
    span.end_time_unix_nano = span.start_time_unix_nano + r.randrange(10**8, 5 * 10**9)
    model, version, failed = r.randrange(4), r.randrange(4), r.random() < 0.04
    question, answer = " ".join(r.choices(WORDS, k=165)), " ".join(r.choices(WORDS, k=82))
    raw = r.random() * 4 - 1
    texts = {
        "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": f"support-{model}",
        "gen_ai.response.model": f"support-{model}-0613", "gen_ai.response.id": r.randbytes(12).hex(), "server.address": "api.example.com",
        "gen_ai.input.messages": question, "gen_ai.output.messages": answer, "openai.response.system_fingerprint": f"fp_{model}",
        "gen_ai.conversation.id": f"c{r.randrange(500)}", "session.id": f"s{r.randrange(500)}", "user.id": f"u{r.randrange(300)}",
        "truegreen.cohort": ("free", "pro", "enterprise")[r.randrange(3)], "truegreen.snapshot.id": f"{version:012x}",
        "truegreen.version.model": f"support-{model}", "truegreen.version.prompt": f"support@{version}",
        "truegreen.version.retrieval_index": "kb-7", "truegreen.prompt.template": f"support@{version}",
        "truegreen.dialect": "genai", "truegreen.evaluation.sampled": "base", "truegreen.evaluation.groundedness.evaluator": "context_support",
        "truegreen.evaluation.groundedness.scale": "relative", "truegreen.evaluation.groundedness.calibration": "9f3c12ab34cd",
        "truegreen.evaluation.groundedness.label": "fail" if failed else "pass",
    }  # fmt: skip
    numbers = {
        "gen_ai.response.time_to_first_chunk": r.random(), "truegreen.evaluation.groundedness.raw": raw,
        "truegreen.evaluation.groundedness.score": 0.01 if failed else r.random(),
    }  # fmt: skip
    whole = {
        "gen_ai.usage.input_tokens": r.randrange(100, 4000),
        "gen_ai.usage.output_tokens": r.randrange(2, 800),
        "server.port": 443,
    }
    for key, value in texts.items():
        span.attributes.add(key=key).value.string_value = value
    for key, value in numbers.items():
        span.attributes.add(key=key).value.double_value = value
    for key, value in whole.items():
        span.attributes.add(key=key).value.int_value = value
    span.attributes.add(key="gen_ai.response.finish_reasons").value.array_value.values.add().string_value = "stop"
    span.attributes.add(key="truegreen.answer.markers").value.array_value.values.add().string_value = "overconfident"
