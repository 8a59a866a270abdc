"""A user's own metrics: `metrics` in truegreen.yaml, with the checks of our catalogue."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from truegreen.core.config import parse_text
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.catalogue_own import NO_LABELS

OWN = """slos: []
metrics:
  spans:
    checkout: {attribute: shop.checkout.step}
  conditions:
    premium: {attribute: shop.plan, in: [premium]}
  labels:
    region: {attribute: shop.region, default: unknown, limit: 20}
  entries:
    - name: shop.premium.answers
      unit: "{answer}"
      kind: counter
      description: Answers to premium customers, by region.
      span: llm
      when: {all: [{condition: answer}, {condition: premium}]}
      labels: [model, region]
    - name: shop.checkout.duration
      unit: s
      kind: histogram
      description: Time of a checkout step.
      span: checkout
      value: {computed: duration, range: [0, null]}
      buckets: [0.1, 1, 10]
      labels: [region]
"""


def own(text: str = OWN) -> tuple[str, ...]:
    return tuple(metric.prometheus for metric in parse_text(text, "truegreen.yaml", {}, None).metrics.own)


def test_own_metrics_stand_behind_ours_which_stay_as_they_are() -> None:
    """Names by the same rules; our labels and conditions may be used; no metric of ours changes."""
    made = parse_text(OWN, "truegreen.yaml", {}, None).metrics
    assert own() == ("shop_premium_answers_total", "shop_checkout_duration_seconds")
    assert made.metrics[: len(catalogue.ALL)] == catalogue.ALL
    assert made.own[0].label_set[0] is not None and made.own[0].label("model") == catalogue.ANSWERS.label("model")
    assert {name: made.spans[name] for name in catalogue.SPANS} == catalogue.SPANS and "checkout" in made.spans
    assert own("") == ()


BAD = [
    ("name: shop.premium.answers", "name: truegreen.premium", 10, "metrics.entries[0].name", "truegreen is ours"),
    ("name: shop.premium.answers", "name: answers", 10, "metrics.entries[0].name", "with a dot"),
    (
        "name: shop.premium.answers",
        "name: process.cpu.seconds",
        10,
        "metrics.entries[0].name",
        "a series of the Prometheus client",
    ),
    ("name: shop.checkout.duration", "name: shop.premium.answers", 17, "metrics.entries[1].name", "stands above"),
    ("unit: s\n", "unit: furlong\n", 18, "metrics.entries[1].unit", "write s, By, 1"),
    ("kind: counter", "kind: summary", 12, "metrics.entries[0].kind", "counter, histogram, gauge"),
    ("      buckets: [0.1, 1, 10]\n", "", 17, "metrics.entries[1]", "'buckets' is a required property"),
    ("buckets: [0.1", "buckets: [11", 23, "metrics.entries[1].buckets", "rising order"),
    (
        "value: {computed: duration, range: [0, null]}",
        "value: {default: 1}",
        22,
        "metrics.entries[1].value",
        "a histogram observes",
    ),
    ("labels: [region]", "labels: [regio]", 24, "metrics.entries[1].labels[0]", "no such label"),
    ("labels: [region]", "labels: [region, slot]", 24, "metrics.entries[1].labels", "no source"),
    ("labels: [region]", "labels: [tool_outcome, agent_outcome]", 24, "metrics.entries[1].labels", "one name in Prometheus"),
    ("labels: [region]", "labels: [finish_reason]", 24, "metrics.entries[1].labels", "write each: NAME"),
    ("labels: [region]", "labels: [result]", 24, "metrics.entries[1].labels", "write each: evaluation"),
    ("span: checkout", "span: chekout", 21, "metrics.entries[1].span", "llm, retrieval"),
    ("condition: premium}", "condition: premum}", 15, "metrics.entries[0].when.all[1].condition", "no such condition"),
    ("region: {", "model: {", 8, "metrics.labels.model", "own_model"),
    ("premium: {attribute", "failed: {attribute", 6, "metrics.conditions.failed", "own_failed"),
    ("checkout: {attribute", "llm: {attribute", 4, "metrics.spans.llm", "own_llm"),
    ("region: {attribute", "region: {label: le, attribute", 8, "metrics.labels.region", "own_le"),
    ("region: {attribute", "region: {label: service, attribute", 8, "metrics.labels.region", "own_service"),
    ("limit: 20", "limit: 5000", 8, "metrics.labels.region.limit", "at most 1000"),
    (", limit: 20", "", 8, "metrics.labels.region", "limit"),
    ("attribute: shop.region", "attribute: gen_ai.input.messages", 8, "metrics.labels.region.attribute", "texts"),
    ("attribute: shop.region", "attribute: [shop.region, user.id]", 8, "metrics.labels.region.attribute", "user.id"),
    ("attribute: shop.region", "resource: k8s.pod.name", 8, "metrics.labels.region.resource", "on the span"),
    (
        "attribute: shop.checkout.step",
        'attribute: "shop.step\\nimport os"',
        4,
        "metrics.spans.checkout.attribute",
        "without control characters",
    ),
    ("region: {attribute", '"region\\n": {attribute', 7, "metrics.labels", "not in the expected form"),
    ("checkout: {attribute", '"pay\\nimport os": {attribute', 3, "metrics.spans", "not in the expected form"),
    ("buckets: [0.1, 1, 10]", f"buckets: [0.1, 1{'0' * 400}]", 23, "metrics.entries[1].buckets[1]", "too large a number"),
    (
        "when: {all: [{condition: answer}, {condition: premium}]}",
        "each: evaluation\n      when: {condition: failed}",
        16,
        "metrics.entries[0].when",
        "no status",
    ),
    (
        "when: {all: [{condition: answer}, {condition: premium}]}\n      labels: [model, region]",
        "each: evaluation\n      labels: [model, llm_outcome]",
        16,
        "metrics.entries[0].labels",
        "no status",
    ),
    ("range: [0, null]", "range: [5, 1]", 22, "metrics.entries[1].value.range", "write range: [1, 5]"),
    ("  entries:", "  entrys:", 9, "metrics.entrys", "did you mean entries?"),
]


@pytest.mark.parametrize(("good", "bad", "line", "key", "instead"), BAD)
def test_a_mistake_is_named_with_file_line_key_and_what_to_write(good: str, bad: str, line: int, key: str, instead: str) -> None:
    """Each at its own line of truegreen.yaml."""
    assert good in OWN
    with pytest.raises(BadInput) as caught:
        own(OWN.replace(good, bad, 1))
    said = [text for text in str(caught.value).splitlines() if instead in text]
    assert said and said[0].startswith(f"truegreen.yaml:{line}: {key}:"), str(caught.value)


COUNTED = "      value: {attribute: shop.amount}\n      labels: [model, region]"


@pytest.mark.parametrize(
    ("value", "instead"),
    [
        ("value: {attribute: shop.amount}", "range: [0, null]"),
        ("value: {attribute: shop.amount, range: [-1, null]}", "range: [0, null]"),
        ("value: {cases: [{when: {condition: premium}, then: 0.5}]}", "whole numbers"),
        ("value: {item: true, range: [0, null]}", "write each: NAME"),
        ("each: user.id", "texts of people"),
        ("expires: 3", "a gauge alone may leave"),
        ("born: {when: {condition: premium}, label: region}", "no label of this metric with values"),
        ("parts: [{value: {attribute: a, range: [0, null]}, labels: {plan: x}}]", "no label of this metric"),
        ("value: {cases: [{when: {condition: premium}, then: 2}], default: 0.5}", "whole number"),
        ("value: {cases: [{when: {condition: premium}, then: 2}], default: -1}", "whole number"),
        ("value: {cases: [{when: {condition: premium}, then: 1.0e+400}]}", "whole numbers"),
        ("value: {default: 100000000000000000}", "whole number"),
        ("value: {attribute: shop.amount, range: [0, null], default: 1}", "counts nothing"),
        ("each: evaluation\n      value: {evaluation: label, range: [0, null]}", "score, raw"),
        ("value: {cases: [{when: {condition: judged}, then: 1}]}", "write each: evaluation"),
        ("born: {when: {any: [{condition: premium}, {condition: judged}]}, label: region}", "write each: evaluation"),
        ("each: evaluation\n      value: {computed: duration, range: [0, null]}", "which has no status and no duration"),
        ("each: evaluation\n      value: {cases: [{when: {condition: failed}, then: 2}]}", "which has no status and no duration"),
        ("each: evaluation\n      value: {cases: [{when: {not: {computed: status_error}}, then: 2}]}", "which has no status"),
    ],
)
def test_a_value_must_fit_its_kind(value: str, instead: str) -> None:
    """A counter never falls, an item needs a list, a fixed label must be one of the metric's."""
    with pytest.raises(BadInput, match="metrics.entries") as caught:
        own(OWN.replace("labels: [model, region]", f"{value}\n      labels: [model, region]"))
    assert instead in str(caught.value)


