"""One provider of spans, and one of verdicts, for the many services whose answers come in: each span belongs to the service named before it."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Any, Final

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import SpanContext

from truegreen.core.words import attributes as names

TRACES: Final = 20_000
"""So many traces are remembered with their service, many times what may wait for a judge in the background."""


class Ids(IdGenerator):
    """Gives the ids that were fixed when an item was accepted, and random ones where none were."""

    def __init__(self) -> None:
        self._trace = self._span = 0

    def fix(self, trace: int) -> None:
        """The trace that the next root span begins."""
        self._trace = trace

    def fix_span(self, span: int) -> None:
        """The next span's own id."""
        self._span = span

    def generate_trace_id(self) -> int:
        """The fixed one, once."""
        found, self._trace = self._trace, 0
        return found or secrets.randbits(128) or 1

    def generate_span_id(self) -> int:
        """The fixed one, once."""
        found, self._span = self._span, 0
        return found or secrets.randbits(64) or 1


class Services(TracerProvider):
    """Makes spans of the service that `serve` named last; for one thread."""

    def __init__(self, ids: Ids) -> None:
        super().__init__(sampler=ALWAYS_ON, resource=Resource({}), id_generator=ids, shutdown_on_exit=False)
        self._known: dict[tuple[str, str], Resource] = {}
        self._serving = self.resource

    def serve(self, service: str, environment: str) -> Resource:
        """From now on spans are of this service; gives its resource."""
        known = self._known.get((service, environment))
        if known is None:
            known = Resource({names.SERVICE_NAME: service, names.ENVIRONMENT_NAME: environment})
            self._known[service, environment] = known
        self._serving = known
        return known

    def get_tracer(self, *args: Any, **kwargs: Any) -> Any:
        """A tracer for the service that is served now: newer SDKs give one object for each scope, so it is turned to it."""
        tracer: Any = super().get_tracer(*args, **kwargs)
        tracer.resource = self._serving
        return tracer


class Verdicts:
    """A logger provider: the verdict of a judge in the background goes out under the service whose answer it judged.

    Args:
        kept: takes each record that is to be sent.
    """

    def __init__(self, kept: LogRecordProcessor) -> None:
        self._kept = kept
        self._of: OrderedDict[int, Resource] = OrderedDict()
        self._providers: dict[int, tuple[Resource, LoggerProvider]] = {}

    def judged(self, span: SpanContext, resource: Resource) -> None:
        """Remember whose answer a trace holds."""
        self._of[span.trace_id] = resource
        while len(self._of) > TRACES:
            self._of.popitem(last=False)

    def get_logger(self, name: str, *_: Any, **__: Any) -> _Logger:
        """What the instrumentation writes to."""
        return _Logger(self, name)

    def emit(self, scope: str, record: Any) -> None:
        """Hand a record to the service of its trace."""
        resource = self._of.get(record.trace_id)
        if resource is None:
            return
        found = self._providers.get(id(resource))
        if found is None:
            provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
            provider.add_log_record_processor(self._kept)
            found = self._providers[id(resource)] = (resource, provider)
        if hasattr(record, "resource"):  # SDKs up to 1.38 keep it in the record
            record.resource = resource
        found[1].get_logger(scope).emit(record)


class _Logger:
    def __init__(self, verdicts: Verdicts, scope: str) -> None:
        self._verdicts, self._scope = verdicts, scope

    def emit(self, record: Any) -> None:
        self._verdicts.emit(self._scope, record)
