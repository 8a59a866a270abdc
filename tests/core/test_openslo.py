"""OpenSLO v1 documents in `truegreen.yaml`: what they become, and what is refused with their own line and path."""

from __future__ import annotations

import itertools
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from truegreen.core.config import load
from truegreen.core.config.openslo_query import ratio as ratio_of
from truegreen.core.config.openslo_query import selected
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.slo import BoundSli, EvaluationSli, EventSli, ThresholdSli

LATENCY = "truegreen_llm_duration_seconds"
CALLS = "truegreen_llm_requests_total"
JUDGED = "truegreen_evaluated_answers_total"
DOCUMENT = """\
apiVersion: openslo/v1
kind: SLO
metadata:
  name: checkout-calls
  displayName: Calls that work
  labels: {{team: [shop, core], owner: ann}}
  annotations:
    truegreen/layer: infrastructure
    truegreen/failure_mode: latency
spec:
  service: checkout-bot
  indicator:
    spec:
      {indicator}
  timeWindow: [{{duration: 4w, isRolling: true}}]
  budgetingMethod: Occurrences
  objectives:
    - {objective}
"""
BAD = f'{CALLS}{{outcome="error"}}'


def source(query):
    return "{metricSource: {type: Prometheus, spec: {query: '" + query + "'}}}"


def ratio(part, total, key="bad"):
    return f"ratioMetric: {{counter: true, {key}: {source(part)}, total: {source(total)}}}"


def document(indicator=None, objective="{target: 0.995}"):
    return DOCUMENT.format(indicator=indicator or ratio(BAD, CALLS), objective=objective)


@pytest.fixture
def read(tmp_path):
    """`read(text, …, slos)`: the configuration with these OpenSLO files, in this order."""

    def made(*texts, slos="[]", rest=""):
        for at, text in enumerate(texts):
            (tmp_path / f"slo{at}.yaml").write_text(text, "utf-8")
        names = ", ".join(f"slo{at}.yaml" for at in range(len(texts)))
        (tmp_path / "truegreen.yaml").write_text(f"openslo: [{names}]\nslos: {slos}\n{rest}", "utf-8")
        return load(tmp_path / "truegreen.yaml", {})

    return made


def refused(read, *texts, **more):
    with pytest.raises(BadInput) as error:
        read(*texts, **more)
    return str(error.value)


def test_a_document_becomes_an_slo_of_this_file(read):
    """Name, words, window, objective, labels and owner; 0.995 is a ratio in OpenSLO."""
    (slo,) = read(document()).slos
    assert (slo.name, slo.description, slo.services, slo.window) == (
        "checkout_calls",
        "Calls that work",
        ("checkout-bot",),
        "28d",
    )
    assert (slo.objective, slo.layer, slo.failure_mode, slo.mode) == (Decimal("0.995"), "infrastructure", "latency", "shadow")
    assert (slo.labels, slo.owner) == ({"team": "shop,core"}, "ann")
    assert slo.sli == EventSli(CALLS, "outcome", ("error",))


