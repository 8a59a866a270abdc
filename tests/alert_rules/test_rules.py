"""The generated rules and their generated tests in the real promtool."""

from __future__ import annotations

import pytest
import yaml

ALL_KINDS = """
services: {batch-bot: {customer_facing: false}}
evaluations: {groundedness: {scale: calibrated}}
routes: {trace_url: "https://traces.example/{trace_id}"}
alerting: {drill_every: 30d}
slos:
  - {name: grounding, mode: live, unit: session, cohorts: true, severities: {ticket: 2}, owner: "search {{ team }}", labels: {team: "{{"}, objectives: {checkout-bot: 99%}}
  - {name: grounding_absolute, mode: live, services: [checkout-bot]}
  - {name: relevance, mode: live}
  - {name: index_freshness, mode: live, environments: [production, eu]}
  - {name: loops, mode: live, services: [batch-bot]}
  - {name: task_completion, mode: live, services: [checkout-bot]}
"""


def _passes(promtool, folder, tests="*.test.yml"):
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", folder / "truegreen.rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", *sorted(folder.glob(tests)))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def _live_kinds(config, calibrate):
    calibrate("support-agent", "production", "groundedness", 0.03, 600, 1.7)
    calibrate("support-agent", "staging", "groundedness", 0.0, 500)
    calibrate("support-agent", "production", "relevance", 0.0213456789, 5000)
    return config(ALL_KINDS)


@pytest.mark.parametrize(
    "tests",
    ["*.edges.test.yml", *(pytest.param(tests, marks=pytest.mark.full) for tests in ("*.rules.test.yml", "*.slow.test.yml"))],
)
def test_the_default_rules_pass_lint_and_their_own_tests(config, written, promtool, tests):
    """Each alert fires when it must and is silent when it must."""
    _passes(promtool, written(config()), tests)


@pytest.mark.parametrize("scale", [1, pytest.param(60, marks=pytest.mark.full)])
def test_live_rules_of_every_kind_pass_lint_and_the_tests_that_look_at_each_number(config, calibrate, written, promtool, scale):
    """Labels, scores, events over events, ages; baselines, overrides, a service that never pages; at both ends of the time scale."""
    _passes(promtool, written(_live_kinds(config, calibrate), scale), "*.edges.test.yml")


@pytest.mark.full
@pytest.mark.parametrize("scale", [1, 7, 13, 60])
def test_live_rules_of_every_kind_of_sli_pass_all_of_their_tests(config, calibrate, written, promtool, scale):
    """Also where the scale does not divide a minute."""
    _passes(promtool, written(_live_kinds(config, calibrate), scale))


FAULTS = {
    "a threshold out of reach": ("clamp_max(7 * ", "clamp_max(70 * ", ", 0.6)", ", 0.99)"),
    "a gate out of reach": ("- on (slo, service, environment) 4 / 3", "- on (slo, service, environment) 400 / 3"),
    "a gate left open": (
        "    1 - 1 / (9 *",
        "    1 - 0 / (9 *",
        "- on (slo, service, environment) 4 / 3",
        "- on (slo, service, environment) 0 / 3",
    ),
    "another window": ("[15m]))", "[40m]))"),
    "a label that no series has": ('result=~"pass|fail"', 'result=~"passed|fail"'),
    "an alert that does not hold": ("keep_firing_for: 30m", "keep_firing_for: 1m"),
}


IN_TIME = ("another window",)
"""What storms show; that each number is looked at is seen in test_mutation.py."""


@pytest.mark.parametrize("fault", [pytest.param(fault, marks=() if fault in IN_TIME else pytest.mark.full) for fault in FAULTS])
def test_a_planted_fault_turns_the_generated_tests_red(config, written, promtool, fault):
    """Rules that still pass `check rules` and no longer alert as they should."""
    folder = written(config("slos: [{name: grounding, mode: live}]"))
    path = folder / "truegreen.rules.yml"
    text = path.read_text("utf-8").replace('"30m"', "30m")
    swaps = FAULTS[fault]
    for old, new in zip(swaps[::2], swaps[1::2], strict=True):
        assert old in text
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    assert promtool("check", "rules", path).returncode == 0
    tested = promtool("test", "rules", folder / "truegreen.rules.test.yml")
    assert tested.returncode != 0
    assert "TruegreenBudgetBurn" in tested.stdout + tested.stderr


def test_every_alert_has_a_test(config, calibrate, written):
    """The name of each generated alert stands in a generated test that expects it to fire."""
    folder = written(_live_kinds(config, calibrate))
    rules = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"] if "alert" in rule}
    cases = [
        case
        for path in folder.glob("*.test.yml")
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]
        for case in test["promql_expr_test"]
    ]
    expected = {name for name in names for case in cases if f'alertname="{name}"' in case["expr"] and case["exp_samples"]}
    silent = {name for name in names for case in cases if f'alertname="{name}"' in case["expr"] and not case["exp_samples"]}
    assert names == expected
    assert names - silent <= {"TruegreenWatchdog", "TruegreenLabelsOverwritten"}


def test_shadow_never_gives_a_sev_1_or_2(config, written):
    """Neither an SLO in shadow, nor a watcher while nothing is live."""
    rules = yaml.safe_load((written(config()) / "truegreen.rules.yml").read_text("utf-8"))
    alerts = [rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule]
    assert {alert["labels"]["sev"] for alert in alerts} == {"3", "none"}


def test_every_alert_carries_the_labels_and_links_that_routes_and_people_read(config, calibrate, written):
    """sev and severity, slo, layer, failure_mode, pillar, burn_tier; summary, description, board, page."""
    rules = yaml.safe_load((written(_live_kinds(config, calibrate)) / "truegreen.rules.yml").read_text("utf-8"))
    for alert in (rule for group in rules["groups"] for rule in group["rules"] if "alert" in rule):
        assert {"sev", "severity", "slo", "layer", "failure_mode", "pillar", "burn_tier"} <= set(alert["labels"]), alert["alert"]
        assert {"summary", "description", "dashboard_url", "runbook_url", "next"} <= set(alert["annotations"]), alert["alert"]
        if alert["alert"] == "TruegreenBudgetBurn":
            assert {"hypotheses"} <= set(alert["annotations"])


@pytest.mark.full
def test_rules_of_services_with_shares_of_their_own_pass_their_own_tests(config, written, promtool):
    """What watches the evaluator expects the smallest share of all services, and so do its tests."""
    text = "services: {busy: {sampling: {groundedness: 5%}}, quiet: {sampling: {groundedness: 100%}}}\nslos: [{name: grounding, mode: live}]\n"
    _passes(promtool, written(config(text)), "*rules.test.yml")


def test_a_test_holds_every_tier_that_may_fire(config, written):
    """Six alerts have one name: each of them is expected to fire, and to end, by its own labels."""
    folder = written(config("slos: [{name: grounding, mode: live}]"))
    cases = [
        case
        for path in folder.glob("*.test.yml")
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]
        for case in test["promql_expr_test"]
    ]
    for tier, sev in (("fast", "1"), ("slow", "2"), ("ticket", "3")):
        for mode, its in (("live", sev), ("shadow", "3")):
            named = (f'burn_tier="{tier}"', f'mode="{mode}"', f'sev="{its}"')
            assert any(case["exp_samples"] for case in cases if all(label in case["expr"] for label in named)), named
            ends = (f"-{tier}-holds", f'mode="{mode}"')
            assert {bool(case["exp_samples"]) for case in cases if all(label in case["expr"] for label in ends)} == {True, False}
