"""One GenAI span at its end, as the stages that complete it see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import StatusCode

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import CANONICAL, Dialect
from truegreen.core.words.normalise import View, read
from truegreen.instrumentation.model import State

UNKNOWN_SERVICE, UNKNOWN_ENVIRONMENT = "unknown_service", "unknown"


@dataclass(slots=True)
class Call:
    """A span that is about to end, read through its dialect; each field is read once.

    Args:
        parent: the state of the parent span while it is open and one of ours.
    """

    span: Span
    state: State
    parent: State | None
    dialect: Dialect
    view: View
    operation: str = ""
    _read: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.operation = self.read("operation") or ""

    def read(self, name: str) -> Any:
        """The value of a normalised field (`dialects.FIELDS`), None where the span has none."""
        found = self._read
        if name in found:
            return found[name]
        value = found[name] = read(self.dialect, name, self.view)
        return value

    def borrow(self) -> dict[str, Any]:
        """Take the fields that only another span of the same call had; those that this span's dialect can hold, as its attributes."""
        found: dict[str, Any] = {}
        for name, value in self.state.lent.items():
            if self.read(name) is None:
                self._read[name] = value
                if any(source.name == CANONICAL[name] for source in self.dialect.fields.get(name, ())):
                    found[CANONICAL[name]] = value
        return found

    @property
    def trace(self) -> int:
        """The trace id."""
        return self.span.get_span_context().trace_id

    @property
    def failed(self) -> bool:
        """Whether the call ended in an error."""
        return self.span.status.status_code is StatusCode.ERROR or self.read("error_type") is not None


def attributes_of(span: ReadableSpan) -> dict[str, Any]:
    """A copy of a span's attributes: the SDK's own mapping takes a lock and two calls for each look."""
    found = span.attributes
    if found is None:
        return {}
    copied = getattr(found, "copy", None)
    return dict(found) if copied is None else dict(copied())


def scope_of(span: Span) -> str:
    """The name of the instrumentation scope, empty without one."""
    scope = span.instrumentation_scope
    return scope.name if scope else ""


def identity(span: Span) -> tuple[str, str]:
    """Service and environment of a span's resource, as the collector names them."""
    resource = span.resource.attributes
    environment = resource.get(names.ENVIRONMENT_NAME) or resource.get(names.ENVIRONMENT_NAME_OLD) or UNKNOWN_ENVIRONMENT
    return str(resource.get(names.SERVICE_NAME) or UNKNOWN_SERVICE), str(environment)
