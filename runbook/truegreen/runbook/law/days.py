"""US business days, for the one clock that counts in them. Pure.

Sources: federal holidays, 5 U.S.C. 6103(a), with a Saturday's and a Sunday's as 6103(b) and Executive Order 11582 keep them. Of the Commission's own
17 CFR 201.104 the list is older (without Juneteenth, which EDGAR keeps since 2021) and ends with any other day that the President or Congress appoints in
Washington. Whether that takes in Inauguration Day, by 6103(c) a holiday of federal employees around Washington only, is open: it counts as a business day
here, which is the stricter reading. So do days that the President gives by order, which no calendar knows before.
Form 8-K, General Instruction B.1: the day of the event is not counted; one on a weekend or a holiday begins to run on the first business day after it.
Regulation S-T, 17 CFR 232.13(a)(2): what is sent after 5:30 p.m. Eastern Standard or Daylight Time, whichever is in effect, counts for the next day.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import cache
from typing import Final
from zoneinfo import ZoneInfo

ZONE: Final = "America/New_York"
"""Of a system without a time zone database, such as Windows, the package tzdata has it."""
CLOSES: Final = time(17, 30)
MONDAY, THURSDAY = 0, 3


@cache
def holidays(year: int) -> frozenset[date]:
    """The days of `year` on which federal offices are closed: a Saturday's holiday is kept on Friday, a Sunday's on Monday."""
    fixed = [(1, 1), (7, 4), (11, 11), (12, 25)] + ([(6, 19)] if year >= 2021 else [])
    days = {_observed(date(year, month, day)) for month, day in fixed} | {_observed(date(year + 1, 1, 1))}
    days |= {
        _nth(year, 1, MONDAY, 3),
        _nth(year, 2, MONDAY, 3),
        _nth(year, 6, MONDAY, 1) - timedelta(days=7),
        _nth(year, 9, MONDAY, 1),
        _nth(year, 10, MONDAY, 2),
        _nth(year, 11, THURSDAY, 4),
    }
    # Memorial Day is the last Monday of May: a week before June's first one.
    return frozenset(day for day in days if day.year == year)


def is_business(day: date) -> bool:
    """Whether federal offices are open on that day."""
    return day.weekday() < 5 and day not in holidays(day.year)


def after(day: date, count: int) -> date:
    """The `count`-th business day after `day`, which itself is not counted; `count` from 1 on."""
    while count:
        day += timedelta(days=1)
        count -= is_business(day)
    return day


def due(moment: float, count: int) -> float:
    """The latest moment that still counts for the `count`-th business day after `moment`, by the days of New York; both in unix seconds."""
    there = ZoneInfo(ZONE)
    last = after(datetime.fromtimestamp(moment, there).date(), count)
    return datetime.combine(last, CLOSES, there).timestamp()


def _observed(day: date) -> date:
    return day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0))


def _nth(year: int, month: int, weekday: int, which: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (which - 1))
