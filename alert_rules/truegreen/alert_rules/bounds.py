"""What an objective may be: between them, bad events can be told from health in time."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Final

from truegreen.alert_rules.text import number

LEAST_OBJECTIVE: Final = Decimal("0.5")
"""A page asks for 60 % bad events at most; with more than half of them allowed, that leaves no room for evidence."""
LEAST_BUDGET: Final = Decimal("0.0001")
"""One in ten thousand: a 10x burn needs 15,000 events an hour to page within one."""


def outside(objective: Decimal) -> Iterator[tuple[str, str]]:
    """What is wrong with an objective, 0 to 1, and what to write instead."""
    if objective < LEAST_OBJECTIVE:
        yield (
            f"{number(100 * objective)}% allows more bad events than good ones, and no page could ask for more",
            f"at least {number(100 * LEAST_OBJECTIVE)}%, or count what is good as bad",
        )
    if 1 - objective < LEAST_BUDGET:
        yield (
            f"{number(100 * objective)}% allows less than one bad event in {number(1 / LEAST_BUDGET)}, which no sample shows in time",
            f"at most {number(100 * (1 - LEAST_BUDGET))}%",
        )
