"""The notification's words, as the real amtool renders them."""

from __future__ import annotations

import json
import re

import pytest

from truegreen.alert_rules.templates import text

TRACES = "https://t.example/1?a=b&c=d https://t.example/2 https://t.example/3 https://t.example/4 "


def _alert(sev="1", slo="grounding", status="firing", annotations=None, **labels):
    said = {
        "summary": f"{slo} burns",
        "description": "15m: 30 of 60 bad.",
        "hypotheses": "1. the model; or its provider (them); 2. the prompt (us)",
        "trace_links": TRACES,
        "dashboard_url": "https://g.example/d/x?a=b&c=d|e",
        "runbook_url": "https://r.example/x",
        "next": f"truegreen triage --slo {slo}",
    }
    named = {
        "alertname": "TruegreenBudgetBurn",
        "sev": sev,
        "slo": slo,
        "service": "bot",
        "environment": "production",
        "failure_mode": "drift",
    }
    return {
        "status": status,
        "labels": {**named, **labels},
        "annotations": said if annotations is None else annotations,
        "startsAt": "2026-11-27T10:00:00Z",
        "endsAt": "2026-11-27T11:02:03.456Z" if status == "resolved" else "0001-01-01T00:00:00Z",
    }


@pytest.fixture
def said(tmp_path, amtool):
    """`said(name, alert…)` is what `truegreen.NAME` prints of a group of alerts."""
    path = tmp_path / "truegreen.tmpl"
    path.write_text(text(), "utf-8")

    def render(name, *alerts):
        data = tmp_path / "data.json"
        data.write_text(
            json.dumps({"status": "firing", "alerts": alerts, "commonLabels": {}, "commonAnnotations": {}, "groupLabels": {}}),
            "utf-8",
        )
        call = f'{{{{ template "truegreen.{name}" . }}}}'
        done = amtool("template", "render", f"--template.glob={path}", f"--template.data={data}", f"--template.text={call}")
        assert done.returncode == 0, done.stderr
        return done.stdout.removesuffix("\n")

    return render


def test_a_page_has_all_that_is_asked_for_at_night(said):
    """Line by line: what burns, evidence, suspect, three traces, where to look, what to type, whom to ask."""
    assert said("text", _alert(owner="team a")).splitlines() == [
        "SEV1 drift: grounding burns",
        "Evidence: 15m: 30 of 60 bad.",
        "First suspect: the model; or its provider (them)",
        "Failing traces: https://t.example/1?a=b&c=d https://t.example/2 https://t.example/3",
        "Board: https://g.example/d/x?a=b&c=d|e",
        "Runbook: https://r.example/x",
        "Next: truegreen triage --slo grounding",
        "Owner: team a",
    ]


def test_the_page_of_the_manual_is_what_is_printed(said, repo):
    """docs/alertmanager.md shows a notification."""

    def burn(slo, mode):
        return _alert(
            slo=slo,
            failure_mode=mode,
            annotations={
                "summary": f"{slo} of handbook in production is burning its error budget",
                "description": "Sampled answers that are supported by what was retrieved. Budget 5%. 15m: 31 of 60 bad (51.67%, burn 10.3x, lower bound 31.53%).",
                "hypotheses": "1. the provider serves another model than before (them); 2. the prompt changed (us)",
                "trace_links": "".join(f"https://tempo.example/trace/a{number} " for number in (1, 2, 3, 4)),
                "dashboard_url": "https://grafana.example/d/truegreen-hallucination",
                "runbook_url": "https://runbooks.example/truegreenbudgetburn",
                "next": f"truegreen triage --service handbook --environment production --slo {slo}",
            },
        )

    assert f"```\n{said('text', burn('grounding', 'hallucination'), burn('latency', 'latency'))}\n```" in (
        repo / "docs" / "alertmanager.md"
    ).read_text("utf-8")


def test_the_worst_comes_first_five_are_named_and_the_rest_is_counted(said):
    """Whatever order the alerts come in."""
    alerts = [
        _alert("3", "three"),
        _alert("none", "none"),
        _alert("2", "two"),
        _alert("1", "one"),
        *(_alert("3", f"s{n}") for n in range(4)),
    ]
    lines = said("text", *alerts).splitlines()
    assert lines[0] == "SEV1 drift: one burns"
    assert [line.partition(":")[2] for line in lines if line.startswith("- ")] == [
        f" {slo} burns. Next: truegreen triage --slo {slo}" for slo in ("two", "three", "s0", "s1")
    ]
    assert lines[-1] == "and 3 more"
    assert said("title", *alerts) == "[SEV1] one burns (+7 more)"


