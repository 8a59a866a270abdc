"""What the watchers say beside that something is wrong: what to suspect, and a command that exists."""

from __future__ import annotations

import re
import shlex

import click
import pytest
import yaml

from truegreen.alert_rules.generate import files
from truegreen.alert_rules.promtool import Check, about
from truegreen.core.cli import root

TEXT = """
alerting: {drill_every: 30d, baseline_age: 60d}
slos:
  - {name: grounding, mode: live, cohorts: true}
  - {name: relevance, environments: [eu, production]}
"""


def _rules(made):
    return [rule for group in yaml.safe_load(made.files["truegreen.rules.yml"])["groups"] for rule in group["rules"]]


def _alerts(made):
    return [rule for rule in _rules(made) if "alert" in rule]


def test_every_alert_says_what_to_suspect_and_what_to_run(config, calibrate):
    """Only the watchdog suspects nothing: it fires while all is well."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    for alert in _alerts(files(config(TEXT), 1)):
        assert alert["annotations"]["next"], alert["alert"]
        assert ("hypotheses" in alert["annotations"]) is (alert["alert"] != "TruegreenWatchdog"), alert["alert"]


def test_what_to_run_next_exists(config, calibrate):
    """Each command of ours with each of its options, and nothing in it that a shell would read from a label."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    seen = set()
    for alert in _alerts(files(config(TEXT), 1)):
        text = alert["annotations"]["next"]
        for used in re.findall(r"\{\{(.*?)\}\}", text):
            assert used.strip().startswith('reReplaceAll "[^A-Za-z0-9._:/@-]" "_" $labels.'), text
        words = shlex.split(re.sub(r"\{\{.*?\}\}", "it", text), comments=True)
        if words[0] != "truegreen":
            continue
        command, rest, context = root, words[1:], click.Context(root)
        while isinstance(command, click.Group):
            command = command.get_command(context, rest.pop(0))
            assert command is not None, text
            context = click.Context(command)
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, text
        seen.add(command.name)
    assert seen >= {"triage", "take", "explain", "generate"}


@pytest.mark.parametrize("taken", ["2026-11-01T00:00:00Z", "2026-11-01T02:00:00+02:00", "2026-11-01T00:00:00"])
def test_the_age_of_a_baseline_is_that_of_its_file(config, calibrate, taken):
    """Once for all SLOs that read it; a time without a zone is UTC."""
    calibrate("bot", "production", "groundedness", 0.03, 600, taken=taken)
    text = TEXT.replace(
        "cohorts: true",
        "cohorts: true}\n  - {name: again, sli: {evaluation: groundedness}, objective: 95%, layer: quality, failure_mode: drift",
    )
    (found,) = (
        rule for rule in _rules(files(config(text), 1)) if rule.get("record") == "truegreen:slo_baseline:timestamp_seconds"
    )
    assert found["expr"] == "vector(1793491200)"
    assert found["labels"] == {"service": "bot", "environment": "production", "signal": "groundedness"}


def test_who_asks_for_no_drill_and_has_no_baseline_hears_of_neither(config):
    """Nothing is written for what is not there."""
    names = {alert["alert"] for alert in _alerts(files(config(), 1))}
    assert not names & {"TruegreenDrillOverdue", "TruegreenBaselineOld"}
    (drill,) = (a for a in _alerts(files(config(TEXT), 1)) if a["alert"] == "TruegreenDrillOverdue")
    assert 'environment=~"eu|production"' in drill["expr"]
    assert "<= 2592000" in drill["expr"]


def test_an_evaluation_with_an_objective_of_its_baseline_passes_its_own_tests(config, written, part):
    """Two alerts have one name: the service is judged and has no objective, or it is not judged."""
    folder = written(config("slos: [{name: grounding, objective: baseline}]"))
    rules = r"truegreen:slo_(events:increase[16]h|error_budget:ratio)|TruegreenNoBaseline"
    assert len(part(folder, "truegreen.rules.test.yml", rules, "TruegreenNoBaseline")) == 7


@pytest.mark.parametrize("value", [1e-7, 1.8912e-5, 0.00099996, 0.05, 1, 123_456.7])
def test_what_a_test_expects_is_as_exact_as_it_asks(value):
    """However small: a budget of one in ten thousand has bounds of a hundred thousandth."""
    times, wanted = re.fullmatch(
        r"abs\((\d+) \* sum\(x\) / ([\d.]+) - 1\) < bool 0.00001", about(1, "x", value, "0.00001").expr
    ).groups()
    assert float(times) * value / float(wanted) == pytest.approx(1, abs=1e-6)
    assert about(1, "x", 0.0) == Check("sum(x)", 1, 0)


@pytest.mark.parametrize("scale", [1, 37, 59])
def test_silence_is_told_while_it_lasts_and_no_longer(config, written, part, scale):
    """Also where the scale leaves windows of uneven seconds; a service that came back or an instance that was taken away ends it."""
    folder = written(config("slos: []\nscrape_interval: 5s"), scale)
    names = "Truegreen(TrafficCeased|IngestionStalled)"
    for file in ("truegreen.rules.test.yml", "truegreen.rules.edges.test.yml"):
        assert part(folder, file, names, names)


def test_the_statement_leaves_the_watchers_out_of_its_pages_and_says_so(config):
    """They page of what nobody can know beforehand: a collector that stopped."""
    assert any("False pages" in line and line.endswith("is not counted.") for line in files(config(TEXT), 1).statement)


def test_a_collector_that_is_gone_blinds_those_who_send_there(config):
    """One of several is not all of them."""
    (gone,) = (a for a in _alerts(files(config(TEXT), 1)) if a["alert"] == "TruegreenCollectorGone")
    assert "{{ with $labels.instance }}" in gone["annotations"]["description"]
    assert "{{ else }}anywhere: every SLO of truegreen is blind{{ end }}" in gone["annotations"]["description"]
