"""Whether a version is known to be good, and which versions answer now: what Prometheus, the lock file and kept runs say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from truegreen.core.clients import prometheus as prom
from truegreen.core.clients.http import Server
from truegreen.core.errors import BadInput, Failed
from truegreen.evaluation.evalsets import keeping
from truegreen.runbook import names, selectors
from truegreen.runbook import seen as switches
from truegreen.runbook.model import Target
from truegreen.runbook.rollback.labels import is_version, label_of
from truegreen.runbook.rollback.model import Place
from truegreen.runbook.rollback.ways import lock
from truegreen.runbook.watch import Key

DEFAULT_RETENTION: Final = 15 * 86_400
"""Seconds: Prometheus' own default, where the server does not say how long it keeps samples."""


def known(server: Server, target: Target, place: Place, version: str) -> tuple[bool | None, str]:
    """Whether the version passed or served, and how that is known; None when Prometheus does not answer."""
    evidence = _passed(place, version)
    if evidence:
        return True, evidence
    try:
        labels = served(switches.impatient(server), target, place)
    except (Failed, BadInput) as error:
        return None, str(error)
    found = next((label for label in labels if is_version(place, label, version)), None)
    return (True, f"it served as {found}") if found else (False, "as far as Prometheus remembers")


def served(server: Server, target: Target, place: Place) -> tuple[str, ...]:
    """Every version of the component that Prometheus has seen, as spans name it.

    Raises:
        Failed: Prometheus does not answer.
    """
    kept = prom.retention(server) or DEFAULT_RETENTION
    label = label_of(place)
    found = prom.query(
        server, f'group by ({label}) (last_over_time({names.SNAPSHOT}{{{selectors.at(target)[1:-1]},{label}!=""}}[{int(kept)}s]))'
    )
    return tuple(sorted(s.labels.get(label, "") for s in found))


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
