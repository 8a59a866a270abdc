"""`retrieval`: what was found for a question, as a block, a call or a decorator."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from truegreen.core.words import attributes as names
from truegreen.instrumentation import context, failures, indexes
from truegreen.instrumentation.corpus import corpora
from truegreen.instrumentation.documents import Document, read, relevance
from truegreen.instrumentation.shared import shared
from truegreen.instrumentation.spans import Block, facts

_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"


class retrieval(Block):  # noqa: N801
    """A retrieval: makes a span `retrieval <data_source>` and gives the passages to the evaluators of answers in the same trace.

    Use it as a block, `with retrieval(data_source="kb", query=q) as r: r.documents(hits)`; as a call where the hits are there,
    `retrieval(documents=hits, data_source="kb")`; or as a decorator of a function that returns or yields the hits, whose first text argument is
    the query unless one is given. Passages never leave the process. LangChain's retrievers and the retrieval spans of other libraries need none of
    it; a call with what one of them has just found is not counted again.

    Args:
        documents: strings, mappings or objects with `text` or `page_content`, `score` (higher is closer) and `id`, or pairs of one of
            them and its score, in the order in which the model gets them.
        data_source: the name of the index or knowledge base.
        query: the question that was searched for.
        floor: similarity under which a document counts as irrelevant; without it, `retrieval.floor` of the settings.
        top_k: how many were asked for.
        index, index_alias, index_version: which index served; as `index`, also what `snapshot.index` gives, which says the rest by itself.
        index_rebuilt: unix seconds of its last rebuild.
    """

    place = "retrieval"

    def __init__(
        self,
        documents: Iterable[Any] | None = None,
        *,
        data_source: str = "",
        query: str = "",
        floor: float | None = None,
        top_k: int | None = None,
        index: Any = "",
        index_alias: str = "",
        index_version: str = "",
        index_rebuilt: float | None = None,
    ) -> None:
        texts = {
            names.DATA_SOURCE_ID: data_source, names.INDEX_NAME: index if isinstance(index, str) else "", names.INDEX_ALIAS: index_alias,
            names.INDEX_VERSION: index_version, names.RETRIEVAL_QUERY: query if captures() else "",
        }  # fmt: skip
        known = facts("retrieval", texts, {names.RETRIEVAL_TOP_K: top_k, names.INDEX_REBUILT: index_rebuilt})
        source = known.get(names.DATA_SOURCE_ID)
        super().__init__(
            f"retrieval {source}" if source else "retrieval",
            {names.OPERATION_NAME: names.RETRIEVAL_OPERATION, **known},
            SpanKind.CLIENT,
        )
        self._index = None if isinstance(index, str) else index
        self._query = query
        self._floor = floor
        self._alone = False
        if documents is not None:
            self._begin()
            self._given(documents, told=True)
            self._end(None)

    def documents(self, documents: Iterable[Any]) -> None:
        """Say what was found; an empty list is a retrieval that found nothing."""
        self._given(documents, told=False)

    def _called(self, arguments: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        if not self._query:
            self._query = next((given for given in (*arguments, *named.values()) if isinstance(given, str)), "")

    def _returned(self, result: Any) -> None:
        if isinstance(result, Iterable):
            self.documents(result)

    def _open(self) -> None:
        self._alone = not trace.get_current_span().get_span_context().is_valid
        if self._index is not None:
            self._attributes = {**indexes.facts(self._index), **self._attributes}
        super()._open()

    def _given(self, documents: Iterable[Any], *, told: bool) -> None:
        try:
            hits = list(documents)
            found = read(hits)
            span = trace.get_current_span() if self._span is None else self._span
            repeated = remember(found, self._query, span, alone=self._alone)
            if self._span is not None:
                self._span.set_attributes(relevance(found, self._floor, listed=captures()))
                source = str(self._attributes.get(names.INDEX_NAME) or self._attributes.get(names.DATA_SOURCE_ID) or "")
                if fingerprint := corpora.fingerprint(source, [document.text for document in found], hits):
                    self._span.set_attribute(names.INDEX_FINGERPRINT, fingerprint)
                if told and repeated:
                    self._span.set_attribute(names.DUPLICATE, True)
        except Exception as error:
            failures.count("retrieval.documents", error)


def remember(documents: list[Document], query: str, span: Span, *, alone: bool, seen: bool = False) -> bool:
    """Keep passages for the answers of a trace, of the block around, or of the same thread where there is neither.

    Args:
        alone: no span of the application is around the retrieval.
        seen: a hook saw them; the application did not tell.

    Returns:
        Whether a hook has seen the same list in the trace.
    """
    texts = [document.text for document in documents]
    repeated = shared.store.add(span.get_span_context().trace_id, texts, query, seen=seen)
    request = context.carried().request
    if request is not None:
        request.add(texts, query)
    elif alone:
        context.leave(texts, query)
    return repeated


def captures() -> bool:
    """Whether the user has asked for content on spans."""
    return os.environ.get(_CAPTURE, "").strip().upper() in ("SPAN_ONLY", "SPAN_AND_EVENT")
