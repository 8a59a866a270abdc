"""The boards of drift, retrieval, latency, guardrails, pillars and health: what a person reads on them, and that promtool computes it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from truegreen.alert_rules import drift
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue, triage
from truegreen.core.words.terms import FAILURE_MODES, PILLARS
from truegreen.dashboards import boards as modules
from truegreen.dashboards import check, frame, promql
from truegreen.dashboards.model import View

WHO = 'service="checkout",environment="production"'


def _panel(board, title):
    return next(panel for panel in check.panels(board) if panel["title"] == title)


def _rows(board):
    return [panel["title"] for panel in board["panels"] if panel["type"] == "row"]


def _steps(panel):
    return [step["value"] for step in panel["fieldConfig"]["defaults"].get("thresholds", {"steps": []})["steps"]]


@pytest.mark.parametrize("mode", FAILURE_MODES)
def test_the_rows_of_every_failure_mode_follow_the_order_of_a_night_shift(boards, mode):
    """Who knows one board knows all: symptom first, evidence before the runbook."""
    first, *others = _rows(boards[f"{mode}.json"])
    assert first.startswith("Symptom")
    assert others == ["Budget and burn", "Where", "What changed", "Distribution", "Evidence", "Runbook"]


OWN = """
slos:
  - {name: latency, objective: 98%, sli: {metric: truegreen_llm_duration_seconds, threshold: 5, where: {operation: chat}}, layer: infrastructure, failure_mode: latency}
  - {name: grounding}
  - {name: tone, sli: {evaluation: tone}, objective: 90%, layer: quality, failure_mode: drift}
  - {name: calls_ok, sli: {metric: truegreen_llm_requests_total, label: outcome, bad: [error]}, objective: 80%, layer: infrastructure, failure_mode: latency}
  - {name: chunks_soon, sli: {metric: truegreen_llm_time_to_first_chunk_seconds, threshold: 3, where: {operation: chat}}, objective: 95%, layer: infrastructure, failure_mode: latency}
  - {name: retrieval_success, objective: 90%}
  - {name: guardrail_over, objective: 80%}
  - {name: guardrail_under, objective: 97%}
  - {name: tool_success, objective: 95%}
"""


@pytest.mark.parametrize(
    ("name", "title", "plain_step", "own_step"),
    [
        ("latency", "Calls too slow", 0.01, 0.02),
        ("latency", "Call duration", 10, 5),
        ("latency", "Calls failed", 0.005, None),
        ("retrieval", "Empty or failed", None, 0.1),
        ("retrieval", "Oldest index", None, None),
        ("guardrail", "Wrong blocks", None, 0.2),
        ("guardrail", "Wrong passes", None, 0.03),
        ("drift", "Distance from the baseline", drift.Z, drift.Z),
        ("health", "Series", catalogue.SERIES_LIMIT, catalogue.SERIES_LIMIT),
    ],
)
def test_what_is_coloured_is_what_the_alert_compares(boards, own, name, title, plain_step, own_step):
    """A line that is not the SLO's says green while it burns; without an SLO nothing can burn, so nothing is red."""
    for made, step in ((boards, plain_step), (own, own_step)):
        assert _steps(_panel(made[f"{name}.json"], title)) == ([] if step is None else [None, step])


@pytest.fixture(scope="module")
def own():
    """The boards of a configuration with objectives of its own."""
    view = View(parse_text(OWN, "truegreen.yaml", {}, None))
    return {f"{name}.json": frame.whole(board, frame.clock(30, 1)) for name, board in modules.every(view).items()}


def test_answers_have_no_colour_while_no_slo_of_them_is_on(make):
    """The panels count answers all the same."""
    board = make("slos: [{name: availability}]")["hallucination.json"]
    panels = [_panel(board, title) for title in ("Ungrounded, 15 min", "Ungrounded by model")]
    assert [_steps(panel) for panel in panels] == [[], []]
    assert 'evaluation=~"groundedness"' in panels[1]["targets"][0]["expr"]


def test_a_failure_mode_without_an_slo_says_what_to_switch_on(boards, own):
    """Three empty panels look like a quiet night."""
    said = _panel(boards["retrieval.json"], "No SLO")["options"]["content"]
    assert "`slos:` in `truegreen.yaml`" in said
    assert "- `index_freshness`: Minutes with an index younger than 24 h" in said
    assert "No SLO" not in [panel["title"] for panel in check.panels(own["retrieval.json"])]
    assert _panel(own["retrieval.json"], "Budget left")


def test_too_much_and_too_little_stand_side_by_side(boards):
    """Their cures are opposite: no number mixes the two."""
    board = boards["guardrail.json"]
    places = [_panel(board, title)["gridPos"] for title in ("Wrong blocks", "Wrong passes")]
    assert [at["x"] for at in places] == [0, 12]
    assert places[0]["y"] == places[1]["y"]