@pytest.mark.parametrize(
    ("indicator", "objective", "sli"),
    [
        (
            ratio(f'sum(increase({CALLS}{{outcome=~"error|timeout",operation="chat"}}[5m]))', f'sum(increase({CALLS}{{operation="chat"}}[5m]))'),
            "{targetPercent: 99}",
            EventSli(CALLS, "outcome", ("error", "timeout"), where={"operation": "chat"}),
        ),
        (ratio(f'{CALLS}{{outcome="ok"}}', CALLS, "good"), "{target: 0.99}", EventSli(CALLS, "outcome", ("error", "throttled", "timeout"))),
        (ratio(f'{CALLS}{{outcome!="error"}}', CALLS, "good"), "{target: 0.99}", EventSli(CALLS, "outcome", ("error",))),
        (
            ratio(f'{CALLS}{{outcome="error"}}', f'{CALLS}{{outcome=~"ok|error"}}'),
            "{target: 0.99}",
            EventSli(CALLS, "outcome", ("error",), ("ok", "error")),
        ),
        (
            ratio("truegreen_agent_loops_total", "truegreen_agent_runs_total"),
            "{target: 0.99}",
            EventSli("truegreen_agent_loops_total", "", (), total="truegreen_agent_runs_total"),
        ),
        (
            ratio(f'{LATENCY}_bucket{{le="10",operation="chat"}}', f'{LATENCY}_count{{operation="chat"}}', "good"),
            "{target: 0.99}",
            ThresholdSli(LATENCY, Decimal(10), {"operation": "chat"}),
        ),
        (f"thresholdMetric: {source(LATENCY)}", "{op: lte, value: 2.5, target: 0.9}", ThresholdSli(LATENCY, Decimal("2.5"))),
        (f"thresholdMetric: {source('truegreen_drift_zscore')}", "{op: lte, value: 3, target: 0.9}", BoundSli("truegreen_drift_zscore", most=Decimal(3))),
        (f"thresholdMetric: {source('truegreen_drift_zscore')}", "{op: gte, value: -3, target: 0.9}", BoundSli("truegreen_drift_zscore", Decimal(-3))),
        (
            ratio(f'{JUDGED}{{evaluation="groundedness",result="pass"}}', f'{JUDGED}{{evaluation="groundedness",result=~"pass|fail"}}', "good"),
            "{target: 0.95}",
            EvaluationSli("groundedness"),
        ),
    ],
)  # fmt: skip
def test_each_kind_of_indicator_is_the_same_slo_in_our_words(read, indicator, objective, sli):
    """Ratios with good or bad, buckets over counts, thresholds on histograms and gauges, verdicts."""
    assert read(document(indicator, objective)).slos[0].sli == sli


def test_an_indicator_and_its_source_may_be_documents_of_other_files(read):
    """`indicatorRef` and `metricSourceRef`; a matcher of service or environment says for whom the SLO is."""
    query = f'{CALLS}{{outcome="error",environment=~"production|eu",service="checkout-bot"}}'
    part, total = (
        f"{{metricSource: {{metricSourceRef: prom, spec: {{query: '{text}'}}}}}}"
        for text in (query, query.replace('outcome="error",', ""))
    )
    other = (
        "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: prom}\nspec: {type: Prometheus, connectionDetails: {a: b}}\n---\n"
        f"apiVersion: openslo/v1\nkind: SLI\nmetadata: {{name: errors}}\nspec: {{ratioMetric: {{bad: {part}, total: {total}}}}}\n"
        "---\napiVersion: openslo/v1\nkind: Service\nmetadata: {name: checkout-bot}\nspec: {}\n"
    )
    text = document().replace("indicator:\n    spec:\n      " + ratio(BAD, CALLS), "indicatorRef: errors")
    config = read(text, other)
    assert config.slos[0].environments == ("production", "eu")
    assert config.at(0, "sli.bad").endswith("slo1.yaml:9: spec.ratioMetric.bad.metricSource.spec.query")
    assert config.at(0, "objective").endswith("slo0.yaml:16: spec.objectives[0].target")
    assert "slo0.yaml:12: spec.indicatorRef: no SLI is named errors, there is none" in refused(read, text)
    assert 'slo1.yaml:4: spec.type: found "Datadog"; write Prometheus' in refused(
        read, text, other.replace("Prometheus,", "Datadog,")
    )
    assert "no DataSource is named prom" in refused(read, text, other[other.index("---\n") + 4 :])


