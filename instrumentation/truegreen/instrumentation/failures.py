"""Failures of ours inside the watched application: counted by place, said once, never raised."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Mapping

logger = logging.getLogger("truegreen")
_counts: Counter[str] = Counter()
PLACES = 1_000
"""So many places are told apart; some of their names come from a configuration. The rest is counted under `other`."""


def count(place: str, error: BaseException) -> None:
    """Count one failure; the first at each place is logged by type only, for an error's message may hold a prompt."""
    if place not in _counts and len(_counts) >= PLACES:
        place = "other"
    _counts[place] += 1
    if _counts[place] == 1:
        if sys.is_finalizing():
            return  # modules are gone one after the other: nobody can do anything about it
        try:
            logger.warning(
                "truegreen failed in %s (%s); the application is not affected, further ones are only counted",
                place,
                type(error).__name__,
            )
        except Exception:  # a filter or handler of the application raised
            _counts["logging"] += 1


def counted() -> Mapping[str, int]:
    """Failures so far, place to number."""
    return dict(_counts)


def reset() -> None:
    """Forget all failures."""
    _counts.clear()
