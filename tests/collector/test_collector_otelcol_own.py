"""A user's own metrics in every form that truegreen.yaml takes: the same series in truegreen's collector and in a real OpenTelemetry Collector."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import otelcol_process
import pytest
import yaml
from collector_process import until
from otelcol_process import differences, series
from otlp_requests import HOLD, INTERVAL, Clock, judged, llm, span, traces

from truegreen.collector.exposition import text
from truegreen.collector.generate import files
from truegreen.collector.generate_metrics import mark
from truegreen.collector.processor import Processor
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue

OWN = """
evaluations: {tone: {}}
metrics:
  spans: {checkout: {attribute: shop.step}, third: {attribute: shop.k, in: ["3"]}}
  conditions:
    whole: {attribute: shop.k, in: ["3", "-7"]}
    fraction: {attribute: shop.k, in: ["3.0", "0.5", "1e-05", "1e+16"]}
    said_true: {attribute: shop.k, in: ["true"]}
    is_true: {attribute: shop.k, equals: true}
    is_three: {attribute: shop.k, equals: 3}
    is_tiny: {all: [{attribute: shop.k, under: 0.001}, {attribute: shop.k, over: 0.00000001}, {not: {attribute: shop.k, over: 100000000000000000000}}]}
    is_huge: {attribute: shop.k, equals: 100000000000000000000}
    holds: {attribute: shop.k, has: ["3", "x", "true", "0.5"]}
    within: {attribute: shop.k, contains: ["3", "X", "RU"]}
    bot: {resource: service.name, in: [bot]}
    sited: {resource: [deployment.environment, deployment.environment.name], contains: [PROD]}
    either: {attribute: [shop.a, shop.b], in: [x]}
    toned: {evaluation: name, in: [tone]}
  labels:
    first: {attribute: [shop.a, shop.b], default: none, limit: 5}
    asked_model: {attribute: gen_ai.request.model, default: none, limit: 5}
    said: {evaluation: label, default: none, limit: 5}
    what: {label: outcome, cases: [{when: {condition: either}, then: x}], default: other, values: [x, other]}
    ended: {item: true, limit: 9}
  entries:
    - {name: shop.of.bot, unit: "", kind: counter, description: Conditions on the resource., span: llm, labels: [first, asked_model], when: {condition: bot}}
    - {name: shop.sited, unit: "", kind: counter, description: Conditions on the resource., span: llm, labels: [model], when: {condition: sited}}
    - {name: shop.other, unit: "", kind: counter, description: Conditions on the resource., span: llm, labels: [], when: {not: {condition: bot}}}
    - {name: shop.either, unit: "", kind: counter, description: Of two attributes., span: llm, labels: [what], when: {attribute: [shop.b, shop.a]}}
    - {name: shop.tools, unit: "", kind: counter, description: An outcome of two classes., span: llm, labels: [tool_outcome]}
    - {name: shop.toned, unit: "", kind: counter, description: One evaluation alone., span: llm, each: evaluation, labels: [said], when: {condition: toned}}
    - {name: shop.third, unit: "", kind: counter, description: A class by its text., span: third, labels: []}
    - {name: shop.whole, unit: "", kind: counter, description: By what is written., span: checkout, labels: [], when: {condition: whole}}
    - {name: shop.fraction, unit: "", kind: counter, description: By what is written., span: checkout, labels: [], when: {condition: fraction}}
    - {name: shop.said.true, unit: "", kind: counter, description: By what is written., span: checkout, labels: [], when: {condition: said_true}}
    - {name: shop.true, unit: "", kind: counter, description: By what is written., span: checkout, labels: [], when: {condition: is_true}}
    - {name: shop.three, unit: "", kind: counter, description: By its number., span: checkout, labels: [], when: {condition: is_three}}
    - {name: shop.tiny, unit: "", kind: counter, description: By its number., span: checkout, labels: [], when: {condition: is_tiny}}
    - {name: shop.huge, unit: "", kind: counter, description: By its number., span: checkout, labels: [], when: {condition: is_huge}}
    - {name: shop.holds, unit: "", kind: counter, description: By an element., span: checkout, labels: [], when: {condition: holds}}
    - {name: shop.within, unit: "", kind: counter, description: By a part., span: checkout, labels: [], when: {condition: within}}
    - name: shop.small
      unit: ""
      kind: histogram
      description: Numbers in a range that is written with an exponent.
      span: checkout
      labels: []
      value: {attribute: shop.k, range: [0.00001, 100000000000000000000]}
      buckets: [0.00001, 1, 10000000000000000]
    - name: shop.amount
      unit: By
      kind: histogram
      description: The first of two numbers.
      span: checkout
      labels: [first]
      value: {attribute: [shop.n, shop.m], range: [0, null]}
      buckets: [1, 1048577]
    - name: shop.points
      unit: ""
      kind: counter
      description: The first case that holds.
      span: llm
      labels: [first]
      value: {cases: [{when: {condition: either}, then: 1234567}, {when: {attribute: shop.b}, then: 2}], default: 1}
    - {name: shop.twos, unit: "", kind: counter, description: Two for each span., span: checkout, labels: [], value: {default: 2}}
    - {name: shop.ends, unit: "", kind: counter, description: Elements of a list., span: llm, each: gen_ai.response.finish_reasons, labels: []}
    - {name: shop.ended, unit: "", kind: counter, description: Elements of a list., span: llm, each: gen_ai.response.finish_reasons, labels: [ended]}
    - name: shop.squares
      unit: ""
      kind: counter
      description: Squares of a list of numbers.
      span: checkout
      each: shop.list
      labels: []
      value: {item: true, squared: true, range: [0, null]}
