"""Fetches feeds, from addresses and files, and writes what is new into the store."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx

from truegreen.core.clients import http
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.provider import feeds, screen, store
from truegreen.evaluation.provider.model import Entry

SECONDS: Final = 10.0
"""For connecting, and for each read."""
LONGEST: Final = 30.0
"""Seconds for a whole feed, from the first connection to the last byte."""
REDIRECTS: Final = 3


@dataclass(frozen=True, slots=True)
class Feed:
    """A provider's changelog and where it is: an address or a file."""

    provider: str
    source: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """What came of feeds: the entries that are new, how many are kept, and why feeds could not be read."""

    new: tuple[Entry, ...]
    kept: int
    failed: tuple[str, ...]


def feed_of(text: str) -> Feed:
    """`openai=https://…`, or an address or file alone: then the provider is its host or the file's name."""
    name, equals, source = text.partition("=")
    if equals and name and not set(name) & set("/:?.&"):
        return Feed(feeds.line(name, 80) or "provider", source)
    return Feed(urlsplit(text).hostname or Path(text).stem or "provider", text)


def gather(
    wanted: Sequence[Feed],
    path: Path,
    now: float,
    shown: Callable[[Iterable[Feed]], Iterable[Feed]] = iter,
    clock: Callable[[], float] = time.monotonic,
) -> Gathered:
    """Read every feed and merge what is good; one that cannot be read is said and loses nothing of the others.

    Args:
        now: unix seconds.
        shown: passes the feeds on, and shows how far it is.
        clock: seconds, for the time that a feed takes.

    Raises:
        BadInput: the file of changes cannot be read.
        Failed: it cannot be written.
    """
    found: list[Entry] = []
    failed: list[str] = []
    for feed in shown(wanted):
        where = http.bare(feed.source) if _remote(feed.source) else feed.source
        try:
            found += feeds.read(_bytes(feed.source, clock), feed.provider, where, now)
        except (BadInput, Failed) as error:
            failed.append(str(error))
        except Exception as error:  # somebody else's text through somebody else's parser
            failed.append(f"{where}: cannot be read ({type(error).__name__}); name another feed")
    new, kept = store.merge(path, found, now)
    return Gathered(new, kept, tuple(failed))


def _remote(source: str) -> bool:
    return source.startswith(("http://", "https://"))


def _bytes(source: str, clock: Callable[[], float]) -> bytes:
    if not _remote(source):
        try:
            with Path(source).open("rb") as stream:
                return stream.read(screen.MOST + 1)
        except OSError as error:
            raise BadInput(f"{source}: cannot be read: {error.strerror or error}; name an address or a file") from None
    came: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            came.put(_asked(source, clock))
        except Exception as error:
            came.put(error)

    # A head that comes byte by byte keeps every time-out of a read: it is left to a thread that nobody waits for.
    threading.Thread(target=ask, daemon=True).start()
    try:
        found = came.get(timeout=LONGEST)
    except queue.Empty:
        raise _endless(source) from None
    if isinstance(found, Exception):
        raise found
    return found


def _endless(source: str) -> Failed:
    return Failed(f"{http.bare(source)} did not end within {LONGEST:g} s; look at its load, or name a file")


def _asked(source: str, clock: Callable[[], float]) -> bytes:
    server = Server("the feed", source, "look whether the address is right", timeout=SECONDS)
    # Inflated bytes have no bound that is known before: none are asked for.
    asked = {
        "Accept-Encoding": "identity",
        "Accept": "application/atom+xml, application/rss+xml, application/feed+json, application/json, */*;q=0.5",
    }
    end = clock() + LONGEST
    try:
        with http.client(server) as client:
            client.max_redirects = REDIRECTS
            with client.stream("GET", source, headers=asked, follow_redirects=True) as answer:
                if not answer.is_success:
                    raise Failed(f"{http.bare(source)} answered {answer.status_code}; look whether the address is right")
                if answer.headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
                    raise Failed(
                        f"{http.bare(source)} answers packed although it was asked not to; name another address or a file"
                    )
                data = bytearray()
                for part in answer.iter_raw():
                    data += part
                    if len(data) > screen.MOST:
                        break
                    if clock() > end:
                        raise _endless(source)
                return bytes(data)
    except httpx.TransportError as error:
        raise http.unreached(server, error) from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Failed(f"{http.bare(source)} cannot be asked: {error}") from None
