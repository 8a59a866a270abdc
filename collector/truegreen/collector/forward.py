"""Hands accepted requests to every destination of `collector.forward`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from truegreen.collector.forward_exporter import Exporter, Sender
from truegreen.collector.forward_payload import LOOPBACK, Original
from truegreen.collector.refusals import busy
from truegreen.collector.state import Store
from truegreen.core.config.forward import Destination
from truegreen.core.errors import BadInput

_LOCAL: Final = {"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::]"}  # noqa: S104  # compared, not bound
Say = Callable[[str], None]


class Forward:
    """All destinations; what takes requests in asks `check` before it counts one and calls `offer` after."""

    def __init__(self, exporters: Sequence[Exporter]) -> None:
        self._by_signal = {
            signal: tuple(one for one in exporters if signal in one.destination.signals) for signal in ("traces", "logs")
        }
        self._strict = {
            signal: tuple(one for one in takers if one.destination.when_full == "refuse")
            for signal, takers in self._by_signal.items()
        }
        self._exporters = tuple(exporters)

    def check(self, signal: str, size: int) -> None:
        """Whether a request of so many bytes may be counted.

        Raises:
            Refused: a destination that asks for it has no room.
        """
        for one in self._strict[signal]:
            if one.full(size):
                raise busy("forward_full", f"the queue of {one.destination.name} is full")

    def offer(self, original: Original) -> None:
        """Put an accepted request into the queue of every destination of its signal; one without a byte holds nothing to forward."""
        if original.body:
            for one in self._by_signal[original.signal]:
                one.offer(original)

    def start(self) -> None:
        """Begin to send."""
        for one in self._exporters:
            one.start()

    async def close(self, seconds: float, say: Say) -> None:
        """Send what is left for at most so long, and say what was not."""
        ends = await asyncio.gather(*(one.close(seconds) for one in self._exporters))
        for one, (requests, size) in zip(self._exporters, ends, strict=True):
            if requests:
                say(
                    f"{requests} requests for {one.destination.name} were not delivered within {seconds:g} s ({size} bytes): they are lost there"
                )


def forwarding(destinations: Sequence[Destination], store: Store, say: Say) -> Forward:
    """The destinations of a configuration, in the running loop.

    Raises:
        BadInput: a file of headers or certificates cannot be used.
    """
    for one in destinations:
        if one.header_files and one.endpoint.startswith("http://") and urlsplit(one.endpoint).hostname not in LOOPBACK:
            say(
                f"collector.forward {one.name}: {', '.join(one.header_files)} go to {one.endpoint} in the clear; write https:// where others share the network"
            )
    return Forward([Exporter(one, _sender(one, say), store) for one in destinations])


def not_itself(destinations: Sequence[Destination], *endpoints: str) -> None:
    """Hold that no destination is one of these endpoints (HOST:PORT) of this collector: each request would come back for ever.

    Raises:
        BadInput: one is.
    """
    for one in destinations:
        host, _, port = urlsplit(one.endpoint).netloc.rpartition(":")
        for endpoint in endpoints:
            here, _, own = endpoint.rpartition(":")
            if port == own and (host == here or {host, here} <= _LOCAL):
                raise BadInput(
                    f"collector.forward {one.name}: {one.endpoint} is this collector itself; name another, or listen on another port"
                )


def _sender(destination: Destination, say: Say) -> Sender:
    if destination.protocol == "grpc":
        from truegreen.collector.forward_grpc import GrpcSender

        return GrpcSender(destination, say)
    from truegreen.collector.forward_http import HttpSender

    return HttpSender(destination, say)
