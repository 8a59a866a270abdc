"""Who may send, and where: bearer tokens of a file, addresses, and one rate for each token."""

from __future__ import annotations

import ipaddress
import math
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from truegreen.core import tokens
from truegreen.core.errors import BadInput, Failed

_LOCAL: Final = ("localhost", "127.0.0.1", "::1")
BURST_SECONDS: Final = 10.0
"""So many seconds' worth of items may come at once."""
_BUCKETS: Final = 1_000
_PORTS: Final = range(65_536)


class Tokens:
    """The tokens of a file, one a line; it is read anew when it changes, and what was read before stays while it cannot be.

    Args:
        say: takes a line when it cannot be read, and when it can again.

    Raises:
        BadInput: the file cannot be read, or has no token.
    """

    def __init__(self, path: Path, say: Callable[[str], None] = lambda _: None) -> None:
        self._path, self._say = path, say
        self.stale = False
        """Whether those known are not those of the file."""
        self._stamp = tokens.stamp(path)
        self._known = tokens.digests(path)

    def allow(self, header: str) -> str:
        """A name for the token in an Authorization header, for nobody to read; empty where it is missing or unknown."""
        return tokens.known(header, self._digests())

    def _digests(self) -> tuple[bytes, ...]:
        stamp = tokens.stamp(self._path)
        if stamp != self._stamp or self.stale:
            try:
                self._known, self._stamp = tokens.digests(self._path), stamp
            except BadInput as error:  # half written, it is whole at one of the next requests
                if not self.stale:
                    self._say(f"{error}; the tokens that it had before still open everything, restart to take them away")
                self.stale = True
                return self._known
            if self.stale:
                self._say(f"--token-file {self._path}: read again, {len(self._known)} tokens")
            self.stale = False
        return self._known


class Rates:
    """How many items a second each token may send, with a burst of ten seconds' worth.

    Args:
        rate: items a second; None for no limit.
        clock: seconds that only rise.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._clock = rate, clock
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, who: str, items: int) -> int:
        """0 when so many may be sent now, and are counted; else the whole seconds after which they may."""
        if self._rate is None:
            return 0
        now, most = self._clock(), max(1.0, self._rate * BURST_SECONDS)
        left, seen = self._left.get(who, (most, now))
        left = min(most, left + (now - seen) * self._rate)
        wanted = min(items, most)  # more than a burst holds may be sent when it is full, and leaves a debt
        if left < wanted:
            return math.ceil((wanted - left) / self._rate)
        self._left[who] = (left - items, now)
        self._left.move_to_end(who)
        while len(self._left) > _BUCKETS:
            self._left.popitem(last=False)
        return 0


@dataclass(frozen=True, slots=True)
class Address:
    """Where to listen; port 0 takes a free one."""

    host: str
    port: int

    @property
    def loopback(self) -> bool:
        """Whether only this machine reaches it; a name other than localhost is taken for one that others reach."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Read `HOST:PORT`, an IPv6 host in brackets.

    Raises:
        BadInput: it is none.
    """
    host, _, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    bare = host[1:-1] if bracketed else host
    if not bare or (":" in bare) != bracketed or not port.isdecimal() or int(port) not in _PORTS:
        raise BadInput(f"--listen: found {text!r}; write HOST:PORT such as 127.0.0.1:8085, an IPv6 address in brackets")
    return Address(bare, int(port))


def listening(at: Address) -> socket.socket:
    """A socket that listens there.

    Raises:
        Failed: the port is taken, or the address is not of this machine.
    """
    family = socket.AF_INET6 if ":" in at.host else socket.AF_INET
    try:
        return socket.create_server((at.host, at.port), family=family, backlog=512)
    except OSError as error:
        raise Failed(f"--listen {at}: cannot listen there: {error.strerror or error}; name another port") from None


def local_host(header: str) -> bool:
    """Whether a Host header names this machine: a page of another site that points its own name here says that one."""
    host = header.rpartition(":")[0] if header.rpartition(":")[2].isdecimal() else header
    return host.strip("[]").lower() in _LOCAL
