"""The part of the traffic that explains an incident: what Prometheus counted on both sides of its true start, searched."""

from __future__ import annotations

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import records
from truegreen.core.words.slo import Slo
from truegreen.evaluation.cohorts import asking, find
from truegreen.evaluation.cohorts.asking import Span, Who
from truegreen.evaluation.cohorts.find import Slice
from truegreen.evaluation.start import TrueStart
from truegreen.runbook import selectors
from truegreen.runbook.model import Target


def explain(
    prometheus: Server, target: Target, slo: Slo | None, start: TrueStart | None, begin: float, end: float
) -> tuple[Slice, ...]:
    """The slices that got worse than the rest, the strongest evidence first; none where nobody knows the SLO or its true start.

    Args:
        begin, end: what was looked at, unix seconds.
    """
    if slo is None or start is None or not begin < start.low <= start.high < end:
        return ()
    who = Who(prometheus, target.service, target.environment)
    try:
        cells = asking.table(who, slo, Span(begin, start.low), Span(start.high, end))
        measured = prom.query(prometheus, f"{records.DESIGN_EFFECT}{selectors.at(target, slo=target.slo)}", end)
    except (BadInput, Failed):  # an SLO that counts minutes has no parts, and triage has said the rest without it
        return ()
    return find.slices(cells, design_effect=max([1.0, *(sample.value for sample in measured)]))
