"""Whatever own metrics truegreen.yaml is let through with: they compile, count, are exposed and explained."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_requests import HOLD, INTERVAL, Clock, judged, llm, span, traces
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families as families

from truegreen.collector import exposition, generate_otelcol
from truegreen.collector.explain import explained
from truegreen.collector.generate_metrics import mark
from truegreen.collector.model import Exposed
from truegreen.collector.processor import Processor
from truegreen.core.config import parse_text
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.catalogue_own import Catalogue
from truegreen.core.words.metric import Metric, Value

LABELS = [
    "model",
    "cohort",
    "llm_outcome",
    "result",
    "verdict_of_answer",
    "evaluation",
    "finish_reason",
    "region",
    "place",
    "kind",
    "tool",
    "token_type",
]
READS: list[dict[str, Any]] = [
    {"attribute": "shop.amount"}, {"attribute": ["shop.a", "shop.amount"]}, {"evaluation": "score"}, {"computed": "duration"},
    {"computed": "time_per_output_token"}, {"item": True}, {},
]  # fmt: skip
CONDITIONS: list[dict[str, Any]] = [
    {"attribute": "shop.plan"}, {"attribute": "shop.plan", "in": ["premium"]}, {"attribute": "shop.plan", "contains": ["prem"]},
    {"attribute": "shop.amount", "over": 2}, {"attribute": "shop.amount", "equals": 3}, {"attribute": "shop.flag", "equals": True},
    {"attribute": "shop.list", "has": ["x"]}, {"condition": "answer"}, {"condition": "judged"}, {"computed": "status_error"},
    {"evaluation": "label", "in": ["fail"]}, {"resource": "service.name", "in": ["bot"]}, {"attribute": ["shop.a", "shop.plan"], "in": ["premium"]},
    {"attribute": ["shop.a", "shop.plan"]}, {"evaluation": "name", "in": ["tone"]}, {"evaluation": "name"},
    {"resource": ["deployment.environment", "service.name"], "contains": ["BOT"]}, {"attribute": "shop.plan", "contains": ["PREM"]},
]  # fmt: skip
condition = st.sampled_from(CONDITIONS) | st.builds(
    lambda op, parts: {op: parts[0] if op == "not" else parts},
    st.sampled_from(["all", "any", "not"]),
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2),
)
value = st.builds(
    lambda read, more: {**read, **more},
    st.sampled_from(READS),
    st.fixed_dictionaries(
        {},
        optional={
            "range": st.sampled_from([[0, None], [0, 1], [None, None], [-1, 1]]),
            "minus": st.just("shop.less"),
            "squared": st.booleans(),
            "default": st.sampled_from([0, 1, 2.5]),
            "cases": st.lists(st.builds(lambda when, then: {"when": when, "then": then}, condition, st.sampled_from([0, 1, 3, 0.5, "x"])), min_size=1, max_size=2),
        },
    ),
)  # fmt: skip
entry = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["shop.x", "shop.y", "shop.x.count"]),
        "unit": st.sampled_from(["", "s", "1", "{thing}", "By"]),
        "kind": st.sampled_from(["counter", "gauge", "histogram"]),
        "description": st.just('Things that "happen" \\ here.'),
        "span": st.sampled_from(["llm", "tool", "guardrail", "pay", "everything"]),
        "labels": st.lists(st.sampled_from(LABELS), max_size=3, unique=True),
    },
    optional={
        "value": value,
        "when": condition,
        "each": st.sampled_from(["evaluation", "shop.list", "shop.amounts", "gen_ai.response.finish_reasons"]),
        "buckets": st.sampled_from([[0.5], [0, 1, 10]]),
        "parts": st.lists(st.builds(lambda v, label: {"value": v, "labels": label}, value, st.sampled_from([{"type": "input"}, {"kind": "a"}, {"no": "x"}])), min_size=1, max_size=2),
        "born": st.builds(lambda when, label: {"when": when, "label": label}, condition, st.sampled_from(["result", "kind", "type", "model"])),
        "expires": st.just(3),
    },
)  # fmt: skip
LESS = {
    "labels": {"region": {"attribute": "shop.region", "default": "unknown", "limit": 3}, "place": {"attribute": ["shop.a", "shop.region"], "limit": 3}, "kind": {"attribute": "shop.kind", "values": ["a", "b"]}},
    "spans": {"pay": {"attribute": "shop.step", "in": ["pay"]}, "everything": {"attribute": "gen_ai.operation.name"}},
}  # fmt: skip
SHOP: dict[str, Any] = {
    "shop.amount": 3, "shop.less": 1.5, "shop.plan": "premium", "shop.flag": True, "shop.list": ["x", "y"], "shop.amounts": [0.5, 20.0],
    "shop.step": "pay", "shop.region": "eu", "shop.kind": "a", "gen_ai.response.finish_reasons": ["stop", "length"],
}  # fmt: skip
SPANS = [
    judged("fail") | SHOP, llm() | SHOP, llm(), dict(SHOP), {"gen_ai.operation.name": "execute_tool"} | SHOP, {"truegreen.guardrail.name": "g"} | SHOP,
    llm() | dict.fromkeys(SHOP, "text"), llm() | dict.fromkeys(SHOP, 7), judged("pass") | {"shop.amount": float("nan"), "shop.list": [], "shop.amounts": ["x"]},
]  # fmt: skip
OURS = frozenset(metric.name for metric in catalogue.ALL if metric.source != "collector")


def ours(exposed: list[Exposed]) -> dict[str, object]:
    """The series of our metrics of applications."""
    return {one.metric.name: dict(one.series) for one in exposed if one.metric.name in OURS}


def amounts(metric: Metric) -> bool:
    """Whether it may count anything."""
    values = [part.value for part in metric.parts] or [metric.value or Value(default=1)]
    return any(value.read or value.cases or value.default is not None for value in values)


def own(entries: list[dict[str, Any]]) -> Catalogue | None:
    """What is derived with these entries; None where they are refused."""
    if not entries:
        return None
    try:
        return parse_text(json.dumps({"metrics": {**LESS, "entries": entries}}), "truegreen.yaml", {}, None).metrics
    except BadInput:
        return None


@pytest.mark.full
@settings(max_examples=12)
@given(st.lists(entry, min_size=6, max_size=12))
def test_what_is_let_through_is_counted_exposed_and_explained(entries: list[dict[str, Any]]) -> None:
    """No error in the processor, in either format, or in --explain; a counter never falls; ours are what they are without it."""
    let_through = [{**one, "name": f"shop.m{at}"} for at, one in enumerate(entries) if own([one])]
    derived = own(let_through) or Catalogue()
    assert len(derived.own) == len(let_through)
    clock = Clock()
    processor, plain = Processor(clock, INTERVAL, derived=derived), Processor(clock, INTERVAL)
    request = traces([span(one) for one in SPANS] + [span(SPANS[0], error=True)])
    seen: dict[tuple[str, tuple[str, ...]], float] = {}
    for _ in range(2):
        for each in (processor, plain):
            each.traces(request)
        clock.advance(HOLD)
        for one in (each for each in processor.copy() if each.metric in derived.own and each.metric.kind != "gauge"):
            for labels, numbers in one.series.items():
                assert numbers[0] >= seen.get((one.metric.name, labels), 0.0)
                seen[one.metric.name, labels] = numbers[0]
    exposed = processor.copy()
    assert list(families(exposition.text(exposed, {}))) and list(openmetrics_families(exposition.openmetrics(exposed, {})))
    assert ours(exposed) == ours(plain.copy())
    for metric in derived.own:
        assert "p[0] += 1" in explained(metric.prometheus, derived, as_json=False)
    generated = generate_otelcol.metrics(["groundedness", "tone"], INTERVAL, derived)
    counted = {one["name"] for kind in ("spans", "logs") for one in generated["connectors"]["signal_to_metrics"].get(kind, ())}
    assert {metric.name for metric in derived.own if mark(metric)[0] != "none" and amounts(metric)} <= counted
    assert "not ()" not in generate_otelcol.text(generated, "")
