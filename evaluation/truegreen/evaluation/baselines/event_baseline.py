"""From a service's hours to a frozen baseline of events: how many there were, how many were bad, and how alike the hours are. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from truegreen.core.errors import BadInput
from truegreen.core.words.calibration import MINIMUM_ANSWERS, QUANTILES, Calibration
from truegreen.core.words.terms import RELATIVE

Hour = tuple[float, float]
"""Events of one hour, and those of them that were bad."""
DAYS: Final = 28
MOST_DAYS: Final = 90
UNEVEN: Final = 3.0
"""From here on the hours are so unlike that the reader should ask whether one of them was an incident."""


def freeze(hours: Sequence[Hour], *, service: str, environment: str, signal: str, metric: str, taken: str) -> Calibration:
    """The calibration of an SLO that counts events; a good event has the score 1, a bad one 0.

    Args:
        hours: those that had events.
        signal: the SLO's name.
        metric: what was counted.
        taken: ISO 8601 time.

    Raises:
        BadInput: fewer than 500 events, or all of them bad.
    """
    kept = [(events, min(bad, events)) for events, bad in hours if events > 0]
    events, bad = (sum(hour[part] for hour in kept) for part in (0, 1))
    if events < MINIMUM_ANSWERS:
        raise BadInput(f"a baseline needs at least {MINIMUM_ANSWERS} events, there are {int(events)}; name more days, or wait")
    if bad >= events:
        raise BadInput(f"all {int(events)} events were bad: that is no baseline, or the SLO calls the good ones bad")
    ratio = bad / events
    return Calibration(
        service=service,
        environment=environment,
        signal=signal,
        evaluator=metric,
        scale=RELATIVE,
        floor=0.5,
        quantiles=tuple(0.0 if share < ratio else 1.0 for share in QUANTILES),
        bad_ratio=ratio,
        design_effect=design_effect(kept),
        answers=int(events),
        taken=taken,
    )


def design_effect(hours: Sequence[Hour]) -> float:
    """How many times more the bad counts of the hours vary than independent events would, at least 1.

    Pearson's chi-square over its degrees of freedom (McCullagh and Nelder 1989, section 4.5). What comes in sessions, in bursts or by
    the time of day makes it larger; with no bad event, or one hour, it is 1.

    Args:
        hours: events above 0.
    """
    events, bad = (sum(hour[part] for hour in hours) for part in (0, 1))
    ratio = bad / events if events else 0.0
    if not 0 < ratio < 1 or len(hours) < 2:
        return 1.0
    squares = sum((found - ratio * count) ** 2 / (count * ratio * (1 - ratio)) for count, found in hours)
    return max(1.0, squares / (len(hours) - 1))


def notes(frozen: Calibration, hours: int, days: int, kept_days: float | None) -> list[str]:
    """What the reader should know of it.

    Args:
        hours: how many had events.
        days: how many days were asked for.
        kept_days: how many Prometheus keeps, None where it does not say.
    """
    said = []
    if kept_days is not None and kept_days < days:
        said.append(f"this Prometheus keeps {kept_days:g} days of the {days} asked for")
    if hours < days * 24 / 2:
        said.append(f"{hours} of {days * 24} hours had events: what the other hours are like is not in it")
    if frozen.design_effect >= UNEVEN:
        said.append(
            f"the hours differ {frozen.design_effect:.1f} times more than chance allows: with an incident among them the baseline is worse than "
            "health, name other days with --until and --days; without one, unit: session has the alerts ask for as much more evidence"
        )
    if not frozen.bad_ratio:
        said.append(f"none was bad; an objective of `baseline` allows 3 in {frozen.answers}")
    return said


def report(frozen: Calibration, file: str, told: Sequence[str]) -> Mapping[str, Any]:
    """The same facts as numbers, for `--json`."""
    return {
        "file": file, "service": frozen.service, "environment": frozen.environment, "signal": frozen.signal, "metric": frozen.evaluator,
        "digest": frozen.digest, "events": frozen.answers, "bad_ratio": frozen.bad_ratio, "design_effect": frozen.design_effect,
        "taken": frozen.taken, "notes": list(told),
    }  # fmt: skip


def lines(frozen: Calibration, file: str, told: Sequence[str]) -> list[str]:
    """The statement for a terminal."""
    return [
        f"baseline  {frozen.service}/{frozen.environment} {frozen.signal} of {frozen.evaluator}: N={frozen.answers} digest {frozen.digest}",
        f"bad       {frozen.bad_ratio:.3%} of the events; design effect {frozen.design_effect:.2f}",
        *(f"note      {note}" for note in told),
        f"written   {file}",
        "next      truegreen generate rules: the objective `baseline` and the drift alert read the file",
    ]
