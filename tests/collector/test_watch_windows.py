"""What a watch reads and keeps: which answers count, what is bounded, and which baseline a template is compared with."""

from __future__ import annotations

import asyncio
import json
import logging

import numpy as np
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue

from truegreen.collector.watch import windows as module
from truegreen.collector.watch.model import Settings, Shard
from truegreen.collector.watch.references import References
from truegreen.collector.watch.worker import Watch
from truegreen.core.words import catalogue
from truegreen.evaluation.baselines import store
from truegreen.evaluation.model import EXPECTED, RESERVOIR, FrozenBaseline, Profile

PLAIN = (40.0, 4.0, 10.0, *[0.0] * 7)
NAME = "truegreen.evaluation.embedding.evaluator"


def value(one):
    if isinstance(one, bool):
        return AnyValue(bool_value=one)
    if isinstance(one, int):
        return AnyValue(int_value=one)
    if isinstance(one, float):
        return AnyValue(double_value=one)
    if isinstance(one, str):
        return AnyValue(string_value=one)
    return AnyValue(array_value=ArrayValue(values=[AnyValue(double_value=float(x)) for x in one]))


def pairs(attributes):
    return [KeyValue(key=key, value=value(one)) for key, one in attributes.items()]


def spans(*attributes, service="bot"):
    """An OTLP request of a span for each set of attributes, over those of an answer that counts."""
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    resource.resource.attributes.extend(pairs({"service.name": service, "deployment.environment.name": "production"}))
    scope = resource.scope_spans.add()
    for more in attributes:
        counts = {"truegreen.prompt.template": "t", "truegreen.answer.style": PLAIN, "truegreen.evaluation.sampled": "base"}
        whole = {key: one for key, one in {**counts, **more}.items() if one is not None}
        scope.spans.add(name="chat", attributes=pairs(whole))
    return made.SerializeToString()


def events(*attributes, service="bot"):
    made = ExportLogsServiceRequest()
    resource = made.resource_logs.add()
    resource.resource.attributes.extend(pairs({"service.name": service, "deployment.environment.name": "production"}))
    scope = resource.scope_logs.add()
    for more in attributes:
        counts = {"truegreen.prompt.template": "t", "truegreen.answer.style": PLAIN, "truegreen.evaluation.sampled": "base", "gen_ai.evaluation.name": "embedding",
                  "truegreen.answer.embedding": (1.0, 0.0), "truegreen.query.embedding": (0.0, 1.0), NAME: "e@1", "truegreen.evaluation.mirrored": True}  # fmt: skip
        whole = {key: one for key, one in {**counts, **more}.items() if one is not None}
        scope.log_records.add(event_name="gen_ai.evaluation.result", attributes=pairs(whole))
    return made.SerializeToString()


def watch(tmp_path, clock=lambda: 1_000.0, **more):
    return Watch(Settings(str(tmp_path), **more), clock)


def kept(one, service="bot", template="t"):
    found = one.windows.kept.get((service, "production", template))
    return (len(found.style), len(found.sketches)) if found else (0, 0)


# --- what counts ---


@pytest.mark.parametrize(("more", "count"), [
    ({}, 1),
    ({"truegreen.duplicate": True}, 0),
    ({"truegreen.evaluation.sampled": "boost"}, 0),
    ({"truegreen.evaluation.sampled": None}, 0),
    ({"truegreen.answer.style": PLAIN[:9]}, 0),
    ({"truegreen.answer.style": (float("nan"), *PLAIN[1:])}, 0),
    ({"truegreen.answer.style": "forty words"}, 0),
])  # fmt: skip
def test_which_spans_are_watched(tmp_path, more, count):
    one = watch(tmp_path)
    assert one.traces(spans(more)) == count
    assert kept(one) == (count, 0)


@pytest.mark.parametrize(("more", "count"), [
    ({}, 1),
    ({"truegreen.query.embedding": None}, 1),
    ({"truegreen.evaluation.sampled": "boost"}, 0),
    ({"truegreen.answer.embedding": None}, 0),
    ({"truegreen.answer.embedding": (1.0, float("inf"))}, 0),
    ({"truegreen.answer.embedding": (1.0, 1e300)}, 0),
    ({"truegreen.query.embedding": (1.0, 0.0, 0.0)}, 0),
    ({"truegreen.answer.embedding": (1.0,) * 5_000, "truegreen.query.embedding": None}, 0),
    ({NAME: None}, 0),
])  # fmt: skip
def test_which_events_are_watched(tmp_path, more, count):
    one = watch(tmp_path)
    assert one.logs(events(more)) == count
    assert kept(one) == (0, count)


def retrieval(below=1, documents=3, **more):
    """The attributes of a span of a retrieval."""
    return {"truegreen.answer.style": None, "truegreen.evaluation.sampled": None, "gen_ai.data_source.id": "orders",
            "truegreen.retrieval.documents.count": documents, "truegreen.retrieval.relevance.below_floor": below, **more}  # fmt: skip