@pytest.mark.parametrize(
    ("was", "now", "said"),
    [
        ("openslo/v1", "openslo/v2alpha", "slo0.yaml:1: apiVersion: found"),
        ("kind: SLO", "kind: Slo", 'slo0.yaml:2: kind: found "Slo"; write SLO'),
        ("budgetingMethod: Occurrences", "budgetingMethod: Timeslices", 'slo0.yaml:16: spec.budgetingMethod: found "Timeslices"; write Occurrences'),
        ("duration: 4w", "duration: 1M", 'slo0.yaml:15: spec.timeWindow[0].duration: found "1M"; write'),
        ("isRolling: true", "isRolling: false", "write true: budgets are of a rolling window"),
        ("isRolling: true", "calendar: {}", "spec.timeWindow[0].calendar: unknown key"),
        ("{target: 0.995}", "{target: 99.5}", "slo0.yaml:18: spec.objectives[0].target: found 99.5; write a ratio over 0 and under 1"),
        ("{target: 0.995}", "{target: 0.9, targetPercent: 90}", "spec.objectives[0]: found"),
        ("{target: 0.995}", "{target: 0.9}\n    - {target: 0.8}", "write one objective"),
        ("{target: 0.995}", "{target: 0.9, timeSliceTarget: 1}", "timeSliceTarget: unknown key"),
        ("{target: 0.995}", "{target: 0.9, op: lte, value: 3}", "slo0.yaml:18: spec.objectives[0].op: op and value belong to a thresholdMetric"),
        ("name: checkout-calls", "name: 2nd", "slo0.yaml:4: metadata.name: found"),
        ("{team: [shop, core], owner: ann}", "{service: x}", "slo0.yaml:6: metadata.labels.service"),
        ("{team: [shop, core], owner: ann}", "{a-b: x, a_b: y}", "slo0.yaml:6: metadata.labels.a_b: a_b is there twice, the first is at"),
        ("truegreen/layer: infrastructure", "truegreen/layer: top", 'slo0.yaml:8: metadata.annotations.truegreen/layer: found "top"; write'),
        ("truegreen/layer: infrastructure", "other.io/layer: top", "layer is missing; add annotations: {truegreen/layer: quality}"),
        ("truegreen/layer: infrastructure", "truegreen/layr: quality", "unknown key; did you mean truegreen/layer?"),
        ("counter: true", "counter: false", "ratioMetric.counter: found false; write true"),
        ("counter: true, bad:", "counter: true, god:", "ratioMetric.god: unknown key; did you mean good?"),
        ("counter: true, bad:", f"good: {source(CALLS)}, bad:", "found good and bad; write one of them, and total"),
        (BAD, f"sum({CALLS}", "slo0.yaml:14: spec.indicator.spec.ratioMetric.bad.metricSource.spec.query: found"),
        (BAD, f"{BAD} / 2", "it is more than one selector"),
        (BAD, f"sum by (model) ({BAD})", "it is more than one selector"),
        (BAD, f"{BAD} offset 5m", "offset, @, `or`"),
        (BAD, f'{CALLS}{{outcome=~"err.*"}}', "is a pattern; write the values"),
        (BAD, f'{CALLS}{{outcome="error",outcome!="ok"}}', "outcome is matched twice"),
        (BAD, f'{CALLS}{{outcome="error",operation="chat"}}', "one label must tell the part from the whole, outcome and operation do"),
        (BAD, CALLS, "no label does"),
        (BAD, f'{CALLS}{{outcome="error",service="other"}}', "its service is other"),
        (BAD, f'{CALLS}{{outcome="error",environment="eu"}}', "are of other services or environments"),
        (f"bad: {source(BAD)}", f"good: {source('truegreen_agent_runs_total')}", "cannot be told from bad ones; write bad in place of good"),
        (f"bad: {source(BAD)}", "good: " + source(f'{CALLS}{{model="x"}}'), "what model may be beside x is not known"),
        (f"bad: {source(BAD)}", "bad: " + source(f'{JUDGED}{{result="fail"}}'), "both sides must match the same labels"),
        (ratio(BAD, CALLS), ratio(f'{JUDGED}{{result="fail"}}', JUDGED), "verdicts are counted as"),
        (ratio(BAD, CALLS), ratio('x_total{a="b"}', "x_total"), "no metric is named x_total"),
        (ratio(BAD, CALLS), f"thresholdMetric: {source(LATENCY)}", "a thresholdMetric needs op and value"),
        (source(BAD), source(BAD).replace("Prometheus", "Datadog"), 'metricSource.type: found "Datadog"; write Prometheus'),
        (source(BAD), source(BAD).replace("type: Prometheus, ", ""), "metricSource: type is missing; add type: Prometheus"),
    ],
)  # fmt: skip
def test_what_these_rules_cannot_judge_is_refused_where_it_was_written(read, was, now, said):
    """With the OpenSLO file, its line, the path in it, and what to write; the same document with the other words is taken."""
    assert was in document()
    assert said in refused(read, document().replace(was, now))


