"""SLOs on a user's own metrics: the rules, their promtool tests, and what is refused of them."""

from __future__ import annotations

import re

import pytest

from truegreen.alert_rules.generate import files
from truegreen.collector.exposition import text
from truegreen.collector.processor import Processor
from truegreen.core.errors import BadInput
from truegreen.runbook.model import Target
from truegreen.runbook.selectors import counters

METRICS = """
metrics:
  spans: {checkout: {attribute: shop.step}}
  labels:
    result_of_step: {label: outcome, attribute: shop.outcome, values: [good, not found, other], default: good}
    region: {attribute: shop.region, default: unknown, limit: 5}
  entries:
    - {name: shop.steps, unit: "", kind: counter, description: Steps of it., span: checkout, labels: [result_of_step, region]}
    - {name: shop.refunds, unit: "", kind: counter, description: Refunds of it., span: checkout, labels: [region], when: {attribute: shop.refund}}
    - {name: shop.size, unit: By, kind: histogram, description: Sizes of it., span: checkout, labels: [region], value: {attribute: shop.size, range: [0, null]}, buckets: [0.00001, 2.5, 1000, 1000000, 1048577]}
    - {name: shop.priced.timestamp, unit: s, kind: gauge, description: When the prices were read., span: checkout, labels: [], value: {attribute: shop.priced}}
"""
SLIS = [
    "{metric: shop_steps_total, label: outcome, bad: [good, not found]}",
    "{metric: shop_steps_total, label: outcome, bad: [not found], among: [not found, good]}",
    "{metric: shop_steps_total, label: region, bad: [good]}",
    "{metric: shop_refunds_total, total: shop_steps_total}",
    "{metric: shop_refunds_total, total: truegreen_agent_runs_total}",
    "{metric: shop_size_bytes, threshold: 1000000}",
    "{metric: shop_size_bytes, threshold: 0.00001, where: {region: eu}}",
    "{metric: shop_size_bytes, threshold: 1000}",
    "{metric: shop_priced_timestamp_seconds, younger_than: 24h}",
    "{metric: shop_steps_total, label: outcome, bad: [not found], where: {region: eu}}",
    "{metric: shop_refunds_total, total: shop_steps_total, where: {region: eu}}",
    "{metric: shop_priced_timestamp_seconds, at_least: 1700000000}",
]


def _slos(*slis):
    every = (
        f"  - name: own{at}\n    objective: 99%\n    layer: business\n    failure_mode: latency\n    mode: live\n    sli: {sli}\n"
        for at, sli in enumerate(slis)
    )
    return "slos:\n" + "".join(every)


@pytest.mark.full
def test_rules_on_own_metrics_pass_lint_and_the_tests_that_look_at_each_number(config, written, promtool):
    """One of each kind of SLI at once."""
    folder = written(config(_slos(*(SLIS[at] for at in (1, 3, 6, 8))) + METRICS))
    _passes(promtool, folder, folder / "truegreen.rules.edges.test.yml")


@pytest.mark.full
@pytest.mark.parametrize("sli", SLIS)
def test_rules_on_own_metrics_pass_all_of_their_tests(config, written, promtool, sli):
    """Every kind of SLI: each alert fires when it must and is silent when it must."""
    folder = written(config(_slos(sli) + METRICS))
    _passes(promtool, folder, *sorted(folder.glob("*.test.yml")))


def _passes(promtool, folder, *tests):
    checked = promtool("check", "rules", "--lint=all", "--lint-fatal", folder / "truegreen.rules.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    tested = promtool("test", "rules", *tests)
    assert tested.returncode == 0, tested.stdout + tested.stderr


@pytest.mark.parametrize("threshold", ["0.00001", "2.5", "1000", "1000000", "1048577"])
def test_a_threshold_is_the_bucket_that_the_collector_shows(config, threshold):
    """An exporter writes 1e+06: a rule on le="1000000" would see no good event, and the SLO would always burn."""
    made = config(_slos(f"{{metric: shop_size_bytes, threshold: {threshold}}}") + METRICS)
    rule = files(made, 1).files["truegreen.rules.yml"]
    ((equal, wanted),) = {found[1:] for found in re.findall(r'(shop_size_bytes_bucket\{[^}]*le(=~?)"([^"]+)")', rule)}
    processor = Processor(lambda: 0.0, 15.0, derived=made.metrics)
    metric = made.metrics.by_name["shop_size_bytes"]
    processor.store.admit(metric, "shop", "production", ("eu",))
    shown = text(processor.copy(), {})
    exposed = [le for le in re.findall(r'shop_size_bytes_bucket\{[^}]*le="([^"]+)"', shown) if le != "+Inf"]
    pattern = wanted if equal == "=~" else re.escape(wanted)
    asked = counters(made.slos[0], Target("shop", "production", "own0"))
    of_runbook = re.findall(r'le=~"([^"]+)"', asked[1])[0].replace("\\\\", "\\")
    for one in (pattern, of_runbook):
        assert [float(le) for le in exposed if re.fullmatch(one, le)] == [float(threshold)]


@pytest.mark.parametrize(
    ("sli", "key", "found", "instead"),
    [
        ("{metric: shop_steps, total: shop_refunds_total}", "sli.metric", "no metric is named shop_steps", "shop_steps_total"),
        ("{metric: shop.size, threshold: 1000}", "sli.metric", "no metric is named shop.size", "shop_size_bytes"),
        (
            "{metric: shop_sold, total: shop_steps_total}",
            "sli.metric",
            "no metric is named shop_sold",
            "a metric of docs/metrics.md, or shop_steps_total, or",
        ),
        ("{metric: shop_steps_total, total: shop_size_bytes}", "sli.total", "shop_size_bytes is a histogram", "a counter"),
        ("{metric: shop_size_bytes, threshold: 1001}", "sli.threshold", "1001 is no bucket boundary", "1000, 1000000"),
        ("{metric: shop_steps_total, label: place, bad: [eu]}", "sli.label", "has no label place", "outcome, region"),
        ("{metric: shop_steps_total, label: outcome, bad: [bad]}", "sli.bad", "is never bad", "good, not found, other"),
        (
            "{metric: shop_size_bytes, threshold: 1000, where: {outcome: good}}",
            "sli.where",
            "has no label outcome",
            "one of region",
        ),
    ],
)
def test_an_sli_that_no_own_metric_serves_is_refused(config, sli, key, found, instead):
    """With file, line, key, what was found and what to write, as for ours."""
    with pytest.raises(BadInput) as raised:
        files(config(_slos(sli) + METRICS), 1)
    message = str(raised.value)
    assert f"truegreen.yaml:7: slos[0].{key} (own0): " in message
    assert found in message
    assert instead in message.split("; write ")[1]
