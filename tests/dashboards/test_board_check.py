"""Planted mistakes: each is found, and said in words that lead to it."""

from __future__ import annotations

import copy

import pytest
import yaml

from truegreen.core.words import ready_made
from truegreen.core.words.terms import FAILURE_MODES
from truegreen.dashboards import check, lint_queries, promql

WHO = 'service=~"$service",environment=~"$environment"'


def _of(board, kind):
    return next(panel for panel in check.panels(board) if panel["type"] == kind)


def _expression(text):
    def plant(board):
        _of(board, "timeseries")["targets"][0]["expr"] = text

    return plant


def _wrong_unit(board):
    _of(board, "stat")["fieldConfig"]["defaults"]["unit"] = "lengthft"


def _no_unit(board):
    del _of(board, "timeseries")["fieldConfig"]["defaults"]["unit"]


def _no_reason(board):
    _of(board, "table" if any(p["type"] == "table" for p in check.panels(board)) else "stat")["description"] = ""


def _text_null(board):
    _of(board, "stat")["fieldConfig"]["defaults"]["thresholds"]["steps"][0]["value"] = "null"


def _falling(board):
    _of(board, "stat")["fieldConfig"]["defaults"]["thresholds"]["steps"].append({"color": "orange", "value": 0.001})


def _same_id(board):
    one, other = [panel for panel in board["panels"] if panel["type"] == "stat"][:2]
    other["id"] = one["id"]


def _overlap(board):
    one, other = [panel for panel in board["panels"] if panel["type"] == "stat"][:2]
    other["gridPos"] = one["gridPos"]


def _too_wide(board):
    _of(board, "stat")["gridPos"].update(x=20, w=8, y=500)


def _fixed_source(board):
    _of(board, "stat")["datasource"] = {"type": "prometheus", "uid": "prom-1"}


def _lost_board(board):
    link = {"title": "There", "url": "/d/truegreen-nowhere?${__url_time_range}", "targetBlank": False}
    _of(board, "stat")["fieldConfig"]["defaults"]["links"] = [link]


def _unknown_variable(board):
    _of(board, "text")["options"]["content"] += " $cluster"


def _old_model(board):
    board["schemaVersion"] = 12


def _decoration(board):
    _of(board, "stat")["fieldConfig"]["defaults"]["color"] = {"mode": "fixed", "fixedColor": "purple"}


def _no_data_is_zero(board):
    _of(board, "stat")["fieldConfig"]["defaults"]["noValue"] = "0"


def _variable_query(board):
    board["templating"]["list"][2]["query"] = "label_values(truegreen_llm_requests_total, sevice)"


def _hidden(board):
    panel = _of(board, "timeseries")
    panel["targets"][0].update(
        expr=f"sum by (service, environment) (rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval]))",
        legendFormat="{{service}}",
    )


def _ratio(board):
    row = {
        "id": 900,
        "type": "row",
        "title": "Alone",
        "collapsed": False,
        "panels": [],
        "gridPos": {"x": 0, "y": 900, "w": 24, "h": 1},
    }
    share = copy.deepcopy(_of(board, "stat"))
    share |= {"id": 901, "title": "Bad", "gridPos": {"x": 0, "y": 901, "w": 4, "h": 4}}
    share["fieldConfig"]["defaults"]["unit"] = "percentunit"
    share["targets"][0]["expr"] = f'sum (truegreen:slo_bad:ratio1h{{{WHO},slo="grounding"}})'
    board["panels"] += [row, share]


def _pooled(board):
    panel = next(p for p in check.panels(board) if p["type"] == "stat" and "thresholds" in p["fieldConfig"]["defaults"])
    panel["fieldConfig"]["defaults"]["unit"] = "s"
    bucket = f"truegreen_llm_duration_seconds_bucket{{{WHO}}}"
    panel["targets"][0]["expr"] = f"histogram_quantile(0.99, sum by (le) (rate({bucket}[$__rate_interval])))"


def _both(board):
    failed = f'truegreen_evaluations_total{{{WHO},evaluation=~"groundedness|tone",result="fail"}}'
    _of(board, "timeseries")["targets"][0]["expr"] = f"sum(rate({failed}[$__rate_interval]))"


def _uncounted(board):
    panel = _of(board, "timeseries")
    panel["fieldConfig"]["defaults"]["unit"] = "percentunit"
    spoken, every = (
        f"sum by (provider) (rate(truegreen_llm_requests_total{{{WHO}{more}}}[$__rate_interval]))"
        for more in (',outcome="error"', "")
    )
    panel["targets"][0] |= {"expr": f"{spoken} / ({every} > 0)", "legendFormat": "{{provider}}"}


def _variable_name(board):
    board["templating"]["list"][2]["query"] = (
        'label_values({__name__=~"truegreen_llm_requests_total|truegreen_nothing_total"}, service)'
    )


def _command(board):
    _of(board, "text")["options"]["content"] += "`truegreen triage --service '$service'`"


def _folded(board):
    text = f'max (truegreen:slo_bad:ratio1h{{{WHO},failure_mode="hallucination"}})'
    _of(board, "timeseries")["targets"][0]["expr"] = text


def _one_mode(board):
    panel = _of(board, "timeseries")
    expression = f"max by (service, environment, failure_mode) (truegreen:slo_state{{{WHO}}})"
    panel["targets"] = [
        {**panel["targets"][0], "expr": expression, "legendFormat": "{{service}} {{environment}} {{failure_mode}}"}
    ]
    panel["fieldConfig"]["defaults"]["links"] = [
        {"title": "There", "url": "/d/truegreen-drift?${__url_time_range}", "targetBlank": False}
    ]


