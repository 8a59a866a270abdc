"""Further detectors: what each says, what it needs, and that its generated tests hold it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
import yaml
from mutants import judge, table

from truegreen.alert_rules import detectors, detectortests
from truegreen.alert_rules.budgets import judged
from truegreen.alert_rules.files import calibrations
from truegreen.alert_rules.generate import files
from truegreen.alert_rules.promtool import merged
from truegreen.alert_rules.promtool import written as as_yaml
from truegreen.alert_rules.text import to_yaml
from truegreen.alert_rules.windows import clock
from truegreen.core.config.check import schema
from truegreen.core.errors import BadInput
from truegreen.core.words.ready_made import BY_NAME

ALL = "{name: grounding, mode: live, unit: session, cohorts: true, detectors: [mean_score, mix, heterogeneity, cusum, forecast]}"
OTHERS = (
    "{name: latency, detectors: [mix, cusum, forecast]}, {name: relevance, services: [shop], detectors: [mix, cusum, forecast]}"
)
NAMES = {
    detectors.SCORES_FELL,
    detectors.SERVED_MIX,
    detectors.COHORTS_DIFFER,
    detectors.BURN_ADDS_UP,
    detectors.BUDGET_FORECAST,
}


def _passes(promtool, folder, *files):
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", folder / "truegreen.rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", *files)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.full
def test_every_detector_passes_lint_and_its_own_tests(config, calibrate, written, promtool):
    """Fires, waits, is silent under each number and without traffic: with a baseline and a measured design effect."""
    calibrate("bot", "production", "groundedness", 0.03, 600, 1.7)
    read = config(f"slos: [{ALL}]")
    folder = written(read)
    # Of the slow tests only these: the file's others are tested elsewhere.
    edges, waits = folder / "truegreen.rules.edges.test.yml", folder / "waits.test.yml"
    whole = yaml.safe_load((folder / "truegreen.rules.slow.test.yml").read_text("utf-8"))
    time = clock(1, read.scrape_interval_seconds)
    every = tuple(judged(slo, calibrations(read.calibration_folder())) for slo in read.slos)
    head = to_yaml({key: value for key, value in whole.items() if key != "tests"})
    waits.write_text(head + as_yaml(merged(detectortests.slow(read, every, time)), time), "utf-8")
    _passes(promtool, folder, edges, waits)
    cases = [
        case
        for path in (edges, waits)
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]
        for case in test["promql_expr_test"]
    ]
    for name in NAMES:
        its = [case for case in cases if f'alertname="{name}"' in case["expr"]]
        assert {bool(case["exp_samples"]) for case in its} == {True, False}, name


@pytest.mark.full
@pytest.mark.parametrize("scale", [1, 7, 60])
def test_detectors_pass_beside_everything_else(config, calibrate, written, promtool, scale):
    """SLOs of several kinds, with and without a baseline, for all services and for one; also where the scale does not divide a minute."""
    calibrate("bot", "production", "groundedness", 0.03, 600, 1.7)
    folder = written(config(f"slos: [{ALL}, {OTHERS}]"), scale)
    _passes(promtool, folder, *sorted(folder.glob("*.test.yml")))


@pytest.mark.parametrize(
    ("slo", "said"),
    [
        ("{name: latency, detectors: [mean_score]}", "mean_score reads scores as ranks within a frozen baseline; write it on"),
        ("{name: grounding_absolute, detectors: [mean_score]}", "mean_score reads scores as ranks"),
        ("{name: grounding, detectors: [heterogeneity]}", "heterogeneity compares cohorts, .*; write cohorts: true"),
        ("{name: index_freshness, detectors: [cusum]}", "cusum and forecast need events, .*; write mix"),
        ("{name: index_freshness, detectors: [forecast]}", "cusum and forecast need events"),
    ],
)
def test_a_detector_that_an_slo_cannot_carry_is_refused_with_the_fix(config, slo, said):
    """File, line and key."""
    with pytest.raises(BadInput, match=rf"truegreen.yaml:1.*: slos\[0\]\.detectors .*{said}"):
        files(config(f"slos: [{slo}]"), 1)


def test_every_name_of_the_schema_is_a_detector():
    """No word in the configuration is without effect."""
    assert set(schema()["$defs"]["slo"]["properties"]["detectors"]["items"]["enum"]) == set(detectors.BY_NAME)


def test_without_detectors_nothing_is_added(config):
    """They are asked for."""
    assert not NAMES & set(files(config("slos: [{name: grounding, mode: live}]"), 1).figures["alert_names"])


def test_the_mean_of_a_baseline_with_ties_at_its_end_is_its_own(calibrate):
    """A tenth of the answers scored the worst raw value: their rank is 0, and healthy answers do not average a half."""
    even = calibrate("bot", "production", "groundedness", 0.03, 600)
    tied = replace(even, quantiles=(0.1,) * 11 + even.quantiles[11:])
    means = [judged(BY_NAME["grounding"], [each]).baselines[0].mean_score for each in (even, tied)]
    assert means[0] == Decimal("0.5")
    assert Decimal("0.49") < means[1] < Decimal("0.497")


@pytest.mark.full
@pytest.mark.timeout(900)
def test_at_least_95_of_100_mutants_of_the_detectors_are_caught(config, calibrate, written, engine):
    """Their alerts and their records, each place of each rule."""
    calibrate("bot", "production", "groundedness", 0.03, 600, 1.7)
    mine = (
        *NAMES,
        detectors.SCORE,
        detectors.SERVED,
        detectors.BASELINE_MEAN,
        detectors.EXPECTED,
        detectors.CHI,
        detectors.DIFFER,
        detectors.EVIDENCE,
    )
    files = ["truegreen.rules.edges.test.yml", "truegreen.rules.slow.test.yml"]
    fates = judge(written(config(f"slos: [{ALL}]")), files, engine("promtool"), lambda m: m.name.startswith(mine))
    print(f"\n{table(fates)}")  # noqa: T201
    alive = "\n".join(f"{fate.mutant.name}: {fate.mutant.said}" for fate in fates if not fate.caught)
    assert sum(fate.caught for fate in fates) >= 0.95 * len(fates) > 250, alive
