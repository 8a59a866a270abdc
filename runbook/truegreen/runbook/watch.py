"""Verified by spans: watch counters grow until enough requests in a row are as they should be. The loop takes its clock and its reader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from truegreen.core.errors import Failed

Key = tuple[str, ...]
"""Which counter: a kind or a label, and more labels."""
OTHER: Final = "other"
POLL: Final = 0.25
"""Seconds between two looks; the scrape interval decides how often there is something new."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What was seen.

    Args:
        count: the requests since the last one that was not as it should be, of the kind with the fewest.
        seconds: from the change to the end of the watch.
        first: from the change to the first good request after the last other one; None when there was none.
        others: requests since the change that were not as they should be.
    """

    ok: bool
    count: int
    seconds: float
    first: float | None
    others: int


def watch(
    read: Callable[[], Mapping[Key, float]], before: Mapping[Key, float], classify: Callable[[Key], str],
    kinds: tuple[str, ...], enough: int, timeout: float, since: float, clock: Callable[[], float], sleep: Callable[[float], None],
) -> Watched:  # fmt: skip
    """Look until `enough` requests of every kind were counted without another in between, or until the time is up.

    Args:
        read: counters by key; one that falls has restarted and counts from 0.
        before: what `read` said before the change.
        classify: key to one of `kinds`, to `OTHER`, or to anything else, which is not looked at.
        timeout: seconds after `since`, the moment of the change on `clock`.

    Raises:
        Failed: `read` did when the time was up; before that it is asked again, for counters lose nothing meanwhile.
    """
    last, others, first = dict(before), 0.0, None
    tally = dict.fromkeys(kinds, 0.0)
    while True:
        try:
            now_read = read()
        except Failed:
            if clock() - since >= timeout:
                raise
            sleep(POLL)
            continue
        elapsed = clock() - since
        grown = {key: value - last.get(key, 0.0) if value >= last.get(key, 0.0) else value for key, value in now_read.items()}
        last.update(now_read)
        wrong = sum(by for key, by in grown.items() if classify(key) == OTHER)
        if wrong > 0:
            others, first, tally = others + wrong, None, dict.fromkeys(kinds, 0.0)
        else:
            for key, by in grown.items():
                if classify(key) in tally:
                    tally[classify(key)] += by
            if first is None and any(tally.values()):
                first = elapsed
        least = int(min(tally.values()))
        if least >= enough or elapsed >= timeout:
            return Watched(least >= enough, min(least, enough), elapsed, first, int(others))
        sleep(min(POLL, max(timeout - elapsed, 0.01)))
