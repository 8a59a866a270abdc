"""Accepted items become spans: a sample is judged by the application's own instrumentation on its way, as a recorded call is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Final

from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Tracer

from truegreen.core.words import attributes as names
from truegreen.evaluation.server import bodies, model
from truegreen.evaluation.server.bodies import Sample
from truegreen.evaluation.server.model import Item
from truegreen.evaluation.server.services import Ids, Services, Verdicts
from truegreen.instrumentation import answer, context, snapshot, traffic
from truegreen.instrumentation.documents import Document, relevance
from truegreen.instrumentation.spans import OURS

SCOPE: Final = "truegreen.sampling"
_SECOND: Final = 1_000_000_000


class Maker:
    """Makes the spans of one item after the other, in one thread.

    Args:
        services: makes the spans.
        ids: of them.
        verdicts: learns whose answer a trace holds.
        floor: similarity under which a passage counts as irrelevant; None for none.
    """

    def __init__(self, services: Services, ids: Ids, verdicts: Verdicts, floor: float | None) -> None:
        self._services, self._ids, self._verdicts, self._floor = services, ids, verdicts, floor

    def make(self, item: Item) -> None:
        """The spans of one item, started and ended."""
        resource = self._services.serve(item.service, item.environment)
        if isinstance(item.body, Sample):
            own = item.span or model.unnamed()
            self._verdicts.judged(own, resource)
            self._sample(self._services.get_tracer(SCOPE), item.body, own, item.at)
            return
        name, read = _LATER[item.kind]
        links = [Link(item.span)] if item.span else []
        given = {key: value for key, value in read(item.body).items() if value is not None}
        self._services.get_tracer(OURS).start_span(name, attributes=given, links=links, start_time=item.at).end(item.at)

    def _sample(self, tracer: Tracer, body: Sample, own: SpanContext, at: int) -> None:
        start = at - round(body.latency_seconds * _SECOND)
        self._ids.fix(own.trace_id)
        with ExitStack() as around:
            if body.versions:
                around.enter_context(snapshot.use(**body.versions.model_dump(exclude_none=True)))
            around.enter_context(traffic(session_id=body.session_id or "", user_id=body.user_id or "", cohort=body.cohort or ""))
            request = context.carried().request
            if request is not None:
                request.add(body.context, body.query)
            if body.retrieval:
                before = start - round(body.retrieval.latency_seconds * _SECOND)
                root = tracer.start_span("sample", start_time=before)
                around.callback(root.end, at)
                around.enter_context(trace.use_span(root))
                self._retrieval(tracer, body, body.retrieval, before, start)
            self._ids.fix_span(own.span_id)
            kind, facts = SpanKind.CLIENT, _facts(body, own)
            span = tracer.start_span(f"chat {body.model}", kind=kind, attributes=facts, start_time=start)
            with trace.use_span(span):
                answer(query=body.query, answer=body.answer)
            span.end(at)

    def _retrieval(self, tracer: Tracer, body: Sample, said: bodies.Retrieval, start: int, end: int) -> None:
        scored = [Document("", score) for score in said.scores or ()]
        found = scored or [Document("") for _ in body.context]
        facts = {
            names.OPERATION_NAME: names.RETRIEVAL_OPERATION,
            names.DATA_SOURCE_ID: said.data_source,
            **relevance(found, self._floor, listed=False),
        }
        tracer.start_span(f"retrieval {said.data_source}", kind=SpanKind.CLIENT, attributes=facts, start_time=start).end(end)


def _facts(body: Sample, own: SpanContext) -> dict[str, Any]:
    told = {
        names.OPERATION_NAME: "chat",
        names.PROVIDER_NAME: body.provider,
        names.REQUEST_MODEL: body.model,
        names.RESPONSE_MODEL: body.served_model,
        names.RESPONSE_ID: f"{own.trace_id:032x}",
        names.FINISH_REASONS: tuple(body.finish_reasons),
        names.INPUT_TOKENS: body.input_tokens,
        names.OUTPUT_TOKENS: body.output_tokens,
    }
    return {name: value for name, value in told.items() if value is not None}


_LATER: Final[Mapping[str, tuple[str, Callable[[Any], Mapping[str, Any]]]]] = {
    model.FEEDBACK: ("feedback", lambda body: {names.FEEDBACK_SCORE: float(body.score), names.TASK_NAME: body.task}),
    model.ESCALATION: ("escalation", lambda body: {names.ESCALATION_REASON: body.reason, names.TASK_NAME: body.task}),
    model.DOWNSTREAM: (
        "downstream",
        lambda body: {names.DOWNSTREAM_OUTCOME: "valid" if body.valid else "invalid", names.TASK_NAME: body.task},
    ),
    model.REVIEW: (
        "guardrail review",
        lambda body: {names.GUARDRAIL_NAME: body.guardrail, names.GUARDRAIL_VERDICT: body.verdict},
    ),
}
"""Kind to the span's name and its attributes: those that the instrumentation's own functions write, which the collector counts."""
