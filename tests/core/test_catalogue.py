"""The metric catalogue: its file, its typed module, its page, and what a bad one says."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue, catalogue_build, terms
from truegreen.core.words.metric import prometheus_name

TEXT = catalogue_build.SOURCE.read_text()


def test_module_and_page_are_what_the_builder_writes() -> None:
    """The committed module and page are equal to what the catalogue gives."""
    data = catalogue_build.load(TEXT, "catalogue.yaml")
    assert catalogue_build.MODULE.read_text() == catalogue_build.module_text(data)
    assert catalogue_build.PAGE.read_text() == catalogue_build.page_text(data)
    assert catalogue_build.metrics(data) == catalogue.ALL


def test_importing_the_module_loads_the_standard_library_only() -> None:
    """The app's process may import the catalogue: nothing installed comes with it."""
    code = (
        "import sys; import truegreen.core.words.catalogue; print([m for m in ('yaml','jsonschema','click') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("truegreen.evaluations", "{evaluation}", "counter", "truegreen_evaluations_total"),
        ("truegreen.evaluation.score", "1", "histogram", "truegreen_evaluation_score"),
        ("truegreen.evaluation.score", "1", "gauge", "truegreen_evaluation_score_ratio"),
        ("truegreen.snapshot.info", "", "gauge", "truegreen_snapshot_info"),
        ("truegreen.llm.duration", "s", "histogram", "truegreen_llm_duration_seconds"),
        ("truegreen.cost", "$", "counter", "truegreen_cost_dollars_total"),
        ("truegreen.forward.queue.bytes", "By", "gauge", "truegreen_forward_queue_bytes"),
    ],
)
def test_names_follow_the_otlp_to_prometheus_rules(name: str, unit: str, kind: str, expected: str) -> None:
    """Unit word, `_ratio` and `_total` come as the collector's exporter writes them."""
    assert prometheus_name(name, unit, kind) == expected


def test_every_metric_of_the_design_is_declared() -> None:
    """Names that rules and boards were designed on."""
    wanted = """llm_requests_total llm_duration_seconds llm_time_to_first_chunk_seconds llm_time_per_output_token_seconds llm_tokens_total
    llm_finishes_total contained_requests_total evaluated_answers_total evaluations_total evaluation_score evaluation_score_squared_total
    calibration_info failing_trace_info answers_total answer_markers_total drift_zscore evaluator_error_rate baseline_answers
    baseline_timestamp_seconds canary_probes_total drill_completed_timestamp_seconds retrievals_total retrieval_chunks_total retrieval_relevance retrieval_documents
    retrieval_duration_seconds retrieval_index_rebuilt_timestamp_seconds retrieval_index_info guardrail_decisions_total
    guardrail_reviews_total tool_calls_total tool_duration_seconds agent_runs_total agent_steps agent_tokens agent_repeats
    agent_loops_total agent_actions_total agent_branches_total tasks_total feedback_total escalations_total downstream_records_total
    affected_users affected_sessions snapshot_info snapshot_since_timestamp_seconds model_served_total collector_accepted_spans_total
    collector_refused_requests_total collector_dropped_spans_total collector_forward_dropped_total collector_forward_queue_bytes
    collector_series collector_overflow_total collector_request_duration_seconds collector_build_info""".split()
    assert {f"truegreen_{name}" for name in wanted} <= set(catalogue.BY_NAME)


def test_labels_and_constants_are_those_that_rules_read() -> None:
    """The metric that SLOs read has its constant, its labels and its closed results."""
    metric = catalogue.EVALUATED_ANSWERS
    assert metric.labels == ("service", "environment", "evaluation", "evaluator", "result")
    assert metric.label("result").values == (terms.PASS, terms.FAIL)
    assert catalogue.LLM_DURATION.bucket == "truegreen_llm_duration_seconds_bucket"
    assert catalogue.ALL.index(catalogue.BY_NAME[metric.prometheus]) == catalogue.ALL.index(metric)
    with pytest.raises(AttributeError, match="is a counter"):
        _ = metric.bucket


