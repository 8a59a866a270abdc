"""Which evaluations a span carries, told from the names of its attributes; what was told is kept, bounded."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from truegreen.collector.compile import PARTS
from truegreen.core.words import attributes as names

KINDS: Final = 10_000
_PARTS: Final = (*PARTS, "score", "raw")
_NAMED: Final = re.compile(
    r"(?<![^\0])"
    + re.escape(names.EVALUATION_PREFIX)
    + r"([^\0]+?)\.(?:raw|score|label|evaluator|scale|calibration|skipped|sampled)(?=\0|$)"
)


class Shapes:
    """The shapes of spans that were seen.

    Args:
        gates: attributes that make a span one of another class as well.
        longest: characters of attribute names; a longer shape is worked out anew each time.
    """

    def __init__(self, gates: Sequence[str], longest: int) -> None:
        self._gates = gates
        self._longest = longest
        self._kept: dict[str, tuple[tuple[tuple[str, ...], ...], bool]] = {}

    def of(self, found: Any) -> tuple[tuple[tuple[str, ...], ...], bool]:
        """The names of the evaluations on a span, with the attributes of their parts, and whether it is of another class as well."""
        shape = "\0".join(found)
        known = self._kept.get(shape)
        if known is None:
            evaluations = tuple(parts_of(name) for name in sorted(set(_NAMED.findall(shape))))
            known = evaluations, any(name in found for name in self._gates)
            if len(shape) < self._longest:
                if len(self._kept) >= KINDS:
                    self._kept.clear()
                self._kept[shape] = known
        return known


def parts_of(name: str) -> tuple[str, ...]:
    """The name of an evaluation, then the attribute of each of its parts."""
    return (name, *(names.evaluation(name, part) for part in _PARTS))
