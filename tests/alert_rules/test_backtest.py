"""A backtest fires when Prometheus would have: held to promtool, minute by minute, and to Prometheus' own rules of `for` and `keep_firing_for`."""

import random
from dataclasses import replace
from decimal import Decimal

import pytest
import yaml

from truegreen.alert_rules import backtest_alerts as alerts
from truegreen.alert_rules import backtest_engine as backtest
from truegreen.alert_rules import backtest_samples, budgets, generate
from truegreen.alert_rules.backtest_plan import plan, with_memory
from truegreen.alert_rules.ladder import TIERS
from truegreen.alert_rules.model import Alert, Group, Record
from truegreen.alert_rules.oracle import Phase, cumulative, span
from truegreen.alert_rules.windows import Clock
from truegreen.core.words.records import BUDGET_BURN

SLOS = """
slos:
- {name: grounding, mode: live}
- {name: tool_success, mode: live}
services: {inner: {customer_facing: false}}
"""
MINUTES = 360
WHO = 'service="shop",environment="production"'


def _stream(rng, per_minute, storms, resets=(), gaps=()):
    """Good and bad, cumulative by minute; None where nothing was scraped."""
    good, bad = [0], [0]
    for minute in range(1, MINUTES + 1):
        share = next((p for a, b, p in storms if a <= minute < b), 0.01)
        n = sum(rng.random() < per_minute / 8 for _ in range(8))
        wrong = sum(rng.random() < share for _ in range(n))
        from_good, from_bad = (0, 0) if minute in resets else (good[-1], bad[-1])
        good.append(from_good + n - wrong)
        bad.append(from_bad + wrong)
    hidden = {m for a, b in gaps for m in range(a, b)}
    return [[None if m in hidden else v for m, v in enumerate(values)] for values in (good, bad)]


@pytest.fixture
def world():
    """Series of six hours: storms, a counter reset, a gap, a quiet spell, one that stops, one that is not customer-facing."""
    rng = random.Random(20)
    found = {}
    for service, args in {
        "shop": (3, [(60, 120, 0.9), (150, 154, 1.0), (200, 204, 1.0)], (90,), ()),
        "gap": (3, [(60, 200, 0.8)], (), ((100, 108), (140, 180))),
        "inner": (2, [(100, 200, 0.7)], (), ()),
        "sparse": (0.05, [(0, 360, 0.6)], (), ()),
    }.items():
        good, bad = _stream(rng, *args)
        who = f'service="{service}",environment="production"'
        for result, values in (("pass", good), ("fail", bad)):
            found[f'truegreen_evaluated_answers_total{{{who},evaluation="groundedness",evaluator="e",result="{result}"}}'] = (
                values
            )
    good, bad = _stream(rng, 2, [(30, 60, 0.5), (300, 360, 0.4)], (45,))
    for outcome, values in (("ok", good), ("error", bad)):
        found[f'truegreen_tool_calls_total{{{WHO},tool="t",outcome="{outcome}"}}'] = values
    found[f'truegreen_llm_requests_total{{{WHO},outcome="ok"}}'] = [min(m, 150) * 3 for m in range(MINUTES + 1)]
    return found


def _promtool_values(values):
    return " ".join("_" if v is None else str(v) for v in values)


