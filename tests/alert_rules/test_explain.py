"""`truegreen slo explain` and what `generate rules --prometheus-url` adds, on a real Prometheus that is filled."""

from __future__ import annotations

import json
import subprocess

import pytest
from click.testing import CliRunner

from truegreen.alert_rules import volume
from truegreen.alert_rules.commands import slo_explain
from truegreen.core.clients import engines
from truegreen.core.errors import BadInput
from truegreen.core.generate import generate

HOURS = 30
START = 1_790_000_000


def explained(path, *arguments):
    done = CliRunner().invoke(slo_explain, [*arguments, "--config", str(path)], catch_exceptions=True)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


@pytest.fixture
def written_config(tmp_path):
    def write(text):
        path = tmp_path / "truegreen.yaml"
        path.write_text(text, "utf-8")
        return path

    return write


def test_it_says_what_is_counted_when_somebody_is_told_and_what_to_do_next(written_config):
    """Objective, PromQL, thresholds in per cent of every rung, a verdict for each volume that the file names."""
    path = written_config(
        "slos: [{name: grounding, objectives: {shop: 99%}}]\nservices: {bot: {answers_per_hour: 300}, tiny: {answers_per_hour: 1}}"
    )
    said = explained(path, "grounding")
    assert "objective 95%, so 5% may be bad" in said
    assert "objective of shop: 99%" in said
    assert 'truegreen_evaluated_answers_total{service!="truegreen-canary",evaluation="groundedness",result="fail"}[1h]' in said
    assert "sev 1: 15m and 5m over 35%, z 4" in said
    assert "sev 3: 3d and 6h over 5%, z 3" in said
    assert "bot in production: 300 evaluated answers an hour; a 10x burn pages after about" in said
    assert "tiny in production: 1 evaluated answers an hour; a 10x burn gives no page within a day; 30 an hour are needed" in said
    assert "sampling that would do: more than 100%" in said


def test_it_names_the_sampling_share_that_would_do(written_config):
    """300 answers at 5 % are 15 evaluated ones; 30 are needed, so 10 %."""
    path = written_config("slos: [{name: grounding}]\nservices: {bot: {answers_per_hour: 300, sampling: {groundedness: 5%}}}")
    facts = json.loads(explained(path, "grounding", "--json"))
    (one,) = facts["verdicts"]
    assert (one["per_hour"], one["verdict"], one["sampling_needed"]) == ("15", "slow", "10% (it is 5%)")


def test_a_baseline_objective_without_a_baseline_names_the_command(written_config):
    """Nobody has to guess why it is silent."""
    said = explained(written_config("slos: [{name: relevance}]"), "relevance")
    assert "Without one it never alerts." in said
    assert "next: truegreen baseline take --service SERVICE --environment production --signal relevance" in said


def test_an_unknown_name_is_refused_with_near_ones(written_config):
    """Exit code 2 by BadInput."""
    with pytest.raises(BadInput, match=r"no SLO is named 'groundin'.*write grounding"):
        explained(written_config("slos: [{name: grounding}, {name: latency}]"), "groundin")


def test_it_says_what_it_promises_and_what_else_writes_tickets(written_config):
    """Delays around the needed volume, false pages, days to keep, further detectors, and the sev that the file asks for."""
    path = written_config(
        "slos: [{name: grounding, mode: live, window: 7d, cohorts: true, detectors: [cusum], severities: {slow: 3}}, {name: index_freshness}]\n"
        "services: {small: {answers_per_hour: 12}}"
    )
    said = explained(path, "grounding")
    assert "  at 3 an hour after about" in said
    assert "at most 0.06 false pages in 30 days" in said
    assert "Prometheus must keep 7 days." in said
    assert "Tickets also come of: each cohort by itself; a burn of two budgets or more that goes on." in said
    assert "  sev 3: 2h and 30m over 20%, z 4" in said
    assert "small in production: 12 evaluated answers an hour; a 10x burn pages only after about" in said
    assert "so its page is a sev 2 (alerting.accept_slow: true leaves it a sev 1)" in said


def test_of_minutes_it_says_so_and_what_helps_nothing_is_left_out(written_config):
    """Minutes have no volume and no calibration file; the delay is stated all the same, and the next step is another one."""
    path = written_config("slos: [{name: index_freshness}, {name: latency, mode: live}]")
    said = explained(path, "index_freshness")
    assert "its events are minutes, sixty an hour whatever the traffic; the page comes after about 5 min of staleness" in said
    assert "In shadow every tier is a ticket, a sev 3; with mode: live somebody is told" in said
    assert "alibration" not in said and "volume" not in said and "--prometheus-url" not in said
    assert "next: write mode: live when its tickets are believed" in said
    said = explained(path, "latency")
    assert "(elsewhere than in production each tier is a ticket)" in said
    assert "alibration" not in said and "answers_per_hour" not in said
    assert "\n\n\n" not in said


