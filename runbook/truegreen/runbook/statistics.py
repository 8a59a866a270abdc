"""Whether two shares differ, and how low a share may be. Pure."""

from __future__ import annotations

import math


def wilson_low(bad: float, events: float, z: float = 1.645) -> float:
    """The Wilson lower bound of a share (Wilson 1927; z = 1.645: 95 % one-sided).

    Raises:
        ValueError: no events.
    """
    if events <= 0:
        raise ValueError("a share of nothing has no bound")
    p, square = bad / events, z * z / events
    middle = p + square / 2
    spread = z * math.sqrt(p * (1 - p) / events + square / (4 * events)) if 0 <= p <= 1 else 0.0
    return max(0.0, (middle - spread) / (1 + square))


def two_shares_z(bad: float, events: float, bad_before: float, events_before: float) -> float:
    """The pooled z of the difference of two shares; positive when the first is larger, 0 when both are the same constant.

    Raises:
        ValueError: one side has no events.
    """
    if events <= 0 or events_before <= 0:
        raise ValueError("a share of nothing cannot be compared")
    pooled = (bad + bad_before) / (events + events_before)
    variance = pooled * (1 - pooled) * (1 / events + 1 / events_before)
    return (bad / events - bad_before / events_before) / math.sqrt(variance) if variance > 0 else 0.0
