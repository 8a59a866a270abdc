"""A support agent in simulated time: its spans go through the collector's own processor, and what Prometheus would have scraped is written down."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from truegreen.collector import exposition
from truegreen.collector.processor import Processor
from truegreen.core.words import attributes as names
from truegreen.core.words.terms import FAIL, PASS, RELATIVE
from truegreen.runbook.drills.model import GUARDRAIL, INDEX, MODEL, PROMPT, Behaviour

EVALUATION: Final = "groundedness"
EVALUATOR: Final = "context_support"
CHUNKS: Final = 3
SLOW_SECONDS: Final = 14.0
"""Past the ten seconds of the ready-made SLO `latency`."""
REVIEWED: Final = 0.5
"""Share of blocks that somebody reviews."""
NANO: Final = 1_000_000_000
_OWN: Final = "truegreen_collector_"
"""The collector's own series, which are of no service."""
COHORTS: Final = ("standard", "standard", "standard", "gold")


@dataclass(frozen=True, slots=True)
class Phase:
    """How the application answers until a moment (unix seconds)."""

    until: float
    behaves: Behaviour


class Clock:
    """Simulated time, unix seconds."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        """What time it is."""
        return self.now


def scraped(
    phases: Sequence[Phase], begin: float, *, who: tuple[str, str], per_hour: float, scrape: int, seed: int, calibration: str = ""
) -> Iterator[str]:
    """The samples of a Prometheus that scrapes a collector that hears this application, line by line (OpenMetrics with times, without `# EOF`).

    Args:
        phases: in order of time.
        begin: unix seconds.
        who: service and environment.
        per_hour: questions an hour; they come at random moments.
        scrape: seconds between two scrapes.
        calibration: the digest of the calibration that answers are judged by.
    """
    random, clock = Random(seed), Clock(begin)
    processor = Processor(clock, float(scrape))
    heads: exposition.Heads = {}
    moments = [begin + place * scrape for place in range(int((phases[-1].until - begin) // scrape) + 1)]
    since = _since(phases, begin)
    for last, now in pairwise(moments):
        asked = sorted(random.uniform(last, now) for _ in range(_poisson(random, per_hour * scrape / 3_600)))
        for time in asked:
            clock.now = time
            behaves = next(phase.behaves for phase in phases if time <= phase.until)
            processor.traces(_request(who, _spans(behaves, since[versions(behaves)], random, calibration)))
        clock.now = now
        shown = exposition.text(processor.copy(), heads)
        yield from (f"{line} {now:.0f}\n" for line in shown.splitlines() if line and not line.startswith(("#", _OWN)))


def versions(behaves: Behaviour) -> tuple[tuple[str, str], ...]:
    """The components that serve, by name."""
    return (
        ("guardrail", behaves.guardrail), ("model", MODEL), ("prompt", behaves.prompt), ("retrieval_index", behaves.index),
        ("tool_schema", "support-tools@2"),
    )  # fmt: skip


def snapshot(behaves: Behaviour) -> str:
    """The id of what serves."""
    return sha256(repr(versions(behaves)).encode()).hexdigest()[:12]


def _since(phases: Sequence[Phase], begin: float) -> Mapping[tuple[tuple[str, str], ...], float]:
    found: dict[tuple[tuple[str, str], ...], float] = {}
    start = begin
    for phase in phases:
        found.setdefault(versions(phase.behaves), start)
        start = phase.until
    return found


def _spans(
    behaves: Behaviour, since: float, random: Random, calibration: str
) -> Iterator[tuple[str, float, bool, Mapping[str, Any]]]:
    # (name, seconds, failed, attributes), as the instrumentation and the OpenAI instrumentor write them.
    stamped: dict[str, Any] = {
        names.SNAPSHOT_ID: snapshot(behaves), names.SNAPSHOT_SINCE: since, names.COHORT: random.choice(COHORTS),
        **{names.version_of(component): version for component, version in versions(behaves)},
    }  # fmt: skip
    blocked = random.random() < behaves.blocked
    yield f"guardrail {GUARDRAIL}", 0.001, False, {
        names.GUARDRAIL_NAME: GUARDRAIL, names.GUARDRAIL_STAGE: "input", names.GUARDRAIL_ACTION: "block" if blocked else "allow",
    }  # fmt: skip
    if random.random() < (REVIEWED if blocked else REVIEWED / 10):
        wrong = random.random() < (behaves.wrong_blocks if blocked else 0.002)
        verdict = ("false" if wrong else "true") + ("_positive" if blocked else "_negative")
        yield f"guardrail review {GUARDRAIL}", 0.0, False, {names.GUARDRAIL_NAME: GUARDRAIL, names.GUARDRAIL_VERDICT: verdict}
    if blocked:
        return
    yield f"retrieval {INDEX}", 0.02, False, _retrieved(behaves, random)
    yield "execute_tool search", 0.03, False, {
        names.OPERATION_NAME: names.TOOL_OPERATION, names.TOOL_NAME: "search", names.TOOL_OUTCOME: "ok",
    }  # fmt: skip
    failed = random.random() < behaves.failed
    seconds = SLOW_SECONDS if random.random() < behaves.slow else behaves.seconds * math.exp(random.gauss(0.0, 0.35))
    called: dict[str, Any] = {
        names.OPERATION_NAME: "chat", names.PROVIDER_NAME: "openai", names.REQUEST_MODEL: MODEL,
        names.SESSION_ID: f"s-{random.getrandbits(40):x}", names.USER_ID: f"u-{random.randrange(2_000)}",
        names.PROMPT_NAME: PROMPT, names.PROMPT_VERSION: behaves.prompt.rpartition("@")[2], **stamped,
    }  # fmt: skip
    if behaves.contained:
        called[names.CONTAINMENT] = behaves.contained
    if failed:
        yield "chat", seconds, True, {**called, names.ERROR_TYPE: random.choice(("RateLimitError", "APITimeoutError"))}
        return
    fails = random.random() < behaves.ungrounded
    score = random.uniform(0.0, 0.03) if fails else random.uniform(0.05, 1.0)
    called |= {
        names.RESPONSE_MODEL: behaves.served, names.SYSTEM_FINGERPRINT: behaves.fingerprint, names.FINISH_REASONS: ["stop"],
        names.INPUT_TOKENS: random.randrange(200, 400), names.OUTPUT_TOKENS: random.randrange(20, 60),
        names.EVALUATION_SAMPLED: "base",
        names.evaluation(EVALUATION, "label"): FAIL if fails else PASS, names.evaluation(EVALUATION, "score"): score,
        names.evaluation(EVALUATION, "raw"): score, names.evaluation(EVALUATION, "evaluator"): EVALUATOR,
        names.evaluation(EVALUATION, "scale"): RELATIVE, names.evaluation(EVALUATION, "calibration"): calibration,
    }  # fmt: skip
    yield "chat", seconds, False, called


def _retrieved(behaves: Behaviour, random: Random) -> Mapping[str, Any]:
    scores = [
        random.uniform(0.02, 0.24)
        if random.random() < behaves.below
        else min(1.0, max(0.26, random.gauss(behaves.relevance, 0.1)))
        for _ in range(CHUNKS)
    ]
    return {
        names.OPERATION_NAME: names.RETRIEVAL_OPERATION, names.DATA_SOURCE_ID: INDEX, names.INDEX_NAME: INDEX,
        names.INDEX_VERSION: behaves.index.rpartition("@")[2], names.RETRIEVAL_COUNT: CHUNKS,
        names.RELEVANCE_SCORES: scores, names.RELEVANCE_MAX: max(scores), names.RELEVANCE_MEAN: sum(scores) / CHUNKS,
        names.RELEVANCE_BELOW_FLOOR: sum(score < 0.25 for score in scores),
    }  # fmt: skip


def _request(who: tuple[str, str], spans: Iterator[tuple[str, float, bool, Mapping[str, Any]]]) -> bytes:
    made = ExportTraceServiceRequest()
    resource = made.resource_spans.add()
    for key, given in zip((names.SERVICE_NAME, names.ENVIRONMENT_NAME), who, strict=True):
        resource.resource.attributes.add(key=key).value.string_value = given
    scope = resource.scope_spans.add()
    scope.scope.name = "truegreen.instrumentation"
    for number, (name, seconds, failed, attributes) in enumerate(spans, start=1):
        span = scope.spans.add(
            name=name, kind=Span.SPAN_KIND_CLIENT, trace_id=sha256(repr((who, name, number, attributes)).encode()).digest()[:16],
            span_id=number.to_bytes(8, "big"), start_time_unix_nano=NANO, end_time_unix_nano=NANO + int(seconds * NANO),
        )  # fmt: skip
        span.status.code = Status.STATUS_CODE_ERROR if failed else Status.STATUS_CODE_UNSET
        for key, given in attributes.items():
            span.attributes.add(key=key).value.CopyFrom(_value(given))
    return made.SerializeToString()


def _value(given: Any) -> AnyValue:
    if isinstance(given, str):
        return AnyValue(string_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    return AnyValue(array_value=ArrayValue(values=[_value(item) for item in given]))


def _poisson(random: Random, mean: float) -> int:
    # Knuth, The Art of Computer Programming, 3.4.1; the mean is that of one scrape, small.
    limit, product, count = math.exp(-mean), random.random(), 0
    while product > limit:
        product *= random.random()
        count += 1
    return count
