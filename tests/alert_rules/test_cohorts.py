"""Cohorts: one that is served badly is found although the ratio of all is green, and chance finds none."""

from __future__ import annotations

import math

import pytest
import yaml

from truegreen.alert_rules.generate import files

TEXT = "slos: [{name: grounding, mode: live, cohorts: true, severities: {ticket: 2}}]"
WHO = 'service="bot",environment="production",evaluation="groundedness"'
COHORTS = 20


@pytest.fixture
def tried(written, config, promtool):
    """`tried(series, expressions, alerts)`: promtool's verdict on tests of one's own over the rules of TEXT, evaluated every five minutes."""

    def run(series, expressions=(), alerts=()):
        folder = written(config(TEXT))
        test = {
            "interval": "5m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {"expr": expr, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}] if value is not None else []}
                for expr, at, value in expressions
            ],
            "alert_rule_test": [{"alertname": name, "eval_time": at, "exp_alerts": []} for name, at in alerts],
        }
        order = yaml.safe_load((folder / "truegreen.rules.test.yml").read_text("utf-8"))["group_eval_order"]
        whole = {"rule_files": ["truegreen.rules.yml"], "evaluation_interval": "5m", "group_eval_order": order, "tests": [test]}
        (folder / "own.test.yml").write_text(yaml.safe_dump(whole), "utf-8")
        return promtool("test", "rules", folder / "own.test.yml")

    return run


def test_one_cohort_in_twenty_is_found_as_published_while_the_slo_is_green(tried):
    """600 answers of each in a day, 120 bad in one and 24 in the others: z is 3.872, the lower bound .13688, and the SLO itself silent."""
    series = {}
    for n in range(COHORTS):
        bad = 120 if n == 0 else 24
        for result, count in (("pass", 600 - bad), ("fail", bad)):
            name = f'truegreen_evaluations_total{{{WHO},evaluator="e",sampled="base",cohort="c{n}",result="{result}"}}'
            series[name] = f"0+{count / 24:g}x24 {count:g}x24"
    for result, count in (("pass", COHORTS * 600 - 576), ("fail", 576)):
        series[f'truegreen_evaluated_answers_total{{{WHO},evaluator="e",result="{result}"}}'] = f"0+{count / 24:g}x48"
    bound = 'truegreen:slo_cohort_bad_lcb:ratio1d{cohort="c0"}'
    asked = [
        ("round(max(truegreen:slo_cohort:zcrit) * 1000)", "2h", round(1000 * math.sqrt(9 + 2 * math.log(COHORTS)))),
        (f"round(max({bound}) * 1000) == 137", "2h", 137),
        ('count(ALERTS{alertname="TruegreenCohortBurn",cohort="c0",sev="2",alertstate="firing"})', "2h", 1),
        ('count(ALERTS{alertname="TruegreenCohortBurn",cohort!="c0"})', "2h", None),
        ('count(ALERTS{alertname="TruegreenBudgetBurn"})', "2h", None),
    ]
    tested = tried(series, asked, [("TruegreenCohortBurn", "2h")])
    assert "1d: 120 of 600 failed (lower bound 13.69%)" in tested.stderr
    assert "cohort c0 is served worse than the objective allows" in tested.stderr
    assert 'next="truegreen triage --service bot --environment production --slo grounding"' in tested.stderr
    # The only thing that promtool finds wrong is that no alert was expected.
    assert tested.stderr.count("expr:") == 0, tested.stderr


def test_a_cohorts_alert_is_a_ticket_where_the_slo_does_not_page(config):
    """In shadow a sev 3; live what the ticket tier has, elsewhere a sev 3; without `cohorts` no rule speaks of any."""

    def found(text):
        rules = yaml.safe_load(files(config(text), 1).files["truegreen.rules.yml"])
        every = [rule for group in rules["groups"] for rule in group["rules"]]
        assert any("cohort" in rule["expr"] for rule in every) is ("cohorts" in text)
        return [(rule["labels"]["mode"], rule["labels"]["sev"]) for rule in every if rule.get("alert") == "TruegreenCohortBurn"]

    assert found(TEXT) == [("live", "2"), ("shadow", "3")]
    assert found("slos: [{name: grounding, cohorts: true}]") == [("shadow", "3")]
    assert found("slos: [{name: grounding, mode: live, cohorts: true}]") == [("live", "3"), ("shadow", "3")]
    assert found("slos: [{name: grounding, mode: live}]") == []


@pytest.mark.parametrize("effect", [1.0, 40.0])
def test_the_bound_of_cohorts_is_looked_at_whatever_the_design_effect(config, calibrate, written, part, effect):
    """Where answers repeat each other there are as many more of them in the test, or nothing would be left to look at."""
    calibrate("bot", "production", "groundedness", 0.03, 600, effect)
    folder = written(config("slos: [{name: grounding, mode: live, unit: session, cohorts: true}]"))
    rules = r"truegreen:slo_(cohort.*|design_effect:ratio|error_budget:ratio)"
    seen = part(folder, "truegreen.rules.edges.test.yml", rules, r"slo_cohort_(bad_lcb|z).*vector")
    assert sum("bad_lcb" in each and " - 1) < bool" in each for each in seen) == 3