def test_closed_sets_are_the_fixed_terms() -> None:
    """The catalogue and the vocabulary name the same outcomes, skip reasons, markers and containments."""
    assert catalogue.LLM_REQUESTS.label("outcome").values == terms.OUTCOMES
    assert catalogue.EVALUATIONS.label("reason").values == ("", *terms.SKIP_REASONS)
    assert catalogue.EVALUATIONS.label("sampled").values == terms.SAMPLED
    assert catalogue.ANSWER_MARKERS.label("marker").values == terms.MARKERS
    assert catalogue.CONTAINED_REQUESTS.label("containment").values == terms.CONTAINMENTS
    assert {f"{c}_version" for c in terms.SNAPSHOT_COMPONENTS} <= set(catalogue.SNAPSHOT_INFO.labels)
    assert {m.layer for m in catalogue.ALL} <= set(terms.LAYERS)
    assert {m.failure_mode for m in catalogue.ALL} - {""} == set(terms.FAILURE_MODES)
    assert {m.pillar for m in catalogue.ALL} - {""} == set(terms.PILLARS)


BAD = [
    ("    layer: infrastructure", "    layer: infra", "layer", '"infra"', "write one of infrastructure"),
    ("    unit: s\n    kind: histogram", "    unit: sec\n    kind: histogram", "unit", '"sec"', "write it to match"),
    (
        "labels: [operation, provider, model]",
        "labels: [operation, provider, modell]",
        "labels[2]",
        '"modell"',
        "write one of service",
    ),
    ("span: retrieval\n    labels", "span: retrievel\n    labels", "span", '"retrievel"', "write one of llm"),
    ("when: {condition: answer}", "when: {condition: answers}", "when.condition", '"answers"', "write one of failed"),
    ("buckets: [0, 1, 2, 3, 5, 10]", "buckets: [0, 2, 1, 3, 5, 10]", "buckets", "[0, 2, 1", "rising order"),
    ("name: truegreen.llm.duration", "name: truegreen.llm.requests", "name", "truegreen.llm.requests", "write another name"),
    ("    stock: full", "    stok: full", "metrics[0]", "name", "write one of name, unit"),
    ("limits:", "limits: [", "not YAML", "", "write a mapping"),
]


@pytest.mark.parametrize(("good", "bad", "key", "found", "instead"), BAD)
def test_a_bad_catalogue_says_file_line_key_found_and_what_to_write(
    good: str, bad: str, key: str, found: str, instead: str
) -> None:
    """Each mistake is named at its own line."""
    assert good in TEXT
    broken = TEXT.replace(good, bad, 1)
    line = broken[: broken.index(bad)].count("\n") + 1
    with pytest.raises(BadInput) as caught:
        catalogue_build.load(broken, "catalogue.yaml")
    said = str(caught.value)
    where, number, rest = said.split(":", 2)
    assert where == "catalogue.yaml"
    assert abs(int(number) - line) <= 12, said
    assert key in rest and found in rest and instead in rest, said


def test_a_bad_label_reference_is_named_at_its_exact_line() -> None:
    """The line is the one of the wrong word, not of the entry."""
    broken = TEXT.replace("labels: [tool, tool_outcome]", "labels: [tool, tool_outcom]")
    line = broken[: broken.index("tool_outcom]")].count("\n") + 1
    with pytest.raises(BadInput, match=rf"^catalogue.yaml:{line}: metrics\[\d+\]\.labels\[1\]: found \"tool_outcom\""):
        catalogue_build.load(broken, "catalogue.yaml")


def test_the_builder_says_when_module_and_catalogue_differ(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `--write` it answers 1 and names the stale file; with it, it writes."""
    monkeypatch.setattr(catalogue_build, "MODULE", tmp_path / "catalogue.py")
    monkeypatch.setattr(catalogue_build, "PAGE", tmp_path / "metrics.md")
    assert catalogue_build.main([]) == 1
    assert catalogue_build.main(["--write"]) == 0
    assert catalogue_build.main([]) == 0
