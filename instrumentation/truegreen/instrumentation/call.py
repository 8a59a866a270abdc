"""One GenAI span at its end, read through its dialect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, Span
from opentelemetry.trace import StatusCode

from truegreen.core.words import attributes as names
from truegreen.core.words.dialects import CANONICAL, Dialect
from truegreen.core.words.normalise import COMPILED, View
from truegreen.core.words.terms import SHADOW
from truegreen.core.words.view import Event
from truegreen.instrumentation.model import State

SCOPES: Final = 64
"""So many tracers are known by their object; with older SDKs (1.30, 1.39) each `get_tracer` makes another one."""
_scopes: dict[int, tuple[object, str]] = {}
LIMIT: Final = 128
"""The SDK's limit of attributes on a span where the span does not tell its own."""
UNKNOWN_SERVICE, UNKNOWN_ENVIRONMENT = "unknown_service", "unknown"


class Call(View):
    """A GenAI span that is about to end, read through its dialect; each field is read once.

    It does not hold the span, which would keep it alive: a call may be remembered after its end.

    Args:
        attributes: the span's.
        at: when it ends, in unix ns.
    """

    __slots__ = (
        "_held",
        "_limits",
        "_read",
        "_readers",
        "_status",
        "at",
        "context",
        "dialect",
        "operation",
        "parent",
        "resource",
        "scope",
        "state",
    )  # fmt: skip

    def __init__(self, span: Span, state: State, dialect: Dialect, attributes: Mapping[str, Any], at: int) -> None:
        self.attributes = attributes
        self.name = span.name
        self.start = span.start_time or 0
        self.parsed = {}
        held = getattr(span, "_events", None)
        self._held = held if held is not None else span.events
        self.state = state
        self.dialect = dialect
        self.scope = state.scope
        self.at = at
        self.context = span.context
        self.parent = state.above
        self.resource = span.resource
        self._limits = getattr(span, "_limits", None)
        self._status = span.status
        self._readers = COMPILED[dialect.name]
        self._read: dict[str, Any] = {}
        self.operation: str = self.read("operation") or ""

    @property
    def events(self) -> Sequence[Event]:
        """The span's events in their order."""
        return [(event.name, event.timestamp, event.attributes or {}) for event in self._held]

    @property
    def limit(self) -> int:
        """How many attributes the span takes, read where the SDK keeps it."""
        found = getattr(self._limits, "max_span_attributes", LIMIT)
        return found if isinstance(found, int) else 1_000_000

    @property
    def failed(self) -> bool:
        """Whether the call ended in an error."""
        return self._status.status_code is StatusCode.ERROR or self.read("error_type") is not None

    def read(self, name: str) -> Any:
        """The value of a normalised field (`dialects.FIELDS`), None where the span has none."""
        found = self._read
        if name in found:
            return found[name]
        reader = self._readers.get(name)
        value = found[name] = None if reader is None else reader(self)
        return value

    def borrow(self) -> dict[str, Any]:
        """Take the fields that only another span of the same call had; those that this span's dialect can hold, as its attributes."""
        found: dict[str, Any] = {}
        for name, value in (self.state.lent or {}).items():
            if self.read(name) is None:
                self._read[name] = value
                if any(source.name == CANONICAL[name] for source in self.dialect.fields.get(name, ())):
                    found[CANONICAL[name]] = value
        return found


def attributes_of(span: ReadableSpan) -> Mapping[str, Any]:
    """A span's attributes, to be read at once: the SDK's own mapping takes a lock and two calls for each look."""
    own = getattr(span, "_attributes", None)
    held = own.__dict__.get("_dict") if type(own) is BoundedAttributes else None
    if held is not None:
        return held  # type: ignore[no-any-return]
    return dict(span.attributes or {})


def scope_of(span: ReadableSpan) -> str:
    """The name of the instrumentation scope, empty without one; its object is the tracer's, and asked once."""
    scope = (
        getattr(span, "_instrumentation_scope", None) or span.instrumentation_scope
    )  # the SDK's own place first: to ask is a call
    if scope is None:
        return ""
    known = _scopes.get(id(scope))
    if known is not None and known[0] is scope:
        return known[1]
    if len(_scopes) >= SCOPES:
        _scopes.clear()
    _scopes[id(scope)] = (scope, scope.name)
    return scope.name


def identity(of: Resource) -> tuple[str, str]:
    """Service and environment of a resource, as the collector names them; of a mirrored call those of the users' calls, whose baseline judges it."""
    resource = of.attributes
    environment = resource.get(names.ENVIRONMENT_NAME) or resource.get(names.ENVIRONMENT_NAME_OLD) or UNKNOWN_ENVIRONMENT
    return str(resource.get(names.SERVICE_NAME) or UNKNOWN_SERVICE), str(environment).removesuffix(SHADOW)