@pytest.mark.parametrize(("op", "query", "said"), [("lt", LATENCY, "write op: lte"), ("gt", "truegreen_drift_zscore", "write op: gte"), ("lte", CALLS, "is a counter")])  # fmt: skip
def test_a_threshold_that_no_bucket_or_minute_can_hold_is_refused(read, op, query, said):
    """A boundary belongs to its bucket; on the bound is good."""
    assert said in refused(read, document(f"thresholdMetric: {source(query)}", f"{{op: {op}, value: 10, target: 0.9}}"))


@pytest.mark.parametrize("query", ["sum(truegreen_drift_zscore)", "rate(truegreen_drift_zscore[5m])", "(increase(truegreen_drift_zscore[5m]))", "truegreen_drift_zscore[5m]"])  # fmt: skip
def test_another_number_than_the_gauge_itself_is_refused(read, query):
    """The rules judge the gauge: a rate of it would be thrown away in silence. Around a histogram it says how to count."""
    said = refused(read, document(f"thresholdMetric: {source(query)}", "{op: lte, value: 4, target: 0.99}"))
    assert "slo0.yaml:14: spec.indicator.spec.thresholdMetric" in said
    assert "write truegreen_drift_zscore alone" in said
    read(document(f"thresholdMetric: {source(f'sum(rate({LATENCY}_bucket[5m]))')}", "{op: lte, value: 10, target: 0.99}"))


def test_names_that_are_one_after_mapping_are_refused_with_both_places(read):
    """`a-b` and `a_b` would write the same series; so would an SLO of truegreen.yaml."""
    one, other = (document().replace("checkout-calls", name) for name in ("a-b", "a_b"))
    said = refused(read, one, other)
    assert "slo1.yaml:4: metadata.name: a_b is there twice, the first is at" in said
    assert "slo0.yaml:4: metadata.name; give one of them another name" in said
    assert "slo0.yaml:4: metadata.name: a_b is there twice, the first is at" in refused(
        read, one, slos="[{name: a_b, objective: 99%, layer: quality, failure_mode: drift, sli: {evaluation: groundedness}}]"
    )


def test_all_errors_of_all_files_come_at_once(read):
    """Those of truegreen.yaml too."""
    said = refused(
        read, document(objective="{target: 5}"), document(ratio(f"{BAD} + 1", CALLS)), slos="[{name: grounding, objective: 0.95}]"
    )
    assert [part.split(":")[0] for part in said.replace("/", " ").split() if ".yaml:" in part][:3] == [
        "truegreen.yaml",
        "slo0.yaml",
        "slo1.yaml",
    ]


def test_what_has_no_effect_is_said(read):
    """Alert policies: the ladder takes their place. They are no reason to refuse a document."""
    policy = "---\napiVersion: openslo/v1\nkind: AlertPolicy\nmetadata: {name: x}\nspec: {}\n"
    notes = read(document() + "  alertPolicies: [{alertPolicyRef: x}]\n" + policy).notes
    assert [note.partition(" has no effect")[0].rpartition("/")[2] for note in notes] == [
        "slo0.yaml:19: spec.alertPolicies",
        "slo0.yaml:22: kind",
    ]


def test_a_file_without_an_slo_and_an_sli_that_nobody_means_are_said(read):
    """An empty file, a service alone, an SLI that no SLO refers to; one that is referred to is no news."""
    head = "apiVersion: openslo/v1\nkind: {}\nmetadata: {{name: {}}}\nspec: {}\n"
    spec = "{" + ratio(BAD, CALLS) + "}"
    one, two = (head.format("SLI", name, spec) for name in ("errors", "spare"))
    text = document().replace("indicator:\n    spec:\n      " + ratio(BAD, CALLS), "indicatorRef: errors")
    notes = read(text, f"{one}---\n{two}", "# nothing\n", head.format("Service", "x", "{}")).notes
    assert [note.rpartition("/")[2] for note in notes] == [
        "slo1.yaml:8: metadata.name has no effect: no SLO refers to this SLI.",
        "slo2.yaml:1: has no effect: there is no SLO in it.",
        "slo3.yaml:1: has no effect: there is no SLO in it.",
    ]


