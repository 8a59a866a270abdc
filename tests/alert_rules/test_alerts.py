"""What single expressions give, and what an alert says, in the real promtool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from truegreen.alert_rules.generate import files

LIVE = "slos: [{name: grounding, mode: live}]\nroutes: {trace_url: 'https://traces.example/trace/{trace_id}?from=alert'}"
WHO = 'service="bot",environment="production",evaluation="groundedness"'
PASS = f'truegreen_evaluated_answers_total{{{WHO},evaluator="e",result="pass"}}'
FAIL = f'truegreen_evaluated_answers_total{{{WHO},evaluator="e",result="fail"}}'


@pytest.fixture
def tried(written, promtool):
    """`tried(config, series, tests)`: promtool's verdict on tests of one's own over the generated rules."""

    def run(config, series, expressions=(), alerts=(), interval="1m"):
        folder = written(config)
        test = {
            "interval": "1m",
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": [
                {"expr": expr, "eval_time": at, "exp_samples": [{"labels": "{}", "value": value}] if value is not None else []}
                for expr, at, value in expressions
            ],
            "alert_rule_test": [{"alertname": name, "eval_time": at, "exp_alerts": []} for name, at in alerts],
        }
        path = folder / "own.test.yml"
        # Without an order of its own promtool evaluates groups in any.
        order = yaml.safe_load((folder / "truegreen.rules.test.yml").read_text("utf-8"))["group_eval_order"]
        whole = {
            "rule_files": ["truegreen.rules.yml"],
            "evaluation_interval": interval,
            "group_eval_order": order,
            "tests": [test],
        }
        path.write_text(yaml.safe_dump(whole), "utf-8")
        return promtool("test", "rules", path)

    return run


def test_a_page_says_evidence_traces_hypotheses_board_and_the_next_command(config, tried):
    """Counts, ratio, burn and lower bound of each window, three trace links, and a command that is safe to paste."""
    odd = 'service="b$(rm) \\"x\\"",environment="production",evaluation="groundedness"'
    series = {
        f'truegreen_evaluated_answers_total{{{odd},evaluator="e",result="pass"}}': "0+10x60 605+5x60",
        f'truegreen_evaluated_answers_total{{{odd},evaluator="e",result="fail"}}': "0+0x60 5+5x60",
        **{f'truegreen_failing_trace_info{{{odd},slot="{n}",trace_id="trace{n}"}}': "1+0x200" for n in range(3)},
    }
    said = tried(config(LIVE), series, alerts=[("TruegreenBudgetBurn", "80m")]).stderr
    page = next(block for block in said.split("Labels:") if 'sev="1"' in block)
    assert 'severity="critical"' in page
    assert "Budget 5%. 15m: 75 of 150 bad (50%, burn 10.0x, lower bound 30.12%)" in page
    links = re.search(r'trace_links="([^"]*)"', page)
    assert links
    assert links[1].split() == [f"https://traces.example/trace/trace{n}?from=alert" for n in range(3)]
    assert 'hypotheses="1. the provider serves another model' in page
    assert "/d/truegreen-incident?var-service=b%24%28rm%29+%22x%22&var-environment=production" in page
    assert 'next="truegreen triage --service b__rm___x_ --environment production --slo grounding"' in page
    assert "/runbooks/truegreenbudgetburn" in page


def test_a_shadow_ticket_says_what_would_have_paged(config, tried):
    """Same evidence, sev 3."""
    said = tried(config(), {PASS: "0+10x60 605+5x60", FAIL: "0+0x60 5+5x60"}, alerts=[("TruegreenBudgetBurn", "80m")]).stderr
    assert 'burn_tier="fast"' in said
    assert "live, it would have paged (sev 1)" in said
    assert 'sev="1"' not in said


def test_without_a_bad_event_the_ratio_is_0_and_without_events_absent(config, tried):
    """0, not absent: also when no series of bad events exists. No NaN without traffic."""
    quiet = PASS.replace('"bot"', '"quiet"')
    expressions = [
        ('max(truegreen:slo_bad:ratio15m{service="bot"})', "30m", 0),
        ('max(truegreen:slo_bad_lcb:ratio1h{service="bot"})', "30m", 0),
        ('count(truegreen:slo_bad:ratio15m{service="quiet"})', "30m", None),
        ('max(truegreen:slo_events:increase15m{service="quiet"})', "30m", 0),
        ('max(truegreen:slo_error_budget_remaining:ratio{service="bot"})', "30m", 1),
    ]
    tested = tried(config(LIVE), {PASS: "0+10x60", quiet: "50+0x60"}, expressions)
    assert tested.returncode == 0, tested.stderr


def test_a_counter_that_resets_neither_pages_nor_loses_the_budget(config, tried):
    """A collector restarts: counts begin at 0 again."""
    expressions = [
        ('count(ALERTS{alertname="TruegreenBudgetBurn",alertstate="firing"})', f"{at}m", None) for at in (59, 61, 63, 70, 100)
    ] + [('max(truegreen:slo_bad:ratio1h{service="bot"}) < bool 0.06', "70m", 1)]
    tested = tried(config(LIVE), {PASS: "0+9.5x60 0+9.5x60", FAIL: "0+0.5x60 0+0.5x60"}, expressions)
    assert tested.returncode == 0, tested.stderr


def test_each_service_with_events_has_a_budget_of_its_own(config, calibrate, tried):
    """An override, a baseline, a baseline in which nothing was bad (3 / N), and the default."""
    calibrate("based", "production", "relevance", 0.04, 1000)
    calibrate("clean", "production", "relevance", 0.0, 600)
    text = (
        "slos:\n  - {name: relevance, objectives: {strict: 99.9%}}\n"
        "  - {name: loose, sli: {metric: truegreen_retrieval_chunks_total, label: relevance, bad: [below]}, objective: 80%, layer: quality, failure_mode: retrieval}"
    )
    names = ("based", "clean", "strict", "none")
    series = {
        f'truegreen_retrieval_chunks_total{{service="{n}",environment="production",data_source="kb",relevance="above"}}': "0+10x60"
        for n in names
    }
    budget = 'max(truegreen:slo_error_budget:ratio{{slo="{}",service="{}"}}) * 100000'
    wanted = {
        ("relevance", "based"): 5000,
        ("relevance", "clean"): 500,
        ("relevance", "strict"): 100,
        ("relevance", "none"): None,
    }
    wanted |= {("loose", name): 20000 for name in names}
    tested = tried(config(text), series, [(f"round({budget.format(*key)})", "30m", value) for key, value in wanted.items()])
    assert tested.returncode == 0, tested.stderr


def test_drift_is_counted_as_published(config, calibrate, tried):
    """3000 events with 105 bad against .02 of 5000: z = 4.1105."""
    calibrate("bot", "production", "groundedness", 0.02, 5000)
    series = {PASS: "0 0 2895+0x600", FAIL: "0 0 105+0x600"}
    # All 3000 events fall inside the first five minutes, not on their edge: Prometheus 3 leaves the edge out.
    tested = tried(config(LIVE), series, [("round(max(truegreen:slo_drift:z3d) * 10000)", "5m", 41105)])
    assert tested.returncode == 0, tested.stderr


def test_a_measured_design_effect_widens_the_lower_bound(config, calibrate, tried):
    """z grows with its root: Byar of 50 bad at z = 8 over 100 events. Who has none measured takes the largest, independent answers none."""
    calibrate("bot", "production", "groundedness", 0.02, 5000, 4.0)
    calibrate("else", "production", "groundedness", 0.02, 5000, 2.25)
    text = (
        "slos:\n  - {name: grounding, mode: live, unit: session}\n"
        "  - {name: alone, sli: {evaluation: groundedness}, objective: 95%, layer: quality, failure_mode: hallucination}"
    )
    series = {name.replace('"bot"', f'"{who}"'): "0+5x10" for name in (PASS, FAIL) for who in ("bot", "else", "third")}
    wanted = {("grounding", "bot"): 8, ("grounding", "else"): 6, ("grounding", "third"): 8, ("alone", "bot"): 4}
    expressions = [
        (
            f'round(max(truegreen:slo_bad_lcb:ratio15m{{slo="{slo}",service="{who}"}}) * 1000000)',
            "10m",
            round(50 * (1 - 1 / 450 - z / (3 * 50**0.5)) ** 3 / 100 * 1e6),
        )
        for (slo, who), z in wanted.items()
    ]
    tested = tried(config(text), series, expressions)
    assert tested.returncode == 0, tested.stderr


@pytest.mark.parametrize("boundary", ["10", "10.0"])
def test_a_latency_threshold_finds_its_bucket_in_prometheus_2_and_3(config, tried, boundary):
    """Prometheus 3 writes le="10.0" where 2 keeps le="10"."""
    who = 'service="bot",environment="production",operation="chat"'
    series = {
        f"truegreen_llm_duration_seconds_count{{{who}}}": "0+10x60",
        f'truegreen_llm_duration_seconds_bucket{{{who},le="{boundary}"}}': "0+9x60",
        f'truegreen_llm_duration_seconds_bucket{{{who},le="20"}}': "0+10x60",
    }
    tested = tried(config(), series, [('round(max(truegreen:slo_bad:ratio15m{slo="latency"}) * 1000)', "30m", 100)])
    assert tested.returncode == 0, tested.stderr


def test_the_canary_is_never_judged(config, tried):
    """Its wrong answers are planted."""
    canary = 'service="truegreen-canary"'
    series = {PASS.replace('service="bot"', canary): "0+1x60", FAIL.replace('service="bot"', canary): "0+9x60"}
    tested = tried(config(LIVE), series, [(f'count({{__name__=~"truegreen:slo.*",{canary}}})', "60m", None)])
    assert tested.returncode == 0, tested.stderr


def test_a_scrape_that_overwrites_service_is_said_aloud(config, tried):
    """A ServiceMonitor without honorLabels empties every rule."""
    series = {'truegreen_llm_requests_total{service="pod",exported_service="bot",job="pods"}': "0+1x60"}
    said = tried(config(), series, alerts=[("TruegreenLabelsOverwritten", "10m")]).stderr
    assert "Rules find no service bot where job pods scrapes: set honor_labels: true" in said


@pytest.mark.parametrize(("delivered", "left"), [(80, 0), (70, 10)])
def test_the_loss_of_a_destination_can_be_asked_as_its_page_writes_it(config, tried, delivered, left):
    """docs/forwarding.md: what was accepted less what was delivered, dropped and is in the queue, for each destination."""
    page = (Path(__file__).parents[2] / "docs" / "forwarding.md").read_text("utf-8")
    asked = " ".join(re.search(r"```promql\n(.*?)```", page, re.DOTALL)[1].split())
    series = {
        'truegreen_collector_accepted_requests_total{instance="i",signal="traces"}': "100x10",
        'truegreen_collector_accepted_requests_total{instance="i",signal="logs"}': "7x10",
    }
    for name, sent in (("a", delivered), ("b", 80)):
        own = f'instance="i",destination="{name}"'
        series |= {
            f"truegreen_collector_forward_delivered_total{{{own}}}": f"{sent}x10",
            f'truegreen_collector_forward_dropped_total{{{own},reason="rejected"}}': "10x10",
            f'truegreen_collector_forward_dropped_total{{{own},reason="expired"}}': "5x10",
            f"truegreen_collector_forward_queue_requests{{{own}}}": "5x10",
        }
    tested = tried(
        config(),
        series,
        [
            (
                f'sum(({asked}) and on (destination) {{__name__="truegreen_collector_forward_queue_requests",destination="a"}})',
                "5m",
                left,
            ),
            (f"count({asked})", "5m", 2),
        ],
    )
    assert tested.returncode == 0, tested.stderr


def test_answers_without_passages_say_what_to_call(config, tried):
    """Skipped as no_context everywhere: nobody reads a log line at start."""
    series = {
        f'truegreen_evaluations_total{{{WHO},evaluator="e",result="skipped",reason="no_context",sampled="base"}}': "0+5x60",
        PASS: "0+0x60",
        FAIL: "0+0x60",
    }
    said = tried(config(), series, alerts=[("TruegreenNoPassages", "30m")]).stderr
    assert "Call retrieval(documents=…) where your code retrieves." in said
    assert 'sev="3"' in said


@pytest.mark.parametrize("window", ["7d", "28d", "30d"])
def test_the_balance_of_a_budget_is_of_the_slos_own_window(config, written, window):
    """The longest counts are those of the window, and no other long ones are written."""
    rules = yaml.safe_load(
        (written(config(f"slos: [{{name: latency, window: {window}}}]")) / "truegreen.rules.yml").read_text("utf-8")
    )
    exprs = {rule["record"]: rule["expr"] for group in rules["groups"] for rule in group["rules"] if "record" in rule}
    assert f'truegreen:slo_bad:ratio{window}{{slo="latency"}}' in exprs["truegreen:slo_error_budget_remaining:ratio"]
    assert {name for name in exprs if re.search(r"increase\d+d", name)} == {
        f"truegreen:slo_{what}:increase{each}" for what in ("bad", "events") for each in ("1d", "3d", window)
    }


def _alerts(made):
    rules = yaml.safe_load(made.files["truegreen.rules.yml"])
    return [rule for group in rules["groups"] for rule in group["rules"] if rule.get("alert") == "TruegreenBudgetBurn"]


def test_a_tier_has_the_sev_that_the_slo_gives_it(config):
    """Where it is live only; a service that never pages gets no more than a sev 2 of it."""
    text = "services: {batch: {customer_facing: false}}\nslos: [{name: grounding, mode: live, severities: {fast: 2, slow: 1, ticket: 2}}]"
    found = {
        (a["labels"]["burn_tier"], a["labels"]["mode"], a["labels"]["sev"], a["labels"]["severity"])
        for a in _alerts(files(config(text), 1))
    }
    live = {("fast", "2", "warning"), ("slow", "1", "critical"), ("slow", "2", "warning"), ("ticket", "2", "warning")}
    assert found == {(tier, "live", *sev) for tier, *sev in live} | {
        (tier, "shadow", "3", "info") for tier in ("fast", "slow", "ticket")
    }


def test_alerts_carry_the_owner_and_labels_of_ones_own_as_they_are_written(config, calibrate, tried):
    """Braces are no template, records stay without them, and ours win."""
    calibrate("bot", "production", "groundedness", 0.02, 5000)
    odd = "{{ $value }}"
    text = f"slos: [{{name: grounding, owner: 'a {odd}', labels: {{team: '{odd}'}}}}]"
    said = tried(config(text), {PASS: "0+10x60 605+5x60", FAIL: "0+0x60 5+5x60"}, alerts=[("TruegreenBudgetBurn", "80m")]).stderr
    assert f'owner="a {odd}"' in said
    assert f'team="{odd}"' in said
    rules = [
        rule for group in yaml.safe_load(files(config(text), 1).files["truegreen.rules.yml"])["groups"] for rule in group["rules"]
    ]
    assert {rule["alert"] for rule in rules if "team" in rule.get("labels", {})} == {"TruegreenBudgetBurn", "TruegreenDrift"}


def test_sessions_without_a_measured_effect_stay_in_shadow_and_it_is_said(config, calibrate):
    """Answers of one session repeat each other: without a measurement a page would be a guess."""
    text = "slos: [{name: grounding, mode: live, unit: session}]"
    held = files(config(text), 1)
    assert {a["labels"]["mode"] for a in _alerts(held)} == {"shadow"}
    assert any(line.startswith("grounding: unit is session and no calibration measured") for line in held.statement)
    calibrate("bot", "production", "groundedness", 0.02, 5000, 2.0)
    freed = files(config(text), 1)
    assert "live" in {a["labels"]["mode"] for a in _alerts(freed)}
    assert not any("unit is session" in line for line in freed.statement)
