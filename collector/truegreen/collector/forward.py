"""Hands accepted requests to every destination of `collector.forward`."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from typing import Final
from urllib.parse import urlsplit

from truegreen.collector.forward_exporter import Exporter, Sender
from truegreen.collector.forward_payload import LOOPBACK, Original
from truegreen.collector.refusals import INVALID_ARGUMENT, Refused, busy
from truegreen.collector.state import Store
from truegreen.core.config.forward import Destination
from truegreen.core.errors import BadInput

log = logging.getLogger("truegreen.collector")
_LOCAL: Final = {"127.0.0.1", "localhost", "::1", "0.0.0.0", "::"}  # noqa: S104  # compared, not bound
_PORTS: Final = {("http", "http"): 80, ("grpc", "http"): 4317}
"""Protocol and scheme to the port of an address that has none; 443 for any other."""
_ID: Final = re.compile(r"[0-9a-f]{16}")
HOPS: Final = 16
"""A request that so many collectors have forwarded goes in a circle, whoever they are."""
Say = Callable[[str], None]


class Forward:
    """All destinations; what takes requests in asks `came_back` and `check` before it counts one and calls `offer` after.

    Args:
        exporters: one for each destination.
        identity: 16 hexadecimal digits, of this collector alone.
    """

    def __init__(self, exporters: Sequence[Exporter], identity: str = "0" * 16) -> None:
        self._identity, self._said = identity, False
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

    def came_back(self, via: str) -> None:
        """Hold that a request with this header `truegreen-via` was not forwarded by this collector before.

        Raises:
            Refused: it was: it would be counted and forwarded for ever.
        """
        if not via:
            return
        hops = _ID.findall(via)
        if self._identity not in hops and len(hops) < HOPS:
            return
        if not self._said:
            self._said = True
            log.error(
                "a request that was forwarded from here came back and is refused: a destination of collector.forward leads here"
            )
        raise Refused(
            "loop", 508, INVALID_ARGUMENT, "this collector has forwarded this request before: a destination leads back to it"
        )

    def offer(self, original: Original) -> None:
        """Put an accepted request into the queue of every destination of its signal."""
        takers = self._by_signal[original.signal]
        if takers:
            marked = original._replace(via=",".join((*_ID.findall(original.via), self._identity)))
            for one in takers:
                one.offer(marked)

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


def forwarding(destinations: Sequence[Destination], store: Store, say: Say, identity: str = "0" * 16) -> Forward:
    """The destinations of a configuration, in the running loop; `identity` is 16 hexadecimal digits, of this collector alone.

    Raises:
        BadInput: a file of headers or certificates cannot be used.
    """
    for one in destinations:
        if one.header_files and one.endpoint.startswith("http://") and urlsplit(one.endpoint).hostname not in LOOPBACK:
            say(
                f"collector.forward {one.name}: {', '.join(one.header_files)} go to {one.endpoint} in the clear; write https:// where others share the network"
            )
    return Forward([Exporter(one, _sender(one, say), store) for one in destinations], identity)


def not_itself(destinations: Sequence[Destination], *endpoints: str) -> None:
    """Hold that no destination is one of these endpoints (HOST:PORT) of this collector, as far as an address says it.

    Raises:
        BadInput: one is.
    """
    for one in destinations:
        address = urlsplit(one.endpoint)
        host = (address.hostname or "").rstrip(".")
        port = address.port or _PORTS.get((one.protocol, address.scheme), 443)
        for endpoint in endpoints:
            own, _, number = endpoint.lower().rpartition(":")
            here = own.strip("[]")
            if number.isdecimal() and int(number) == port and (host == here or {host, here} <= _LOCAL):
                raise BadInput(
                    f"collector.forward {one.name}: {one.endpoint} is this collector itself; name another, or listen on another port"
                )


def _sender(destination: Destination, say: Say) -> Sender:
    if destination.protocol == "grpc":
        from truegreen.collector.forward_grpc import GrpcSender

        return GrpcSender(destination, say)
    from truegreen.collector.forward_http import HttpSender

    return HttpSender(destination, say)
