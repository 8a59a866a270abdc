"""One exporter before a real server on the loopback, on a clock that a pause moves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from otlp_requests import Clock, llm, span, traces
from sink import Sink

from truegreen.collector.forward_exporter import Exporter, Timing
from truegreen.collector.forward_grpc import GrpcSender
from truegreen.collector.forward_http import HttpSender
from truegreen.collector.forward_payload import Original
from truegreen.collector.state import Store
from truegreen.core.config.forward import Destination
from truegreen.core.words import catalogue

SECRET = "the prompt of a customer"
BODY = traces([span(llm())])


class Time:
    """A clock that a pause moves on at once, and no chance."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    async def pause(self, seconds: float, _stopping: asyncio.Event) -> None:
        self.now += seconds
        self.pauses.append(seconds)
        await asyncio.sleep(0)

    def timing(self) -> Timing:
        return Timing(lambda: self.now, self.pause, lambda: 0.0)


class Line:
    """One exporter, its destination and its numbers."""

    def __init__(self, sink: Sink, protocol: str = "http", **given_: Any) -> None:
        self.sink, self.time, self.store, self.said = sink, Time(), Store(Clock(), 30.0), list[str]()
        address = sink.http if protocol == "http" else sink.grpc
        base = {"timeout": 5.0, "in_flight": 1} | given_
        self.destination = Destination("d", address + base.pop("path", ""), protocol, **base)
        sender = (HttpSender if protocol == "http" else GrpcSender)(self.destination, self.said.append)
        self.exporter = Exporter(self.destination, sender, self.store, self.time.timing())

    def number(self, metric: Any, *labels: str) -> float:
        return self.store.families[metric.prometheus].cells[("d", *labels)][0]

    @property
    def delivered(self) -> float:
        return self.number(catalogue.COLLECTOR_FORWARD_DELIVERED)

    @property
    def dropped(self) -> dict[str, float]:
        """The reasons that are not 0."""
        cells = self.store.families[catalogue.COLLECTOR_FORWARD_DROPPED.prometheus].cells
        return {reason: cell[0] for (_, reason), cell in cells.items() if cell[0]}

    async def settled(self) -> None:
        async with asyncio.timeout(20):
            await self.exporter._queue.join()


def run(body: Callable[[Sink], Awaitable[None]], **given_: Any) -> Sink:
    """Run a test against a sink."""

    async def whole() -> Sink:
        sink = Sink(**given_)
        end = await sink.serve()
        try:
            await body(sink)
        finally:
            await end()
        return sink

    return asyncio.run(whole())


def sent(
    *originals: Original,
    protocol: str = "http",
    script: list[str] | None = None,
    sink: dict[str, Any] | None = None,
    **given_: Any,
) -> Line:
    """What becomes of these requests."""
    lines: list[Line] = []

    async def body(made: Sink) -> None:
        line = Line(made, protocol, **given_)
        lines.append(line)
        line.exporter.start()
        for one in originals:
            line.exporter.offer(one)
        await line.settled()
        await line.exporter.close(1)

    run(body, script=script or [], **(sink or {}))
    return lines[0]
