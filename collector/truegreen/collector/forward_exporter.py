"""One destination: a queue bounded in bytes, several requests on their way at once, retries, and a count of every request's end."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from math import inf
from typing import Final, Protocol

from truegreen.collector import forward_verdict as verdicts
from truegreen.collector.forward_payload import Original, Prepare, UnredactableError, preparation
from truegreen.collector.forward_verdict import Verdict
from truegreen.collector.state import Store
from truegreen.core.config.forward import Destination
from truegreen.core.words import catalogue

log = logging.getLogger("truegreen.collector")
OVERHEAD: Final = 512
"""Bytes that a request counts beside its body, so that a queue of tiny ones is bounded too."""
QUIET_SECONDS: Final = 60.0
"""A destination that fails now and then is named in the log at most so often."""


class Sender(Protocol):
    """What carries one request to a destination."""

    async def send(self, request: Original) -> Verdict:
        """One attempt; raises nothing that the network can cause."""

    async def close(self) -> None:
        """End its connections."""


async def _pause(seconds: float, stopping: asyncio.Event) -> None:
    """Wait so long, or until a stop begins."""
    try:
        await asyncio.wait_for(stopping.wait(), seconds)
    except TimeoutError:
        return


@dataclass(frozen=True, slots=True)
class Timing:
    """Where time and chance come from: a clock in seconds, a pause that a stop may end, a number from 0 to 1."""

    clock: Callable[[], float] = time.monotonic
    pause: Callable[[float, asyncio.Event], Awaitable[None]] = _pause
    chance: Callable[[], float] = field(default=random.random)


@dataclass(slots=True)
class Item:
    """A request in the queue and when it came."""

    original: Original
    size: int
    born: float


class Exporter:
    """Everything about one destination; made in the loop that runs it."""

    def __init__(self, destination: Destination, sender: Sender, store: Store, timing: Timing = Timing()) -> None:
        self.destination, self._sender, self._timing = destination, sender, timing
        self._prepare: Prepare | None = preparation(destination)
        self._making = asyncio.Lock()
        self._made = 0
        """Bytes that were made of requests and are on their way: inflated, they may be a thousand times what the queue holds."""
        self._ended = asyncio.Event()
        self._queue: asyncio.Queue[Item] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._not_before = -inf
        self._stopping = asyncio.Event()
        self._deadline = inf
        self._failing, self._quiet_until = False, -inf
        self.held = 0
        """Bytes that wait or are on their way."""
        self._left = [0, 0]
        name = (destination.name,)
        self._lost = {
            reason: store.cell(catalogue.COLLECTOR_FORWARD_DROPPED, (*name, reason), hold=False) for reason in verdicts.LOSSES
        }
        self._delivered = store.cell(catalogue.COLLECTOR_FORWARD_DELIVERED, name, hold=False)
        self._retries = store.cell(catalogue.COLLECTOR_FORWARD_RETRIES, name, hold=False)
        self._rejected = store.cell(catalogue.COLLECTOR_FORWARD_REJECTED, name, hold=False)
        self._gauge = store.cell(catalogue.COLLECTOR_FORWARD_QUEUE, name, hold=False)
        self._waiting = store.cell(catalogue.COLLECTOR_FORWARD_QUEUE_REQUESTS, name, hold=False)
        self._gauge[0] = self._waiting[0] = 0
        store.cell(catalogue.COLLECTOR_FORWARD_QUEUE_LIMIT, name, hold=False)[0] = destination.queue

    def full(self, size: int) -> bool:
        """Whether a request of so many bytes would find room later, and finds none now."""
        return self.held + size + OVERHEAD > self.destination.queue >= size + OVERHEAD

    def offer(self, original: Original) -> None:
        """Take a request into the queue, or count it as dropped."""
        size = len(original.body) + OVERHEAD
        if self.held + size > self.destination.queue:
            self._drop(verdicts.QUEUE_FULL, f"its queue of {self.destination.queue} bytes is full")
        elif self._deadline < inf:
            self._drop(verdicts.SHUTDOWN, "the collector is stopping")
        else:
            self._hold(size, 1)
            self._queue.put_nowait(Item(original, size, self._timing.clock()))

    def start(self) -> None:
        """Begin to send."""
        self._workers = [asyncio.create_task(self._work()) for _ in range(self.destination.in_flight)]

    async def close(self, seconds: float) -> tuple[int, int]:
        """Send what is left for at most so long; how many requests and bytes were not delivered. Those are counted as dropped."""
        self._deadline = self._timing.clock() + seconds
        self._stopping.set()
        try:
            await asyncio.wait_for(self._queue.join(), seconds)
        except TimeoutError:
            log.info("the queue for %s was not empty after %g s", self.destination.name, seconds)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        while not self._queue.empty():
            self._end(self._queue.get_nowait(), verdicts.SHUTDOWN)
        await self._sender.close()
        requests, size = self._left
        return requests, size

    async def _work(self) -> None:
        while True:
            item = await self._queue.get()
            outcome = verdicts.INTERNAL
            said = ""
            try:
                outcome, said = await self._brought(item)
            except asyncio.CancelledError:
                outcome = verdicts.SHUTDOWN
                raise
            except UnredactableError:
                outcome, said = verdicts.UNREDACTABLE, "they cannot be read, so nothing of them is sent"
            except Exception as error:  # a defect of ours costs one request, not the worker
                said = type(error).__name__
            finally:
                self._end(item, outcome, said)

    async def _brought(self, item: Item) -> tuple[str, str]:
        """Send until it is taken or lost; how it ended."""
        attempt, until, said = 0, -inf, "nothing yet"
        while True:
            lost = await self._waited(item, until)
            if lost:
                return lost, f"the last attempt: {said}"
            verdict = await self._attempt(item.original)
            said = verdict.said
            if verdict.outcome == verdicts.DELIVERED:
                self._took(verdict)
            if verdict.outcome != verdicts.RETRY:
                return verdict.outcome, said
            attempt += 1
            until = self._refused(item, verdict, attempt)

    async def _attempt(self, original: Original) -> Verdict:
        """Send once. What is made of a request for that is made anew for each attempt, and is at most `queue` bytes for all, or one request."""
        if self._prepare is None:
            return await self._sender.send(original)
        async with self._making:
            made = await asyncio.to_thread(self._prepare, original)
            size = len(made.body)
            while self._made and self._made + size > self.destination.queue:
                self._ended.clear()
                await self._ended.wait()
            self._made += size
        try:
            return await self._sender.send(made)
        finally:
            self._made -= size
            self._ended.set()

    async def _waited(self, item: Item, until: float) -> str | None:
        """Wait until the destination may be asked again; the reason when the request's time, or the stop's, ends before that."""
        clock = self._timing.clock
        while True:
            now, at = clock(), max(until, self._not_before)
            if max(now, at) >= item.born + self.destination.max_age:
                return verdicts.EXPIRED
            if at <= now:
                return None
            if at > self._deadline:
                return verdicts.SHUTDOWN
            if self._deadline < inf:
                await asyncio.sleep(at - now)
            else:
                await self._timing.pause(at - now, self._stopping)

    def _refused(self, item: Item, verdict: Verdict, attempt: int) -> float:
        """Note that an attempt failed; when the next one may be made."""
        asked = None if verdict.wait is None else min(verdict.wait, verdicts.LONGEST_ASKED, self.destination.max_age / 5)
        until = self._timing.clock() + verdicts.wait_before(attempt, asked, self._timing.chance())
        if asked is not None:
            self._not_before = max(self._not_before, until)
        if until < item.born + self.destination.max_age and until <= self._deadline:
            self._retries[0] += 1
        now = self._timing.clock()
        if now >= self._quiet_until:
            self._failing, self._quiet_until = True, now + QUIET_SECONDS
            log.warning("forwarding to %s fails: %s; requests are kept and tried again", self.destination.name, verdict.said)
        return until

    def _took(self, verdict: Verdict) -> None:
        if self._failing:
            self._failing = False
            log.info("forwarding to %s works again", self.destination.name)
        if verdict.rejected:
            before = self._rejected[0]
            self._rejected[0] += verdict.rejected
            if not before:
                log.warning("%s took a request without %d of its spans or log records", self.destination.name, verdict.rejected)

    def _end(self, item: Item, outcome: str, said: str = "") -> None:
        if outcome == verdicts.DELIVERED:
            self._delivered[0] += 1
        else:
            self._drop(outcome, said)
        if outcome == verdicts.SHUTDOWN:
            self._left = [self._left[0] + 1, self._left[1] + item.size]
        self._hold(-item.size, -1)
        self._queue.task_done()

    def _drop(self, reason: str, said: str) -> None:
        cell = self._lost[reason]
        cell[0] += 1
        round_number = f"{cell[0]:.0f}".strip("0") == "1"  # the first, the tenth, the hundredth: a log is bounded too
        if round_number and reason != verdicts.SHUTDOWN:
            log.warning("forwarding to %s: %d requests dropped so far: %s: %s", self.destination.name, cell[0], reason, said)

    def _hold(self, size: int, requests: int) -> None:
        self.held += size
        self._gauge[0] = self.held
        self._waiting[0] += requests
