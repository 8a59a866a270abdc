"""The door of a TLS receiver: handshakes that are open are bounded in number and time, which asyncio's own server does not do before a handshake is over."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import Final

SPARE: Final = 16
"""So many connections over the limit still get a handshake, for without one there is no answer that says why."""


class Gate(asyncio.Protocol):
    """One connection until its handshake is over; then `server()` makes its protocol."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._early: list[bytes] = []
        self._lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin the handshake, before a byte is read."""
        assert isinstance(transport, asyncio.Transport)
        transport.pause_reading()
        self._door.came(self, transport)

    def data_received(self, data: bytes) -> None:
        """What came with the end of the handshake."""
        self._early.append(data)

    def connection_lost(self, _exc: Exception | None) -> None:
        """Remember that there is nobody to serve."""
        self._lost = True

    def handed(self, transport: asyncio.Transport, protocol: asyncio.Protocol) -> None:
        """Give the connection, and what was received on it, to its protocol."""
        if self._lost or transport.is_closing():
            return
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        for data in self._early:
            protocol.data_received(data)


class Door:
    """Makes the `Gate` of each connection.

    Args:
        server: makes the protocol of a connection.
        context: is asked for each handshake.
        open_now: connections that are open, without those whose handshake is.
        most: connections at once, those included.
        seconds: how long a handshake may take.
        refused: counts one that was turned away or failed, by its reason.
    """

    def __init__(
        self, server: Callable[[], asyncio.Protocol], context: Callable[[], ssl.SSLContext], open_now: Callable[[], int],
        most: int, seconds: float, refused: Callable[[str], None],
    ) -> None:  # fmt: skip
        self._server, self._context, self._open_now, self._refused = server, context, open_now, refused
        self._most, self._seconds = most, seconds
        self._shaking: set[asyncio.Task[None]] = set()

    def __call__(self) -> Gate:
        """The protocol of a connection that was just made."""
        return Gate(self)

    def came(self, gate: Gate, transport: asyncio.Transport) -> None:
        """Begin a handshake, or end a connection that is one too many."""
        if len(self._shaking) + self._open_now() >= self._most + SPARE:
            self._refused("connections")
            transport.abort()
            return
        task = asyncio.get_running_loop().create_task(self._shake(gate, transport))
        self._shaking.add(task)
        task.add_done_callback(self._shaking.discard)

    def close(self) -> None:
        """End the handshakes that are open."""
        for task in self._shaking:
            task.cancel()

    async def _shake(self, gate: Gate, transport: asyncio.Transport) -> None:
        loop = asyncio.get_running_loop()
        try:
            secured = await loop.start_tls(
                transport, gate, self._context(), server_side=True, ssl_handshake_timeout=self._seconds
            )
        except (ssl.SSLError, ConnectionAbortedError):
            self._refused("tls")
        except OSError:
            transport.abort()
        else:
            if secured is not None:
                gate.handed(secured, self._server())
