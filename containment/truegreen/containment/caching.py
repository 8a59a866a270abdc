"""Answers with the time at which they were made: while flag `cached_response` is on, those from before its moment are served.

Nothing is stored but what the application gives to `cached`, and by default in memory only. Several answers of one key are kept, at least
`spread` seconds apart: a fresh one would else take the place of the last good one between the true start of an incident and its detection.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from truegreen.containment import applied, switches
from truegreen.containment.model import CACHED_RESPONSE
from truegreen.instrumentation import failures
from truegreen.instrumentation.locks import Lock

LATEST = 4_102_444_800.0
"""No moment of the flag is later than the year 2100, in unix seconds."""
KEYS, TTL, SPREAD, GENERATIONS = 2_000, 86_400.0, 1_800.0, 6
CALL, DEGRADED = "call", "degraded"


class Entry(NamedTuple):
    """An answer and when it was made, in unix seconds."""

    at: float
    answer: Any


class Store(Protocol):
    """Where answers are."""

    def get(self, key: str) -> tuple[Entry, ...]:
        """The answers of a key, the oldest first."""
        ...

    def put(self, key: str, entry: Entry) -> None:
        """Add one."""
        ...


def kept(entries: tuple[Entry, ...], new: Entry, ttl: float, spread: float, most: int) -> tuple[Entry, ...]:
    """What is kept of a key's answers when a new one comes: the newest, and older ones at least `spread` seconds apart. Pure."""
    alive = [one for one in entries if new.at - ttl < one.at <= new.at]
    if len(alive) >= 2 and alive[-1].at - alive[-2].at < spread:
        alive.pop()
    return (*alive, new)[-most:]


class Memory:
    """Answers in this process: the keys used last, each for a while.

    Args:
        keys: at most so many.
        ttl: seconds that an answer is kept.
        spread: seconds between the answers of one key.
        generations: answers of one key, 1 or more.
    """

    def __init__(self, keys: int = KEYS, ttl: float = TTL, spread: float = SPREAD, generations: int = GENERATIONS) -> None:
        self._limits = (ttl, spread, generations)
        self._most = keys
        self._lock = Lock()
        self._held: OrderedDict[str, tuple[Entry, ...]] = OrderedDict()

    def get(self, key: str) -> tuple[Entry, ...]:
        """The answers of a key."""
        with self._lock:
            found = self._held.get(key, ())
            if found:
                self._held.move_to_end(key)
            return found

    def put(self, key: str, entry: Entry) -> None:
        """Add one; the key used longest ago goes where there are too many."""
        with self._lock:
            self._held[key] = kept(self._held.get(key, ()), entry, *self._limits)
            self._held.move_to_end(key)
            while len(self._held) > self._most:
                self._held.popitem(last=False)


class Redis:
    """Answers in a Redis, for many processes: JSON under a hash of the key, which is no text of a user.

    Args:
        client: of redis-py, or anything with its `get(name)` and `set(name, value, ex=seconds)`; answers must be what JSON can say.
        ttl, spread, generations: as `Memory` says.
    """

    def __init__(self, client: Any, ttl: float = TTL, spread: float = SPREAD, generations: int = GENERATIONS) -> None:
        self._client = client
        self._limits = (ttl, spread, generations)

    def get(self, key: str) -> tuple[Entry, ...]:
        """The answers of a key."""
        found = self._client.get(_named(key))
        return tuple(Entry(float(at), answer) for at, answer in json.loads(found)) if found else ()

    def put(self, key: str, entry: Entry) -> None:
        """Add one."""
        entries = kept(self.get(key), entry, *self._limits)
        self._client.set(_named(key), json.dumps(entries), ex=max(1, int(self._limits[0])))


memory = Memory()
"""Where answers go by default."""


def cached(
    key: str,
    ask: Callable[[], Any],
    *,
    store: Store | None = None,
    otherwise: str = CALL,
    clock: Callable[[], float] = time.time,
) -> Any:
    """The answer of `ask()`, which is kept; while flag `cached_response` is on, the newest one that was kept before the flag's moment.

    A served answer is stamped `cached_response`. While the flag is off each call asks: this is no cache to save calls.

    Args:
        key: what the answer depends on: question, user or plan, prompt version.
        ask: makes the answer; what it raises is raised.
        store: `Memory` or `Redis`; None is the process's own memory.
        otherwise: `call` asks when nothing fits, `degraded` gives the message of degraded mode, if there is one, and asks if not.
        clock: unix seconds.
    """
    held = memory if store is None else store
    found = _instead(key, held, otherwise)
    if found is not None:
        return found.answer
    return _keep(held, key, ask(), clock)


async def acached(
    key: str,
    ask: Callable[[], Awaitable[Any]],
    *,
    store: Store | None = None,
    otherwise: str = CALL,
    clock: Callable[[], float] = time.time,
) -> Any:
    """`cached` for an `ask` that is awaited."""
    held = memory if store is None else store
    found = _instead(key, held, otherwise)
    if found is not None:
        return found.answer
    return _keep(held, key, await ask(), clock)


def _instead(key: str, store: Store, otherwise: str) -> Entry | None:
    before = switches.number(CACHED_RESPONSE, LATEST)
    if before is None:
        return None
    try:
        fitting = [one for one in store.get(key) if one.at < before]
    except Exception as error:
        failures.count("cache", error)
        fitting = []
    if fitting:
        applied.moment(CACHED_RESPONSE)
        return fitting[-1]
    message = switches.degraded() if otherwise == DEGRADED else ""
    return Entry(0.0, message) if message else None


def _keep(store: Store, key: str, answer: Any, clock: Callable[[], float]) -> Any:
    try:
        store.put(key, Entry(clock(), answer))
    except Exception as error:
        failures.count("cache", error)
    return answer


def _named(key: str) -> str:
    return f"truegreen:answer:{sha256(key.encode('utf-8', 'surrogatepass')).hexdigest()}"
