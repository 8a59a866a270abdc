"""Failures of ours inside the watched application: counted by place, said once, never raised."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping

logger = logging.getLogger("truegreen")
_counts: Counter[str] = Counter()


def count(place: str, error: BaseException) -> None:
    """Count one failure; the first at each place is logged by type only, for an error's message may hold a prompt."""
    _counts[place] += 1
    if _counts[place] == 1:
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