def test_a_ready_made_one_that_is_off_is_explained(written_config):
    """With how to switch it on; its typing errors are known."""
    path = written_config("slos: [{name: latency}]")
    said = explained(path, "relevance")
    assert "ready-made, but not switched on: nothing alerts on it" in said
    assert f"next: switch it on: slos: [{{name: relevance}}] in {path}" in said
    with pytest.raises(BadInput, match="write relevance"):
        explained(path, "relevanc")


@pytest.fixture
def filled(tmp_path, engine):
    """A Prometheus with 30 h of two services: one with 200 evaluated answers an hour, one with 8."""
    lines = ["# TYPE truegreen_evaluated_answers counter"]
    for service, rate in (("busy", 200), ("quiet", 8)):
        for result, share in (("pass", 0.97), ("fail", 0.03)):
            labels = f'service="{service}",environment="production",evaluation="groundedness",evaluator="test",result="{result}"'
            lines += [
                f"truegreen_evaluated_answers_total{{{labels}}} {at / 60 * rate * share:.6f} {START + at * 60}"
                for at in range(0, HOURS * 60, 2)
            ]
    (tmp_path / "data.om").write_text("\n".join([*lines, "# EOF", ""]), "utf-8")
    tsdb = tmp_path / "prometheus" / "tsdb"
    tsdb.mkdir(parents=True)
    subprocess.run(
        [engine("promtool"), "tsdb", "create-blocks-from", "openmetrics", tmp_path / "data.om", tsdb],
        check=True,
        capture_output=True,
    )
    engine("prometheus")
    (tmp_path / "prometheus.yml").write_text("scrape_configs: []\n", "utf-8")
    with engines.prometheus(
        tmp_path / "prometheus.yml", tmp_path / "prometheus", args=("--storage.tsdb.retention.time=100y",)
    ) as running:
        yield running


@pytest.fixture
def in_the_past(monkeypatch):
    """The questions are asked at the end of the data, not now."""
    ask = volume.prometheus.query
    monkeypatch.setattr(volume.prometheus, "query", lambda server, text: ask(server, text, START + HOURS * 3_600))


def test_each_service_is_judged_at_the_volume_that_prometheus_has_seen(filled, in_the_past, written_config):
    """Less than six days of data are read over one day."""
    path = written_config("slos: [{name: grounding}]")
    facts = json.loads(explained(path, "grounding", "--prometheus-url", filled.url, "--json"))
    # No page is promised where the SLO pages nobody, and the next step is not the one that was taken.
    path = written_config("slos: [{name: grounding, mode: live, environments: [eu, us]}, {name: latency}]")
    elsewhere = explained(path, "grounding", "--prometheus-url", filled.url)
    assert "busy in production: 200 evaluated answers an hour; a ticket: the SLO names eu and us" in elsewhere
    assert "next: name where it may page: environments: [production] (it is eu, us)" in elsewhere
    nothing = explained(path, "latency", "--prometheus-url", filled.url)
    assert "next: see why nothing arrives: in Prometheus, truegreen_llm_duration_seconds" in nothing
    assert {one["service"]: one["verdict"] for one in facts["verdicts"]} == {"busy": "pages", "quiet": "slow"}
    assert {one["service"]: round(float(one["per_hour"])) for one in facts["verdicts"]} == {"busy": 200, "quiet": 8}


def test_generate_tells_each_service_and_refuses_a_live_slo_that_cannot_page_anywhere(
    filled, in_the_past, written_config, tmp_path
):
    """Nothing is written then; and what is written does not depend on the Prometheus."""
    out = tmp_path / "out"

    def run(text):
        return CliRunner().invoke(
            generate, ["rules", "--out", str(out), "--prometheus-url", filled.url, "--config", str(written_config(text))]
        )

    done = run("slos: [{name: grounding, mode: live, services: [quiet], objective: 99.9%}]")
    assert isinstance(done.exception, BadInput)
    assert "grounding: quiet in production: 8 evaluated answers an hour; a 10x burn gives no page within a day" in str(
        done.exception
    )
    assert not out.exists()
    done = run("slos: [{name: grounding, mode: live, objective: 99.9%}]")
    assert isinstance(done.exception, BadInput) is False
    assert "grounding: busy in production: 200 evaluated answers an hour; a 10x burn pages only after about" in done.output
    assert "grounding: quiet in production: 8 evaluated answers an hour; a 10x burn gives no page within a day" in done.output
    done = run("slos: [{name: grounding, mode: live, services: [quiet], objective: 99.9%}]\nalerting: {accept_slow: true}")
    assert done.exception is None
    assert "grounding: no service has the volume to be paged for within a day; alerting.accept_slow accepts it." in done.output
