"""The address of the board in an alert, as Prometheus renders it."""

from __future__ import annotations

import re

import pytest
import yaml

WHO = 'service="a b",environment="prod\\"x"'


def _links(folder, promtool, series, alert="TruegreenBudgetBurn") -> dict[str, str]:
    """The SLO of each alert that fires after 80 minutes, to its address."""
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    asked = {"alertname": alert, "eval_time": "80m", "exp_alerts": []}
    test = {"interval": "1m", "input_series": inputs, "alert_rule_test": [asked]}
    path = folder / "own.test.yml"
    path.write_text(
        yaml.safe_dump({"rule_files": ["truegreen.rules.yml"], "evaluation_interval": "1m", "tests": [test]}), "utf-8"
    )
    said = promtool("test", "rules", path).stderr
    found = re.findall(r'slo="(\w+)".*?dashboard_url="([^"]+)"', said, re.DOTALL)
    assert found, said
    return dict(found)


def _calls(model: str, slow: str) -> dict[str, str]:
    at = f'{WHO},operation="chat",model="{model}"'
    bucket = f"truegreen_llm_duration_seconds_bucket{{{at}"
    return {
        f'{bucket},le="10"}}': slow,
        f'{bucket},le="+Inf"}}': "0+9x120",
        f"truegreen_llm_duration_seconds_count{{{at}}}": "0+9x120",
    }


def _answers(bad: dict[str, str]) -> dict[str, str]:
    judged = f'truegreen_evaluated_answers_total{{{WHO},evaluation="groundedness",evaluator="e",result='
    failed = f'truegreen_evaluations_total{{{WHO},evaluation="groundedness",evaluator="e",result="fail",sampled="base",model='
    return {
        f'{judged}"pass"}}': "0+10x60 605+5x60",
        f'{judged}"fail"}}': "0+0x60 5+5x60",
        **{f'{failed}"{model}"}}': values for model, values in bad.items()},
    }


@pytest.mark.full
def test_an_alert_opens_the_incident_board_at_its_service_its_hour_and_the_model_at_fault(config, written, promtool):
    """Who opens it the next morning sees what has been since three hours before the alert last fired, of the one model that is bad."""
    folder = written(config("slos: [{name: grounding, mode: live}, {name: latency, mode: live}]"))
    series = {**_answers({"m/1": "0x60 5+5x60", "m2": "0+0x120"}), **_calls("slow one", "0+1x120"), **_calls("quick", "0+9x120")}
    board = "http://localhost:3000/d/truegreen-incident?var-service=a+b&var-environment=prod%22x"
    at = "&from=-6000000&to=now"  # 80 min less three hours, in milliseconds.
    assert _links(folder, promtool, series) == {
        "grounding": f"{board}&var-model=m%2F1{at}",
        "latency": f"{board}&var-model=slow+one{at}",
    }


def test_no_model_is_blamed_where_none_has_most_of_the_bad_events(config, written, promtool):
    """The board then shows all of them."""
    folder = written(config("slos: [{name: grounding, mode: live}]"))
    series = _answers({"m1": "0x60 5+5x60", "m2": "0x60 5+5x60"})
    assert "var-model" not in _links(folder, promtool, series)["grounding"]


def test_an_alert_without_a_service_opens_its_board_at_every_service(config, written, promtool):
    """An empty service selects no series: who asks whether anybody judges would read "no data"."""
    folder = written(config("slos: [{name: grounding}]"))
    (url,) = _links(folder, promtool, {"up": "1x120"}, "TruegreenWatchdog").values()
    assert url == "http://localhost:3000/d/truegreen-health?from=-6000000&to=now"


def test_a_link_keeps_the_time_of_a_demonstration(config, written, promtool):
    """Sixty times faster, three hours are three minutes."""
    folder = written(config("slos: [{name: grounding, mode: live}]\nscrape_interval: 60s"), 60)
    text = (folder / "truegreen.rules.yml").read_text("utf-8")
    assert "1000 * (time() - 180)" in text
    assert "-10800" not in text