@pytest.mark.full
def test_every_alert_fires_in_the_minutes_in_which_promtool_says_it_does(config, promtool, world, tmp_path):
    """All alerts of two SLOs and the watchers, every minute of six hours: the same set fires in a backtest and in promtool."""
    read = config(SLOS)
    every = tuple(budgets.judged(slo, ()) for slo in read.slos)
    # promtool evaluates every group at one interval.
    groups = [replace(group, interval="1m") for group in generate.groups(read, every, Clock(1))]
    samples = tmp_path / "past.om"
    samples.write_text(
        "".join(f"{name} {v} {60 * m}\n" for name, values in world.items() for m, v in enumerate(values) if v is not None)
        + backtest_samples.END
    )
    past, database = backtest.Past(samples, 0, 0, 60 * MINUTES), tmp_path / "database"
    database.mkdir()
    memory = with_memory(groups)
    assert memory == {"TruegreenTrafficCeased", "TruegreenIngestionStalled"}
    with backtest.replayed(plan(groups, lambda alert: alert.alert not in memory), past, database, alerts.of_plan) as replayed:
        fired = alerts.fired(replayed, 0, 60 * MINUTES)
    at = {minute: [] for minute in range(MINUTES)}
    for one in fired:
        for start, end in one.intervals:
            for minute in range(start // 60, min(MINUTES, -(-end // 60))):
                at[minute].append({**dict(one.labels), "alertname": one.alert, "alertstate": "firing"})
    expected = [
        {
            "expr": f'ALERTS{{alertstate="firing",alertname!~"{"|".join(sorted(memory))}"}}',
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": "ALERTS{" + ",".join(f'{k}="{v}"' for k, v in sorted(each.items())) + "}", "value": 1}
                for each in found
            ],
        }
        for minute, found in at.items()
    ]
    rules = tmp_path / "rules.yml"
    rules.write_text(
        yaml.safe_dump({"groups": [{"name": g.name, "interval": "1m", "rules": [_rule(r) for r in g.rules]} for g in groups]})
    )
    test = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "group_eval_order": [group.name for group in groups],
        "tests": [
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": _promtool_values(values)} for name, values in world.items()],
                "promql_expr_test": expected,
            }
        ],
    }
    path = tmp_path / "oracle.test.yml"
    path.write_text(yaml.safe_dump(test))
    done = promtool("test", "rules", path)
    assert done.returncode == 0, (done.stdout + done.stderr)[:4000]
    burning = {(one.label("slo"), one.label("service"), one.label("burn_tier")) for one in fired}
    assert {("grounding", "shop", "fast"), ("grounding", "inner", "fast"), ("tool_success", "shop", "fast")} <= burning
    assert {"TruegreenBudgetBurn", "TruegreenWatchdog"} <= {one.alert for one in fired}
    assert not [one for one in fired if one.label("service") == "sparse" and one.label("burn_tier") == "fast"]


def _rule(rule):
    """As promtool reads it; without annotations, which ask Prometheus at every evaluation."""
    if isinstance(rule, Record):
        return {"record": rule.record, "expr": rule.expr, "labels": dict(rule.labels)}
    held = {"for": rule.wait or "0s", "keep_firing_for": rule.keep_firing_for or "0s"}
    return {"alert": rule.alert, "expr": rule.expr, "labels": dict(rule.labels), **held}


@pytest.mark.parametrize(
    ("moments", "wait", "keep", "intervals"),
    [
        ([1, 2, 3], 0, 0, [(1, 4)]),
        ([1, 2, 4, 5], 0, 0, [(1, 3), (4, 6)]),
        ([1, 2, 3], 2, 0, [(3, 4)]),
        ([1, 2, 4, 5, 6], 2, 0, [(6, 7)]),  # one evaluation without a result starts `for` anew
        ([1, 2], 3, 9, []),  # never fired, so nothing is kept
        ([1], 0, 3, [(1, 5)]),  # empty at 2, kept while less than 3 have passed since: 2, 3, 4
        ([1, 4], 0, 3, [(1, 8)]),
        ([1, 5], 0, 3, [(1, 9)]),  # a result at the very evaluation at which it would end
        ([1, 6], 0, 3, [(1, 5), (6, 10)]),
        ([1, 2, 3, 5, 6, 7], 2, 2, [(3, 10)]),  # firing again within `keep_firing_for` does not wait again
        ([], 1, 1, []),
    ],
)
def test_for_and_keep_firing_for(moments, wait, keep, intervals):
    """In minutes; the end is the first evaluation that does not fire."""
    assert alerts.firing([60 * m for m in moments], 60, 60 * wait, 60 * keep) == [(60 * a, 60 * b) for a, b in intervals]


