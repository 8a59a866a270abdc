"""What a board is made of: expressions, tiles, rows. Frozen dataclasses, no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from truegreen.core.config.model import Config
from truegreen.core.words import ready_made
from truegreen.core.words.boards import runbook_page
from truegreen.core.words.slo import EvaluationSli, EventSli, FreshnessSli, Sli, Slo, ThresholdSli

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Expression:
    """PromQL that is known to name only catalogue metrics and records: `expressions` alone makes it.

    Args:
        text: the PromQL, with Grafana's variables in it.
        labels: the labels of its result.
    """

    text: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tile:
    """One panel before it has a place.

    Args:
        panel: the panel's JSON without id and position.
        width: 1 to 24 columns.
        height: in Grafana's units of 30 pixels.
        scrapes: the shortest step of its queries, in scrape intervals.
    """

    panel: Json
    width: int
    height: int
    scrapes: int = 1


@dataclass(frozen=True, slots=True)
class Row:
    """A titled row. `columns` stand side by side, each filled from left to right and top to bottom; most rows have one."""

    title: str
    columns: tuple[tuple[Tile, ...], ...]
    collapsed: bool = False


@dataclass(frozen=True, slots=True)
class Board:
    """One board.

    Args:
        question: what it answers, in one line; it stands on top.
        start: the start of its range at first where it is not the usual one, such as `now-7d`.
    """

    uid: str
    title: str
    question: str
    rows: tuple[Row, ...]
    start: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What a board may know of the configuration."""

    config: Config

    def slo(self, name: str) -> Slo | None:
        """The one configured SLO that counts what the ready-made one of that name counts, whatever its own name and bound.

        None where none is switched on: nothing can fire then, and a colour would say that something does.
        """
        wanted = _counted(ready_made.BY_NAME[name].sli)
        found = [slo for slo in self.config.slos if _counted(slo.sli) == wanted]
        return found[0] if len(found) == 1 else None

    def judged(self, failure_mode: str) -> tuple[Slo, ...]:
        """Those SLOs of a failure mode that read evaluations of answers: others, such as failing tools, are no ungrounded answers."""
        return _judged(self.config.slos, failure_mode)

    def evaluations(self, failure_mode: str) -> tuple[str, ...]:
        """The evaluations that configured SLOs of a failure mode read; those of the ready-made ones where there is none."""
        slos = self.judged(failure_mode) or _judged(ready_made.READY_MADE, failure_mode)
        return tuple(dict.fromkeys(slo.sli.evaluation for slo in slos if isinstance(slo.sli, EvaluationSli)))

    def runbook(self, alert: str) -> str:
        """The address of an alert's runbook page."""
        return runbook_page(self.config.routes.runbook_url, alert)

    @property
    def trace_url(self) -> str:
        """The address of a trace with `{trace_id}` in it, or empty: then Grafana's own Explore is linked."""
        return self.config.routes.trace_url


def _judged(slos: tuple[Slo, ...], failure_mode: str) -> tuple[Slo, ...]:
    return tuple(slo for slo in slos if slo.failure_mode == failure_mode and isinstance(slo.sli, EvaluationSli))


def _counted(sli: Sli) -> Sli:
    # What an SLI counts, whatever its bound and the order of its words.
    match sli:
        case ThresholdSli():
            return replace(sli, threshold=Decimal(0))
        case FreshnessSli():
            return replace(sli, seconds=0)
        case EventSli():
            return replace(sli, bad=tuple(sorted(sli.bad)), among=tuple(sorted(sli.among)))
        case _:
            return sli


def budget(slo: Slo) -> float | None:
    """The error budget of an SLO, 0 to 1; None where services have different ones (then only the budget records are true)."""
    if not isinstance(slo.objective, Decimal) or any(each != slo.objective for each in slo.objectives.values()):
        return None
    return float(1 - slo.objective)


Where = Mapping[str, "str | tuple[str, ...]"]
"""Label to the value, or the values, that it must have."""
