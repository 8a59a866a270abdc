"""The likeliest mistakes of a set-up, each looked for, each with its fix."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from truegreen.core.errors import BadInput, Failed
from truegreen.runbook.clean import clean
from truegreen.runbook.doctor import application, collector, keys, programs, prometheus, response, rules
from truegreen.runbook.doctor.model import OK, UNKNOWN, Env, Finding

Check = Callable[[Env], Finding]

_PROMETHEUS: Final = "prometheus"
CHECKS: Final[Sequence[tuple[str, Check, str]]] = (
    ("instrumentor", application.instrumentor, ""),
    ("port", collector.port, ""),
    (_PROMETHEUS, prometheus.there, ""),
    ("spans", collector.spans, _PROMETHEUS),
    ("passages", collector.passages, _PROMETHEUS),
    ("baseline", collector.baseline, _PROMETHEUS),
    ("clock", prometheus.clock, _PROMETHEUS),
    ("scrape", prometheus.scrape, _PROMETHEUS),
    ("labels", prometheus.labels, _PROMETHEUS),
    ("retention", prometheus.retention, _PROMETHEUS),
    ("rules", rules.stale, _PROMETHEUS),
    ("programs", programs.missing, ""),
    ("langfuse", keys.langfuse, ""),
    ("rollback", response.rollback, ""),
    ("flags", response.flag_file, ""),
    ("evidence", response.evidence, ""),
    ("log", response.log, ""),
)
"""Name, check, and the check without which it is not asked, in the order in which data flows; a new one is a function and a row here."""


def examine(env: Env, checks: Sequence[tuple[str, Check, str]] = CHECKS) -> Iterator[Finding]:
    """Run the checks one after the other; what cannot be asked is unknown, and stops no other."""
    failed = set()
    for name, check, needs in checks:
        try:
            found = Finding(name, UNKNOWN, "Prometheus does not answer") if needs in failed else check(env)
        except (BadInput, Failed) as error:
            found = Finding(name, UNKNOWN, str(error))
        if found.state != OK:
            failed.add(name)
        yield Finding(name, found.state, clean(found.says, 400), clean(found.fix, 400))
