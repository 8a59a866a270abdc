"""What the watchers of evaluation expect where services have different shares of their answers judged, in the real promtool."""

from __future__ import annotations

import pytest
import yaml

CONFIG = "services: {busy: {sampling: {groundedness: 5%}}, quiet: {sampling: {groundedness: 100%}}}\nslos: [{name: grounding, mode: live}]\n"
HOURS = 3


def _grows(metric, service, each_minute, **labels):
    shown = ", ".join(f'{name}="{value}"' for name, value in {"service": service, "environment": "production", **labels}.items())
    return {"series": f"{metric}{{{shown}}}", "values": f"0+{each_minute}x{HOURS * 60}"}


@pytest.mark.full
def test_a_service_that_has_one_answer_in_twenty_judged_is_not_said_to_have_too_few(config, written, promtool):
    """The threshold for all is the smallest share; the alert still sees one who judges far less than that."""
    folder = written(config(CONFIG))
    rates = {"busy": (200, 10), "quiet": (200, 200), "fallen": (200, 1)}
    series = [
        one
        for service, (answers, judged) in rates.items()
        for one in (
            _grows("truegreen_answers_total", service, answers, sampled="base"),
            _grows("truegreen_evaluated_answers_total", service, judged, evaluation="groundedness", result="pass"),
        )
    ]
    asked = [
        {"eval_time": f"{HOURS}h", "expr": f'count by (service) (ALERTS{{alertname="{name}"}})', "exp_samples": expected}
        for name, expected in (
            ("TruegreenSamplingFell", [{"labels": '{service="fallen"}', "value": 1}]),
            ("TruegreenEvaluatorStalled", []),
        )
    ]
    test = {
        "rule_files": ["truegreen.rules.yml"],
        "evaluation_interval": "1m",
        "tests": [{"interval": "1m", "input_series": series, "promql_expr_test": asked}],
    }
    (folder / "shares.test.yml").write_text(yaml.safe_dump(test), "utf-8")
    tested = promtool("test", "rules", folder / "shares.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr
