"""A recording of half a minute, small enough to be read: the series of an incident, a board that asks for them, and what it is answered."""

from __future__ import annotations

import gzip
import json
from typing import Any

Json = dict[str, Any]

START, END = 1_764_280_000, 1_764_280_040
ONSET, ENDED = START + 20, START + 30
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
WHO = {"service": "agent", "environment": "production"}
_STEPS = range(START, END + 1)


def _series(name: str, values: list[float | None], start: int = START, **labels: str) -> Json:
    return {"labels": {"__name__": name, **WHO, **labels}, "start": start, "values": values}


RAW: Json = {
    "format": "truegreen-recording/1", "start": START, "end": END, "step": 1, "time_scale": 60, "scrape": 1.0,
    "marks": [{"at": float(ONSET), "name": "onset", "text": 'the provider serves "another" model'},
              {"at": END - 0.5, "name": "closed", "text": "20 s after the onset"}],
    "series": [
        # Ten answers a second; from the onset on half of them fail.
        _series("truegreen_evaluations_total", [10 * (t - START) - 5 * max(0, t - ONSET) for t in _STEPS], result="pass", model="small"),
        _series("truegreen_evaluations_total", [5 * max(0, t - ONSET) for t in _STEPS], result="fail", model="small"),
        # An alert that has ended.
        _series("ALERTS", [1.0] * (ENDED - ONSET), ONSET, alertstate="firing", alertname="TruegreenBudgetBurn", slo="grounding", sev="1"),
        _series("truegreen_llm_duration_seconds_bucket", [2.0 * (t - START) for t in _STEPS], model="small", le="0.5", note='a "b" \\ c\nd'),
        {"labels": {"__name__": "truegreen:slo_info", "slo": "grounding", "objective": "98%", "mode": "live"}, "start": START, "values": [1] * len(_STEPS)},
        {"labels": {"__name__": "truegreen:slo_info", "slo": "latency", "objective": "99%", "mode": "shadow"}, "start": START, "values": [1] * len(_STEPS)},
    ],
    "exemplars": [
        {"labels": {"__name__": "truegreen_llm_duration_seconds_bucket", **WHO, "model": "small", "le": "0.5"},
         "exemplars": [{"at": ONSET + 0.5, "value": 0.3, "trace_id": TRACE}]},
    ],
    "rules": {},
}  # fmt: skip

BAD = 'sum(rate(truegreen_evaluations_total{service=~"$service",result="fail"}[$__rate_interval])) / sum(rate(truegreen_evaluations_total{service=~"$service"}[$__rate_interval]))'
ALL = 'sum by (model) (increase(truegreen_evaluations_total{service=~"$service",model=~"$model"}[$__range]))'
FIRING = 'ALERTS{service=~"$service",alertstate="firing"}'
BUCKETS = 'sum by (le) (rate(truegreen_llm_duration_seconds_bucket{service=~"$service",model=~"small|large"}[$__rate_interval]))'
NONE = 'truegreen_tasks_total{service=~"$service"}'


def _target(expr: str, step: str, instant: bool = False, exemplar: bool = False) -> Json:
    return {
        "expr": expr,
        "interval": step,
        "instant": instant,
        "range": not instant,
        "exemplar": exemplar,
        "refId": "A",
        "legendFormat": "{{model}}",
    }


def _panel(identity: int, kind: str, *targets: Json) -> Json:
    return {
        "id": identity, "type": kind, "title": f"Panel {identity}", "description": "Why it is there.", "targets": list(targets),
        "gridPos": {"x": 0, "y": 8 * identity, "w": 24, "h": 8}, "fieldConfig": {"defaults": {"unit": "percentunit"}, "overrides": []}, "options": {},
    }  # fmt: skip


BOARD: Json = {
    "uid": "tiny", "title": "Tiny", "description": "Does it record?", "refresh": "5s", "time": {"from": "now-5m", "to": "now"},
    "panels": [
        _panel(1, "timeseries", _target(BAD, "1s")),
        _panel(2, "stat", _target(BAD, "1s", instant=True)),
        {"id": 3, "type": "row", "title": "Folded", "collapsed": True, "gridPos": {"x": 0, "y": 24, "w": 24, "h": 1},
         "panels": [_panel(4, "table", _target(ALL, "4s", instant=True)), _panel(5, "heatmap", _target(BUCKETS, "4s", exemplar=True)),
                    _panel(6, "timeseries", _target(NONE, "1s"))]},
    ],
    "annotations": {"list": [{"name": "Firing alerts", "expr": FIRING, "step": "2s", "enable": True, "iconColor": "red"}]},
    "templating": {"list": [
        {"name": "datasource", "type": "datasource", "query": "prometheus"},
        {"name": "service", "type": "query", "query": "label_values(truegreen_evaluations_total, service)"},
        {"name": "model", "type": "query", "query": 'label_values(truegreen_evaluations_total{service=~"$service"}, model)'},
    ]},
}  # fmt: skip


def packed(raw: Json | None = None) -> bytes:
    """The file that a demo writes."""
    return gzip.compress(json.dumps(RAW if raw is None else raw).encode(), mtime=0)
