"""What an application calls. Nothing here raises; everything works in threads, tasks and generators as far as the context does."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from opentelemetry import context as otel
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from truegreen.core.words import attributes as names
from truegreen.instrumentation import context, failures, notices
from truegreen.instrumentation.documents import read, relevance
from truegreen.instrumentation.passages import Passages
from truegreen.instrumentation.processor import state_of
from truegreen.instrumentation.shared import shared
from truegreen.instrumentation.spans import OURS
from truegreen.instrumentation.text import Text

ACTIONS = ("allow", "block", "redact", "flag")
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class retrieval:  # noqa: N801
    """A retrieval: makes a span `retrieval <data_source>` and gives the passages to the evaluators of answers in the same trace.

    Use it as a block, `with retrieval(data_source="kb", query=q) as r: r.documents(hits)`, or, when the hits are there, as a call:
    `retrieval(documents=hits, data_source="kb")`. Passages never leave the process.

    Args:
        documents: strings, mappings or objects with `text` or `page_content`, `score` (higher is closer) and `id`, or pairs of one of
            them and its score, in the order in which the model gets them.
        data_source: the name of the index or knowledge base.
        query: the question that was searched for.
        floor: similarity under which a document counts as irrelevant.
        top_k: how many were asked for.
        index, index_alias, index_version: which index served.
        index_rebuilt: unix seconds of its last rebuild.
    """

    def __init__(
        self,
        documents: Iterable[Any] | None = None,
        *,
        data_source: str = "",
        query: str = "",
        floor: float | None = None,
        top_k: int | None = None,
        index: str = "",
        index_alias: str = "",
        index_version: str = "",
        index_rebuilt: float | None = None,
    ) -> None:
        self._query = query
        self._floor = floor
        self._span: Span | None = None
        self._token: Any = None
        self._ended = False
        self._alone = False
        self._name = "retrieval"
        self._facts: dict[str, Any] = {names.OPERATION_NAME: names.RETRIEVAL_OPERATION}
        try:
            texts = {
                names.DATA_SOURCE_ID: data_source, names.INDEX_NAME: index, names.INDEX_ALIAS: index_alias,
                names.INDEX_VERSION: index_version, names.RETRIEVAL_QUERY: query if _captures() else "",
            }  # fmt: skip
            numbers = {names.RETRIEVAL_TOP_K: top_k, names.INDEX_REBUILT: index_rebuilt}
            facts = {name: str(text) for name, text in texts.items() if text} | {
                name: number for name, number in numbers.items() if number is not None
            }
            self._name = f"retrieval {data_source}" if data_source else "retrieval"
            self._facts |= facts
        except Exception as error:  # foreign objects run code of their own when they are turned into text
            failures.count("retrieval", error)
        if documents is not None:
            self._start()
            self.documents(documents)
            self._end(None)

    def documents(self, documents: Iterable[Any]) -> None:
        """Say what was found; an empty list is a retrieval that found nothing."""
        try:
            self._found(list(documents))
        except Exception as error:
            failures.count("retrieval.documents", error)

    def __enter__(self) -> Self:
        if not self._ended and self._span is None:
            self._start()
            if self._span is not None:
                self._token = otel.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._token is not None:
            otel.detach(self._token)
            self._token = None
        self._end(error)

    def _start(self) -> None:
        try:
            self._alone = not trace.get_current_span().get_span_context().is_valid
            self._span = trace.get_tracer(OURS, tracer_provider=shared.provider).start_span(
                self._name, kind=SpanKind.CLIENT, attributes=self._facts
            )
        except Exception as error:
            failures.count("retrieval", error)

    def _end(self, error: BaseException | None) -> None:
        try:
            if self._span is not None:
                if error is not None:
                    self._span.set_attribute(names.ERROR_TYPE, type(error).__qualname__)
                    self._span.set_status(Status(StatusCode.ERROR))
                self._span.end()
                self._span = None
            self._ended = True
        except Exception as failure:
            failures.count("retrieval", failure)

    def _found(self, hits: list[Any]) -> None:
        documents = read(hits)
        texts = [document.text for document in documents]
        span = trace.get_current_span() if self._span is None else self._span
        shared.store.add(span.get_span_context().trace_id, texts, self._query)
        request = context.request()
        if request is not None:
            request.add(texts, self._query)
        elif self._alone:
            context.leave(texts, self._query)
        if self._span is not None:
            self._span.set_attributes(relevance(documents, self._floor, listed=_captures()))


@contextmanager
def traffic(*, session_id: str = "", user_id: str = "", cohort: str = "", boost: bool = False) -> Iterator[None]:
    """Say whose request the block serves; also joins `retrieval` and answers where no span of the application does.

    Args:
        session_id: becomes `session.id`.
        user_id: becomes `user.id`.
        cohort: becomes `truegreen.cohort`: a few values, such as the plan.
        boost: evaluate all answers in the block; those outside the base sample are marked `boost` and stay out of SLO counts.
    """
    stamps: dict[str, str] = {}
    for name, value in ((names.SESSION_ID, session_id), (names.USER_ID, user_id), (names.COHORT, cohort)):
        try:
            if value:
                stamps[name] = str(value)
        except Exception as error:
            failures.count("traffic", error)
    with context.carry(stamps_=stamps, request_=Passages(), boost=boost):
        yield


def guardrail(name: str, stage: str = "output", action: str = "allow") -> None:
    """Record one decision of a guardrail as a span `guardrail <name>`.

    Args:
        stage: where it looked: `input`, `output`, `retrieval` or `tool`.
        action: `allow`, `block`, `redact` or `flag`.
    """
    try:
        if action not in ACTIONS:
            notices.once(
                f"action:{action}", f"guardrail {name}: action {action!r} is not one of {', '.join(ACTIONS)} and is not counted"
            )
        facts = {names.GUARDRAIL_NAME: name, names.GUARDRAIL_STAGE: stage, names.GUARDRAIL_ACTION: action}
        trace.get_tracer(OURS, tracer_provider=shared.provider).start_span(
            f"guardrail {name}", kind=SpanKind.INTERNAL, attributes=facts
        ).end()
    except Exception as error:
        failures.count("guardrail", error)


def answer(*, query: str = "", answer: str = "") -> None:
    """Show the text of the current GenAI span to the evaluators, for libraries that have no completion hook; call it inside the span."""
    try:
        found = state_of(trace.get_current_span())
        if found is not None:
            found.told = Text(answer=answer, query=query)
    except Exception as error:
        failures.count("answer", error)


def _captures() -> bool:
    return os.environ.get(_CAPTURE, "").strip().upper() in ("SPAN_ONLY", "SPAN_AND_EVENT")
