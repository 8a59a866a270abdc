"""An SLO of which the layer or the failure mode was changed: what was recorded before has other labels."""

from __future__ import annotations

import re

import yaml

SLOS = """
slos:
  - {name: grounding, cohorts: true, detectors: [mean_score, mix, heterogeneity, cusum, forecast]}
  - {name: index_freshness}
"""
BACK = re.compile(r'(truegreen:[a-z0-9_:]+)\{slo="([a-z_]+)"\}\)?(?:\[| offset)')
"""A record over a window or of before."""
WHO = 'service="bot",environment="production"'
RAW = {
    f'truegreen_evaluated_answers_total{{{WHO},evaluation="groundedness",result="pass"}}': "_x290 0+50x22",
    f'truegreen_evaluations_total{{{WHO},evaluation="groundedness",result="pass",sampled="base",cohort="eu"}}': "_x290 0+50x22",
    f'truegreen_model_served_total{{{WHO},model="large",served="a"}}': "_x290 0+50x22",
    f"truegreen_retrieval_index_rebuilt_timestamp_seconds{{{WHO}}}": "_x290 90000x22",
}
"""What the rules count now."""
SEEN = {
    "count(truegreen:slo_events:increase1d)": 2,
    "count(truegreen:slo_bad:increase30d)": 2,
    "sum(truegreen:slo_served:distance1h)": 0,
}
"""Of both SLOs; and the one model that is served is the one of yesterday."""
MORE = {"truegreen:slo_cohort": 'cohort="eu"', "truegreen:slo_served": 'model="large",served="a"'}


def test_each_rule_that_looks_back_adds_up_what_was_recorded_under_other_labels(config, calibrate, written, promtool):
    """For a day and an hour all that rules look back at was recorded; then, for ten minutes, under other labels: nothing is found twice."""
    calibrate("bot", "production", "groundedness", 0.03, 600)
    folder = written(config(SLOS))
    groups = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))["groups"]
    series = dict(RAW)
    for group in groups:
        recorded = {
            rule["record"]: rule["labels"] for rule in group["rules"] if "record" in rule and "slo" in rule.get("labels", ())
        }
        for name, slo in sorted({found for rule in group["rules"] for found in BACK.findall(rule["expr"])}):
            more = next((f",{labels}" for start, labels in MORE.items() if name.startswith(start)), "")
            value = 1 if "share" in name else 120
            who = f'slo="{slo}",{WHO}{more}'
            series[f'{name}{{{who},layer="old",failure_mode="old",pillar="old"}}'] = f"_ {value}x308 stale"
            if labels := recorded.get(name):
                now = ",".join(f'{key}="{labels[key]}"' for key in ("layer", "failure_mode", "pillar"))
                series[f"{name}{{{who},{now}}}"] = f"_x311 {value}"
    whole = {
        "rule_files": ["truegreen.rules.yml"],
        "evaluation_interval": "26h",
        "group_eval_order": [group["name"] for group in groups],
        "tests": [{
            "interval": "5m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [{"expr": expr, "eval_time": "26h", "exp_samples": [{"labels": "{}", "value": n}]} for expr, n in SEEN.items()],
        }],
    }  # fmt: skip
    (folder / "own.test.yml").write_text(yaml.safe_dump(whole), "utf-8")
    tested = promtool("test", "rules", folder / "own.test.yml")
    assert tested.returncode == 0, tested.stderr[:3000]