@pytest.mark.parametrize(("more", "count"), [
    ({}, 1),
    ({"truegreen.duplicate": True}, 0),
    ({"below": None}, 0),
    ({"documents": None}, 0),
    ({"below": 0, "documents": 0}, 0),
    ({"below": 4}, 0),
    ({"below": -1}, 0),
    ({"below": 0.5}, 0),
    ({"below": float("nan")}, 0),
    ({"documents": 1 << 40}, 0),
    ({"documents": "three"}, 0),
])  # fmt: skip
def test_which_retrievals_are_watched(tmp_path, more, count):
    one = watch(tmp_path)
    assert one.traces(spans(retrieval(**more))) == count
    found = one.windows.kept.get(("bot", "production", "orders"))
    assert (list(found.retrievals) if found else []) == [(1, 3)] * count
    assert kept(one) == (0, 0)


def test_a_retrieval_that_brings_worse_chunks_than_the_baseline_is_told(tmp_path):
    """The healthy window itself becomes the baseline, as `/profiles` gives it; then the index is another one."""
    healthy = [retrieval(int(at % 20 == 0)) for at in range(240)]
    before = watch(tmp_path)
    before.traces(spans(*healthy))
    profile = before.windows.kept["bot", "production", "orders"].profile("orders")
    store.save(str(tmp_path), FrozenBaseline("bot", "production", "2026-11-01T00:00:00+00:00", profiles=(profile,)))
    one = watch(tmp_path)

    def shown():
        asyncio.run(one.look())
        found = {shown.metric.name: shown.series for shown in one.copy()}
        changed = {labels[2] for labels, cell in found["truegreen.drift.changed"].items() if cell[0]}
        return changed, {labels[2:] for labels in found["truegreen.drift.zscore"]}

    one.traces(spans(*healthy[:100]))
    assert shown() == (set(), {("retrieval", "orders")})
    one.traces(spans(*[retrieval(int(at % 3 == 0)) for at in range(100)]))
    assert shown() == ({"retrieval"}, {("retrieval", "orders")})


def test_neither_the_canary_nor_a_service_of_another_shard_is_watched(tmp_path):
    part = Shard(1, 2)
    names = {part.has(name): name for name in ("a", "b", "c", "d", "e", "f")}
    one = watch(tmp_path, shard=part)
    for service in ("truegreen-canary", names[True], names[False]):
        one.traces(spans({}, service=service))
        one.logs(events({}, service=service))
    assert [key[0] for key in one.windows.kept] == [names[True]]
    assert sum(Shard(at, 5).has("a") for at in range(1, 6)) == 1


# --- what is bounded ---


def test_a_window_keeps_the_newest_and_another_embedder_begins_it_anew(tmp_path):
    one = watch(tmp_path)
    one.logs(events(*[{}] * (RESERVOIR + 10)))
    one.traces(spans(*[{}] * (RESERVOIR + 10)))
    assert kept(one) == (RESERVOIR, RESERVOIR)
    one.logs(events({NAME: "e@2"}))
    assert kept(one) == (RESERVOIR, 1)
    assert one.windows.kept["bot", "production", "t"].embedder == "e@2"


def test_past_the_bound_the_template_that_was_fed_longest_ago_is_forgotten_and_idle_ones_are(tmp_path, monkeypatch):
    now = [0.0]
    held = module.Windows(lambda: now[0], most=10 * (10 + module.ROW))
    rows = np.zeros(10, dtype="f")
    for at in range(10):
        held.style(("bot", "production", str(at)), rows)
    held.style(("bot", "production", "0"), rows)
    assert "1" not in [key[2] for key in held.kept]
    assert (held.forgotten, len(held.kept), next(reversed(held.kept))[2]) == (1, 9, "0")
    monkeypatch.setattr(module, "TEMPLATES", 3)
    held.style(("bot", "production", "0"), rows)
    assert len(held.kept) == 3
    now[0] = module.IDLE + 1
    held.style(("bot", "production", "new"), rows)
    assert len(held.forget_idle()) == 2
    assert [key[2] for key in held.kept] == ["new"]


def test_a_template_past_the_limit_of_labels_shows_no_distance(tmp_path):
    limit = catalogue.DRIFT_ZSCORE.label_set[1].limit
    store.save(str(tmp_path), frozen(*[f"t{at}" for at in range(2)]))
    one = watch(tmp_path)
    for at in range(limit):
        one.store.admit(catalogue.DRIFT_ZSCORE, "bot", "production", ("style", f"other {at}"))
    one.traces(spans(*[{"truegreen.prompt.template": "t0"}] * 30))
    asyncio.run(one.look())
    assert one.verdicts["bot", "production", "t0"]
    assert "__overflow__" not in {
        part for shown in one.copy() if shown.metric is catalogue.DRIFT_ZSCORE for labels in shown.series for part in labels
    }


# --- which baseline ---


