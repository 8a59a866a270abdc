"""What an SLI counts, in PromQL; the generated rules of the newer kinds with promtool in the slow half."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from truegreen.alert_rules.generate import files
from truegreen.alert_rules.sli import bad_minute, counts, services, some_services
from truegreen.core.words import ready_made, terms
from truegreen.core.words.promql import quoted
from truegreen.core.words.slo import BoundSli, EvaluationSli, EventSli, Slo
from truegreen.runbook.model import Target
from truegreen.runbook.selectors import counters

NEWER = """
slos:
  - name: near
    objective: 99%
    layer: quality
    failure_mode: drift
    mode: live
    services: {match: "(shop|search)-.+[0-9]"}
    sli: {metric: truegreen_drift_zscore, at_most: 3, at_least: -3, where: {signal: style}}
  - name: errors
    objective: 99%
    layer: quality
    failure_mode: latency
    mode: live
    services: {match: "shop-.*"}
    sli: {metric: truegreen_llm_requests_total, label: outcome, bad: [error], among: [ok, error], where: {operation: chat}}
  - name: turns
    objective: 99%
    layer: quality
    failure_mode: latency
    mode: live
    sli: {metric: truegreen_agent_loops_total, total: truegreen_agent_runs_total}
"""


def _slo(sli, **more):
    return Slo("mine", "mine", sli, Decimal("0.99"), "quality", "drift", **more)


@pytest.mark.full
def test_rules_of_a_pattern_of_bounds_and_of_some_labels_pass_lint_and_their_own_tests(config, written, promtool):
    """Both bounds, what lies outside the labels, and services that the pattern does not match."""
    folder = written(config(NEWER))
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", folder / "truegreen.rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", *sorted(folder.glob("*.test.yml")))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_a_pattern_selects_whole_names_and_never_the_canary(config):
    """In the matcher, in the model, and in the service that the rules' tests are about."""
    slo = config('slos: [{name: grounding, services: {match: "shop-.+"}}]').slos[0]
    assert services(slo) == 'service=~"shop-.+",service!="truegreen-canary"'
    assert (slo.selects("shop-eu"), slo.selects("shop-"), slo.selects("a shop-eu")) == (True, False, False)
    assert slo.selects(some_services(slo, "other")[0])


def test_events_of_some_labels_are_counted_on_both_sides():
    """The whole must have them too, or the ratio would be of other events."""
    made = counts(_slo(EventSli("calls_total", "outcome", ("error",), where={"operation": "chat"})), "5m")
    assert (
        made.events == 'sum by (service, environment) (increase(calls_total{service!="truegreen-canary",operation="chat"}[5m]))'
    )
    assert 'increase(calls_total{service!="truegreen-canary",operation="chat",outcome="error"}[5m])' in made.bad
    of_two = counts(_slo(EventSli("bad_total", "", (), total="all_total", where={"a": "b"})), "5m")
    assert 'all_total{service!="truegreen-canary",a="b"}' in of_two.events
    assert 'bad_total{service!="truegreen-canary",a="b"}' in of_two.bad


@pytest.mark.parametrize(
    ("value", "asked"), [("chat", 'operation="chat"'), ("a|b", 'operation="a|b"'), ("~b", 'operation=~"\\\\~b"')]
)
def test_the_runbook_asks_for_the_same_events(value, asked):
    """A value is itself, whatever it looks like."""
    slo = _slo(EventSli("calls_total", "outcome", ("error",), where={"operation": value}))
    assert [asked in each for each in counters(slo, Target("bot", "production", "mine"))] == [True, True]
    assert f"operation={quoted(value)}" in counts(slo, "5m").events


@pytest.mark.parametrize(
    ("sli", "said"),
    [
        (BoundSli("depth", most=Decimal(3)), 'max by (service, environment) (depth{service="a"}) > bool 3'),
        (BoundSli("depth", least=Decimal("0.5")), 'min by (service, environment) (depth{service="a"}) < bool 0.5'),
        (
            BoundSli("depth", Decimal(1), Decimal(3), {"queue": "x"}),
            """clamp_max(
  (max by (service, environment) (depth{service="a",queue="x"}) > bool 3)
  + on (service, environment) (min by (service, environment) (depth{service="a",queue="x"}) < bool 1),
  1
)""",
        ),
    ],
)
def test_a_minute_is_bad_where_the_worst_gauge_is_out_of_bounds(sli, said):
    """On the bound is inside."""
    assert bad_minute(_slo(sli, services=("a",)), sli) == said


def test_the_ready_made_slos_cover_every_mode_layer_and_pillar():
    """And the article's own SLO: 95 of 100 sampled answers at 0.85 or better."""
    made = ready_made.READY_MADE
    assert {slo.failure_mode for slo in made} == set(terms.FAILURE_MODES)
    assert {slo.layer for slo in made} == set(terms.LAYERS)
    assert {slo.pillar for slo in made} - {"none"} == set(terms.PILLARS) - {"none"}
    article = ready_made.BY_NAME["grounding_absolute"]
    assert (article.sli, article.objective) == (EvaluationSli("groundedness", "0.85"), Decimal("0.95"))


def test_each_ready_made_slo_is_switched_on_by_its_name_alone(config):
    """All of them in one file, with the judge that the article's needs."""
    named = [{"name": name, "mode": "live"} for name in ready_made.BY_NAME]
    made = config(json.dumps({"evaluations": {"groundedness": {"scale": "calibrated"}}, "slos": named}))
    assert [slo.sli for slo in made.slos] == [slo.sli for slo in ready_made.READY_MADE]


def test_events_in_large_bursts_have_a_lower_bound_in_the_generated_tests(config, calibrate):
    """A design effect of 50, measured from hours: few events would have the bound 0, and the test of it would divide by that."""
    calibrate("bot", "production", "escalation", 0.0833, 3_000, 50.1)
    made = files(config("slos: [{name: escalation, services: [bot], unit: session, mode: live}]"), 1).files
    assert "truegreen:slo_bad_lcb:ratio15m" in made["truegreen.rules.edges.test.yml"]
    assert "/ 0 - 1)" not in made["truegreen.rules.edges.test.yml"]
