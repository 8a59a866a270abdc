"""An SLO to the counters behind it, as PromQL selectors. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from truegreen.core.words import ready_made
from truegreen.core.words.metric import bound
from truegreen.core.words.slo import EvaluationSli, EventSli, Slo, ThresholdSli
from truegreen.core.words.terms import FAIL, PASS
from truegreen.runbook import names
from truegreen.runbook.model import Target


def slo_named(name: str, slos: Iterable[Slo]) -> Slo | None:
    """The SLO of that name: the configuration's, else the ready-made one, else None."""
    return next((slo for slo in slos if slo.name == name), ready_made.BY_NAME.get(name))


def at(target: Target, **labels: str) -> str:
    """A selector in braces for the target's service and environment; a label given as `~x` matches the regular expression x."""
    pairs = {"service": target.service, "environment": target.environment, **labels}
    return (
        "{"
        + ",".join(f'{k}{"=~" if v[:1] == "~" else "="}"{quoted(v[1:] if v[:1] == "~" else v)}"' for k, v in pairs.items())
        + "}"
    )


def quoted(text: str) -> str:
    """Text for between double quotes in PromQL."""
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def counters(slo: Slo, target: Target) -> tuple[str, str] | None:
    """Selectors of the counters of all judged events and of the bad ones; None for an SLI that no pair of counters holds.

    For a threshold the second one counts the *good* events: see `bad_is_rest`.
    """
    sli = slo.sli
    if isinstance(sli, EvaluationSli):
        name = names.EVALUATED
        every = at(target, evaluation=sli.evaluation, result=f"~{PASS}|{FAIL}")
        return name + every, name + at(target, evaluation=sli.evaluation, result=FAIL)
    if isinstance(sli, EventSli):
        where = _where(sli.where)
        among = {sli.label: _any(sli.among)} if sli.label and sli.among else {}
        bad = {sli.label: _any(sli.bad)} if sli.label and sli.bad else {}
        return (sli.total or sli.metric) + at(target, **{**where, **among}), sli.metric + at(target, **{**where, **bad})
    if isinstance(sli, ThresholdSli):
        le = bound(sli.threshold)
        # Prometheus 3 writes le="10.0" where 2 writes le="10".
        le = f"~{re.escape(le)}" if "." in le or "e" in le else f"~{le}([.]0)?"
        where = _where(sli.where)
        return f"{sli.metric}_count" + at(target, **where), f"{sli.metric}_bucket" + at(target, **where, le=le)
    return None


def bad_is_rest(slo: Slo) -> bool:
    """Whether the second counter of `counters` counts good events."""
    return isinstance(slo.sli, ThresholdSli)


def _where(where: Mapping[str, str]) -> dict[str, str]:
    return {k: f"~{re.escape(v)}" if v[:1] == "~" else v for k, v in where.items()}


def _any(values: Iterable[str]) -> str:
    return "~" + "|".join(re.escape(v) for v in values)