"""
SPANS = [
    llm(), llm(shop__a="x", shop__b="y"), llm(shop__b="x"), llm(shop__b="z"), llm(shop__a="", shop__b="x"), llm(gen_ai__tool__name="t", truegreen__tool__outcome="timeout"),
    llm(shop__step="pay", shop__n=3, shop__m=5), llm(shop__step="pay", shop__m=2000000, shop__a="x"), {"shop.step": "look", "shop.m": 0.5, "shop.list": [1.5, 2.0]},
    judged("fail"), judged("pass") | {"truegreen.evaluation.tone.label": "fail", "truegreen.evaluation.tone.score": 0.5},
    llm(gen_ai__response__finish_reasons=["stop", "length"]), {"gen_ai.operation.name": "execute_tool", "truegreen.tool.outcome": "timeout"},
]  # fmt: skip


KEYS = [
    "3",
    3,
    3.0,
    "-7",
    -7,
    -7.0,
    0.5,
    "0.5",
    0.00001,
    "1e-05",
    1e16,
    "3.0",
    True,
    "true",
    False,
    "x",
    "",
    1e20,
    ["3"],
    [3],
    ["x", 0.5],
    [True],
    ["no"],
    [0.25],
]
SPANS += [{"shop.step": f"k{at}", "shop.k": key} for at, key in enumerate(KEYS)]


@pytest.mark.full
def test_every_form_of_an_own_metric_counts_alike(engine: Callable[[str], Path], tmp_path: Path) -> None:
    """Lists of attributes, the resource, an evaluation's name, cases, labels that read what others read; and ours beside them."""
    config = parse_text(OWN, "t", {}, None)
    clock = Clock()
    processor = Processor(clock, INTERVAL, derived=config.metrics)
    bodies = [traces([span(one) for one in SPANS]), traces([span(one) for one in SPANS[:4]], "shop", "test")]
    for body in bodies:
        processor.traces(body)
    clock.advance(HOLD)
    compared = [m.prometheus for m in config.metrics.own] + [m.prometheus for m in catalogue.ALL if m.stock != "none"]
    wanted = series(text(processor.copy(), {}), compared)
    assert {m.prometheus for m in config.metrics.own} <= {name.removesuffix("_count") for name, _ in wanted}
    assert all(mark(metric)[0] != "none" for metric in config.metrics.own)
    generated = files(config, 1).files["otelcol_metrics.yaml"]
    with otelcol_process.running(engine("otelcol"), generated, tmp_path / "otelcol") as otelcol:
        for body in bodies:
            otelcol.post(body)
        try:
            until(lambda: not differences(wanted, series(otelcol.scraped(), compared)), "the same series")
        except AssertionError:
            left = differences(wanted, series(otelcol.scraped(), compared))
            pytest.fail(f"{len(left)} of {len(wanted)} series differ:\n" + "\n".join(left[:40]))


