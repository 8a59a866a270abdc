"""How a watch runs, and what it looks at of one answer. Frozen, no I/O."""

from __future__ import annotations

import re
import zlib
from array import array
from dataclasses import dataclass
from typing import Final, NamedTuple

from truegreen.core.errors import BadInput
from truegreen.evaluation.drift.detect import SEED

Key = tuple[str, str, str]
"""Service, environment and prompt template."""
TICKET: Final = 5.0
"""The z over which a change is told to a person: a window is looked at again and again, so chance must be far away."""


class Shard(NamedTuple):
    """Which services are watched here: those whose hash, in so many parts, is this one; both 1 for all."""

    number: int = 1
    of: int = 1

    def has(self, service: str) -> bool:
        """Whether a service is watched here; the same in every process and version."""
        return zlib.crc32(service.encode("utf-8", "surrogatepass")) % self.of == self.number - 1


ALL: Final = Shard()


@dataclass(frozen=True, slots=True)
class Settings:
    """How a watch runs.

    Args:
        http_endpoint, grpc_endpoint, metrics_endpoint: HOST:PORT.
        baselines: a folder or an address of fsspec, with frozen baselines.
        interval: seconds between two looks at the windows that have new answers.
        ticket: the z over which `truegreen_drift_changed` is 1.
        vectors: where sketches are kept for later questions; empty for nowhere.
        seed: of every null.
    """

    baselines: str
    http_endpoint: str = "127.0.0.1:4328"
    grpc_endpoint: str = "127.0.0.1:4327"
    metrics_endpoint: str = "127.0.0.1:9466"
    interval: float = 30.0
    shard: Shard = ALL
    ticket: float = TICKET
    vectors: str = ""
    seed: int = SEED


class Sketch(NamedTuple):
    """What one event says: style, and embeddings of answer and question."""

    style: array[float]
    answer: array[float]
    query: array[float]

    @property
    def numbers(self) -> int:
        """How many numbers it holds."""
        return len(self.style) + len(self.answer) + len(self.query)


def shard(text: str) -> Shard:
    """A shard written as `2/5`.

    Raises:
        BadInput: it is no such thing.
    """
    found = re.fullmatch(r"(\d{1,4})/(\d{1,4})", text.strip())
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise BadInput(f"--shard: found {text[:40]!r}; write NUMBER/OF, such as 2/5")
    return Shard(int(found[1]), int(found[2]))
