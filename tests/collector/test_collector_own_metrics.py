"""A user's own metrics, from truegreen.yaml to Prometheus, and what `--explain` says of them and of ours."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner
from collector_process import Running, until
from hypothesis import assume, given
from hypothesis import strategies as st
from otlp_requests import HOLD, INTERVAL, Clock, judged, llm, shown, span, traces

from truegreen.collector import wire
from truegreen.collector.commands import collect
from truegreen.collector.explain import explained
from truegreen.collector.plan import Facts, holds
from truegreen.collector.processor import Processor
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.metric import Condition, Metric, Read

PAGE = Path(__file__).parents[2] / "docs/collector.md"
GATES = """
metrics:
  spans:
    payment: {attribute: shop.step, in: [pay]}
    chat: {attribute: gen_ai.operation.name, in: [chat]}
    any_call: {attribute: gen_ai.operation.name}
  labels:
    region: {attribute: shop.region, default: unknown, limit: 3}
  entries:
    - {name: shop.payments, unit: "{payment}", kind: counter, description: Payments by region., span: payment, labels: [region]}
    - {name: shop.chats, unit: "{chat}", kind: counter, description: Chats by region., span: chat, labels: [region]}
    - {name: shop.calls, unit: "{call}", kind: counter, description: Calls of any kind., span: any_call, labels: []}
    - name: shop.judged
      unit: "{verdict}"
      kind: counter
      description: Verdicts by region.
      span: llm
      each: evaluation
      born: {when: {evaluation: label}, label: result}
      labels: [region, evaluation, result]
    - {name: shop.basket, unit: "", kind: gauge, description: Newest size of a basket., span: payment, value: {attribute: shop.items}, labels: []}
    - name: shop.amounts
      unit: "1"
      kind: histogram
      description: Amounts of one payment.
      span: payment
      each: shop.amounts
      value: {item: true, range: [0, 100]}
      labels: []
      buckets: [1, 10]
