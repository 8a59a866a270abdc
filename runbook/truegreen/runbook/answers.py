"""Asks the queries of the triage table on both sides of the onset."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.words import triage as table
from truegreen.runbook import names, selectors
from truegreen.runbook.model import Answer, Target


@dataclass(frozen=True, slots=True)
class Ask:
    """Whom to ask of what: each window of seconds ends at the onset or at the end (unix seconds)."""

    prometheus: Server
    target: Target
    low: float
    before: float
    end: float
    after: float

    def table(self, failure_mode: str, pillar: str) -> dict[str, Callable[[], Answer | None]]:
        """The queries of the table's rows, each to be asked by itself; None is one without data."""
        rows = table.rows(failure_mode, pillar)
        asked = dict.fromkeys(h.query for row in rows for h in row.hypotheses)
        asked.update(dict.fromkeys((*(q for row in rows for q in row.queries), "latency_p99", "errors")))
        return {name: partial(self._answer, name) for name in asked if name not in ("served_model", "snapshot_change")}

    def _answer(self, name: str) -> Answer | None:
        before, after = self._values(name, self.low, self.before), self._values(name, self.end, self.after)
        return Answer(before, after) if after else None

    def relevance(self) -> tuple[float, float] | None:
        """The mean relevance of what was retrieved, on both sides; None where one has none."""
        where = selectors.at(self.target)
        means = []
        for time, window in ((self.low, self.before), (self.end, self.after)):
            span = f"[{max(int(window), 1)}s]"
            found = prom.query(
                self.prometheus,
                f"sum(increase({names.RELEVANCE_SUM}{where}{span})) / (sum(increase({names.RELEVANCE_COUNT}{where}{span})) > 0)",
                time,
            )
            means.append(found[0].value if found else None)
        return (means[0], means[1]) if means[0] is not None and means[1] is not None else None

    def _values(self, name: str, time: float, window: float) -> Mapping[str, float]:
        expr = table.QUERIES[name].fill(self.target.service, self.target.environment, f"{max(int(window), 1)}s")
        return {_key(s.labels): s.value for s in prom.query(self.prometheus, expr, time) if s.value == s.value}


def _key(labels: Mapping[str, str]) -> str:
    return ", ".join(v for k, v in sorted(labels.items()) if k not in ("service", "environment", "__name__", "job", "instance"))
