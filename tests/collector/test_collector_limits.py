"""What is past a limit, and what nobody can count, costs little and is said."""

from __future__ import annotations

import pytest
from otlp_requests import HOLD, INTERVAL, Clock, judged, llm, span, total, traces

from truegreen.collector.evidence import SLICES, Distinct
from truegreen.collector.processor import Processor
from truegreen.core.config import parse_text
from truegreen.core.words import catalogue

OWN = """
metrics:
  labels: {region: {attribute: shop.region, limit: 3}}
  entries:
    - {name: shop.many, unit: "{x}", kind: counter, description: Calls by region of the shop., span: llm, labels: [region]}
    - {name: shop.size, unit: "1", kind: histogram, description: Sizes of baskets by region., span: llm, value: {attribute: shop.items, range: [0, null]}, labels: [region], buckets: [1, 2]}
    - {name: shop.left, unit: "", kind: gauge, description: What is left in the shop., span: llm, value: {attribute: shop.stock}, labels: [], expires: 3}
"""
DROPPED = catalogue.COLLECTOR_DROPPED_SPANS


@pytest.fixture
def own(clock: Clock) -> Processor:
    """A processor with a user's metrics."""
    return Processor(clock, INTERVAL, derived=parse_text(OWN, "t", {}, None).metrics)


def plans_made(processor: Processor, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows with each plan."""
    made: list[int] = []
    plan = processor._planner.plan  # noqa: SLF001  # the cost of a new label set is one call of it
    monkeypatch.setattr(processor._planner, "plan", lambda *given: (made.append(1), plan(*given))[1])  # noqa: SLF001
    return made


def test_services_past_the_series_limit_fold_into_one(clock: Clock) -> None:
    """A thousand services, each with its environment: no more series than the limit and an overflow set for each metric, and no call is lost."""
    processor = Processor(clock, INTERVAL, series_limit=1000)
    for i in range(1000):
        processor.traces(traces([span(llm())], f"s{i % 400}", f"e{i % 20}"))
    clock.advance(HOLD)
    assert total(processor, catalogue.LLM_REQUESTS) == 1000
    widest = sum(len(metric.buckets) + 3 if metric.kind == "histogram" else 1 for metric in catalogue.ALL)
    assert processor.store.series <= 1000 + widest
    assert total(processor, catalogue.LLM_REQUESTS, service="__overflow__", environment="__overflow__") > 900


def test_evidence_past_the_series_limit_folds_into_one(clock: Clock) -> None:
    """A thousand services and environments with failing answers: as many keep scores, traces and users as had room for series, one keeps those of the others."""
    processor = Processor(clock, INTERVAL, series_limit=1000)
    for i in range(1000):
        services = f"s{i // 20}", f"e{i % 20}"
        processor.traces(
            traces([span(judged("fail", raw=float(i), user__id=f"u{i}"), trace_id=(i + 1).to_bytes(16, "big"))], *services)
        )
    kept = [context.evidence for context in processor.contexts.by_identity.values() if context.evidence.scores]
    assert 1 < len(kept) < 50
    assert len([one for one in kept if one.distinct and one.failing and one.slots]) == len(kept)
    own, others = (processor.evidence_of(*names) for names in (("s0", "e0"), ("__overflow__", "__overflow__")))
    assert own is not None and others is not None
    assert list(own.scores["groundedness"].values) == [0.0]
    assert others.scores["groundedness"].seen == 1000 - len(kept) + 1
    assert others.failing[-1][1] == (1000).to_bytes(16, "big")
    processor.traces(traces([span(judged("fail", raw=7.0))], "s0", "e0"))
    assert list(own.scores["groundedness"].values) == [0.0, 7.0]


@pytest.mark.parametrize("many", [25_000, pytest.param(1_000_000, marks=pytest.mark.full)])
def test_names_of_services_that_never_come_again_take_bounded_memory(clock: Clock, many: int) -> None:
    """400 characters each: so many contexts as there may be services, and at most 10 MiB of names by which they are found."""
    processor = Processor(clock, INTERVAL)
    pad = "x" * 400
    for start in range(0, many, 1000):
        processor.traces(b"".join(traces([span({})], f"{i}{pad}") for i in range(start, start + 1000)))
    assert len(processor.contexts.by_identity) == catalogue.SERVICE.limit + 1
    assert sum(len(part or b"") for key in processor.contexts.known for part in key) < 10 << 20


def test_label_sets_past_a_limit_share_a_plan_and_each_is_counted(
    processor: Processor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stranger's values cost no plan each; sums and the count of what was folded are those of a plan for each."""
    made = plans_made(processor, monkeypatch)
    for i in range(1000):
        processor.traces(traces([span(llm(gen_ai__request__model=f"m{i}"))]))
        if i in (100, 500):
            clock.advance(1)
    clock.advance(HOLD)
    assert len(made) <= 102
    assert total(processor, catalogue.LLM_REQUESTS, model="__overflow__") == 900
    assert total(processor, catalogue.LLM_REQUESTS) == 1000
    assert total(processor, catalogue.COLLECTOR_OVERFLOW, metric="truegreen_llm_requests_total") == 900


def test_what_lacks_a_label_is_counted_as_dropped_whatever_its_kind(own: Processor) -> None:
    """A counter and a histogram of which three spans lack the label; a span without the number loses none."""
    own.traces(traces([span(llm(shop__items=1)), span(llm(shop__items=1)), span(llm())]))
    assert total(own, DROPPED, reason="not_a_label") == 3 + 2


def test_a_gauge_of_which_no_number_came_throws_no_plan_away_at_each_scrape(
    own: Processor, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scrapes within the time in which it expires: the plan stays."""
    made = plans_made(own, monkeypatch)
    for _ in range(4):
        own.traces(traces([span(llm())]))
        own.copy()
        clock.advance(INTERVAL / 2)
    assert len(made) == 1


def test_an_attribute_that_cannot_be_read_is_counted(processor: Processor) -> None:
    """The span is counted without it."""
    for scope in (b"", b"openinference.instrumentation.openai"):
        broken = _with_broken_attribute(scope)
        before = total(processor, DROPPED, reason="undecodable")
        assert processor.traces(broken) == 1
        assert total(processor, DROPPED, reason="undecodable") == before + 1


def _with_broken_attribute(scope: bytes) -> bytes:
    def field(number: int, raw: bytes) -> bytes:
        size = len(raw)
        return bytes((number << 3 | 2, *((size & 127 | 128, size >> 7) if size > 127 else (size,)))) + raw

    named = span({"openinference.span.kind": "LLM", "gen_ai.operation.name": "chat"}).SerializeToString()
    spans = field(2, named + field(9, b"\x0a\x7fabc"))
    return field(1, field(2, field(1, field(1, scope)) + spans))


def test_the_estimate_is_the_same_whenever_it_was_asked_for() -> None:
    """What is kept between two questions is what one question at the end would find."""
    often, once = Distinct(), Distinct()
    for at in range(60_000):
        part = at // 6000
        for made in (often, once):
            made.add(b"u%d" % (at % 23_000), part)
        if at % 500 == 0:
            often.count(part)
    asked = often.count(9)
    assert asked == once.count(9)
    bounds = [bound for bound, _ in once._slices.values()]  # noqa: SLF001
    hashes = set().union(*(known for _, known in once._slices.values()))  # noqa: SLF001
    assert asked == round(sum(one < min(bounds) for one in hashes) * (1 << 64) / min(bounds))
    assert often.count(9 + SLICES) == 0
