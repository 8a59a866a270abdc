"""Texts of users in rules and routes: whatever they hold, Prometheus and Alertmanager read the files and print the texts as they are."""

from __future__ import annotations

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from truegreen.alert_rules.text import literal, to_yaml

NASTY = "a {{ $labels.x }} {{{ }} '\"\\ \x07\x85 ü😀 {{end"
SLO = {
    "name": "mine",
    "mode": "live",
    "description": NASTY,
    "environments": [NASTY],
    "services": [NASTY, "bot"],
    "owner": NASTY,
    "labels": {"team": NASTY},
    "objective": "95%",
    "failure_mode": "hallucination",
    "layer": "quality",
    "sli": {"evaluation": "groundedness"},
}
NARROWED = {
    "name": "narrowed",
    "objective": "95%",
    "failure_mode": "latency",
    "layer": "infrastructure",
    "services": {"match": "naïve-(a|b;'\")+[0-9]"},
    "sli": {
        "metric": "truegreen_llm_requests_total",
        "label": "outcome",
        "bad": ["error"],
        "where": {"model": NASTY, "provider": "a|b"},
    },
}
HOOK = "https://[::1]:8080/a%20b;c?x='y'&z=(1)#d"
CONFIG = {
    "services": {NASTY: {"customer_facing": False, "owner": NASTY}},
    "slos": [SLO, NARROWED, {"name": "grounding", "description": NASTY}],
    "routes": {
        "severity_label": "priority",
        "severity_values": {"1": NASTY, "2": "{", "3": "{{"},
        "receivers": {"1": "a 'b' \"c\" {{ d }} \\", "2": "yes", "3": "- #x: ü😀"},
        "webhooks": {sev: HOOK for sev in "123"},
        "runbook_url": f"https://runbooks.example/{NASTY}",
        "dashboard_url": "https://grafana.example/{",
        "trace_url": "https://traces.example/{{trace_id}}?{{",
    },
}


@pytest.fixture
def nasty(config, written):
    """The folder generated from the worst texts that the schema lets through."""
    return written(config(json.dumps(CONFIG)))


@pytest.mark.full
def test_rules_with_nasty_texts_are_rules_and_pass_their_own_tests(nasty, promtool):
    """promtool parses every template and evaluates every rule."""
    for arguments in (
        ("check", "rules", nasty / "truegreen.rules.yml"),
        ("test", "rules", nasty / "truegreen.rules.edges.test.yml"),
    ):
        done = promtool(*arguments)
        assert done.returncode == 0, done.stdout + done.stderr


def test_routes_with_nasty_texts_are_a_configuration(nasty, amtool):
    """Receivers and addresses are quoted."""
    done = amtool("check-config", nasty / "alertmanager.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_alert_prints_braces_as_they_were_written(config, written, promtool):
    """Description, second severity and addresses, as Prometheus renders them."""
    text = (
        "slos: [{name: grounding, mode: live, description: 'all {{good}} {{{'}]\n"
        "routes: {severity_values: {'1': '{{P1}}'}, runbook_url: 'https://r.example/{{a', trace_url: 'https://t.example/{{trace_id}}'}\n"
    )
    folder, who = written(config(text)), 'service="bot",environment="production",evaluation="groundedness"'
    judged = f'truegreen_evaluated_answers_total{{{who},evaluator="e",result='
    series = {
        f'{judged}"pass"}}': "0+10x60 605+5x60",
        f'{judged}"fail"}}': "0+0x60 5+5x60",
        f'truegreen_failing_trace_info{{{who},slot="0",trace_id="abc"}}': "1+0x200",
    }
    path = folder / "own.test.yml"
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "alert_rule_test": [{"alertname": "TruegreenBudgetBurn", "eval_time": "80m", "exp_alerts": []}],
    }
    path.write_text(
        yaml.safe_dump({"rule_files": ["truegreen.rules.yml"], "evaluation_interval": "1m", "tests": [test]}), "utf-8"
    )
    said = promtool("test", "rules", path).stderr
    for wanted in (
        "all {{good}} {{{. Budget 5%",
        'severity="{{P1}}"',
        "https://r.example/{{a/truegreenbudgetburn",
        "https://t.example/{abc}",
    ):
        assert wanted in said


def test_a_ticket_from_elsewhere_says_where_the_slo_is_live(config, written, promtool):
    """`live, it would have paged` would be untrue of an SLO that is live."""
    folder = written(config("slos: [{name: grounding, mode: live, environments: [production, canary]}]"))
    rules = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))
    said = [
        rule["annotations"]["summary"]
        for group in rules["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "TruegreenBudgetBurn" and rule["labels"]["mode"] == "shadow"
    ]
    assert len(said) == 3
    assert all("it is live in production, canary only, where it would have" in each for each in said)


@pytest.mark.parametrize(
    ("environments", "asked"), [("[production]", 'environment=~"|unknown"'), ("[unknown]", 'environment=""')]
)
def test_a_service_without_an_environment_gets_a_ticket_of_its_own(config, written, environments, asked):
    """It can never page: somebody must set the resource attribute. Who means such services with an SLO is left alone."""
    folder = written(config(f"slos: [{{name: grounding, mode: live, environments: {environments}}}]"))
    rules = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))
    (rule,) = [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == "TruegreenEnvironmentUnknown"]
    assert asked in rule["expr"]
    assert rule["labels"]["sev"] == "3"
    assert "deployment.environment.name" in rule["annotations"]["description"]


def test_without_an_slo_nobody_asks_for_an_environment(config, written, promtool):
    """There is nothing that could page; the tests of what remains hold."""
    folder = written(config("slos: []"))
    assert "TruegreenEnvironmentUnknown" not in (folder / "truegreen.rules.yml").read_text("utf-8")
    tested = promtool("test", "rules", folder / "truegreen.rules.test.yml")
    assert tested.returncode == 0, tested.stderr


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("plain { text }", "plain { text }"),
        ("{{x}}", '{{ "{{" }}x}}'),
        ("{{{", '{{ "{{{" }}'),
        ("ends in {", 'ends in {{ "{" }}'),
        ("{ {{", '{ {{ "{{" }}'),
    ],
)
def test_only_braces_that_would_open_an_action_are_wrapped(text, made):
    """Also the last one: the next text may begin with a brace."""
    assert literal(text) == made


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20))
def test_control_characters_are_escaped_in_yaml(text):
    """YAML allows none of them as they are."""
    made = to_yaml({"key": text})
    assert yaml.safe_load(made) == {"key": text}
    assert all(character.isprintable() or character == "\n" for character in made)
