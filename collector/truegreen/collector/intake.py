"""What HTTP and gRPC share: who may send, the bounds on what is held at once, and one request into the processor."""

from __future__ import annotations

import asyncio
import logging
import time
from bisect import bisect_left
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from truegreen.collector import wire
from truegreen.collector.access import Allow, anybody
from truegreen.collector.forward import Forward
from truegreen.collector.forward_payload import Original
from truegreen.collector.otlp_json import LOGS, TRACES
from truegreen.collector.processor import Processor
from truegreen.collector.refusals import INVALID_ARGUMENT, Refused, busy
from truegreen.collector.state import DROPPED
from truegreen.collector.turns import Turns
from truegreen.core.config.receiver import Limits
from truegreen.core.words import catalogue

log = logging.getLogger("truegreen.collector")
Partial = tuple[int, str]
"""How many spans or log records were not taken, and why; 0 with words is a warning (OTLP, partial success)."""
WHOLE: Final[Partial] = (0, "")
UNUSABLE: Final = ("not_a_number", "out_of_range", "undecodable")
"""Reasons for which a number of a span is left out while the rest of the span is counted: the sender is warned."""


@dataclass(slots=True)
class Intake:
    """Where requests go in.

    Args:
        processor: counts them.
        limit: bytes of requests that may be held at once.
        limits: what else is taken at once.
        allow: raises where a request's Authorization header is not enough.
        forward: where accepted requests go besides.
    """

    processor: Processor
    limit: int
    limits: Limits = field(default_factory=Limits)
    allow: Allow = anybody
    forward: Forward = field(default_factory=lambda: Forward(()))
    held: int = 0
    active: int = 0
    draining: bool = False
    _timer: Callable[[], float] = field(default=time.perf_counter)
    converting: Turns = field(default_factory=lambda: Turns(1))
    """To read JSON in a thread: one at a time, for it is large while it is read."""
    _idle: asyncio.Event = field(default_factory=asyncio.Event)
    _dropped: tuple[list[float], ...] = field(init=False)
    _accepted: dict[str, list[float]] = field(init=False)

    def __post_init__(self) -> None:
        own = self.processor.store.own
        self._dropped = tuple(own[catalogue.COLLECTOR_DROPPED_SPANS.prometheus, reason] for reason in DROPPED)
        self._accepted = {
            signal: self.processor.store.cell(catalogue.COLLECTOR_ACCEPTED_REQUESTS, (signal,), hold=False)
            for signal in (TRACES, LOGS)
        }

    @contextmanager
    def request(self, authorization: str, via: str = "") -> Iterator[None]:
        """One request, from its headers to its answer.

        Raises:
            Refused: the sender may not, it was forwarded from here, there are too many others, or the collector is stopping.
        """
        self.allow(authorization)
        self.forward.came_back(via)
        if self.draining:
            raise busy("draining", "the collector is stopping")
        if self.active >= self.limits.requests:
            raise busy("overloaded", f"{self.active} requests are in flight, as many as are taken at once")
        self.active += 1
        try:
            yield
        finally:
            self.active -= 1
            if self.draining and not self.active:
                self._idle.set()

    async def drained(self, seconds: float) -> None:
        """Refuse what comes from now on, and wait until the requests that were let in before are answered, at most so long."""
        self.draining = True
        if self.active:
            try:
                async with asyncio.timeout(seconds):
                    await self._idle.wait()
            except TimeoutError:
                log.warning("%d requests were not whole after %g s; their senders were not answered", self.active, seconds)

    def check(self, size: int) -> None:
        """Whether there is room for `size` more bytes now; nothing is held.

        Raises:
            Refused: there is no room.
        """
        if self.held + size > self.limit:
            raise busy("overloaded", f"{self.held} bytes are in flight, at most {self.limit} are held")

    def reserve(self, size: int) -> None:
        """Hold `size` more bytes that are here; give them back with `release`.

        Raises:
            Refused: there is no room.
        """
        self.check(size)
        self.held += size

    def release(self, size: int) -> None:
        """Give bytes back."""
        self.held -= size

    def refused(self, refused: Refused) -> None:
        """Count a refusal."""
        self.processor.store.refused(refused.reason)

    def take(self, signal: str, data: bytes, original: Original | None = None) -> Partial:
        """Count one request and hand it on to be forwarded; what of it was not taken.

        Args:
            original: the request as it came, where that is not `data`.

        Raises:
            Refused: the bytes are no such message, or one that forwards must have it and has no room.
        """
        original = original or Original(signal, data)
        self.forward.check(signal, len(original.body))
        began = self._timer()
        processor = self.processor
        before = [cell[0] for cell in self._dropped]
        failed = 0
        try:
            if signal == TRACES:
                processor.traces(data)
            else:
                processor.logs(data)
        except wire.DecodeError:
            raise Refused("undecodable", 400, INVALID_ARGUMENT, f"the body is not an OTLP {signal} request") from None
        except Exception as error:
            # A retry would count the first part twice: the request is taken, what is left of it is lost, and counter and answer say so.
            processor.store.dropped("internal")
            log.error("a request could not be counted to its end: %s", type(error).__name__)  # noqa: TRY400  # a traceback could show content
            failed = size_of(signal, data) or 1
        if original.body:  # one without a byte holds nothing to forward
            self._accepted[signal][0] += 1
            self.forward.offer(original)
        taken = self._timer() - began
        cell = processor.store.request_duration
        cell[bisect_left(catalogue.COLLECTOR_REQUEST_DURATION.buckets, taken) + 1] += 1
        cell[0] += taken
        after = [cell[0] for cell in self._dropped]
        return WHOLE if before == after else partial(dict(zip(DROPPED, map(float.__sub__, after, before), strict=True)), failed)


def partial(dropped: dict[str, float], failed: int) -> Partial:
    """What to say of a request of which something was left out.

    A span without our attributes is no loss, and one with a number that no metric can hold is counted but for that number. What is rejected
    is an evaluation event that does not name its evaluation, and what was not counted because of a fault of ours.
    """
    unnamed = int(dropped["no_evaluation_name"])
    said = [f"{int(dropped[reason])} values were left out of metrics: {reason}" for reason in UNUSABLE if dropped[reason]]
    if unnamed:
        said.append(f"{unnamed} evaluation events lack gen_ai.evaluation.name")
    if failed:
        said.append(f"up to {failed} were not counted: the collector failed, see its log")
    return unnamed + failed, "; ".join(said)


def size_of(signal: str, data: bytes) -> int:
    """How many spans or log records a request has; 0 where it cannot be read."""
    try:
        if signal == LOGS:
            return sum(len(scope.log_records) for one in wire.parse_logs(data).resource_logs for scope in one.scope_logs)
        return sum(len(scope.spans) for one in wire.parse_traces(data).resource_spans for scope in one.scope_spans)
    except wire.DecodeError:
        return 0