def test_drift_looks_at_every_slo_of_answers_whatever_its_failure_mode(own):
    """The ticket opens this board for grounding, which is no SLO of drift; failing tools are no answers."""
    assert 'slo=~"grounding|tone"' in _panel(own["drift.json"], "Failed, 3 d")["targets"][0]["expr"]


def test_each_pillar_has_its_row_with_what_to_ask_and_the_next_command(boards, own):
    """The words are those of the triage table, the SLO the one that is configured."""
    assert _rows(boards["pillars.json"]) == [key.replace("_", " ").capitalize() for key in PILLARS]
    for key, title in zip(PILLARS, _rows(boards["pillars.json"]), strict=True):
        said = _panel(own["pillars.json"], f"{title}: next")["options"]["content"]
        row = triage.BY_PILLAR[key]
        assert f"1. {row.hypotheses[0].says} ({row.hypotheses[0].whose})" in said
        assert all(f"- {triage.QUERIES[name].asks}" in said for name in row.queries)
        assert "truegreen triage --service SERVICE --environment ENVIRONMENT --slo " in said
        assert row.contain.says in said
        assert row.rollback.says in said
    assert "--slo tool_success`" in _panel(own["pillars.json"], "Tool use: next")["options"]["content"]


PILLARS_OWN = """
slos:
  - {name: search_tool, sli: {metric: truegreen_tool_calls_total, label: outcome, bad: [error], where: {tool: search}}, objective: 90%, layer: quality, failure_mode: hallucination, pillar: tool_use}
  - {name: plan_steps, sli: {metric: truegreen_agent_runs_total, label: outcome, bad: [stopped]}, objective: 70%, layer: quality, failure_mode: latency, pillar: planning}
  - {name: retrieval_success}
  - {name: approved, sli: {metric: truegreen_agent_actions_total, label: authorization, bad: [denied, unapproved]}, objective: 98%, layer: quality, failure_mode: guardrail, pillar: autonomy}
"""


@pytest.mark.parametrize(
    ("title", "table", "step", "asked"),
    [
        ("Tool use", "Failed, by tool", None, "search_tool"),
        ("Planning", "In circles, by agent", None, "plan_steps"),
        ("Memory", "Below the floor, by data source", None, "retrieval_success"),
        ("Reasoning", "Unplanned, by agent", None, "branches"),
        ("Autonomy", "Not approved, by agent", 0.02, "approved"),
    ],
)
def test_a_pillar_is_coloured_by_the_slo_that_counts_what_it_shows(make, title, table, step, asked):
    """Another SLO of the pillar has another budget: search at 10 % says nothing of mail."""
    board = make(PILLARS_OWN)["pillars.json"]
    assert f"--slo {asked}`" in _panel(board, f"{title}: next")["options"]["content"]
    steps = [
        one["value"]
        for over in _panel(board, table)["fieldConfig"]["overrides"]
        for one in over["properties"]
        if one["id"] == "thresholds"
    ]
    assert [step["value"] for each in steps for step in each["steps"]] == ([] if step is None else [None, step])


def test_health_shows_all_that_the_collector_says_of_itself(boards):
    """A counter of losses that nobody draws is no counter."""
    read = {name for _, text in check.expressions(boards["health.json"]) for name in promql.names(text)}
    for metric in catalogue.ALL:
        if metric.source in ("collector", "canary", "watch", "drill", "incident"):
            assert metric.name.startswith("truegreen.drift.") or any(name.startswith(metric.prometheus) for name in read), (
                metric.name
            )


def test_the_pages_that_health_names_are_there(boards, repo: Path):
    """A link to a page that nobody wrote ends the search."""
    lines = _panel(boards["health.json"], "What to do")["options"]["content"].splitlines()
    pages = [line.rpartition("/")[2].rstrip(")") for line in lines if "](" in line]
    assert len(pages) == 6
    assert all((repo / "docs" / "runbooks" / f"{page}.md").exists() for page in pages)


def _asked(boards, name, title, target=0):
    return promql.filled(
        _panel(boards[f"{name}.json"], title)["targets"][target]["expr"],
        {"$__rate_interval": "10m", "$__range": "30m"},
        "checkout|production|m",
    )


