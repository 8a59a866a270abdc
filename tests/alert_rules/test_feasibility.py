"""What an SLO promises at a volume: read from a simulated table, held to the ladder that it was simulated for."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal as D

import pytest
import yaml

from truegreen.alert_rules import feasibility, oracle, statement
from truegreen.alert_rules.feasibility import NONE, PAGES, SLOW, UNREACHABLE
from truegreen.alert_rules.feasibility_table import LADDER, ROWS
from truegreen.alert_rules.generate import files
from truegreen.alert_rules.ladder import TIERS
from truegreen.alert_rules.oracle import Phase
from truegreen.core.words.ready_made import BY_NAME


def test_the_table_was_simulated_for_the_ladder_that_the_rules_have(monkeypatch):
    """A change of a factor, a cap, a window or a z asks for `benchmarks/alerting.py --only table`."""
    assert feasibility.ladder_digest() == LADDER
    other = (replace(TIERS[0], rungs=(replace(TIERS[0].rungs[0], factor=6), *TIERS[0].rungs[1:])), *TIERS[1:])
    monkeypatch.setattr(feasibility, "TIERS", other)
    assert feasibility.ladder_digest() != LADDER


def test_the_law_holds_in_the_table():
    """From 1.5 expected bad events an hour on, nine of ten tenfold burns page within the hour; well under it they do not."""
    reachable = [row for row in ROWS if D(row.budget) <= D("0.1")]
    assert all(D(row.within_60) >= D("0.88") for row in reachable if D(row.expected) >= feasibility.LAW)
    assert all(D(row.within_60) < D("0.9") for row in reachable if D(row.expected) <= D("0.5"))
    assert all(row.median <= 45 for row in reachable if D(row.expected) >= feasibility.LAW)


def test_a_healthy_service_is_hardly_paged_in_any_cell():
    """The promise is 0.2 in 30 days; a cell's own error is about 0.03."""
    assert max(D(row.false_pages) for row in ROWS) <= D("0.25")


@pytest.mark.parametrize(
    ("objective", "per_hour", "verdict"),
    [("0.95", 100, PAGES), ("0.95", 500, PAGES), ("0.99", 500, PAGES), ("0.95", 10, SLOW), ("0.99", 20, SLOW), ("0.999", 5, NONE),
     ("0.99", 1, NONE), ("0.95", 0, NONE), ("0.85", 500, UNREACHABLE)],
)  # fmt: skip
def test_the_verdict_follows_the_volume(objective, per_hour, verdict):
    """Enough events page; few name the hours; hardly any give no evidence in a day; over 10 % of budget there is no tenfold burn."""
    assert feasibility.outlook(1 - D(objective), D(per_hour)).verdict == verdict


def test_more_events_never_page_later_and_correlated_ones_are_worth_fewer():
    """Minutes fall with the volume; a design effect of 3 makes 300 events of 100."""
    times = [feasibility.outlook(D("0.01"), D(n)).median_minutes or 9_999 for n in (20, 50, 100, 200, 1_000)]
    assert times == sorted(times, reverse=True)
    assert feasibility.outlook(D("0.05"), D(300), D(3)) == replace(feasibility.outlook(D("0.05"), D(100)), needs_per_hour=90)


def test_where_ten_budgets_are_more_than_all_events_the_largest_burn_is_named():
    """At 85 % all events bad are 6.67 budgets, and that pages in minutes."""
    found = feasibility.outlook(D("0.15"), D(500))
    assert (found.burn, found.verdict) == (D("6.67"), UNREACHABLE)
    assert found.median_minutes is not None
    assert found.median_minutes <= 15


def test_freshness_has_its_own_exact_answer():
    """A stale index makes every minute bad: the page comes in the minute that the oracle names, and no event count is asked for."""
    for budget in (D("0.01"), D("0.05"), D("0.001")):
        found = feasibility.freshness(budget)
        first = oracle.span((Phase(6 * 60, D(60), D(0)), Phase(360, D(60), D(1))), TIERS[0], budget)[0]
        assert found.needs_per_hour is None
        assert found.median_minutes == first - 6 * 60
        assert found.false_pages_30d == 0


def test_the_statement_speaks_of_this_configuration(config, calibrate):
    """Overrides, baselines with their design effect, freshness, sessions nobody measured, and pages summed over live SLOs."""
    calibrate("bot", "production", "groundedness", 0.04, 900, 3.0)
    calibrate("calm", "production", "groundedness", 0.04, 900, 1.5)
    text = (
        "slos: [{name: grounding, mode: live, unit: session, objectives: {shop: 99%}}, {name: index_freshness, mode: live}, "
        "{name: relevance}, {name: task_completion, unit: session}]"
    )
    made = files(config(text), 1)
    said = "\n".join(made.statement)
    assert "grounding (95%, design effect 3): a 10x burn pages within an hour (P 0.9) from 90 events an hour on" in said
    assert "grounding of shop (99%, design effect 3): a 10x burn pages within an hour (P 0.9) from 450 events an hour on" in said
    assert (
        "grounding of calm in production (95%, design effect 1.5): a 10x burn pages within an hour (P 0.9) from 45 events" in said
    )
    assert "index_freshness (99%): its events are minutes" in said
    assert "relevance: the objective comes from the baseline; no calibration file speaks of it" in said
    assert "task_completion: unit is session and no calibration measured a design effect" in said
    pages = sum(
        D(row["false_pages_30d"]) for name, row in made.figures["slos"].items() if name in {"grounding", "index_freshness"}
    )
    assert D(made.figures["false_pages_30d"]) == pages > 0


