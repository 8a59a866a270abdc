"""Judgements that were made elsewhere, as `gen_ai.evaluation.result` events of the spans they belong to, out by OTLP over HTTP."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

from truegreen.core.words import attributes as names
from truegreen.core.words.shapes import Result
from truegreen.evaluation.sending import traces_address

LOGS: Final = "/v1/logs"
TRACES: Final = "/v1/traces"
BATCH: Final = 512
SECONDS: Final = 5.0
SCOPE: Final = "truegreen.import"
_ID: Final = re.compile(r"[0-9a-f]{1,32}")


@dataclass(frozen=True, slots=True)
class Imported:
    """A judgement of an answer.

    Args:
        id: of the judgement where it was made.
        trace, span: ids of what was judged, 0 where unknown.
        model: the requested model, empty when unknown.
    """

    id: str
    result: Result
    trace: int = 0
    span: int = 0
    model: str = ""


def number(text: Any, digits: int) -> int:
    """A trace or span id from its hex digits; 0 where it is none (an id that an application made up is no OpenTelemetry id)."""
    given = str(text or "").lower().replace("-", "")
    return int(given, 16) if len(given) == digits and _ID.fullmatch(given) else 0


def logs_address(endpoint: str) -> str:
    """The address that log events are posted to, from a base address or a full one; raises `BadInput` when it is none."""
    return traces_address(endpoint.removesuffix(LOGS)).removesuffix(TRACES) + LOGS


class Delivery:
    """Sends events of one service and environment.

    Args:
        endpoint: where OTLP over HTTP is received.
    """

    def __init__(self, endpoint: str, service: str, environment: str) -> None:
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
        from opentelemetry.sdk.resources import Resource

        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)  # what fails is said once, by the caller
        self._kept = _Kept()
        self._exporter: Any = OTLPLogExporter(endpoint=logs_address(endpoint), timeout=SECONDS)
        resource = Resource.create({names.SERVICE_NAME: service, names.ENVIRONMENT_NAME: environment})
        provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
        provider.add_log_record_processor(SimpleLogRecordProcessor(cast("Any", self._kept)))
        self._logger = provider.get_logger(SCOPE)

    def send(self, found: Iterable[Imported]) -> list[Imported]:
        """Those that were taken: batch by batch, and none after the first that was not."""
        taken: list[Imported] = []
        rest = iter(found)
        while batch := list(islice(rest, BATCH)):
            if not self._sent(batch):
                break
            taken += batch
        return taken

    def close(self) -> None:
        """Close the connection."""
        self._exporter.shutdown()

    def _sent(self, batch: Sequence[Imported]) -> bool:
        from opentelemetry.trace import SpanContext, TraceFlags

        from truegreen.instrumentation import evaluate, events

        self._kept.records.clear()
        for one in batch:
            span = SpanContext(one.trace, one.span, is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
            copied = {names.REQUEST_MODEL: one.model} if one.model else {}
            events.emit(one.result, "base", span, copied, evaluate.attributes(one.result), self._logger)
        return bool(self._exporter.export(tuple(self._kept.records)).name == "SUCCESS")


class _Kept:
    """An exporter for the SDK's simple processor: it keeps what an exporter gets, whatever its class is in this SDK."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    def export(self, batch: Sequence[Any]) -> Any:
        """Keep a batch."""
        self.records += batch

    def shutdown(self) -> None:
        """There is nothing to close."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """There is nothing to flush."""
        return True
