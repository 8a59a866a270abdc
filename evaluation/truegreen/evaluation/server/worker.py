"""The one thread that judges what was accepted and delivers it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from truegreen.evaluation.server.delivery import TIMEOUT, Delivery, Door
from truegreen.evaluation.server.model import Item
from truegreen.evaluation.server.services import Ids, Services, Verdicts
from truegreen.evaluation.server.spans import Maker
from truegreen.evaluation.server.waiting import Waiting
from truegreen.instrumentation import TruegreenInstrumentor, failures, notices, settings

BATCH: Final = 128
"""Items that are judged before they are sent."""
JUDGES_SECONDS: Final = 30
"""How long a batch waits for judges in the background: the queue fills meanwhile, and no judge is asked for more than it can do."""
_LOOK_MILLISECONDS: Final = 500
"""After so long it is looked whether the end has come."""
VERDICT: Final = "verdict"
"""The kind of an event that a judge in the background made after its sample's span."""
NO_CONTEXT: Final = "no_context"
FAILED, REFUSED, STOPPED = "error", "refused", "stopped"
"""Reasons of a drop: it could not be made into spans; the endpoint refuses it as it is; the end came first."""


class _Kept(SpanProcessor):
    """The spans of the item at hand."""

    def __init__(self) -> None:
        self._spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        self._spans.append(span)

    def take(self) -> list[ReadableSpan]:
        found, self._spans = self._spans, []
        return found


class _KeptRecords(LogRecordProcessor):
    """The verdicts of judges in the background."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[Any] = []

    def on_emit(self, log_record: Any) -> None:
        with self._lock:
            self._records.append(log_record)

    emit = on_emit  # its name in SDKs up to 1.35

    def take(self) -> list[Any]:
        with self._lock:
            found, self._records = self._records, []
        return found

    def shutdown(self) -> None:
        """Nothing is open."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Nothing waits here."""
        return True


class Worker:
    """Judges and delivers until the queue is closed and empty.

    Args:
        waiting: where the items come from.
        delivery: how they are sent.
        endpoint: where to.
        environ: the settings of the instrumentation (`TRUEGREEN_*`), as an application has them.
        timeout: seconds of one attempt.
    """

    def __init__(
        self, waiting: Waiting, delivery: Delivery, endpoint: str, environ: Mapping[str, str], *, timeout: float = TIMEOUT
    ) -> None:
        self._traces, self._logs = (Door(kind, endpoint, timeout) for kind in ("traces", "logs"))
        self._waiting, self._delivery, self._environ = waiting, delivery, environ
        self.verdicts = 0
        """Verdicts that left as events of their own."""
        self._thread = threading.Thread(target=self._run, name="truegreen-sampling", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether it works."""
        return self._thread.is_alive()

    def hurry(self) -> None:
        """Do not wait any longer for what is not delivered; for the handler of a signal."""
        self._delivery.hurry()

    def stop(self, seconds: float) -> None:
        """Take no more, deliver what waits for at most so many seconds, and drop the rest, counted."""
        self._waiting.close()
        self._delivery.stop(seconds)
        self._thread.join()

    def _run(self) -> None:
        ids = Ids()
        services, spans, records = Services(ids), _Kept(), _KeptRecords()
        verdicts = Verdicts(records)
        # No prompt that nobody names is given the revision of the folder in which the endpoint happens to run.
        known = replace(settings.load(self._environ), fallback=False)
        instrumentor = TruegreenInstrumentor()
        instrumentor.instrument(tracer_provider=services, logger_provider=verdicts, settings=known)
        services.add_span_processor(spans)
        # What an application is told to do about it is of no use to a sender: `_say_missing` says it in other words.
        notices.once("no context", "", logging.DEBUG)
        maker = Maker(services, ids, verdicts, known.retrieval_floor)
        try:
            while items := self._waiting.take(BATCH):
                made = [(item, found) for item in items if (found := self._made(maker, item, spans)) is not None]
                self._judged(services)
                self._deliver(made)
                self._deliver_verdicts(records.take())
                if self._delivery.over:
                    self._waiting.give_up(STOPPED)
        finally:
            instrumentor.uninstrument()
            self._deliver_verdicts(records.take())
            for door in (self._traces, self._logs):
                door.close()

    def _judged(self, services: Services) -> None:
        for _ in range(JUDGES_SECONDS * 1_000 // _LOOK_MILLISECONDS):
            if self._delivery.over or services.force_flush(_LOOK_MILLISECONDS):
                return

    def _made(self, maker: Maker, item: Item, spans: _Kept) -> list[ReadableSpan] | None:
        try:
            maker.make(item)
        except Exception as error:
            failures.count(f"sampling {item.kind}", error)
            spans.take()
            self._waiting.settle([item], FAILED)
            return None
        found = spans.take()
        _say_missing(span.attributes for span in found)
        return found

    def _deliver(self, made: Sequence[tuple[Item, list[ReadableSpan]]]) -> None:
        if not made:
            return
        taken, refused = self._delivery.send(made, _spans, self._traces)
        settled = {id(item) for item, _ in (*taken, *refused)}
        self._waiting.settle([item for item, _ in taken])
        self._waiting.settle([item for item, _ in refused], REFUSED)
        self._waiting.settle([item for item, _ in made if id(item) not in settled], STOPPED)

    def _deliver_verdicts(self, records: Sequence[Any]) -> None:
        if not records:
            return
        _say_missing(record.log_record.attributes for record in records)
        taken, refused = self._delivery.send(records, list, self._logs)
        self.verdicts += len(taken)
        self._waiting.dropped[VERDICT, REFUSED] += len(refused)
        self._waiting.dropped[VERDICT, STOPPED] += len(records) - len(taken) - len(refused)


def _spans(parts: Sequence[tuple[Item, list[ReadableSpan]]]) -> list[ReadableSpan]:
    return [span for _, found in parts for span in found]


def _say_missing(said: Iterable[Mapping[str, Any] | None]) -> None:
    if any(value == NO_CONTEXT and name.endswith(".skipped") for one in said for name, value in (one or {}).items()):
        notices.once(
            "no passages", "samples without passages are not judged (skipped: no_context): send them as `context`, see /docs"
        )
