"""Spans and verdicts go out by OTLP over HTTP, and what was not taken is kept: sent again while the endpoint has trouble, halved where it refuses."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import requests
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from truegreen.evaluation.sending import traces_address
from truegreen.instrumentation import failures

TIMEOUT: Final = 5.0
PAUSE, LONGEST_PAUSE = 0.5, 15.0
"""Seconds before the second attempt, doubled for each one after it."""
_TAKEN: Final = range(200, 300)
_OF_THE_DATA: Final = frozenset({400, 413, 422})
"""Statuses that say that another attempt with the same spans is of no use; any other one is the endpoint's trouble."""
T = TypeVar("T")


@dataclass(slots=True)
class Health:
    """How the last attempt went.

    Args:
        why: what is wrong, empty when the last attempt was taken.
        since: when it began to be wrong, seconds of the clock.
        attempts, failed: of all there were.
    """

    why: str = ""
    since: float = 0.0
    attempts: int = 0
    failed: int = 0
    rejected: int = 0
    """Spans and records that the endpoint left out of requests that it took."""


class _NotTaken(Exception):
    """An attempt has its answer."""


class Door:
    """One signal's way out.

    Args:
        kind: `traces` or `logs`.
        endpoint: as `--endpoint` has it; headers and certificates come from `OTEL_EXPORTER_OTLP_*`.
    """

    def __init__(self, kind: str, endpoint: str, timeout: float = TIMEOUT) -> None:
        address = traces_address(endpoint)
        session = requests.Session()
        session.hooks["response"].append(self._answered)
        self._status, self._body = 0, b""
        if kind == "traces":
            self._exporter: Any = OTLPSpanExporter(endpoint=address, timeout=timeout, session=session)
            self._answer: Any = ExportTraceServiceResponse
        else:
            self._exporter = OTLPLogExporter(
                endpoint=address.removesuffix("/").removesuffix("traces") + "logs", timeout=timeout, session=session
            )
            self._answer = ExportLogsServiceResponse

    def _answered(self, answer: requests.Response, *_: Any, **__: Any) -> None:
        self._status, self._body = answer.status_code, answer.content
        if answer.status_code not in _TAKEN:
            raise _NotTaken  # else the exporter tries again by itself, older ones for a minute

    def send(self, batch: Sequence[Any]) -> tuple[int, int]:
        """Post a batch; gives the last status, 0 where nobody answered, and how many of it the endpoint left out."""
        self._status, self._body = 0, b""
        try:
            self._exporter.export(batch)
        except _NotTaken:
            pass
        except Exception as error:  # another library's: what it could not send is kept and sent again
            failures.count("sampling export", error)
        return self._status, self._left_out()

    def close(self) -> None:
        """Let go of the connection."""
        self._exporter.shutdown()

    def _left_out(self) -> int:
        if self._status not in _TAKEN or not self._body:
            return 0
        try:
            said = self._answer.FromString(self._body).partial_success
        except Exception:  # the endpoint took it and answers in another form
            return 0
        return int(getattr(said, "rejected_spans", 0) or getattr(said, "rejected_log_records", 0))


@dataclass(slots=True)
class Delivery:
    """Sends until it is taken.

    Args:
        say: takes a line when the endpoint begins to have trouble, and when it is over.
        health: as of the last attempt.
        clock: seconds that only rise.
    """

    say: Callable[[str], None]
    health: Health = field(default_factory=Health)
    clock: Callable[[], float] = time.monotonic
    pause: float = PAUSE
    _deadline: float = float("inf")
    _stop: threading.Event = field(default_factory=threading.Event)

    def stop(self, seconds: float) -> None:
        """Give up what is not delivered within so many seconds."""
        self._deadline = min(self._deadline, self.clock() + seconds)
        self._stop.set()

    def hurry(self) -> None:
        """Give up what is not delivered now; takes no lock, since a signal's handler calls it."""
        self._deadline = float("-inf")

    @property
    def over(self) -> bool:
        """Whether the time to deliver is over."""
        return self.clock() >= self._deadline

    def send(self, parts: Sequence[T], content: Callable[[Sequence[T]], Sequence[Any]], door: Door) -> tuple[list[T], list[T]]:
        """Send parts, together or by halves; gives those that were taken and those that the endpoint refuses whatever one does.

        The others, of which there are some only when the time is over, are in neither.

        Args:
            content: the spans or records of some parts.
        """
        batch = content(parts)
        if not batch:
            return list(parts), []
        status = self._until_settled(batch, door)
        if status in _TAKEN:
            return list(parts), []
        if status not in _OF_THE_DATA:
            return [], []
        if len(parts) == 1:
            return [], list(parts)
        half = len(parts) // 2
        first, second = self.send(parts[:half], content, door), self.send(parts[half:], content, door)
        return first[0] + second[0], first[1] + second[1]

    def _until_settled(self, batch: Sequence[Any], door: Door) -> int:
        pause = self.pause
        while True:
            status, left_out = door.send(batch)
            self._note(status, left_out)
            if status in _TAKEN or status in _OF_THE_DATA or self.over:
                return status
            if self._stop.is_set():
                time.sleep(min(PAUSE, max(0.0, self._deadline - self.clock())))
            else:
                self._stop.wait(pause)
            pause = min(LONGEST_PAUSE, pause * 2)

    def _note(self, status: int, left_out: int) -> None:
        health = self.health
        health.attempts += 1
        health.rejected += left_out
        if status in _TAKEN:
            if health.why:
                self.say(f"the endpoint takes spans again after {self.clock() - health.since:.0f} s")
            health.why = ""
            return
        health.failed += 1
        why = f"it answers {status}" if status else "nobody answers there in time"
        if not health.why:
            health.since = self.clock()
            self.say(f"the endpoint does not take spans: {why}; they are kept and sent again")
        health.why = why


def silence() -> None:
    """What the exporters log of a failure is said once, by `Delivery`."""
    logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