def _lost_mode(board):
    link = {"title": "There", "url": "/d/truegreen-${__field.labels.failure_mode}-x?", "targetBlank": False}
    _of(board, "stat")["fieldConfig"]["defaults"]["links"] = [link]


MISTAKES = {
    "an unknown metric": (
        _expression(f"sum(rate(truegreen_llm_request_total{{{WHO}}}[$__rate_interval]))"),
        "write truegreen_llm_requests_total",
    ),
    "a counter without rate": (_expression(f"sum(truegreen_llm_requests_total{{{WHO}}})"), "read it by rate or increase"),
    "a gauge under rate": (_expression(f"rate(truegreen_affected_users{{{WHO}}}[$__rate_interval])"), "rate is for counters"),
    "a fixed rate interval": (_expression(f"sum(rate(truegreen_llm_requests_total{{{WHO}}}[5m]))"), "write [$__rate_interval]"),
    "an unknown label": (
        _expression(f'sum(rate(truegreen_llm_requests_total{{{WHO},modle="x"}}[$__rate_interval]))'),
        "has no label modle",
    ),
    "an unknown grouping": (
        _expression(f"sum by (modle) (rate(truegreen_llm_requests_total{{{WHO}}}[$__rate_interval]))"),
        "no series below has the label modle",
    ),
    "a value that never occurs": (
        _expression(f'sum(rate(truegreen_llm_requests_total{{{WHO},outcome="failed"}}[$__rate_interval]))'),
        "does not occur; it is one of ok",
    ),
    "a query that ignores the service": (
        _expression('sum(rate(truegreen_llm_requests_total{environment=~"$environment"}[$__rate_interval]))'),
        'write service=~"$service"',
    ),
    "an unclosed bracket": (_expression("sum(rate(truegreen_llm_requests_total[5m])"), "not PromQL"),
    "a unit that is not ours": (_wrong_unit, "'lengthft' is not one of"),
    "a missing unit": (_no_unit, "'unit' is a required property"),
    "a panel without a reason": (_no_reason, "description"),
    "a threshold base of text": (_text_null, "'null' is not of type 'null'"),
    "thresholds that fall": (_falling, "thresholds do not rise"),
    "an id that is used twice": (_same_id, "is used 2 times"),
    "panels that overlap": (_overlap, "overlap"),
    "a panel wider than the grid": (_too_wide, "the grid has 24"),
    "a fixed data source": (_fixed_source, "'${datasource}' was expected"),
    "a link to no board": (_lost_board, "/d/truegreen-nowhere, which is no board"),
    "an unknown variable": (_unknown_variable, "variable cluster is used and not defined"),
    "the model of Grafana 5": (_old_model, "42 was expected"),
    "a colour that means nothing": (_decoration, "'text' was expected"),
    "no data that reads 0": (_no_data_is_zero, "'no data' was expected"),
    "a legend that hides a label": (_hidden, "hides environment: lines of one name"),
    "a ratio without its sample size": (_ratio, "without its sample size in its row"),
    "all services in the colour of one": (_pooled, "draw records of the worst one"),
    "two evaluations under one name": (_both, "counts several evaluations as one"),
    "a line without its sample size": (_uncounted, "without its sample size by provider"),
    "several SLOs under one name": (_folded, "folds every SLO into one number"),
    "a variable in a command line": (_command, "write a word in capitals"),
    "one board for every failure mode": (_one_mode, "write /d/truegreen-${__field.labels.failure_mode}"),
    "a link to a board of no mode": (_lost_mode, "which is no board"),
    "a variable over a misspelt name": (_variable_name, "truegreen_nothing_total is not known"),
    "a variable over no label": (_variable_query, "no series below has the label sevice"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("name", ["overview.json", "hallucination.json"])
def test_a_planted_mistake_is_found_and_named(boards, mistake, name):
    """One mistake in a board that breaks no rule: at least one problem, and its words lead there."""
    plant, says = MISTAKES[mistake]
    known = {board["uid"] for board in boards.values()}
    board = copy.deepcopy(boards[name])
    plant(board)
    found = check.problems(board, known)
    assert any(says in problem for problem in found), found


def test_no_configuration_makes_a_board_that_breaks_a_rule(made):
    """The generator refuses such a board, and the user could do nothing: every ready-made SLO, and two more of each failure mode."""
    own = [
        {"name": f"{name}_{mode}", "sli": {"evaluation": name}, "objective": "90%", "layer": "quality", "failure_mode": mode}
        for mode in FAILURE_MODES
        for name in ("groundedness", "tone")
    ]
    cohorts = {"attribute": "app.plan", "values": ["free", "pro"]}
    config = {"cohorts": cohorts, "slos": [*({"name": slo.name} for slo in ready_made.READY_MADE), *own]}
    assert made(yaml.safe_dump(config)).files


@pytest.mark.parametrize(
    "expression",
    [
        "truegreen_snapshot_info",
        "sum by (job) (rate(process_cpu_seconds_total[$__rate_interval]))",
        "max by (service) (truegreen:slo_burn_rate:ratio1h)",
        "sum(increase(truegreen_evaluations_total[$__range]))",
        "histogram_quantile(0.9, sum by (le) (rate(truegreen_llm_duration_seconds_bucket[$__rate_interval])))",
    ],
)
def test_a_sound_expression_has_no_problem(expression):
    """The rules do not forbid what boards need."""
    assert lint_queries.problems(expression, narrowed=False) == ()


def test_grafanas_variables_are_filled_in_whatever_their_form():
    """`$name`, `${name}` and `${name:format}` alike, and durations by their own values."""
    text = 'x{a=~"$service",b=~"${model:regex}",c=~"${environment}"}[$__rate_interval]'
    assert promql.filled(text, {"$__rate_interval": "2m"}) == 'x{a=~".*",b=~".*",c=~".*"}[2m]'