@pytest.mark.parametrize(
    "when", ["{evaluation: label, in: [pass]}", "{not: {evaluation: name}}", "{all: [{condition: premium}, {condition: judged}]}"]
)
def test_a_condition_on_an_evaluation_needs_one(when: str) -> None:
    """Written out, below another, or by the name of a condition."""
    text = OWN.replace("{all: [{condition: answer}, {condition: premium}]}", when)
    with pytest.raises(BadInput, match=re.escape("truegreen.yaml:15: metrics.entries[0].when: ")) as caught:
        own(text)
    assert "write each: evaluation" in str(caught.value)
    assert own(text.replace("labels: [model, region]", "each: evaluation\n      labels: [model, region]"))


def test_a_condition_that_stands_on_itself_is_refused() -> None:
    """By way of others too."""
    with pytest.raises(BadInput, match=r"truegreen.yaml:6: metrics.conditions.premium: .*stands on itself"):
        own(
            OWN.replace(
                "{attribute: shop.plan, in: [premium]}", "{not: {condition: other}}\n    other: {any: [{condition: premium}]}"
            )
        )


@pytest.mark.parametrize(
    "name",
    [
        "input.value",
        "traceloop.entity.output",
        "langfuse.observation.input",
        "langfuse.user.id",
        "langfuse.session.id",
        "enduser.id",
        "gen_ai.prompt",
        "gen_ai.prompt.0.content",
        "gen_ai.completion.12.content",
        "llm.input_messages.0.message.content",
        "langsmith.trace.session_id",
        "traceloop.association.properties.user_id",
        *sorted(NO_LABELS),
    ],
)
def test_no_label_is_made_of_texts_or_ids_of_people(name: str) -> None:
    """In no library's words; a number may be read from there."""
    with pytest.raises(BadInput, match=r"truegreen.yaml:8: metrics.labels.region.attribute: .*ids of people"):
        own(OWN.replace("attribute: shop.region", f"attribute: {name}"))
    assert own(OWN.replace("value: {computed: duration", f"value: {{attribute: {name}"))


