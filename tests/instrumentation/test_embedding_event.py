"""The opt-in evaluation `embedding`: what its event carries, that it is counted as nothing, and that no text leaves with it."""

from __future__ import annotations

import pytest
from judging import answered, judged_by, part_of
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from truegreen.collector.processor import Processor
from truegreen.core.errors import BadInput
from truegreen.core.words import catalogue
from truegreen.core.words.shapes import Result
from truegreen.core.words.terms import STYLE
from truegreen.evaluation.embedding import LEXICAL, lexical
from truegreen.evaluation.evaluators import embedding
from truegreen.instrumentation import snapshot
from truegreen.instrumentation.settings import Settings
from truegreen.instrumentation.style import style
from truegreen.instrumentation.testing import captured

ANSWER = "The warehouse ships within two days."
WATCHED = Settings(evaluations={"embedding": {}}, rate=1.0)
PREFIX = "truegreen.evaluation.embedding."


def test_the_event_carries_both_sketches_and_the_style_and_no_text(monkeypatch):
    judged_by(monkeypatch, embedding.make({}, None), background=True)
    with captured(WATCHED) as seen, snapshot.use(prompt="support@3"):
        span = answered(seen, text=ANSWER)
        (event,) = seen.events
        seen.exports_no_text(ANSWER, "warehouse")
    assert event.attributes["truegreen.answer.embedding"] == pytest.approx(lexical(ANSWER))
    assert event.attributes["truegreen.query.embedding"] == pytest.approx(lexical("q"))
    assert event.attributes["truegreen.answer.style"] == style(ANSWER)
    assert len(style(ANSWER)) == len(STYLE)
    assert event.attributes["truegreen.prompt.template"] == "support@3"
    assert event.attributes[PREFIX + "evaluator"] == LEXICAL
    assert part_of(span, PREFIX) == {"deferred": "base"}


def test_a_collector_counts_a_sketch_as_no_evaluation_and_no_skip(monkeypatch):
    judged_by(monkeypatch, embedding.make({}, None), background=True)
    with captured(WATCHED) as seen:
        answered(seen, text=ANSWER)
        assert len(seen.events) == 1
    processor = Processor(lambda: 1_000.0, 30.0)
    processor.traces(encode_spans(seen.spans).SerializeToString())
    processor.logs(encode_logs(seen.log_exporter.get_finished_logs()).SerializeToString())
    series = {one.metric.name: one.series for one in processor.copy()}
    assert not series[catalogue.EVALUATIONS.name]
    assert series[catalogue.ANSWERS.name]


@pytest.mark.parametrize("vector", [(float("nan"),), (0.5, float("inf")), [0.5], ("secret text",), (0.0,) * 5_000])
def test_what_is_no_sketch_does_not_leave(monkeypatch, vector):
    judged_by(monkeypatch, lambda sample: Result("embedding", "own", vector=vector), background=True)
    with captured(WATCHED) as seen:
        answered(seen, text=ANSWER)
        (event,) = seen.events
    assert "truegreen.answer.embedding" not in event.attributes
    assert event.attributes[PREFIX + "skipped"] == "error"


def test_without_the_evaluation_nothing_is_sketched():
    with captured(Settings(evaluations={"groundedness": {}}, rate=1.0)) as seen:
        span = answered(seen, text=ANSWER)
        assert not seen.events
    assert not [name for name in span if "embedding" in name]


def test_another_model_is_refused_with_what_to_write():
    with pytest.raises(BadInput, match="write lexical or minilm"):
        embedding.make({"model": "large"}, None)
