"""Failures of ours inside the watched application: counted by place, said once, never raised."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from collections.abc import Mapping

from truegreen.core.words.view import mended

logger = logging.getLogger("truegreen")
_counts: Counter[str] = Counter()
PLACES = 1_000
"""So many places are told apart; some of their names come from a configuration. The rest is counted under `other`."""


LONGEST = 2_000
"""Characters of an error that are said."""


def count(place: str, error: BaseException, *, textless: bool = False) -> None:
    """Count one failure; the first at each place is logged by type only, for an error's message may hold a prompt.

    Args:
        textless: no text of a call was in reach of what failed: where the error is for the user to mend, it is said what is wrong.
    """
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
                (_advice(error) if textless else "") or type(error).__name__,
            )
        except Exception:  # a filter or handler of the application raised
            _counts["logging"] += 1


def _advice(error: BaseException) -> str:
    """What the user is to do, on one line; empty where the error does not say it."""
    from truegreen.core.errors import BadInput

    if isinstance(error, BadInput):
        return mended(" ".join(str(error).split())[:LONGEST])
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"the package {error.name} is not installed; what truegreen's own need: pip install 'truegreen[evaluate]'"
    return ""


def counted() -> Mapping[str, int]:
    """Failures so far, place to number."""
    return dict(_counts)


def reset() -> None:
    """Forget all failures."""
    _counts.clear()