def test_a_name_beside_a_private_one_is_free() -> None:
    """The name of a prompt is no prompt."""
    for name in ("gen_ai.prompt.name", "gen_ai.prompts", "llm.model_name", "shop.0.content"):
        assert own(OWN.replace("attribute: shop.region", f"attribute: {name}"))


@pytest.mark.parametrize(
    ("name", "kind", "other", "found"),
    [
        ("shop.premium.answers.created", "gauge", "shop.premium.answers", "shop_premium_answers_created"),
        ("shop.premium.answers", "gauge", "shop.premium.answers.total", "shop_premium_answers"),
        ("shop.checkout.duration.seconds.created", "gauge", "shop.checkout.duration", "shop_checkout_duration_seconds_created"),
    ],
)
def test_names_that_meet_in_openmetrics_are_refused(name: str, kind: str, other: str, found: str) -> None:
    """There a counter or histogram has one series more, and a counter's family no `_total`."""
    entry = f"{{name: {name}, unit: '', kind: {kind}, description: Something that is shown., span: llm, labels: [], value: {{attribute: a}}}}"
    text = OWN.replace("name: shop.premium.answers", f"name: {other}") if kind == "gauge" and "answers" in name else OWN
    with pytest.raises(BadInput, match=rf"metrics.entries\[2\].name: .*{found} in Prometheus"):
        own(f"{text}    - {entry}\n")


def test_two_mistakes_come_at_once() -> None:
    """One run of the command shows them all."""
    with pytest.raises(BadInput) as caught:
        own(OWN.replace("limit: 20", "limit: 5000").replace("unit: s\n", "unit: mile\n"))
    assert len(str(caught.value).splitlines()) == 2


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["llm", "evaluation", "attribute", "x", "a.b", "counter", "{a}"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["attribute", "item", "cases", "when", "then", "range", "all", "not", "in", "limit", "values"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(["when", "value", "parts", "born", "each", "labels", "buckets", "expires"]), JSON)
def test_any_value_is_taken_or_refused_in_words(key: str, value: object) -> None:
    """No value of a key ends in a traceback."""
    import json

    entry = {"name": "a.b", "unit": "", "kind": "counter", "description": "0123456789", "span": "llm", "labels": [], key: value}
    try:
        own(json.dumps({"metrics": {"entries": [entry]}}))
    except BadInput as error:
        assert str(error).startswith("truegreen.yaml:")
