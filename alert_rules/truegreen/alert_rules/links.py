"""The address of the board that an alert opens: at its service, its environment, its hour and, where one model is at fault, that model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from truegreen.alert_rules.text import literal, matcher, quoted, selector
from truegreen.alert_rules.windows import Clock
from truegreen.core.config.model import Routes
from truegreen.core.words import catalogue
from truegreen.core.words.counts import boundary
from truegreen.core.words.metric import IDENTITY
from truegreen.core.words.slo import EvaluationSli, EventSli, Slo, ThresholdSli
from truegreen.core.words.terms import FAIL

BEFORE: Final = 3 * 3600
"""Seconds shown before the last evaluation in which the alert fired, until now: a change that caused it is in sight, and the numbers are live.

A board that ended later than now would be asked for numbers of the future, and show none.
"""
_BLAMED: Final = "0.5"
"""A model is named when more than this share of the bad events is its own."""
_BY_MODEL: Final = frozenset(metric.prometheus for metric in catalogue.ALL if "model" in metric.labels)
_AT: Final = "service=%[1]q,environment=%[2]q"


def board(routes: Routes, uid: str, clock: Clock, slo: Slo | None = None) -> str:
    """The address of a board, with Prometheus' templates in it.

    An annotation is rendered anew while the alert fires, so that who opens it the next morning sees the hour of the incident.

    Args:
        uid: the board's, from `core.words.boards`.
        slo: of a burn alert; the model that has most of its bad events is chosen on the board, if there is one.
    """
    # An alert about the watching has no service: an empty one would select no series, and the board would show nothing.
    at = "".join(f"{{{{ if $labels.{name} }}}}var-{name}={{{{ $labels.{name} | urlquery }}}}&{{{{ end }}}}" for name in IDENTITY)
    since = f"1000 * (time() - {clock.seconds(BEFORE)})"
    times = f'{{{{ with query "{since}" }}}}from={{{{ . | first | value | printf "%.0f" }}}}&to=now{{{{ end }}}}'
    return f"{literal(routes.dashboard_url.rstrip('/'))}/d/{uid}?{at}{_model(slo, clock.text('15m'))}{times}"


def _model(slo: Slo | None, window: str) -> str:
    bad = _bad_by_model(slo, window) if slo else ""
    if not bad:
        return ""
    blamed = json.dumps(f"topk(1, {bad}) > {_BLAMED} * scalar(sum({bad}))", ensure_ascii=False)
    return f"{{{{ range query (printf {blamed} $labels.service $labels.environment) }}}}var-model={{{{ .Labels.model | urlquery }}}}&{{{{ end }}}}"


def _bad_by_model(slo: Slo, window: str) -> str:
    # The bad events by model, for printf; empty where the SLO's metric does not know the model, or where the SLO is of one model.
    def count(metric: str, *matchers: str) -> str:
        only = (one.replace("%", "%%") for one in matchers)
        return f"sum by (model) (increase({selector(metric, _AT, *only)}[{window}]))"

    match slo.sli:
        case EvaluationSli(evaluation):
            failed = (f"evaluation={quoted(evaluation)}", f"result={quoted(FAIL)}", 'sampled="base"')
            return count(catalogue.EVALUATIONS.prometheus, *failed)
        case EventSli(metric, label, bad, _, _, where) if metric in _BY_MODEL and "model" not in where:
            return count(metric, *_only(where), *([matcher(label, bad)] if label else []))
        case ThresholdSli(metric, threshold, where) if metric in _BY_MODEL and "model" not in where:
            good = count(f"{metric}_bucket", *_only(where), boundary(threshold))
            return f"({count(f'{metric}_count', *_only(where))} - {good})"
        case _:
            return ""


def _only(where: Mapping[str, str]) -> list[str]:
    return [f"{key}={quoted(value)}" for key, value in sorted(where.items())]
