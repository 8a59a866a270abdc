"""The likeliest mistakes of a set-up, each looked for, each with its fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.doctor import application, collector, keys, programs, prometheus, response, rules
from truegreen.runbook.doctor.model import OK, UNKNOWN, Env, Finding

Check = Callable[[Env], Finding]

CHECKS: Final[Sequence[tuple[str, Check]]] = (
    ("instrumentor", application.instrumentor),
    ("port", collector.port),
    ("prometheus", prometheus.there),
    ("spans", collector.spans),
    ("passages", collector.passages),
    ("baseline", collector.baseline),
    ("clock", prometheus.clock),
    ("scrape", prometheus.scrape),
    ("labels", prometheus.labels),
    ("retention", prometheus.retention),
    ("rules", rules.stale),
    ("programs", programs.missing),
    ("langfuse", keys.langfuse),
    ("rollback", response.rollback),
    ("flags", response.flag_file),
    ("evidence", response.evidence),
    ("log", response.log),
)
"""Name and check, in the order in which data flows; a new one is a function and a row here."""


def examine(env: Env, checks: Sequence[tuple[str, Check]] = CHECKS) -> Iterator[Finding]:
    """Run the checks one after the other; what cannot be asked is unknown, and stops no other."""
    silent = ""
    for name, check in checks:
        try:
            found = check(env)
        except (BadInput, Failed) as error:
            found = Finding(name, UNKNOWN, "Prometheus does not answer" if str(error) == silent else str(error))
        if name == "prometheus" and found.state != OK:
            silent = found.says
        yield Finding(name, found.state, clean(found.says, 400), clean(found.fix, 400))
