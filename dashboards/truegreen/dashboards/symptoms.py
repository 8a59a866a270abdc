"""What stands first on a board: ratios as the alerts read them, of the one service that burns most, and whose they are.

All services together would hide a small one that is down, and a fixed quantile is green while an SLO of another objective pages.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from truegreen.core.words import catalogue as c
from truegreen.core.words import records
from truegreen.core.words.slo import EvaluationSli, Slo, ThresholdSli
from truegreen.dashboards import expressions as e
from truegreen.dashboards import kit, rows
from truegreen.dashboards.model import Expression, Json, Tile, View, Where, budget

CHAT: Final[Where] = {"operation": "chat"}
FAILED: Final[Where] = {"outcome": ("error", "throttled", "timeout")}
OF_WORST: Final = "It is that of the service that burns most by what its counts prove."
TIMED: Final = {
    "latency": ("Calls too slow", "Chat calls", c.LLM_DURATION, 0.99),
    "first_chunk": ("First chunks too late", "First chunks", c.LLM_TIME_TO_FIRST_CHUNK, 0.95),
}
"""Ready-made SLO to a title, what is timed, its histogram and the quantile that is shown without it."""


def judged(
    view: View,
    failure_mode: str,
    title: str,
    window: str,
    *,
    why: str,
    links: Sequence[Json] = (),
    proved: bool = True,
    width: int = 4,
) -> tuple[Tile, ...]:
    """Bad ratio of evaluated answers, what the counts prove, and how many were judged, on which scale: of the worst service by what is proved.

    Args:
        window: one of `records.WINDOWS` that has a lower bound.
        proved: whether the lower bound stands between them.
    """
    slos = view.judged(failure_mode)
    mine: Where = {"failure_mode": failure_mode, "slo": tuple(slo.name for slo in slos)}
    bad, bound, count = (
        e.of_worst(make(window), window, mine) for make in (records.bad_ratio, records.bad_lower_bound, records.events)
    )
    return kit.ratio(
        title, ("*", e.folded(bad, rows.by_slo(slos))), ("judged *", e.scaled(count, evaluation_of(slos))), counted=f"Judged answers, {rows.spelt(window)}", why=f"{why} {OF_WORST}",
        steps=kit.within(*slos), links=links, width=width, proved=("at least", e.folded(bound, ())) if proved else None,
    )  # fmt: skip


def evaluation_of(slos: Sequence[Slo]) -> dict[str, str]:
    """SLO to the evaluation that it reads."""
    return {slo.name: slo.sli.evaluation for slo in slos if isinstance(slo.sli, EvaluationSli)}


def answers(view: View) -> Where:
    """The answers that a ratio of ungrounded ones counts."""
    return {**rows.JUDGED, "evaluation": view.evaluations("hallucination")}


def within(view: View) -> kit.Steps:
    """The budget of ungrounded answers."""
    return kit.within(*view.judged("hallucination"))


def ratio(view: View, name: str, title: str, share: kit.Series, of: kit.Series, *, window: str, counted: str, why: str, links: Sequence[Json] = (),
          also: Sequence[kit.Series] = (), width: int = 4) -> tuple[Tile, ...]:  # fmt: skip
    """A ratio that an SLO watches and its sample size, as the SLO's alert reads them: of the service that burns most.

    All services together would hide a small one that is down. Without the SLO nothing fires, and they are shown together, in no colour.

    Args:
        name: of the ready-made SLO.
        share, of: what is shown without the SLO.
        window: one of `records.WINDOWS` that has a lower bound.
        also: as in `kit.ratio`.
    """
    slo, said = view.slo(name), "All services together: no SLO looks at each."
    if slo:
        bad, count = of_slo(slo, window)
        share, of, said = ("*", bad), (of[0], count), f"Over {rows.spelt(window)}, against the budget of {slo.name}. {OF_WORST}"
    return kit.ratio(
        title, share, of, counted=counted, why=f"{why} {said}", steps=kit.within(slo), links=links, also=also, width=width
    )


def of_slo(slo: Slo, window: str) -> tuple[Expression, Expression]:
    """Bad ratio, with its service, and sample size: of the service that burns most by what its counts prove."""
    bad, count = (e.of_worst(make(window), window, {"slo": slo.name}) for make in (records.bad_ratio, records.events))
    return e.folded(bad, rows.WHO), e.folded(count, ())


def calls(view: View, window: str, width: int, *timed: str) -> tuple[Tile, ...]:
    """Calls that are too slow and calls that fail, and how many there were.

    Args:
        timed: ready-made SLOs of `TIMED`. A quantile cannot be coloured: that of 99 % says nothing of an SLO of 99.9 %.
    """
    tiles: list[Tile] = []
    counts: list[kit.Series] = []
    for name in timed:
        title, what, metric, q = TIMED[name]
        slo = view.slo(name)
        if slo and isinstance(slo.sli, ThresholdSli):
            bad, count = of_slo(slo, window)
            why = f"Share of chat calls over {slo.sli.threshold} s in {rows.spelt(window)}, against the budget of {slo.name}. {OF_WORST}"
            tiles += kit.ratio(title, ("*", bad), (what, count), counted=what, steps=kit.within(slo), width=width, why=why)[:1]
            counts.append((what.lower(), count))
        else:
            why = "Time of chat calls, all services together: no SLO bounds it."
            tiles.append(
                kit.stat(f"{what} {pth(q)}", (pth(q), e.quantile(q, metric, where=CHAT)), unit="s", width=width, why=why)
            )
    failed = ratio(view, "availability", "Calls failed", ("failed", e.share(c.LLM_REQUESTS, FAILED)), ("all calls", e.increase(c.LLM_REQUESTS, over=e.RATE)), window=window,
                   counted="Calls", also=counts, width=width, why="Share of calls that failed, were throttled or timed out.")  # fmt: skip
    return (*tiles, *failed)


def durations(view: View, width: int) -> Tile:
    """How long chat calls take, by service, against the threshold of the latency SLO."""
    q, line = tail(view.slo("latency"))
    drawn = ((f"{pth(each)} *", e.quantile(each, c.LLM_DURATION, rows.WHO, CHAT)) for each in dict.fromkeys((0.5, q)))
    return kit.graph("Call duration", *drawn, unit="s", steps=line, scrapes=kit.SPARSE, width=width,
                     why="Chat calls: the upper lines are over the dashed one while the latency SLO's budget burns. They can be under it while answers are wrong.")  # fmt: skip


def tail(slo: Slo | None, otherwise: float = 0.99) -> tuple[float, kit.Steps]:
    """The quantile of a duration that is over the threshold of an SLO when its budget burns, and that threshold, to be drawn.

    Another quantile would be under the line while the SLO pages. Without such an SLO, or where services have different objectives: `otherwise`, no line.
    """
    limit = budget(slo) if slo else None
    if limit is None or not slo or not isinstance(slo.sli, ThresholdSli):
        return otherwise, ()
    return round(1 - limit, 9), kit.under(float(slo.sli.threshold))


def pth(q: float) -> str:
    """A quantile as people say it: `p99.9`."""
    return f"p{round(100 * q, 7):g}"