def test_what_is_over_says_for_how_long(said):
    """A group that is over, and one in which another still burns."""
    over = _alert("1", status="resolved")
    assert said("title", over) == "[RESOLVED] TruegreenBudgetBurn: grounding of bot in production, after 1h2m3s"
    gone = "- TruegreenBudgetBurn: grounding of bot in production: resolved at 2026-11-27 11:02 UTC, after 1h2m3s"
    assert said("text", over) == gone
    lines = said("text", over, _alert("2", "two")).splitlines()
    assert (lines[0], lines[-1]) == ("SEV2 drift: two burns", gone)
    assert said("title", over, _alert("2", "two")) == "[SEV2] two burns"
    assert said("resolved", *(_alert(slo=f"s{n}", status="resolved") for n in range(9))).splitlines()[-1] == "and 4 more"


def test_slack_can_neither_be_made_to_call_everybody_nor_to_link_elsewhere(said):
    """A service's name comes from spans."""
    bad = "<!channel> <https://evil.example|board> &"
    alert = _alert(failure_mode=bad, owner=bad, service=bad, annotations={key: bad for key in _alert()["annotations"]})
    for name in ("slack.text", "slack.title"):
        for each in (alert, {**alert, "status": "resolved", "endsAt": "2026-11-27T11:00:00Z"}):
            shown = said(name, each)
            assert "<!" not in shown
            assert "<https://evil" not in shown
            assert "&lt;!channel&gt;" in shown
    lines = said("slack.text", _alert()).splitlines()
    assert "<https://g.example/d/x?a=b&amp;c=d%7Ce|Board>" in lines
    assert "*Next*: `truegreen triage --slo grounding`" in lines
    assert "*Next*: `echo 'date'`" in said("slack.text", _alert(annotations={"next": "echo `date`"})).splitlines()


def test_an_alert_without_hypotheses_or_traces_has_no_empty_lines(said):
    """A watcher's, or a user's own that comes to the same receiver."""
    assert said("text", _alert("3", annotations={"summary": "it stalled"})) == "SEV3 drift: it stalled"
    bare = {"labels": {"alertname": "Other"}, "annotations": {}, "status": "firing", "startsAt": "2026-11-27T10:00:00Z"}
    assert (said("title", bare), said("text", bare)) == ("[INFO] Other", "INFO: Other")
    assert said("pagerduty.severity", bare) == "info"


def test_the_test_alert_of_the_manual_says_what_it_is(said, repo):
    """It is sent by hand, with labels only: no receiver gets an empty title."""
    command = re.search(r"`amtool alert add ([^`]+)`", (repo / "docs" / "alertmanager.md").read_text("utf-8"))
    labels = dict(word.split("=") for word in command[1].split())
    alert = {"labels": labels, "annotations": {}, "status": "firing", "startsAt": "2026-11-27T10:00:00Z"}
    assert said("title", alert) == said("slack.title", alert) == "[SEV1] TruegreenTest: test in test"
    assert said("text", alert, alert).splitlines() == ["SEV1: TruegreenTest: test in test", "- SEV1: TruegreenTest: test in test"]


def test_a_trace_without_an_address_is_named_and_no_link(said):
    """Where no `trace_url` is set."""
    bare = {**_alert()["annotations"], "trace_links": "abc def "}
    assert "Failing traces: abc def" in said("text", _alert(annotations=bare))
    assert said("trace1", _alert(annotations=bare)) == ""
    assert [said(f"trace{number}", _alert()) for number in (1, 2, 3)] == TRACES.split()[:3]


def test_a_text_with_braces_is_printed_and_not_run(said):
    """Annotations are data: they were evaluated once, by Prometheus."""
    assert said("next", _alert(annotations={"next": "{{ .Labels.sev }}"})) == "{{ .Labels.sev }}"


@pytest.mark.parametrize(
    ("sevs", "severity", "priority", "color"),
    [("213", "critical", "P1", "danger"), ("32", "warning", "P2", "warning"), ("3", "info", "P4", "#439FE0")],
)
def test_the_worst_sev_is_what_the_receiver_hears(said, sevs, severity, priority, color):
    """In each one's own words."""
    alerts = [_alert(sev) for sev in sevs]
    assert [said(name, *alerts) for name in ("pagerduty.severity", "opsgenie.priority", "slack.color")] == [
        severity,
        priority,
        color,
    ]


def test_the_longest_texts_stay_under_every_limit(said):
    """Opsgenie takes 15,000 characters; twelve alerts with texts without end, in characters of three bytes."""
    long = {key: "語 " * 8_000 for key in _alert()["annotations"]}
    alerts = [_alert(annotations=long, service="名" * 500, owner="名" * 500) for _ in range(12)]
    assert len(said("text", *alerts)) < 15_000
    assert len(said("slack.text", *alerts)) < 15_000
