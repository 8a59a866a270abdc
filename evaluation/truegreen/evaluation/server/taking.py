"""Takes a checked request: all of its items or none, and says why."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from opentelemetry.trace import SpanContext

from truegreen.evaluation.server import model
from truegreen.evaluation.server.access import Rates
from truegreen.evaluation.server.bodies import Accepted, Batch, Body, Sample
from truegreen.evaluation.server.gate import Refused
from truegreen.evaluation.server.model import Item, named_by_sender
from truegreen.evaluation.server.repeats import Repeats
from truegreen.evaluation.server.waiting import Waiting

SERVICES: Final = 500
"""So many services, each with its environment, are told apart: as many as a collector does."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is known of a request beside its items.

    Args:
        who: the sender's token, as a digest; empty where none is asked for.
        key: its `Idempotency-Key`, empty for none.
        digest: of path and body.
        size: bytes of the body.
    """

    who: str
    key: str
    digest: bytes
    size: int


@dataclass(slots=True)
class Taking:
    """The rules by which requests are taken, for one thread.

    Args:
        alive: whether somebody works on what waits.
        now: unix ns.
    """

    waiting: Waiting
    rates: Rates
    alive: Callable[[], bool]
    repeats: Repeats = field(default_factory=Repeats)
    now: Callable[[], int] = time.time_ns
    _services: set[tuple[str, str]] = field(default_factory=set)

    def take(self, kind: str, batch: Batch, request: Request) -> tuple[Accepted, bool]:
        """Accept a request; gives the answer, and whether it is that of an earlier one.

        Raises:
            Refused: nothing of it was taken.
        """
        while self.waiting.lost:  # another thread adds to it
            self.repeats.forget(self.waiting.lost.popleft())
        items = self._items(kind, batch, request)
        spans = [model.traceparent(item.span) for item in items if item.kind == model.SAMPLE and item.span]
        before = self._before(request) if request.key else None
        if before is not None:
            return Accepted(accepted=len(items) - before, repeated=before, traceparents=spans), True
        new = self._new(items)
        repeated = len(items) - len(new)
        self._check(batch, request, len(new))
        if not self.waiting.offer(new):
            raise self._full()
        for item in new:
            if named := named_by_sender(item):
                self.repeats.take(named)
        if request.key:
            self.repeats.keep(request.who, request.key, request.digest, repeated)
        return Accepted(accepted=len(new), repeated=repeated, traceparents=spans), False

    def _new(self, items: list[Item]) -> list[Item]:
        """Those that were not taken before, each once."""
        seen: set[int] = set()
        found = []
        for item in items:
            named = named_by_sender(item)
            if named and (named in seen or self.repeats.taken(named)):
                continue
            seen.add(named)
            found.append(item)
        return found

    def _before(self, request: Request) -> int | None:
        try:
            return self.repeats.known(request.who, request.key, request.digest)
        except ValueError:
            raise Refused(
                409, "idempotency", "this Idempotency-Key was used for another request; give each request a key of its own"
            ) from None

    def _check(self, batch: Batch, request: Request, count: int) -> None:
        if not self.alive():
            raise Refused(503, "stopped", "this server is stopping; send it again", 5)
        if count > self.waiting.limit:
            raise Refused(413, "too_large", f"at most {self.waiting.limit} items may wait; send fewer at a time")
        of = (batch.service, batch.environment)
        if of not in self._services and len(self._services) >= SERVICES:
            raise Refused(
                422, "services", f"{SERVICES} services were seen already; is the name of a service made up anew each time?"
            )
        if not self.waiting.fits(count, request.size):
            raise self._full()
        if seconds := self.rates.take(request.who, count):
            raise Refused(429, "rate", "this token sends faster than it may; wait as long as Retry-After says", seconds)
        self._services.add(of)

    def _full(self) -> Refused:
        return Refused(
            503, "full", "as much waits as may; send it again after as long as Retry-After says", self.waiting.retry_after()
        )

    def _items(self, kind: str, batch: Batch, request: Request) -> list[Item]:
        bodies, at = batch.items, self.now()
        size = request.size // len(bodies)

        def span(body: Body, place: int) -> SpanContext | None:
            if not isinstance(body, Sample):
                if body.traceparent is not None:
                    return model.context_of(body.traceparent)
                return model.named(batch.service, batch.environment, body.sample_id) if body.sample_id is not None else None
            # A request that is sent again with its key is answered as before, so its spans are known beforehand too.
            own = body.id if body.id is not None else f"{request.key}\0{place}" if request.key else None
            return model.unnamed() if own is None else model.named(batch.service, batch.environment, own)

        return [
            Item(kind, batch.service, batch.environment, body, at, span(body, place), size) for place, body in enumerate(bodies)
        ]
