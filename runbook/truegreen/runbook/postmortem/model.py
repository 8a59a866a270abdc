"""What a postmortem is made of. No I/O."""

from __future__ import annotations

from dataclasses import dataclass

from truegreen.runbook.page.sli import Mark, Points


@dataclass(frozen=True, slots=True)
class Question:
    """One of the six: `answer` has a line for each fact; `why` says why there is none."""

    asks: str
    answer: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Figure:
    """One chart.

    Args:
        unit: `share`, `count` or `seconds`.
        points: (unix seconds, value); a step without events is absent.
        step: seconds between two points.
        bound: the value that the objective allows, None where there is none.
        wrong: why there is nothing to draw.
    """

    name: str
    says: str
    unit: str
    start: float
    end: float
    step: float
    points: Points = ()
    bound: float | None = None
    wrong: str = ""


@dataclass(frozen=True, slots=True)
class Measured:
    """What Prometheus says after the fact.

    Args:
        bad, judged: events from the true start (else from the opening) to the end of the incident; None where nobody can say.
        served: all answers in that time, judged or not.
        why: why a number is missing.
    """

    figures: tuple[Figure, ...] = ()
    marks: tuple[Mark, ...] = ()
    bad: float | None = None
    judged: float | None = None
    served: float | None = None
    why: str = ""