def frozen(*templates, taken="2026-11-01T00:00:00+00:00", many=60, **more):
    rng = np.random.default_rng(len(templates))
    profiles = tuple(
        Profile(name, many, tuple((*map(float, rng.uniform(10, 90, 3)), *[0.0] * 7) for _ in range(many)), **more)
        for name in templates
    )
    return FrozenBaseline("bot", "production", taken, profiles=profiles)


def test_the_oldest_baseline_stays_the_reference_and_a_new_template_gets_its_own(tmp_path):
    now, said = [0.0], []
    store.save(str(tmp_path), frozen("t"))
    known = References(str(tmp_path), 1, said.append, lambda: now[0])
    first = known.of(("bot", "production", "t"))
    assert first is not None
    assert known.of(("bot", "production", "new")) is None
    store.save(str(tmp_path), frozen("t", "new", taken="2026-11-02T00:00:00+00:00"))
    now[0] = 61.0
    assert known.of(("bot", "production", "t")) is first
    assert known.of(("bot", "production", "new")) is not None
    assert not said


def test_a_choice_is_seen_within_a_minute(tmp_path):
    from datetime import UTC, datetime

    now = [0.0]
    store.save(str(tmp_path), frozen("t"))
    second = store.save(str(tmp_path), frozen("t", "new", taken="2026-11-02T00:00:00+00:00"))
    known = References(str(tmp_path), 1, print, lambda: now[0])
    first = known.of(("bot", "production", "t"))
    store.choose(str(tmp_path), second, datetime(2026, 11, 3, tzinfo=UTC))
    now[0] = 30.0
    assert known.of(("bot", "production", "t")) is first
    now[0] = 61.0
    assert known.of(("bot", "production", "t")) is not first


def test_a_corrupt_baseline_is_named_once_kept_and_passed_over(tmp_path, caplog):
    name = store.save(str(tmp_path), frozen("t"))
    store.save(str(tmp_path), frozen("t", taken="2026-11-02T00:00:00+00:00"))
    (tmp_path / name).write_text("{")
    one = watch(tmp_path)
    with caplog.at_level(logging.INFO, "truegreen.collector.watch"):
        for _ in range(2):
            one.traces(spans(*[{}] * 30))
            asyncio.run(one.look())
    assert [name in record.getMessage() for record in caplog.records].count(True) == 1
    assert (tmp_path / name).read_text() == "{"
    assert [verdict.signal for verdict in one.verdicts["bot", "production", "t"]] == ["style"]


def test_live_answers_are_preferred_to_expected_ones(tmp_path):
    live, expected = frozen("t").profiles[0], frozen("t", source=EXPECTED).profiles[0]
    store.save(str(tmp_path), FrozenBaseline("bot", "production", "2026-11-01T00:00:00+00:00", profiles=(live, expected)))
    reference = References(str(tmp_path), 1, print, lambda: 0.0).of(("bot", "production", "t"))
    assert reference is not None
    assert reference.is_live


def test_gauges_leave_with_their_template(tmp_path):
    now = [0.0]
    store.save(str(tmp_path), frozen("t"))
    one = watch(tmp_path, lambda: now[0])
    one.traces(spans(*[{}] * 30))
    asyncio.run(one.look())

    def shown():
        return {made.metric.name: len(made.series) for made in one.copy() if made.metric.failure_mode == "drift"}

    assert shown() == {"truegreen.drift.zscore": 1, "truegreen.drift.answers": 1, "truegreen.drift.changed": 5}
    assert json.dumps(one.answer("bot", "production"))
    now[0] = module.IDLE + 1
    asyncio.run(one.look())
    assert shown() == {"truegreen.drift.zscore": 0, "truegreen.drift.answers": 0, "truegreen.drift.changed": 0}


# --- keeping sketches elsewhere ---


def test_sketches_are_kept_elsewhere_and_a_place_that_fails_stops_nothing(tmp_path, monkeypatch):
    from truegreen.collector.watch import keeping
    from truegreen.core.errors import Failed
    from truegreen.evaluation.vectors.files import Files
    from truegreen.evaluation.vectors.model import Group
    from truegreen.evaluation.vectors.places import opened

    monkeypatch.setattr(keeping, "PAUSE", 0.01)
    said = []
    times = iter(range(1_000))
    kept_ = keeping.Keeping(str(tmp_path / "vectors"), said.append, lambda: float(next(times)))
    one = Watch(Settings(str(tmp_path)), lambda: 0.0, kept_.add)
    one.logs(events(*[{}] * 3))
    kept_.close()
    place = opened(str(tmp_path / "vectors"))
    assert [place.count(Group("bot", "production", "t", kind, "e@1")) for kind in ("answer", "query")] == [3, 3]

    def down(self, group, rows):
        raise Failed("vectors: the place is down")

    monkeypatch.setattr(Files, "put", down)
    kept_ = keeping.Keeping(str(tmp_path / "vectors"), said.append)
    one = Watch(Settings(str(tmp_path)), lambda: 0.0, kept_.add)
    assert one.logs(events(*[{}] * 3)) == 3
    kept_.close()
    assert kept_.lost == 6
    assert said == ["warning: vectors are lost: vectors: the place is down"]