def test_the_statement_warns_of_a_service_whose_volume_the_file_names(config):
    """What the file says of a volume is used, and nothing is asked of a server."""
    text = "slos: [{name: grounding, mode: live}]\nservices: {small: {answers_per_hour: 12}, tiny: {answers_per_hour: 1}, big: {answers_per_hour: 4000}}"
    read = config(text)
    every = tuple(_judged(read))
    lines = statement.lines(every, statement.figures(every, (), _clock(), read))
    said = "\n".join(lines)
    assert "grounding: small has 12 evaluated answers an hour and needs 30: a 10x burn pages after about" in said
    assert "grounding: tiny has 1 evaluated answers an hour and needs 30: a 10x burn gives no evidence in a day" in said
    assert "grounding: big" not in said


def test_every_ready_made_objective_has_an_outlook():
    """None of them is refused by the table's edges."""
    for slo in BY_NAME.values():
        if isinstance(slo.objective, D):
            assert feasibility.outlook(1 - slo.objective, D(500)).verdict in {PAGES, SLOW, UNREACHABLE}


def _judged(config):
    from truegreen.alert_rules.budgets import judged

    return [judged(slo, ()) for slo in config.slos]


def _clock():
    from truegreen.alert_rules.windows import clock

    return clock(1, 15)


def test_the_retention_is_what_the_rules_look_back_over(config):
    """The longest budget window, a week for a forecast, three days for tickets."""
    for text, days in (("{name: grounding}", 30), ("{name: grounding, window: 28d}", 28), ("{name: grounding, window: 7d}", 7)):
        made = files(config(f"slos: [{text}]"), 1)
        assert made.figures["retention_days"] == days
        assert f"Prometheus must keep {days} days" in made.statement[-1]


FEW = """
slos: [{name: grounding, mode: live}, {name: latency, mode: live}]
services: {small: {answers_per_hour: 12}, big: {answers_per_hour: 4000}, inner: {customer_facing: false}}
"""


def test_a_service_with_too_few_answers_gets_a_sev_2_where_others_get_a_sev_1(config, written, promtool):
    """Of the SLO that it has too few for, and of no other; the generated tests see both."""
    made = files(config(FEW), 1)
    assert "so its page is a sev 2 (alerting.accept_slow: true leaves it a sev 1)" in "\n".join(made.statement)
    rules = {
        (rule["labels"]["slo"], rule["labels"]["sev"]): rule["expr"]
        for group in yaml.safe_load(made.files["truegreen.rules.yml"])["groups"]
        for rule in group["rules"]
        if rule.get("alert") == "TruegreenBudgetBurn"
        and rule["labels"]["burn_tier"] == "fast"
        and rule["labels"]["mode"] == "live"
    }
    few = 'on (service, environment) truegreen:slo_events:increase6h{slo="grounding",service=~"inner|small"}'
    assert rules["grounding", "1"].endswith(f"unless {few}")
    assert rules["grounding", "2"].endswith(f"and {few}")
    assert rules["latency", "1"].endswith(
        'unless on (service, environment) truegreen:slo_events:increase6h{slo="latency",service="inner"}'
    )
    folder = written(config(FEW.replace(", {name: latency, mode: live}", "")))
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", folder / "truegreen.rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    edges = folder / "truegreen.rules.edges.test.yml"
    tested = promtool("test", "rules", edges)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    for path in (edges, folder / "truegreen.rules.test.yml"):
        cases = [case for test in yaml.safe_load(path.read_text("utf-8"))["tests"] for case in test["promql_expr_test"]]
        assert any('service="small"' in case["expr"] and 'sev="2"' in case["expr"] and case["exp_samples"] for case in cases)


@pytest.mark.full
@pytest.mark.parametrize("services", ["", "[small]"])
def test_a_service_with_too_few_answers_passes_all_generated_tests(config, written, promtool, services):
    """Beside others, and as the only one that the SLO is for."""
    text = FEW.replace("{name: grounding, mode: live}", f"{{name: grounding, mode: live, services: {services or 'all'}}}")
    tested = promtool("test", "rules", *sorted(written(config(text)).glob("*.test.yml")))
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_who_accepts_slow_pages_keeps_the_sev_1(config):
    """And the statement says how slow they are."""
    made = files(config(FEW + "alerting: {accept_slow: true}\n"), 1)
    assert 'service="small"' not in made.files["truegreen.rules.yml"]
    said = "\n".join(made.statement)
    assert "grounding: small has 12 evaluated answers an hour and needs 30: a 10x burn pages after" in said
    assert "so its page" not in said
