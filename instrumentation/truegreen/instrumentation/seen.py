"""One exported span, and sentences that a test asserts about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn, Self

from opentelemetry.sdk.trace import ReadableSpan

from truegreen.core.words import attributes as names
from truegreen.core.words.normalise import View, read, select


@dataclass(frozen=True, slots=True)
class Event:
    """One log event that was exported.

    Args:
        span_id: of the span that it belongs to, 0 without one.
    """

    name: str
    attributes: Mapping[str, Any]
    span_id: int


@dataclass(frozen=True, slots=True)
class Seen:
    """One span that was exported; every sentence raises AssertionError when it is not true, else gives the span back."""

    span: ReadableSpan
    events: tuple[Event, ...] = ()

    @property
    def attributes(self) -> Mapping[str, Any]:
        """The attributes of the span."""
        return self.span.attributes or {}

    def field(self, name: str) -> Any:
        """A normalised field such as `request_model` or `input_tokens`, whichever library made the span; None where it has none."""
        dialect = select(scope_of(self.span), self.attributes)
        if dialect is None:
            return None
        events = [(event.name, event.timestamp, event.attributes or {}) for event in self.span.events]
        return read(dialect, name, View(self.attributes, self.span.name, events, self.span.start_time or 0))

    def has(self, name: str, value: Any) -> Self:
        """The span has this attribute."""
        if self.attributes.get(name) != value:
            near = get_close_matches(name, self.attributes, n=5) or sorted(
                key for key in self.attributes if key.startswith("truegreen.")
            )
            found = (
                repr(self.attributes[name])
                if name in self.attributes
                else f"no such attribute; nearest: {_shown(self.attributes, near)}"
            )
            self._wrong(f"{name} = {value!r}", found)
        return self

    def has_no(self, start: str) -> Self:
        """No attribute's name begins so."""
        found = [name for name in self.attributes if name.startswith(start)]
        return self._wrong(f"no attribute {start}*", _shown(self.attributes, found)) if found else self

    def was_asked_of(self, model: str) -> Self:
        """The application asked for this model."""
        return self._is("a request to", "request_model", model)

    def was_served_by(self, model: str) -> Self:
        """The provider said that this model answered."""
        return self._is("an answer of", "response_model", model)

    def passed(self, evaluation: str) -> Self:
        """An evaluation, on the span or made later as an event, says `pass`."""
        return self._judged(evaluation, "label", "pass")

    def failed(self, evaluation: str) -> Self:
        """An evaluation says `fail`."""
        return self._judged(evaluation, "label", "fail")

    def was_skipped(self, reason: str, evaluation: str = "groundedness") -> Self:
        """The answer was not judged, for this reason: one of `terms.SKIP_REASONS`, such as `no_context` or `no_baseline`."""
        return self._judged(evaluation, "skipped", reason)

    def was_not_judged(self) -> Self:
        """No evaluation has anything to say of the span."""
        found = sorted(
            {name for name in self.attributes if name.startswith("truegreen.evaluation.")} | {event.name for event in self.events}
        )
        found = [name for name in found if name != names.EVALUATION_SAMPLED]
        return self._wrong("no evaluation", ", ".join(found)) if found else self

    def was_marked(self, *markers: str) -> Self:
        """The answer has exactly these markers."""
        found = tuple(self.attributes.get(names.ANSWER_MARKERS, ()))
        return self if found == markers else self._wrong(f"the markers {markers}", repr(found))

    def has_cohort(self, cohort: str) -> Self:
        """The call is counted for this cohort."""
        return self.has(names.COHORT, cohort)

    def in_snapshot(self, **versions: str) -> Self:
        """These components of the snapshot were served, such as `prompt="support@3"`."""
        found = {component: self.attributes.get(names.version_of(component)) for component in versions}
        if found != versions or names.SNAPSHOT_ID not in self.attributes:
            served = {
                name: value
                for name, value in self.attributes.items()
                if name.startswith(("truegreen.version.", "truegreen.snapshot."))
            }
            self._wrong(f"the snapshot {versions}", repr(served or "no snapshot at all"))
        return self

    def _is(self, words: str, name: str, expected: str) -> Self:
        found = self.field(name)
        asked, served = self.field("request_model"), self.field("response_model")
        return self if found == expected else self._wrong(f"{words} {expected!r}", f"asked of {asked!r}, served by {served!r}")

    def _judged(self, evaluation: str, what: str, expected: str) -> Self:
        start = f"truegreen.evaluation.{evaluation}."
        sources = (
            self.attributes,
            *(event.attributes for event in self.events if event.attributes.get(names.EVALUATION_EVENT_NAME) == evaluation),
        )
        if not any(source.get(start + what) == expected for source in sources):
            found = {
                name.removeprefix(start): value for source in sources for name, value in source.items() if name.startswith(start)
            }
            others = {
                name.split(".")[2] for name in self.attributes if name.startswith("truegreen.evaluation.") and name.count(".") > 2
            }
            others |= {str(event.attributes.get(names.EVALUATION_EVENT_NAME)) for event in self.events}
            self._wrong(
                f"{evaluation} {what} {expected!r}",
                repr(found) if found else f"nothing of it; there is {sorted(others) or 'no evaluation'}",
            )
        return self

    def _wrong(self, expected: str, found: str) -> NoReturn:
        raise AssertionError(f"span {self.span.name!r}: expected {expected}, found {found}")


def event_of(record: Any) -> Event:
    """An event of a log record of any SDK; before 1.35 its name is an attribute."""
    attributes = record.attributes or {}
    return Event(getattr(record, "event_name", None) or attributes.get(names.EVENT_NAME) or "", attributes, record.span_id or 0)


def scope_of(span: ReadableSpan) -> str:
    """The name of the instrumentation scope, empty without one."""
    return span.instrumentation_scope.name if span.instrumentation_scope else ""


def why_not(seen: Seen) -> str | None:
    """Why a span is not counted as a call of a model; None when it is."""
    operation = seen.field("operation")
    if operation not in names.LLM_OPERATIONS:
        return f"operation {operation}" if operation else "no GenAI span"
    return "duplicate" if seen.attributes.get(names.DUPLICATE) is True else None


def _shown(attributes: Mapping[str, Any], chosen: list[str]) -> str:
    return ", ".join(f"{name} = {attributes[name]!r}" for name in chosen) or "none"
