"""Which retrieval index serves: read from the store behind one protocol, kept for seconds, never waited for in a request."""

from __future__ import annotations

import math
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from inspect import isawaitable
from typing import Any, Protocol, runtime_checkable

from truegreen.core.words import attributes as names
from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.locks import Lock

PERIOD = 5.0
"""Seconds for which a value serves before the store is asked again."""
SLOW = 10.0
"""Seconds after which a read that has not come back is said aloud."""


@dataclass(frozen=True, slots=True)
class Index:
    """A retrieval index as its store describes it.

    Args:
        name: the index or collection that answers.
        alias: the name that the application asks for, empty where it asks for the index itself.
        version: the label that the team gave it, empty without one.
        rebuilt: unix seconds of the last rebuild, None where the store does not say.
        embedding_model: what made its vectors, empty where the store does not say.
    """

    name: str
    alias: str = ""
    version: str = ""
    rebuilt: float | None = None
    embedding_model: str = ""

    def __str__(self) -> str:
        """What `truegreen.version.retrieval_index` holds: `alias@index#label`, without the parts that there are not."""
        target = f"{self.alias}@{self.name}" if self.alias and self.alias != self.name else self.name
        if self.version and self.version != self.name:
            return f"{target}#{self.version}" if "@" in target else f"{target}@{self.version}"
        return target


@runtime_checkable
class IndexReader(Protocol):
    """Asks a store; may raise and may take its time: it is called in a thread of its own."""

    def read(self) -> Index:
        """The index as it is now."""
        ...


class Watched:
    """An index whose description is read again when it is older than `period`, in the background: `current` never waits.

    At most one read is under way. One that fails is counted and the last good value stays; one that hangs stays alone and is said.

    Args:
        reader: has `read`.
        period: seconds for which a value serves.
        clock: monotonic seconds.
        start: runs a function in the background.
    """

    def __init__(
        self,
        reader: IndexReader,
        *,
        period: float = PERIOD,
        clock: Callable[[], float] = time.monotonic,
        start: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._reader = reader
        self._period = period
        self._clock = clock
        self._start = start or _in_thread
        self._index: Index | None = None
        self._asked = -math.inf
        self._under_way: tuple[int, float] | None = None
        self._lock = Lock()
        self.current()

    def current(self) -> Index | None:
        """The last good description; None until the first read has come back."""
        try:
            now = self._clock()
            if now - self._asked >= self._period:
                self._refresh(now)
        except Exception as error:
            failures.count("index", error)
        return self._index

    def read(self) -> Index:
        """Ask the store now, in this thread: for the start of an application that wants the value before its first request.

        Raises:
            Exception: whatever the store's client raises.
        """
        found = self._reader.read()
        if isawaitable(found):
            getattr(found, "close", lambda: None)()
            raise TypeError("the client is asynchronous; give the reader a synchronous client of the same store")
        self._index = found
        return found

    def _refresh(self, now: float) -> None:
        with self._lock:
            if self._under_way is not None and self._under_way[0] == os.getpid():  # in a forked child no thread came along
                if now - self._under_way[1] >= SLOW:
                    self._say("the store does not answer")
                return
            if now - self._asked < self._period:
                return
            self._asked, self._under_way = now, (os.getpid(), now)

        def work() -> None:
            try:
                self.read()
            except Exception as error:
                failures.count("index", error)
                self._say(f"the store could not be read ({type(error).__name__})")
            finally:
                self._under_way = None

        try:
            self._start(work)
        except BaseException:
            self._under_way = None
            raise

    def _say(self, what: str) -> None:
        kept = f"spans keep saying {self._index}" if self._index else "spans do not say which index serves"
        notices.once(f"index:{id(self)}:{what}", f"retrieval index, by {type(self._reader).__name__}: {what}; {kept}")


def current(index: Any) -> Index | None:
    """The description behind what an application gives as an index: a `Watched`, an `Index`, or a text; None where there is none yet."""
    if isinstance(index, Watched):
        return index.current()
    if isinstance(index, Index) or index is None:
        return index
    if isinstance(index, IndexReader):
        notices.once(
            "index reader",
            f"{type(index).__name__} asks its store each time: wrap it once, snapshot.index(reader), and give that",
        )
        return None
    return Index(str(index)) if str(index) else None


def facts(index: Any) -> Mapping[str, str | int]:
    """The attributes `truegreen.retrieval.index.*` of a retrieval from that index; nothing where it is not known. Does not raise.

    Args:
        index: as `current` takes it.
    """
    try:
        found = current(index)
    except Exception as error:
        failures.count("index", error)
        return {}
    if found is None:
        return {}
    told: dict[str, str | int] = {
        names.INDEX_NAME: found.name,
        names.INDEX_ALIAS: found.alias,
        names.INDEX_VERSION: found.version or (found.name if found.alias else ""),
        names.INDEX_EMBEDDING_MODEL: found.embedding_model,
    }
    if found.rebuilt is not None:
        told[names.INDEX_REBUILT] = int(found.rebuilt)
    return {name: value for name, value in told.items() if value != ""}


def unix(value: Any) -> float | None:
    """Unix seconds from a number (of seconds or milliseconds), a text of one, an ISO 8601 time (without a zone: UTC) or a datetime."""
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
    try:
        number = float(value)
    except (TypeError, ValueError):
        try:
            return unix(datetime.fromisoformat(value))
        except (TypeError, ValueError):
            return None
    if not math.isfinite(number) or number <= 0 or isinstance(value, bool):
        return None
    return number / 1000 if number > 1e11 else number


def described(index: Index) -> Mapping[str, Any]:
    """A description as JSON holds it."""
    return {name: value for name, value in asdict(index).items() if value not in ("", None)}


def _in_thread(run: Callable[[], None]) -> None:
    threading.Thread(target=run, name="truegreen-index", daemon=True).start()