def test_what_fires_again_within_an_hour_is_one_page():
    """As in the simulation behind the ladder."""
    assert alerts.episodes([(0, 60), (3659, 3700)]) == [(0, 3700)]
    assert alerts.episodes([(3660, 3700), (0, 60)]) == [(0, 60), (3660, 3700)]


def test_what_reads_firing_alerts_comes_after_them(engine, tmp_path):
    """A record of firing alerts, and the alert that reads it; records of a slow group are there for a fast one until its next evaluation."""
    engine("prometheus")
    rules = [
        Group("late", "1m", (Alert("Both", "a:sum > 0 and on () t:business", {"sev": "1"}, {}), Record("t:business", 'count(ALERTS{alertname="Slow",alertstate="firing"}) > 0'))),
        Group("slow", "5m", (Record("a:sum", "sum(increase(a_total[5m])) > 10"), Alert("Slow", "a:sum > 0", {}, {}, keep_firing_for="10m"))),
    ]  # fmt: skip
    assert with_memory(rules) == frozenset()
    assert with_memory([Group("g", "1m", (Record("t:x", "t:x + 1"), Record("t:y", "t:x"), Alert("Sum", "t:y > 8", {}, {})))]) == {
        "Sum"
    }
    values = [0] * 11 + [20 * k for k in range(1, 11)] + [200] * 40
    samples = tmp_path / "past.om"
    samples.write_text("".join(f"a_total {v} {60 * m}\n" for m, v in enumerate(values)) + backtest_samples.END)
    database = tmp_path / "database"
    database.mkdir()
    with backtest.replayed(
        plan(rules, lambda alert: True), backtest.Past(samples, 0, 0, 3600), database, alerts.of_plan
    ) as replayed:
        fired = {one.alert: [(a // 60, b // 60) for a, b in one.intervals] for one in alerts.fired(replayed, 0, 3600)}
    # 5 min counts are over 10 at 15 and 20 min, and at 25 not: the record ends there, the alert is kept to 35.
    assert fired["Slow"] == [(15, 35)]
    assert fired["Both"] == [(15, 25)]


def test_the_first_page_comes_in_the_minute_that_the_oracle_names(config, engine, tmp_path):
    """A stream without chance, a step to 10x: fast and slow tier, in a backtest of two hours and a half and in plain Python."""
    engine("prometheus")
    read = config("slos: [{name: grounding, mode: live, objective: 95%}]")
    what = budgets.judged(read.slos[0], ())
    phases = [Phase(90, Decimal(200), Decimal("0.025")), Phase(120, Decimal(200), Decimal("0.5"))]
    events, bad = cumulative(phases)
    samples, database = tmp_path / "past.om", tmp_path / "database"
    database.mkdir()
    rows = [("pass", [n - x for n, x in zip(events, bad)]), ("fail", bad)]
    samples.write_text(
        "".join(
            f'truegreen_evaluated_answers_total{{{WHO},evaluation="groundedness",result="{result}"}} {value!r} {60 * minute}\n'
            for result, values in rows
            for minute, value in enumerate(values)
        )
        + backtest_samples.END
    )
    past, groups = backtest.Past(samples, 0, 0, 60 * 210), generate.groups(read, (what,), Clock(1))
    with backtest.replayed(plan(groups, lambda alert: alert.alert == BUDGET_BURN), past, database, alerts.of_plan) as replayed:
        found = {one.label("burn_tier"): one.intervals[0][0] // 60 for one in alerts.fired(replayed, 0, 60 * 210)}
    expected = {tier.name: span(phases, tier, Decimal("0.05"))[0] for tier in TIERS[:2]}
    assert {name: found[name] for name in expected} == expected
