"""A business signal that burns with a quality signal makes a page of a notification."""

from __future__ import annotations

import pytest
import yaml

from truegreen.alert_rules.generate import files

SLOS = "slos: [{name: grounding, mode: live}, {name: task_completion, mode: live}]"
SPARED = f"services: {{batch: {{customer_facing: false}}}}\n{SLOS}"


def _slow(config, text):
    made = yaml.safe_load(files(config(text), 1).files["truegreen.rules.yml"])
    rules = [rule for group in made["groups"] for rule in group["rules"]]
    raising = [rule for rule in rules if rule.get("record") == "truegreen:business_burning"]
    slow = [
        r
        for r in rules
        if r.get("alert") == "TruegreenBudgetBurn" and r["labels"]["burn_tier"] == "slow" and r["labels"]["mode"] == "live"
    ]
    return bool(raising), {(rule["labels"]["slo"], rule["labels"]["sev"]) for rule in slow}


@pytest.mark.parametrize(
    ("text", "raises", "found"),
    [
        (SLOS, True, {("grounding", "2"), ("grounding", "1"), ("task_completion", "2")}),
        ("slos: [{name: grounding, mode: live}, {name: task_completion}]", False, {("grounding", "2")}),
        (
            "slos: [{name: latency, mode: live}, {name: task_completion, mode: live}]",
            False,
            {("latency", "2"), ("task_completion", "2")},
        ),
        (SLOS.replace("live}", "live, severities: {slow: 3}}", 1), False, {("grounding", "3"), ("task_completion", "2")}),
    ],
    ids=["both live", "business in shadow", "no quality", "no sev 2"],
)
def test_only_a_live_business_slo_raises_only_a_sev_2_of_quality(config, text, raises, found):
    """And nothing is written where nothing could be raised."""
    assert _slow(config, text) == (raises, found)


def test_a_quality_burn_is_raised_where_tasks_fail_too(config, written, promtool):
    """Two services burn slowly; in one of them tasks fail as well, and a third is never paged."""
    folder = written(config(SPARED))
    services = {"both": True, "one": False, "batch": True}
    series = {}
    for service, fails in services.items():
        who = f'service="{service}",environment="production"'
        judged = f'truegreen_evaluated_answers_total{{{who},evaluation="groundedness",evaluator="e",result='
        series |= {f'{judged}"pass"}}': "0+140x120", f'{judged}"fail"}}': "0+60x120"}
        tasks = f'truegreen_tasks_total{{{who},task="t",outcome='
        series |= {f'{tasks}"completed"}}': f"0+{40 if fails else 98}x120", f'{tasks}"failed"}}': f"0+{60 if fails else 2}x120"}
    said = (
        "count by (service, sev) (ALERTS{alertname='TruegreenBudgetBurn',slo='grounding',burn_tier='slow',alertstate='firing'})"
    )
    wanted = [("batch", "2"), ("both", "1"), ("one", "2")]
    samples = [{"labels": f'{{service="{service}", sev="{sev}"}}', "value": 1} for service, sev in wanted]
    order = yaml.safe_load((folder / "truegreen.rules.test.yml").read_text("utf-8"))["group_eval_order"]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": said, "eval_time": "2h", "exp_samples": samples}],
        "alert_rule_test": [{"alertname": "TruegreenBudgetBurn", "eval_time": "2h", "exp_alerts": []}],
    }
    whole = {"rule_files": ["truegreen.rules.yml"], "evaluation_interval": "5m", "group_eval_order": order, "tests": [test]}
    (folder / "own.test.yml").write_text(yaml.safe_dump(whole), "utf-8")
    tested = promtool("test", "rules", folder / "own.test.yml").stderr
    assert tested.count("expr:") == 0, tested[:3000]
    raised = next(
        block
        for block in tested.split("Labels:")
        if 'service="both"' in block and 'sev="1"' in block and 'slo="grounding"' in block
    )
    assert "is burning its error budget, and a business signal of the service burns too" in raised


def test_a_service_that_never_pages_does_not_after_an_outage_of_prometheus(config, written, promtool):
    """Rules that are evaluated once an hour: at each evaluation whatever another group has recorded is long gone."""
    folder = written(config(SPARED))
    judged = 'truegreen_evaluated_answers_total{service="%s",environment="production",evaluation="groundedness",result="%s"}'
    series = {judged % (service, result): "0+5x60" for service in ("batch", "shop") for result in ("pass", "fail")}
    said = "count by (service, sev) (ALERTS{slo='grounding',burn_tier='fast'})"
    samples = [
        {"labels": f'{{service="{service}", sev="{sev}"}}', "value": 1} for service, sev in (("batch", "2"), ("shop", "1"))
    ]
    test = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": said, "eval_time": "1h", "exp_samples": samples}],
    }
    order = yaml.safe_load((folder / "truegreen.rules.test.yml").read_text("utf-8"))["group_eval_order"]
    whole = {"rule_files": ["truegreen.rules.yml"], "evaluation_interval": "1h", "group_eval_order": order, "tests": [test]}
    (folder / "own.test.yml").write_text(yaml.safe_dump(whole), "utf-8")
    tested = promtool("test", "rules", folder / "own.test.yml")
    assert tested.returncode == 0, tested.stderr[:3000]
