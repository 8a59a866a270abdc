"""The passages retrieved for a request, kept in memory until its trace ends. Bounded; the oldest go first."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterable

from truegreen.instrumentation.locks import Lock

TRACES = 1_000
PASSAGES = 64
CHARACTERS = 100_000
ALL_CHARACTERS = 20_000_000
LISTS = 16


class Passages:
    """The passages of one request: at most 64, together at most 100,000 characters; a passage that does not fit is cut.

    `used` is set by the first answer, for passages that belong to no trace and no block. A passage that is there already moves to the
    end: a retriever's callback, its span and the application's own word may all tell of one retrieval.
    """

    __slots__ = ("_seen", "_texts", "characters", "query", "used")

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self.characters = 0
        self.query = ""
        self.used = False
        self._seen: deque[int] = deque(maxlen=LISTS)

    def add(self, texts: Iterable[str], query: str = "", *, seen: bool = False) -> bool:
        """Add passages in the order in which the model gets them, and the query that found them.

        Args:
            seen: they were seen by a hook or on a span, not told by the application.

        Returns:
            Whether the same list was seen before.
        """
        self.query = query or self.query
        texts = tuple(texts)
        known = hash(texts) in self._seen
        if seen:
            self._seen.append(hash(texts))
        for text in texts:
            cut = text[:CHARACTERS]
            if cut in self._texts:
                self._texts.remove(cut)
                self.characters -= len(cut)
            self._texts.append(cut)
            self.characters += len(cut)
        while len(self._texts) > PASSAGES or self.characters > CHARACTERS:
            self.characters -= len(self._texts.popleft())
        return known and bool(texts)

    def texts(self) -> tuple[str, ...]:
        """What is kept, oldest first."""
        return tuple(self._texts)


class Store:
    """Trace id to its passages: at most 1,000 traces and 20,000,000 characters."""

    def __init__(self) -> None:
        self.traces: OrderedDict[int, Passages] = OrderedDict()
        self._characters = 0
        self._lock = Lock()

    def add(self, trace: int, texts: Iterable[str], query: str = "", *, seen: bool = False) -> bool:
        """Keep passages for the answers of a trace, see `Passages.add`; trace 0 is no trace and keeps nothing."""
        if not trace:
            return False
        texts = list(texts)
        with self._lock:
            kept = self.traces.setdefault(trace, Passages())
            self.traces.move_to_end(trace)
            before = kept.characters
            known = kept.add(texts, query, seen=seen)
            if self.traces.get(trace) is kept:
                self._characters += kept.characters - before
            while len(self.traces) > 1 and (len(self.traces) > TRACES or self._characters > ALL_CHARACTERS):
                self._characters -= self.traces.popitem(last=False)[1].characters
        return known

    def of(self, trace: int) -> tuple[tuple[str, ...], str]:
        """The passages of a trace and the query that found them."""
        with self._lock:
            kept = self.traces.get(trace)
            return (kept.texts(), kept.query) if kept else ((), "")

    def drop(self, trace: int) -> None:
        """Forget a trace."""
        with self._lock:
            kept = self.traces.pop(trace, None)
            if kept:
                self._characters -= kept.characters

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self.traces.clear()
            self._characters = 0

    def __len__(self) -> int:
        return len(self.traces)
