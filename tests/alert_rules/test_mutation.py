"""The generated tests notice when a rule is broken: one place at a time, by the score that the generator promises."""

from __future__ import annotations

import random

import pytest
import yaml
from mutants import EQUIVALENT, Mutant, equivalent, judge, mutants, table

KINDS = {
    "labels of evaluated answers": "grounding",
    "scores under a floor": "grounding_absolute",
    "events over events": "loops",
    "a histogram's threshold": "latency",
    "the age of a timestamp": "index_freshness",
    "the bounds of a gauge": "near",
    "cohorts, detectors, a business signal and a drill": "all",
}
OWN = {
    "near": "layer: quality, failure_mode: drift, objective: 99%, "
    "sli: {metric: truegreen_drift_zscore, at_least: -3, at_most: 3, where: {signal: style}}"
}
ALL = """
alerting: {drill_every: 90d}
slos:
  - {name: grounding, mode: live, cohorts: true, detectors: [mean_score, mix, heterogeneity, cusum, forecast]}
  - {name: task_completion, mode: live}
"""
EDGES, SLOW, FAST = "truegreen.rules.edges.test.yml", "truegreen.rules.slow.test.yml", "truegreen.rules.test.yml"
LEAST = 0.95
SEED = 20
SAMPLE = 40


def _generated(config, written, slo):
    alone = f"evaluations: {{groundedness: {{scale: calibrated}}}}\nslos: [{{name: {slo}, mode: live, {OWN.get(slo, '')}}}]"
    return written(config(ALL if slo == "all" else alone))


def _all(folder):
    groups = yaml.safe_load((folder / "truegreen.rules.yml").read_text("utf-8"))["groups"]
    return [m for g, group in enumerate(groups) for r, rule in enumerate(group["rules"]) for m in mutants(rule, (g, r))]


def _alert(mutant: Mutant) -> bool:
    return "alert" in mutant.rule


def test_broken_alerts_are_noticed(config, written, engine):
    """A sample of the burn-rate alerts' mutants, drawn anew when the rules change, against the tests that look at each number."""
    folder = _generated(config, written, "grounding")
    # How long an alert holds is seen in the other two files.
    able = sorted(
        (m for m in _all(folder) if m.name.startswith("TruegreenBudgetBurn") and m.kind != "wait" and not equivalent(m)), key=repr
    )
    chosen = {repr(m) for m in random.Random(SEED).sample(able, SAMPLE)}
    fates = judge(folder, [EDGES], engine("promtool"), lambda m: repr(m) in chosen)
    assert len(fates) == SAMPLE
    alive = [f"{fate.mutant.name}: {fate.mutant.said}" for fate in fates if not fate.caught]
    assert len(alive) <= (1 - LEAST) * SAMPLE, "\n".join(alive)


def test_what_counts_as_equal_is_found_in_the_rules(config, written):
    """An entry that no mutant matches any more hides nothing, and goes."""
    found = {equivalent(m) for slo in KINDS.values() for m in _all(_generated(config, written, slo))}
    assert found - {""} == {why for _, _, why in EQUIVALENT}


@pytest.mark.full
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("kind", [*KINDS])
def test_at_least_95_of_100_mutants_of_every_alert_and_record_are_caught(config, written, engine, kind):
    """Thresholds, windows, labels, comparisons, rungs and waits of each rule, broken one by one; run with `-s` for the table."""
    # What an SLO alone has as well is broken there.
    known = {m.name for m in _all(_generated(config, written, "grounding"))} if KINDS[kind] == "all" else set()
    folder = _generated(config, written, KINDS[kind])
    tests = [EDGES, SLOW, FAST]
    fates = judge(folder, tests, engine("promtool"), lambda m: m.name.replace("task_completion", "grounding") not in known)
    print(f"\n{kind}\n{table(fates)}")  # noqa: T201
    alive = "\n".join(f"{fate.mutant.name}: {fate.mutant.said}" for fate in fates if not fate.caught)
    for alerts in (True, False):
        judged = [fate for fate in fates if _alert(fate.mutant) is alerts]
        assert sum(fate.caught for fate in judged) >= LEAST * len(judged), alive