"""


def example() -> str:
    """The example of the docs page."""
    return re.search(r"```yaml\n(metrics:\n.*?)```", PAGE.read_text("utf-8"), re.DOTALL)[1]  # type: ignore[index]


def own(text: str) -> Catalogue:
    return parse_text(text, "truegreen.yaml", {}, None).metrics


def test_own_metrics_are_derived_with_the_same_rules_and_ours_stay_the_same(clock: Clock) -> None:
    """Own classes of spans beside and across ours, limits, birth at 0, gauges, lists; without them every series of ours is equal."""
    derived = own(GATES)
    request = traces(
        [
            span(llm(shop__region="eu")),
            span(judged("fail", shop__region="us", shop__step="pay", shop__items=3, shop__amounts=[0.5, 5.0, 1000.0])),
            span({"shop.step": "pay", "shop.region": "eu"}),
            span({"shop.step": "look"}),
            span({"gen_ai.operation.name": "execute_tool"}),
        ]
    )
    more, plain = Processor(clock, INTERVAL, derived=derived), Processor(clock, INTERVAL)
    for processor in (more, plain):
        processor.traces(request)
    assert all(numbers == [0] for numbers in shown(more, derived.own[0]).values()), "born at 0"
    clock.advance(HOLD)
    found = {metric.prometheus: shown(more, metric) for metric in derived.own}
    basket = found.pop("shop_basket")
    assert basket[()][0] == 3
    assert found == {
        "shop_payments_total": {("us",): [1], ("eu",): [1]},
        "shop_chats_total": {("eu",): [1], ("us",): [1]},
        "shop_calls_total": {(): [3]},
        "shop_judged_total": {
            ("us", "groundedness", "pass"): [0],
            ("us", "groundedness", "fail"): [1],
            ("us", "groundedness", "skipped"): [0],
        },
        "shop_amounts": {(): [5.5, 1, 1, 0]},
    }
    ours = [m for m in catalogue.ALL if m.source != "collector"]
    assert {m.name: shown(more, m) for m in ours} == {m.name: shown(plain, m) for m in ours}


def test_a_label_of_ones_own_has_a_limit(clock: Clock) -> None:
    """Past it values fold into one, and the counter of overflows says so."""
    derived = own(GATES)
    processor = Processor(clock, INTERVAL, derived=derived)
    processor.traces(traces([span({"shop.step": "pay", "shop.region": f"r{i}"}) for i in range(10)]))
    clock.advance(HOLD)
    assert shown(processor, derived.own[0]) == {("r0",): [1], ("r1",): [1], ("r2",): [1], ("__overflow__",): [7]}
    assert shown(processor, catalogue.COLLECTOR_OVERFLOW)["shop_payments_total",][0] > 0


def test_the_example_of_the_docs_reaches_the_metrics_endpoint(start: Callable[..., Running], tmp_path: Path) -> None:
    """The real command with the truegreen.yaml of docs/collector.md counts what it says."""
    (tmp_path / "truegreen.yaml").write_text(example())
    collector = start("--scrape-interval", "10ms")
    sent = [
        llm(shop__plan="premium", shop__region="eu"),
        llm(shop__plan="free"),
        {"shop.checkout.step": "pay", "shop.region": "eu"},
    ]
    collector.post(traces([span(one, seconds=0.5) for one in sent]))
    who = 'service="bot",environment="production"'
    wanted = {
        f'shop_premium_answers_total{{{who},model="large",region="eu"}} 1\n',
        f'shop_checkout_duration_seconds_bucket{{{who},region="eu",le="1"}} 1\n',
    }
    until(lambda: all(line in collector.get("/metrics")[1] for line in wanted), f"the lines {wanted}")
    assert "# TYPE shop_premium_answers_total counter\n" in collector.get("/metrics")[1]


def test_a_mistake_ends_the_command_with_file_line_and_key(tmp_path: Path) -> None:
    """Exit code 2, no traceback."""
    from truegreen.core.errors import BadInput

    (tmp_path / "bad.yaml").write_text(example().replace("limit: 20", "limit: 20000"))
    result = CliRunner().invoke(collect, ["--config", str(tmp_path / "bad.yaml"), "--explain"])
    assert isinstance(result.exception, BadInput)
    assert re.search(
        r"bad.yaml:\d+: metrics.labels.region.limit: found 20000: over the limit; write at most 1000", str(result.exception)
    )


def explain(*options: str) -> str:
    result = CliRunner().invoke(collect, ["--explain", *options], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.mark.parametrize(
    "metric", [m for m in catalogue.ALL if m.source.startswith(("span", "agent"))], ids=lambda m: m.prometheus
)
def test_explain_shows_both_names_the_labels_and_the_code_that_counts_it(metric: Metric) -> None:
    """Every metric that spans feed: OTLP and Prometheus name, labels with limit or values, and lines that stand in the compiled source."""
    said = explain(metric.prometheus)
    assert f"## {metric.prometheus}\n" in said and f"OTLP `{metric.name}`" in said
    for label in metric.label_set:
        row = next(line for line in said.splitlines() if line.startswith(f"| `{label.name}`"))
        assert all(f"`{value}`" in row for value in label.values if value) if label.values else f"at most {label.limit}" in row
    code = said.partition("into its cell.\n")[2]
    source = {line.strip() for line in explain("source").splitlines()}
    lines = [line.strip().replace("elif code", "if code") for line in code.splitlines() if line.strip()]
    assert "p[0] += 1" in lines
    assert {line for line in lines if not line.startswith("if code")} <= source
    if metric.kind == "histogram":
        assert any(f"bisect(EDGES_{metric.prometheus}" in line for line in lines), code


def test_explain_of_another_metric_leaves_its_neighbours_out() -> None:
    """The piece, not the whole: tokens are not counted by the lines of the duration."""
    tokens, duration = explain("truegreen_llm_tokens_total"), explain("truegreen_llm_duration_seconds")
    assert "EDGES_truegreen_llm_duration_seconds" in duration and "EDGES" not in tokens
    assert "m0[0] += d" in duration and "m0" not in tokens.replace("m0, ", "")
    assert "No span feeds it: its source is collector." in explain("truegreen_collector_series")


def test_explain_knows_the_metrics_of_truegreen_yaml(tmp_path: Path) -> None:
    """In the list, alone, and as JSON."""
    path = tmp_path / "mine.yaml"
    path.write_text(example())
    with_mine = ("--config", str(path))
    listed = explain(*with_mine)
    assert listed.count("\n") == len(catalogue.ALL) + 2
    assert listed.count("(truegreen.yaml)") == 2
    alone = explain("shop.checkout.duration", *with_mine)
    assert "## shop_checkout_duration_seconds" in alone and "of truegreen.yaml" in alone and "constant" not in alone
    assert "bisect(EDGES_shop_checkout_duration_seconds" in alone
    (row,) = json.loads(explain("shop_premium_answers_total", "--json", *with_mine))
    assert (row["own"], row["name"]) == (True, "shop.premium.answers") and "p[0] += 1" in "".join(row["code"])
    assert all(not row["own"] for row in json.loads(explain("--json")))


def test_histograms_of_like_names_keep_their_own_bounds(clock: Clock) -> None:
    """One called as ours is but for `truegreen`, and two that differ by a dot and the unit."""
    histogram = "kind: histogram, description: Something that is counted., span: llm, labels: [], value"
    derived = own(
        f"""
