"""What an agent's run adds up to: steps, tokens, repeated calls, loops. Arguments are hashed and never kept; everything is bounded."""

from __future__ import annotations

import contextlib
import json
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from truegreen.instrumentation.locks import Lock

LONGEST_CYCLE = 3
TIMES = 3
CALLS = 256
KEPT_AFTER_A_LOOK = 32
DIFFERENT = 256
OPEN_SPANS = 512


@dataclass(slots=True)
class Tally:
    """A part of a run.

    Args:
        steps: calls of a model or a tool, and runs of an agent beneath.
        tokens: input and output tokens of the calls of a model.
        counts: a tool call's key to how often it was made; of at most 256 different ones.
        calls: when each tool call began (unix ns) and its key, the last 256.
        loop: a loop was seen among calls that are no longer kept.
    """

    steps: int = 0
    tokens: int = 0
    counts: dict[bytes, int] = field(default_factory=dict)
    calls: list[tuple[int, bytes]] = field(default_factory=list)
    loop: bool = False

    def add(self, other: Tally) -> None:
        """Take in another part of the same run."""
        self.steps += other.steps
        self.tokens += other.tokens
        self.loop = self.loop or other.loop
        for key, number in other.counts.items():
            if key in self.counts or len(self.counts) < DIFFERENT:
                self.counts[key] = self.counts.get(key, 0) + number
        self.calls.extend(other.calls)
        if len(self.calls) > CALLS:
            self.loop = self.looped
            self.calls = self.calls[-KEPT_AFTER_A_LOOK:]

    @property
    def repeats(self) -> int:
        """The largest number of identical tool calls; 0 without a tool call."""
        return max(self.counts.values(), default=0)

    @property
    def looped(self) -> bool:
        """Whether the run went round in a loop, its calls taken in the order in which they began."""
        if not self.loop:
            self.calls.sort()
        return self.loop or is_loop([key for _, key in self.calls])


def is_loop(calls: Sequence[Hashable], longest: int = LONGEST_CYCLE, times: int = TIMES) -> bool:
    """Whether a stretch of one to `longest` calls comes `times` in a row: a definition of ours, not a standard.

    With the defaults: A A A, or A B A B A B, or A B C A B C A B C. Two identical calls are a retry; a third one, with the same arguments, expects
    another answer to the same question.
    """
    for period in range(1, longest + 1):
        same = 0
        for at in range(period, len(calls)):
            same = same + 1 if calls[at] == calls[at - period] else 0
            if same >= period * (times - 1):
                return True
    return False


def key_of(tool: str, arguments: Any) -> bytes:
    """A tool call as 8 bytes: equal for the same tool and the same arguments, whatever the order of their names.

    Args:
        arguments: JSON text, or the objects; one that is not JSON counts as itself, so that no foreign code runs.
    """
    if isinstance(arguments, str | bytes):
        with contextlib.suppress(ValueError, RecursionError):
            arguments = json.loads(arguments)
    try:
        text = json.dumps(arguments, sort_keys=True, default=_itself)
    except Exception:  # keys that cannot be sorted, circles, a mapping of the application's that raises
        text = _itself(arguments)
    return blake2b(f"{tool}\0{text}".encode(errors="replace"), digest_size=8).digest()


def call_of(function_arguments: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """The arguments of a Python call, for `key_of`; the owner of a method is part of them and counts as itself."""
    return [list(function_arguments), dict(named)]


def _itself(value: Any) -> str:
    return f"{type(value).__name__}:{id(value)}"


class Runs:
    """Parts of runs on the way up: span id of the parent to what ended beneath it, for at most 512 parents, the oldest go first."""

    def __init__(self) -> None:
        self.beneath: OrderedDict[int, Tally] = OrderedDict()
        self._lock = Lock()

    def give(self, parent: int, part: Tally) -> None:
        """Leave a part for the parent span, which need not be open, nor end in this thread."""
        with self._lock:
            known = self.beneath.get(parent)
            if known is None:
                self.beneath[parent] = part
            else:
                known.add(part)
                self.beneath.move_to_end(parent)
            while len(self.beneath) > OPEN_SPANS:
                self.beneath.popitem(last=False)

    def take(self, span: int) -> Tally | None:
        """What ended beneath a span; it is forgotten here."""
        with self._lock:
            return self.beneath.pop(span, None)

    def __len__(self) -> int:
        return len(self.beneath)
