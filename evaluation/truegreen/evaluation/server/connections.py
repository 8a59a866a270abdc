"""Which connections stay open: those that say nothing cost nobody else an answer."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
from collections import Counter, OrderedDict
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS: Final = 600
"""So many at a time; for the next one the one that has been idle for longest is closed."""
BACKLOG: Final = 100
"""So many are accepted at a time, and two or three times so many before the first is looked at: with `CONNECTIONS` under 1,024 open files."""
PER_PEER: Final = 200
"""So many of one other machine, by the same rule; whoever comes from this machine has the same address as all others here."""
HEADERS_SECONDS: Final = 10.0
"""From the beginning of a connection, or of a further request, until the headers are whole."""


class Places:
    """The connections that are open, and which of them are idle: no request is being answered.

    Args:
        most, per_peer: how many may be open, in all and of one other machine.
    """

    def __init__(self, most: int = CONNECTIONS, per_peer: int = PER_PEER) -> None:
        self._most, self._per_peer = most, per_peer
        self._peers: dict[Connection, str] = {}
        self._count: Counter[str] = Counter()
        self._idle: OrderedDict[Connection, None] = OrderedDict()

    def admit(self, one: Connection, peer: str) -> bool:
        """Whether a new connection may stay; where as many are open as may be, an idle one is closed for it."""
        if not _here(peer) and self._count[peer] >= self._per_peer and not self._closed(peer):
            return False
        if len(self._peers) >= self._most and not self._closed(None):
            return False
        self._peers[one] = peer
        self._count[peer] += 1
        self.note(one, idle=True)
        return True

    def note(self, one: Connection, *, idle: bool) -> None:
        """It became idle just now, or is not."""
        self._idle.pop(one, None)
        if idle and one in self._peers:
            self._idle[one] = None

    def forget(self, one: Connection) -> None:
        """It is closed."""
        self._idle.pop(one, None)
        peer = self._peers.pop(one, None)
        if peer is not None:
            self._count[peer] -= 1
            self._count += Counter()  # without those at 0

    def _closed(self, peer: str | None) -> bool:
        found = next((one for one in self._idle if peer is None or self._peers[one] == peer), None)
        if found is not None:
            self.forget(found)
            found.transport.abort()
        return found is not None


class Connection(H11Protocol):
    """Uvicorn's own, which waits for headers for some time only, and has a place among the others."""

    places: Places
    seconds: float
    _late: asyncio.TimerHandle | None = None
    _stays = False

    def connection_made(self, transport: Any) -> None:
        """Let it in, or close it at once."""
        peer = transport.get_extra_info("peername")
        self._stays = self.places.admit(self, str(peer[0]) if isinstance(peer, tuple) else "")
        if not self._stays:
            transport.abort()
            return
        super().connection_made(transport)
        self._noted(waits=True)

    def data_received(self, data: bytes) -> None:
        """Some of a request, or of the body of one that is answered already."""
        super().data_received(data)
        self._noted(waits=True)

    def on_response_complete(self) -> None:
        """A request is answered; the next one may be under way already."""
        super().on_response_complete()
        self._noted(waits=False)

    def connection_lost(self, exc: Exception | None) -> None:
        """Give its place away."""
        self._waited()
        self.places.forget(self)
        if self._stays:
            super().connection_lost(exc)

    def _noted(self, *, waits: bool) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if not idle:
            self._waited()
        elif waits and self._late is None:
            self._late = self.loop.call_later(self.seconds, self.transport.abort)
        self.places.note(self, idle=idle)

    def _waited(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def kind(seconds: float = HEADERS_SECONDS, most: int = CONNECTIONS, per_peer: int = PER_PEER) -> type[Connection]:
    """What one server makes its connections of.

    Args:
        seconds: until the headers of a request are whole.
        most, per_peer: of `Places`.
    """

    class One(Connection):
        places = Places(most, per_peer)

    One.seconds = seconds
    return One


class Server(uvicorn.Server):
    """Uvicorn's own, with a time limit for the TLS handshake, which it leaves at the event loop's minute."""

    async def startup(self, sockets: Any = None) -> None:
        """Begin to listen."""
        if self.config.ssl:
            loop: Any = asyncio.get_running_loop()
            loop.create_server = functools.partial(loop.create_server, ssl_handshake_timeout=HEADERS_SECONDS)
        await super().startup(sockets)


def _here(peer: str) -> bool:
    try:
        found = ipaddress.ip_address(peer)
    except ValueError:
        return True
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