def test_the_first_of_several_attributes_and_an_evaluations_name_are_generated() -> None:
    """Without the engine: looked up once for each span, and settled for each evaluation when it is generated."""
    connector = yaml.safe_load(files(parse_text(OWN, "t", {}, None), 1).files["otelcol_metrics.yaml"])["connectors"]
    of = {
        name: [one for one in connector["signal_to_metrics"]["spans"] if one["name"] == name]
        for name in ("shop.amount", "shop.toned")
    }
    (amount,) = of["shop.amount"]
    assert {"key": "first/shop.a/shop.b", "default_value": "none"} in amount["attributes"]
    assert 'span.attributes["first/shop.n/shop.m"] >= 0.0' in amount["conditions"][0]
    assert {one["attributes"][0]["key"]: one["conditions"] for one in of["shop.toned"]} == {
        "is/evaluation/tone": ["true"],
        "is/evaluation/groundedness": ["false"],
    }


@pytest.mark.parametrize(
    ("when", "said"),
    [
        ({"in": ["3"]}, 'K == "3" or IsInt(K) and K == 3'),
        ({"in": ["0.5"]}, 'K == "0.5" or IsDouble(K) and K == 0.5'),
        ({"in": ["1e+16"]}, 'K == "1e+16" or IsDouble(K) and K == 1.0e+16'),
        ({"in": ["true"]}, 'K == "true" or K == true'),
        ({"in": ["03"]}, 'K == "03"'),
        ({"equals": True}, 'K == "true" or K == true'),
        ({"equals": 10**20}, "K == 1.0e+20"),
        ({"over": 1e-05}, "K > 1.0e-05"),
    ],
)
def test_a_condition_holds_for_whatever_is_written_so(when: dict[str, Any], said: str) -> None:
    """Without the engine: `in` is of what a label would show, so a number or a boolean is compared as one too."""
    entry = {
        "name": "shop.k", "unit": "", "kind": "counter", "description": "Spans of a kind.", "span": "llm", "labels": [],
        "when": {"attribute": "k", **when},
    }  # fmt: skip
    config = parse_text(yaml.safe_dump({"metrics": {"entries": [entry]}}), "t", {}, None)
    connector = yaml.safe_load(files(config, 1).files["otelcol_metrics.yaml"])["connectors"]["signal_to_metrics"]
    (made,) = [one for one in connector["spans"] if one["name"] == "shop.k"]
    assert made["conditions"][0].strip("()") == said.replace("K", 'span.attributes["k"]')


@pytest.mark.parametrize(
    ("word", "made"), [("3", "partial"), ("1e+16", "partial"), ("0.5", "full"), ("x", "full"), ("true", "full")]
)
def test_whole_numbers_in_a_list_are_marked(word: str, made: str) -> None:
    """The engine cannot tell 3 from 3.0 there."""
    entry = {
        "name": "shop.k", "unit": "", "kind": "counter", "description": "Spans of a kind.", "span": "llm", "labels": [],
        "when": {"not": {"attribute": "k", "has": [word]}},
    }  # fmt: skip
    (own,) = parse_text(json.dumps({"metrics": {"entries": [entry]}}), "t", {}, None).metrics.own
    assert mark(own)[0] == made
