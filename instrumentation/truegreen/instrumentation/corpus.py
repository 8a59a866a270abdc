"""A fingerprint of what a retrieval index returns: lengths of chunks and metadata keys, so that a change upstream shows.

The rule. Every chunk has features: the power of two under its length in characters, and each metadata key with the kind of its value. Chunks are counted
in windows of 256. A feature belongs to the fingerprint when a tenth of the first window has it; later it joins when a fifth of two windows in a row has
it, and leaves when less than a fiftieth of two windows in a row has it. No share of a corpus that stays the same crosses both bounds by chance (for a
share p the standard error in a window is at most .031, at .02 and .2 it is .009 and .025), so the value does not flap; the price is that it is 256 chunks late
at first and up to 512 after a change.

It catches: another chunk size (by a factor of two, or across a power of two), empty or truncated chunks, a key that was added, removed, renamed or got
another type. It does not catch: other content of the same shape, a change of less than a fiftieth of what is returned, an index that returns
nothing (that is what the document count is for). Two processes may differ in a length whose share is near a tenth; keys, which all chunks have or
none, are the same everywhere.
"""

from __future__ import annotations

import hashlib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

from truegreen.instrumentation import failures, notices
from truegreen.instrumentation.locks import Lock
from truegreen.instrumentation.text import short

WINDOW = 256
FIRST, JOINS, LEAVES = 0.1, 0.2, 0.02
ROW = 2
INDEXES, KEYS = 100, 128
LENGTH, KEY = "length", "key"
_METADATA = ("metadata", "payload", "properties")
"""Where documents keep their metadata: LangChain and Pinecone, Qdrant, Weaviate."""
_NOT_METADATA = frozenset({"text", "page_content", "content", "score", "id", *_METADATA})

Feature = tuple[str, str]


class Corpus:
    """The features of one index, window by window."""

    __slots__ = ("_chunks", "_counts", "_pending", "fingerprint", "kept")

    def __init__(self) -> None:
        self._chunks = 0
        self._counts: Counter[Feature] = Counter()
        self._pending: Counter[Feature] = Counter()
        self.kept: frozenset[Feature] | None = None
        self.fingerprint = ""

    def add(self, chunk: Iterable[Feature]) -> frozenset[Feature]:
        """Count a chunk; what joined or left with it."""
        self._chunks += 1
        for feature in chunk:
            if feature in self._counts or len(self._counts) < KEYS:
                self._counts[feature] += 1
        return self._closed() if self._chunks >= WINDOW else frozenset()

    def _closed(self) -> frozenset[Feature]:
        shares = {feature: count / self._chunks for feature, count in self._counts.items()}
        self._chunks = 0
        self._counts.clear()
        if self.kept is None:
            self.kept = frozenset(feature for feature, share in shares.items() if share >= FIRST)
            self.fingerprint = _text(self.kept)
            return frozenset()
        turned = {feature for feature, share in shares.items() if share >= JOINS and feature not in self.kept}
        turned |= {feature for feature in self.kept if shares.get(feature, 0.0) < LEAVES}
        self._pending = Counter({feature: self._pending[feature] + 1 for feature in turned})
        changed = frozenset(feature for feature, windows in self._pending.items() if windows >= ROW)
        if changed:
            self.kept ^= changed
            self.fingerprint = _text(self.kept)
        return changed


class Corpora:
    """Index to its corpus: at most 100 of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Corpus] = OrderedDict()
        self._lock = Lock()

    def fingerprint(self, index: str, texts: Iterable[str], hits: Iterable[Any]) -> str:
        """Take note of what a retrieval returned, and give the index's fingerprint; empty for the first 256 chunks.

        Args:
            index: the name of the index or of the data source.
            texts: the chunks as they were read from `hits`.
            hits: the documents as the retriever gave them.
        """
        try:
            # What runs code of other people stands outside of the lock.
            chunks = [features(text, hit) for text, hit in zip(texts, hits, strict=False)]
            with self._lock:
                index = short(index)
                known = self._known.setdefault(index, Corpus())
                self._known.move_to_end(index)
                while len(self._known) > INDEXES:
                    self._known.popitem(last=False)
                changed = frozenset[Feature]().union(*(known.add(chunk) for chunk in chunks))
                kept, value = known.kept or frozenset(), known.fingerprint
            if changed:
                said = ", ".join(f"{'+' if one in kept else '-'}{' '.join(one)}" for one in sorted(changed))
                notices.once(f"corpus:{index}:{value}", f"retrieval index {index}: what it returns has changed: {said}")
        except Exception as error:
            failures.count("corpus", error)
            return ""
        return value

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()


corpora = Corpora()
"""Those of the process."""


def features(text: str, hit: Any) -> tuple[Feature, ...]:
    """The features of a chunk. Keys are names of fields, never values."""
    length: Feature = (LENGTH, str(1 << (len(text).bit_length() - 1)) if text else "0")
    found = [
        (KEY, f"{key}:{_kind(value)}") for key, value in _metadata(hit).items() if isinstance(key, str) and value is not None
    ]
    return (length, *found[:KEYS])


def _metadata(hit: Any) -> Mapping[Any, Any]:
    if isinstance(hit, tuple) and len(hit) == 2:  # a document and its score
        hit = hit[0]
    if isinstance(hit, str):
        return {}
    for name in _METADATA:
        found = hit.get(name) if isinstance(hit, Mapping) else getattr(hit, name, None)
        if isinstance(found, Mapping):
            return found
    return {key: value for key, value in hit.items() if key not in _NOT_METADATA} if isinstance(hit, Mapping) else {}


def _kind(value: Any) -> str:
    """How JSON calls the kind of a value; anything else is text sooner or later."""
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "array" if isinstance(value, list | tuple | set) else "object" if isinstance(value, Mapping) else "string"


def _text(kept: frozenset[Feature]) -> str:
    """Lengths from `256` to under `512` characters are `256`; keys are their number and 8 hex digits of SHA-256."""
    lengths = sorted(int(value) for kind, value in kept if kind == LENGTH)
    keys = sorted(value for kind, value in kept if kind == KEY)
    digest = hashlib.sha256("\n".join(keys).encode()).hexdigest()[:8]
    return f"{'-'.join(map(str, lengths))}/{len(keys)}:{digest}"