metrics:
  entries:
    - {{name: llm.duration, unit: s, {histogram}: {{computed: duration, range: [0, null]}}, buckets: [1000, 2000]}}
    - {{name: shop.a_b, unit: s, {histogram}: {{attribute: shop.n, range: [0, null]}}, buckets: [1, 10, 100]}}
    - {{name: shop.a.b, unit: By, {histogram}: {{attribute: shop.n, range: [0, null]}}, buckets: [0.1]}}
"""
    )
    processor = Processor(clock, INTERVAL, derived=derived)
    processor.traces(traces([span(llm(shop__n=50), seconds=0.3)]))
    clock.advance(HOLD)
    found = [next(iter(shown(processor, metric).values())) for metric in (catalogue.LLM_DURATION, *derived.own)]
    assert [numbers.index(1, 1) for numbers in found] == [3, 1, 3, 2]
    assert [len(numbers) for numbers in found[1:]] == [4, 5, 3]


@pytest.mark.parametrize("name", ["a'\u2028b or \"c", "shop.\u0085", "{x} # 'y'"])
def test_a_name_of_an_attribute_is_never_code(name: str, clock: Clock) -> None:
    """Whatever letters it has, the source compiles and counts."""
    text = {"attribute": name, "default": "none", "limit": 3}
    derived = own(
        json.dumps(
            {"metrics": {"labels": {"r": text}, "entries": [{
                "name": "shop.x", "unit": "", "kind": "counter", "description": "Something that is counted.", "span": "llm", "labels": ["r"],
            }]}}
        )
    )  # fmt: skip
    processor = Processor(clock, INTERVAL, derived=derived)
    processor.traces(traces([span(llm() | {name: "v"})]))
    clock.advance(HOLD)
    assert shown(processor, derived.own[0]) == {("v",): [1]}
    assert "p[0] += 1" in explained("shop_x_total", derived, as_json=False)


@given(st.text(min_size=1, max_size=8), st.text(max_size=4), st.text(max_size=4), st.sampled_from([str, str.upper, str.lower]))
def test_a_word_is_found_in_any_case_of_letters(word: str, before: str, after: str, case: Callable[[str], str]) -> None:
    """`contains`, whatever capitals the word of truegreen.yaml has."""
    assume(case(word).casefold() == word.casefold())
    condition = Condition("contains", Read("attribute", ("a",)), (word,))
    said = (before + case(word) + after).encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    assume(case(word) in said)
    assert holds(condition, Facts({("a",): wire.encoded(said)}))


def test_contains_with_capitals_counts(clock: Clock) -> None:
    """From truegreen.yaml on."""
    derived = own(
        """
metrics:
  entries:
    - {name: shop.x, unit: "", kind: counter, description: Something that is counted., span: llm, labels: [], when: {attribute: shop.plan, contains: [Premium]}}
"""
    )
    processor = Processor(clock, INTERVAL, derived=derived)
    processor.traces(traces([span(llm(shop__plan=plan)) for plan in ("Premium", "premium plus", "PREMIUM", "free")]))
    clock.advance(HOLD)
    assert shown(processor, derived.own[0]) == {(): [3]}


def test_a_counter_adds_large_numbers_in_no_more_room(clock: Clock) -> None:
    """What a span adds is one number however large, and the last case is the default."""
    derived = own(
        """
metrics:
  entries:
    - name: shop.points
      unit: ""
      kind: counter
      description: Something that is counted.
      span: llm
      labels: []
      value: {cases: [{when: {attribute: shop.vip}, then: 1099511627776}, {when: {attribute: shop.b}, then: 3}], default: 2}
"""
    )
    processor = Processor(clock, INTERVAL, derived=derived)
    clock.advance(HOLD)
    for found, attributes in ((2, llm()), (5, llm(shop__b="x")), (5 + 2**40, llm(shop__vip="x"))):
        processor.traces(traces([span(attributes)]))
        clock.advance(HOLD)
        assert shown(processor, derived.own[0]) == {(): [found]}
