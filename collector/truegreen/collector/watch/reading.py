"""What a watch reads of OTLP requests: style numbers of spans, sketches of evaluation events. Pure; anything else is passed over, text above all."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from math import isfinite
from typing import Any, Final

from truegreen.collector import wire
from truegreen.collector.plan import clean
from truegreen.collector.watch.model import Key, Sketch
from truegreen.core.words import attributes as names
from truegreen.core.words import catalogue
from truegreen.core.words.counts import CANARY
from truegreen.core.words.terms import STYLE

LONGEST: Final = 4_096
"""Numbers of one vector, at most."""
MOST: Final = 10_000
"""Documents of one retrieval, at most."""
UNKNOWN: Final = "unknown"
"""The template of answers that name none."""
Identity = Callable[[Callable[[str], bytes | None]], tuple[str, str]]
"""Attributes of a resource to its service and environment."""
_HEADS: Final = wire.head_of(names.ANSWER_STYLE), wire.head_of(names.RELEVANCE_BELOW_FLOOR)
_EVENT: Final = names.EVALUATION_EVENT.encode()
_NAMED_EVENT: Final = wire.encoded(names.EVALUATION_EVENT)
_BASE: Final = wire.encoded("base")


def spans(
    data: bytes, identity: Identity, watched: Callable[[str], bool]
) -> Iterator[tuple[Key, array[float] | tuple[int, int]]]:
    """Of an ExportTraceServiceRequest the style of each answer of the base sample, and of each retrieval the chunks under the floor, of how many.

    A retrieval has its data source for a template. No duplicate, and nothing of the canary.

    Raises:
        wire.DecodeError: the bytes are no such message.
    """
    for one in wire.parse_traces(data).resource_spans:
        service, environment = identity(one.resource.attributes.get)
        if service == CANARY or not watched(service):
            continue
        for span in chain.from_iterable(scope.spans for scope in one.scope_spans):
            if not any(pair.startswith(_HEADS) for pair in span.attributes):
                continue
            found = wire.named(span.attributes)
            if found.get(names.DUPLICATE) == wire.TRUE:
                continue
            if row := _retrieval(found):
                yield (service, environment, _named(found, names.DATA_SOURCE_ID)), row
            if names.ANSWER_STYLE not in found or not _counts(found):
                continue
            style = _numbers(found[names.ANSWER_STYLE])
            if len(style) == len(STYLE):
                yield (service, environment, _template(found)), style


def sketches(data: bytes, identity: Identity, watched: Callable[[str], bool]) -> Iterator[tuple[Key, str, Sketch]]:
    """The sketches in an ExportLogsServiceRequest, each with what made it.

    Raises:
        wire.DecodeError: the bytes are no such message.
    """
    for one in wire.parse_logs(data).resource_logs:
        service, environment = identity(one.resource.attributes.get)
        if service == CANARY or not watched(service):
            continue
        for record in chain.from_iterable(scope.log_records for scope in one.scope_logs):
            found = record.attributes
            if names.ANSWER_EMBEDDING not in found or not _counts(found):
                continue
            if record.event_name != _EVENT and found.get(names.EVENT_NAME) != _NAMED_EVENT:
                continue
            made = Sketch(
                _numbers(found.get(names.ANSWER_STYLE)), _numbers(found[names.ANSWER_EMBEDDING]), _numbers(found.get(names.QUERY_EMBEDDING))
            )  # fmt: skip
            by = wire.text(
                found.get(names.evaluation(wire.text(found.get(names.EVALUATION_EVENT_NAME, b"")) or "", "evaluator"), b"")
            )
            if by and made.answer and len(made.query) in (0, len(made.answer)) and len(made.style) in (0, len(STYLE)):
                yield (service, environment, _template(found)), by, made


def _counts(found: Mapping[str, bytes]) -> bool:
    # A chosen cohort or an incident is sampled more: it would look like other traffic.
    return found.get(names.EVALUATION_SAMPLED) == _BASE


def _template(found: Mapping[str, bytes]) -> str:
    return _named(found, names.PROMPT_TEMPLATE)


def _named(found: Mapping[str, bytes], name: str) -> str:
    return clean(wire.text(found.get(name, b"")) or UNKNOWN, catalogue.VALUE_LENGTH)


def _retrieval(found: Mapping[str, bytes]) -> tuple[int, int] | None:
    if names.RELEVANCE_BELOW_FLOOR not in found or names.RETRIEVAL_COUNT not in found:
        return None
    below, documents = (float(wire.number(found[name])) for name in (names.RELEVANCE_BELOW_FLOOR, names.RETRIEVAL_COUNT))
    whole = below.is_integer() and documents.is_integer()
    return (int(below), int(documents)) if whole and 0 <= below <= documents <= MOST and documents else None


def _numbers(value: Any) -> array[float]:
    # None of them where one is missing or not finite: a row with a hole would look like another answer.
    if not value or len(value) > 11 * LONGEST + 16:
        return array("f")
    found = wire.doubles(value)
    try:
        made = array("f", found)
    except OverflowError:
        return array("f")
    return made if all(map(isfinite, made)) else array("f")