def test_what_the_panels_compute_is_what_they_say(boards, engine, tmp_path):
    """Real PromQL on series that are known: alerts without a service, joins, spreads, sides, and nothing where nothing was."""
    of, tool = "truegreen_", 'tool="search"'
    fire = 'alertstate="firing",failure_mode="none"'
    series = {
        f'ALERTS{{alertname="TruegreenWatchdog",sev="none",{fire}}}': "1x40",
        f'ALERTS{{alertname="TruegreenCollectorGone",sev="2",{fire}}}': "1x40",
        f'ALERTS{{alertname="TruegreenEvaluatorStalled",sev="2",{fire},{WHO}}}': "1x40",
        f'ALERTS{{alertname="TruegreenEvaluatorStalled",sev="2",{fire},service="other",environment="production"}}': "1x40",
        f'{of}llm_requests_total{{{WHO},operation="chat",provider="p",model="m",outcome="ok"}}': "0+10x40",
        f'{of}llm_tokens_total{{{WHO},model="m",type="input"}}': "0+400x40",
        f'{of}llm_tokens_total{{{WHO},model="m",type="output"}}': "0+50x40",
        f'{of}evaluation_score_count{{{WHO},evaluation="groundedness",evaluator="e",scale="relative",model="m",cohort="c"}}': "0+2x40",
        f'{of}evaluation_score_sum{{{WHO},evaluation="groundedness",evaluator="e",scale="relative",model="m",cohort="c"}}': "0+1x40",
        f'{of}evaluation_score_squared_total{{{WHO},evaluation="groundedness",evaluator="e",scale="relative",model="m",cohort="c"}}': "0+1x40",
        f'{of}agent_runs_total{{{WHO},agent="support",outcome="completed"}}': "0+3x40",
        f'{of}guardrail_reviews_total{{{WHO},guardrail="g",verdict="true_positive"}}': "0+3x40",
        f'{of}guardrail_reviews_total{{{WHO},guardrail="g",verdict="false_positive"}}': "0+1x40",
        f'{of}guardrail_reviews_total{{{WHO},guardrail="g",verdict="true_negative"}}': "0+10x40",
        f'{of}retrieval_index_rebuilt_timestamp_seconds{{{WHO},data_source="faq",instance="a"}}': "0x40",
        f'{of}retrieval_index_rebuilt_timestamp_seconds{{{WHO},data_source="faq",instance="b"}}': "1200x40",
        f'{of}retrieval_index_rebuilt_timestamp_seconds{{{WHO},data_source="docs"}}': "600x40",
        f'{of}snapshot_since_timestamp_seconds{{{WHO},snapshot="s",instance="a"}}': "100x40",
        f'{of}snapshot_since_timestamp_seconds{{{WHO},snapshot="s",instance="late"}}': "220x40",
        f'ALERTS{{alertname="TruegreenCohortBurn",sev="3",slo="grounding",cohort="free",failure_mode="hallucination",mode="live",burn_tier="cohort",alertstate="firing",{WHO}}}': "1x40",
        f'{of}tool_duration_seconds_bucket{{{WHO},{tool},le="1"}}': "5x40",
        f'{of}tool_duration_seconds_bucket{{{WHO},{tool},le="+Inf"}}': "5x40",
        f'{of}tool_calls_total{{{WHO},{tool},outcome="ok"}}': "0+6x40",
        f'{of}tool_calls_total{{{WHO},{tool},outcome="silent_error"}}': "0+2x40",
    }
    wanted = [
        ("health", "Watchdog", 0, {'{alertname="TruegreenWatchdog"}': 1}),
        ("health", "Alerts about the watching", 0, {
            f'{{alertname="TruegreenEvaluatorStalled",sev="2",{WHO}}}': 1,
            '{alertname="TruegreenCollectorGone",sev="2"}': 1,
            '{alertname="TruegreenWatchdog",sev="none"}': 1,
        }),
        ("latency", "Tokens per call", 0, {'{model="m",type="input"}': 40, '{model="m",type="output"}': 5}),
        ("latency", "Tools p95", 0, {}),
        ("health", "Spread of scores", 0, {'{evaluation="groundedness",scale="relative"}': 0.5}),
        ("pillars", "In circles, over time", 0, {f'{{{WHO},agent="support"}}': 0}),
        ("pillars", "Failed, by tool", 0, {f"{{{WHO},{tool}}}": 0.25}),
        ("pillars", "Failed, by tool", 2, {f"{{{WHO},{tool}}}": 240}),
        ("guardrail", "Wrong blocks", 0, {"{}": 0.25}),
        ("guardrail", "Reviewed blocks", 0, {"{}": 120}),
        ("guardrail", "Wrong passes", 0, {"{}": 0}),
        ("incident", "Versions and since when they serve", 0, {f'{{{WHO},snapshot="s"}}': 100_000}),
        ("incident", "Firing alerts", 0, {f'{{alertname="TruegreenCohortBurn",sev="3",slo="grounding",cohort="free",failure_mode="hallucination",mode="live",{WHO}}}': 1,
                                          f'{{alertname="TruegreenEvaluatorStalled",sev="2",failure_mode="none",{WHO}}}': 1}),
        ("retrieval", "Oldest index", 0, {"{}": 1800}),
    ]  # fmt: skip
    checks = [
        {
            "expr": _asked(boards, name, title, target),
            "eval_time": "40m",
            "exp_samples": [{"labels": labels, "value": value} for labels, value in found.items()],
        }
        for name, title, target, found in wanted
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": one, "values": values} for one, values in series.items()],
        "promql_expr_test": checks,
    }
    file = tmp_path / "boards.test.yml"
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [test]}), "utf-8")
    ran = subprocess.run([engine("promtool"), "test", "rules", file], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