def test_a_file_that_is_not_there_is_named(tmp_path):
    """With the key that names it."""
    (tmp_path / "truegreen.yaml").write_text("openslo: [gone.yaml]\n", "utf-8")
    with pytest.raises(BadInput, match=r"truegreen\.yaml: openslo: .*gone\.yaml cannot be read"):
        load(tmp_path / "truegreen.yaml", {})


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=6),
        lambda below: (
            st.lists(below, max_size=3)
            | st.dictionaries(
                st.sampled_from(["metadata", "name", "spec", "indicator", "ratioMetric", "objectives", "labels", "x"]),
                below,
                max_size=4,
            )
        ),
        max_leaves=10,
    ),
    st.sampled_from(["SLO", "SLI", "DataSource", "Service", "AlertPolicy", "x"]),
)
def test_any_document_is_read_or_refused_in_words(tmp_path_factory, body, kind):
    """No document makes the loader fail in another way than BadInput."""
    folder = tmp_path_factory.mktemp("any")
    given_ = {**(body if isinstance(body, dict) else {"spec": body}), "apiVersion": "openslo/v1", "kind": kind}
    (folder / "a.yaml").write_text(yaml.safe_dump(given_, allow_unicode=True), "utf-8")
    (folder / "truegreen.yaml").write_text("openslo: [a.yaml]\n", "utf-8")
    try:
        load(folder / "truegreen.yaml", {})
    except BadInput as error:
        assert "a.yaml:" in str(error)


def test_the_example_of_the_page_is_taken(tmp_path):
    """What docs/openslo.md shows is an SLO."""
    page = (Path(__file__).parents[2] / "docs" / "openslo.md").read_text("utf-8")
    ours, theirs = (part.partition("\n```")[0] for part in page.split("```yaml\n")[1:3])
    (tmp_path / "slos").mkdir()
    (tmp_path / "slos" / "checkout.yaml").write_text(theirs, "utf-8")
    (tmp_path / "truegreen.yaml").write_text(ours, "utf-8")
    assert "checkout_calls" in [slo.name for slo in load(tmp_path / "truegreen.yaml", {}).slos]


_OUTCOMES = ["ok", "error", "throttled", "timeout"]
_MATCH = st.tuples(
    st.sampled_from(["=", "!=", "=~", "!~"]), st.lists(st.sampled_from(_OUTCOMES), min_size=1, max_size=3, unique=True)
)


@given(
    st.none() | _MATCH,
    st.none() | _MATCH,
    st.sampled_from(["", "chat", "embeddings"]),
    st.sampled_from(["", "chat"]),
    st.booleans(),
)
def test_the_same_events_are_bad_in_both_words(part, total, here, there, good):
    """Whatever is taken of a ratio: of every event it is asked whether the queries and the SLI agree on it."""

    def written(match, operation):
        made = [f'outcome{match[0]}"{"|".join(match[1]) if "~" in match[0] else match[1][0]}"'] if match else []
        return CALLS + "{" + ",".join([*made, *([f'operation="{operation}"'] if operation else [])]) + "}"

    def meant(match, operation, event):
        values = match[1] if match and "~" in match[0] else match[1][:1] if match else []
        inside = not match or (event[0] in values) is not match[0].startswith("!")
        return inside and (not operation or event[1] == operation)

    try:
        sli = ratio_of(selected(written(part, here)), selected(written(total, there)), good, catalogue.BY_NAME)
    except BadInput:
        return
    for event in itertools.product(_OUTCOMES, ["chat", "embeddings"]):
        counted = meant(total, there, event)
        bad = counted and meant(part, here, event) is not good
        labels = dict(zip(("outcome", "operation"), event, strict=True))
        told = labels[sli["label"]]
        ours = sli.get("where", {}).items() <= labels.items() and told in sli.get("among", [told])
        assert (counted, bad) == (ours, ours and told in sli["bad"]), (sli, event)
