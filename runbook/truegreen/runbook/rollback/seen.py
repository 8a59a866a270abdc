"""Whether a version is known to be good, and which versions answer now: what Prometheus, the lock file and kept runs say."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.core.words import catalogue
from truegreen.core.words.terms import FAIL, PASS
from truegreen.evaluation.evalsets import keeping
from truegreen.runbook import names, selectors
from truegreen.runbook import seen as switches
from truegreen.runbook.clean import clean
from truegreen.runbook.model import Event, Target
from truegreen.runbook.rollback.labels import is_version, label_of
from truegreen.runbook.rollback.left import left
from truegreen.runbook.rollback.model import Place
from truegreen.runbook.rollback.ways import lock
from truegreen.runbook.watch import Key

_EVALUATIONS: Final = catalogue.EVALUATIONS.prometheus
_RANDOM: Final = "base|boost"
"""Answers that were drawn evenly; others were chosen, such as for being slow."""
DEFAULT_RETENTION: Final = 15 * 86_400
"""Seconds: Prometheus' own default, where the server does not say how long it keeps samples."""


def known(server: Server, target: Target, place: Place, version: str, events: Sequence[Event] = ()) -> tuple[bool | None, str]:
    """Whether the version passed or served, and was not taken out of service by what the log tells; how that is known.

    None when Prometheus does not answer.
    """
    why = left(events, target, place, version)
    if why:
        return False, why
    evidence = _passed(place, version)
    if evidence:
        return True, evidence
    try:
        labels = served(switches.impatient(server), target, place)
    except (Failed, BadInput) as error:
        return None, str(error)
    found = next((label for label in sorted(labels) if is_version(place, label, version)), None)
    if found is None:
        return False, f"it never served {target.service}/{target.environment} as far as Prometheus remembers"
    return True, f"it served as {found}: {_judged(server, target, labels[found])}"


def served(server: Server, target: Target, place: Place) -> Mapping[str, Sequence[str]]:
    """Every version of the component that Prometheus has seen, as spans name it, to the snapshots that it was part of.

    Raises:
        Failed: Prometheus does not answer.
    """
    kept = prom.retention(server) or DEFAULT_RETENTION
    label = label_of(place)
    found = prom.query(
        server,
        f'group by ({label}, snapshot) (last_over_time({names.SNAPSHOT}{{{selectors.at(target)[1:-1]},{label}!=""}}[{int(kept)}s]))',
    )
    labels: dict[str, list[str]] = {}
    for s in found:
        labels.setdefault(s.labels.get(label, ""), []).append(s.labels.get("snapshot", ""))
    return labels


def _judged(server: Server, target: Target, snapshots: Sequence[str]) -> str:
    """How many answers snapshots gave and how those were judged that were, in words. A counter that restarted counts its larger part."""
    server = switches.impatient(server)
    try:
        kept = int(prom.retention(server) or DEFAULT_RETENTION)
        where = selectors.at(target, snapshot="~" + "|".join(re.escape(one) for one in snapshots[:100]))
        graded = where[:-1] + f',result=~"{PASS}|{FAIL}",sampled=~"{_RANDOM}"}}'
        answers = prom.query(server, f"sum(max_over_time({names.ANSWERS}{where}[{kept}s]))")
        results = prom.query(server, f"sum by (evaluation, result) (max_over_time({_EVALUATIONS}{graded}[{kept}s]))")
    except (Failed, BadInput):
        return "how many answers it gave is not known"
    tally: dict[str, list[float]] = {}
    for s in results:
        one = tally.setdefault(s.labels.get("evaluation", ""), [0.0, 0.0])
        one[0] += s.value if s.labels.get("result") == FAIL else 0.0
        one[1] += s.value
    bad = [f"{clean(name, 60)} bad {b / n:.1%} of {n:.0f}" for name, (b, n) in sorted(tally.items()) if n > 0]
    return ", ".join((f"{sum(s.value for s in answers):.0f} answers or more", *(bad or ("none judged",))))


def reader(server: Server, target: Target, place: Place) -> Callable[[], Mapping[Key, float]]:
    """Reads how many answers each version of the component has given."""
    where, label, server = selectors.at(target), label_of(place), switches.impatient(server)

    def read() -> Mapping[Key, float]:
        versions = {
            s.labels.get("snapshot", ""): s.labels.get(label, "")
            for s in prom.query(server, f"last_over_time({names.SNAPSHOT}{where}[1h])")
        }
        return {
            (snapshot := s.labels.get("snapshot", ""), versions.get(snapshot, "")): s.value
            for s in prom.query(server, f"sum by (snapshot) ({names.ANSWERS}{where})")
        }

    return read


def _passed(place: Place, version: str) -> str:
    """The passing run behind a model's version, in words; only models are named in runs."""
    if place.component != "model":
        return ""
    if place.way.type == "lock" and lock.validated(place, version):
        return f"the lock file has a passing run of {version}"
    runs, _ = keeping.runs(Path(keeping.FOLDER))
    run = next((one for one in runs if one["passed"] and one["served"] == [version]), None)
    return f"run {run['digest']} of {run['evalset']} passed" if run else ""
